"""Read text files that people write: labels, settings, tables.

Handles encodings and the byte order marks that Windows editors write. Sizes and waits are limited, so a device or an idle pipe
does not hang a command, and a wrong file does not fill the memory.
"""

from __future__ import annotations

import os
import re
import select
import stat
import time
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from typing import TYPE_CHECKING

from edgecls.files.advice import of_missing
from edgecls.files.reading import open_file

if TYPE_CHECKING:
    from pathlib import Path


MOST_BYTES = 16 << 20
"""The largest file that is read, in bytes; no hand-written file is this large."""
PIPE_WAIT_S = 10.0
"""How long to wait for data from a pipe, such as the shell's `<(command)`."""
_CHUNK = 1 << 20
_BYTE_ORDER_MARKS = ((BOM_UTF32_LE, "utf-32"), (BOM_UTF32_BE, "utf-32"), (BOM_UTF16_LE, "utf-16"), (BOM_UTF16_BE, "utf-16"))
"""UTF-32 comes first because its little-endian mark begins with that of UTF-16."""


def read_text(path: str | Path, *, error: type[Exception], most_bytes: int = MOST_BYTES) -> str:
    """Read a text file: UTF-8 with or without a byte order mark, or UTF-16 or UTF-32 with one.

    Args:
        path: A regular file or a pipe.
        error: The exception to raise.
        most_bytes: The largest size to read.

    Returns:
        The text without byte order marks, with line feeds as line ends.

    Raises:
        error: The file cannot be read or is not text. The message is one line with the path and, for damaged text, the line.
    """
    return decode_text(read_bytes(path, error=error, most_bytes=most_bytes), str(path), error=error)


def read_bytes(path: str | Path, *, error: type[Exception], most_bytes: int = MOST_BYTES) -> bytes:
    """Read at most `most_bytes` from a regular file or a pipe. Raises `error`."""
    try:
        with open_file(path, pipes=True) as file:
            content = bytearray()
            while chunk := _next_chunk(file.fileno(), path, error):
                content += chunk
                if len(content) > most_bytes:
                    raise error(f"{path}: expected a text file of at most {most_bytes >> 20} MB, found a larger file")
        return bytes(content)
    except OSError as failed:
        if isinstance(failed, error):
            raise
        near = of_missing(path) if isinstance(failed, FileNotFoundError) else ""
        raise error(f"{path}: cannot be read ({failed.strerror or failed}){near}") from failed


def decode_text(data: bytes, where: str, *, error: type[Exception]) -> str:
    """Decode the bytes of a text file as `read_text` does. `where` names the file in errors."""
    encoding = next((encoding for mark, encoding in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8-sig")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as failed:
        line = data.count(b"\n", 0, failed.start) + 1
        raise error(
            f"{where}:{line}: expected text in {'UTF-8' if encoding == 'utf-8-sig' else encoding.upper()}, found the "
            f"byte 0x{data[failed.start]:02x} at position {failed.start}; save the file as UTF-8"
        ) from failed
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise error(f"{where}:{line}: expected text, found a null byte; save the file as UTF-8")
    return re.sub("^\ufeff", "", text, flags=re.MULTILINE)  # concatenated files may each begin with a byte order mark


def _next_chunk(descriptor: int, path: str | Path, error: type[Exception]) -> bytes:
    """Return the next bytes, or b"" at the end. A pipe ends only once a writer has opened and closed it."""
    end_s = time.monotonic() + PIPE_WAIT_S
    while True:
        if hasattr(select, "poll") and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(max(0.0, end_s - time.monotonic()) * 1e3):
                raise error(f"{path}: this is a pipe, and no data arrived for {PIPE_WAIT_S:g} s")
        try:
            return os.read(descriptor, _CHUNK)
        except BlockingIOError:
            continue
