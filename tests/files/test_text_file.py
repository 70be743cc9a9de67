"""Reading text files as editors write them."""

from __future__ import annotations

import codecs
import os
import threading

import pytest

from edgecls.errors import ConfigError, DataError
from edgecls.files import text_file
from edgecls.files.text_file import decode_text, read_bytes, read_text

WORDS = "rot\ngrün\n"


@pytest.mark.parametrize(
    "content",
    [
        WORDS.encode(),
        codecs.BOM_UTF8 + WORDS.encode(),
        WORDS.encode("utf-16"),
        codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"),
        WORDS.encode("utf-32"),
        WORDS.replace("\n", "\r\n").encode("utf-8-sig"),
        WORDS.replace("\n", "\r").encode(),
        b"".join(line.encode("utf-8-sig") for line in WORDS.splitlines(keepends=True)),
    ],
    ids=["plain", "utf-8 mark", "utf-16", "utf-16-be", "utf-32", "crlf", "cr", "two files joined"],
)
def test_encoding_and_line_ends_do_not_change_the_text(tmp_path, content):
    """The text is the same for all editors."""
    (tmp_path / "t").write_bytes(content)
    assert read_text(tmp_path / "t", error=DataError) == WORDS


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "rot\ngrün\n".encode("latin-1"),
            "t:2: expected text in UTF-8, found the byte 0xfc at position 6; save",
        ),
        (WORDS.encode("utf-16") + b"x", "t:3: expected text in UTF-16, found the byte 0x78"),
        ("a\nb".encode("utf-16-le"), "t:1: expected text, found a null byte"),
        (b"a\nb\0", "t:2: expected text, found a null byte"),
    ],
)
def test_invalid_text_is_refused_with_its_line(content, message):
    """Latin-1, truncated UTF-16, UTF-16 without a byte order mark, a null byte."""
    with pytest.raises(ConfigError, match=message):
        decode_text(content, "t", error=ConfigError)


def test_unreadable_paths_are_errors(tmp_path, monkeypatch):
    """A missing file, a folder, an endless device, a null byte in the path and a file that is too large."""
    (tmp_path / "large").write_bytes(b"x" * 101)
    for path, message in (
        (tmp_path / "none", r"none: cannot be read \(No such file"),
        (tmp_path, r"cannot be read \(expected a file, found a folder\)"),
        ("/dev/zero", r"/dev/zero: cannot be read \(expected a file, found a device\)"),
        ("a\0b", r"cannot be read \(embedded null byte\)"),
        (tmp_path / "large", r"large: expected a text file of at most 0 MB, found a larger"),
    ):
        with pytest.raises(DataError, match=message):
            read_bytes(path, error=DataError, most_bytes=100)


def test_a_pipe_is_read_if_it_has_a_writer(tmp_path, monkeypatch):
    """Such as the shell's <(command), even if the command takes a while; a pipe without a writer is an error."""
    monkeypatch.setattr(text_file, "PIPE_WAIT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: this is a pipe, and no data arrived for 0\.1 s"):
        read_text(tmp_path / "pipe", error=DataError)
    monkeypatch.setattr(text_file, "PIPE_WAIT_S", 10.0)
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(WORDS,))
    writer.start()
    assert read_text(tmp_path / "pipe", error=DataError) == WORDS
    writer.join()
