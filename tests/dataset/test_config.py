"""Tests of `DataConfig` and of label files."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig
from edgecls.dataset.config import read_labels
from edgecls.errors import ConfigError, DataError


def test_a_labels_file_has_one_label_a_line(tmp_path):
    """Blank lines and surrounding blanks are removed; letters beyond ASCII are kept."""
    (tmp_path / "labels.txt").write_text("stop \n\n Überholverbot\n", encoding="utf-8")
    assert read_labels(tmp_path / "labels.txt") == ["stop", "Überholverbot"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path, encoding):
    """Files as Notepad and PowerShell write them. A Unicode line separator is part of a label."""
    (tmp_path / "labels.txt").write_text("rot\ngr\u2028ün\n", encoding=encoding, newline="\r\n")
    assert read_labels(tmp_path / "labels.txt") == ["rot", "gr\u2028ün"]


def test_a_labels_file_that_cannot_be_used_is_refused(tmp_path):
    """The errors for a missing and an empty file differ."""
    with pytest.raises(DataError, match=r"none\.txt: cannot be read \(No such file"):
        read_labels(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=r"empty\.txt: expected one label per line, found an empty file"):
        read_labels(tmp_path / "empty.txt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rot\ngr\u00fcn\n".encode("latin-1"), r"l\.txt:2: expected text in UTF-8, found the byte 0xfc"),
        (b"a\nb\0\n", r"l\.txt:2: expected text, found a null byte"),
        (b"a\n\nb\tc\n", r"l\.txt:3: the class name 'b\\tc' has control characters"),
        (b"a\n" + b"b" * 300, r"l\.txt:2: the class name 'b{40}'\.\.\. has 300 characters, expected at most 255"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path, content, message):
    """Latin-1, a null byte, two columns, a very long line."""
    (tmp_path / "l.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "l.txt")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_share_that_empties_a_side_is_refused(fraction):
    """val_fraction lies between 0 and 1."""
    with pytest.raises(ConfigError, match=r"val_fraction must be between 0 and 1, not"):
        DataConfig("x", val_fraction=fraction)


def test_scan_uses_the_settings(shapes, tmp_path):
    """Labels from the file rename the classes, and the group is used."""
    (tmp_path / "labels.txt").write_text("w\nx\ny\nz\n")
    found = DataConfig(str(shapes), labels=str(tmp_path / "labels.txt"), group=r"(\w)\w*/").scan()
    assert found.labels == ("w", "x", "y", "z")
    assert found.items[0].group == "d"
