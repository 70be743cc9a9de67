"""How a good file becomes a bad one: bytes, words and sizes are changed, a few at a time.

Changes of bytes find what a parser trusts. Most of them are refused by the first check, so files that have a structure are
changed in it as well, see `tests.fuzz.values` and `tests.fuzz.containers`.
"""

from __future__ import annotations

import re
import struct
import zlib

from hypothesis import strategies as st

WORDS = (
    "0", "-1", "1e999", "-1e999", "nan", "NaN", "inf", "Infinity", "9223372036854775807", "9223372036854775808", "1e-320",
    "1" + "0" * 400, "0x10", "true", "null", "None", "", " ", '"', "'", "\\", "\n", "\r", "\t", "\x00", "\x1b[2J", "\ufeff",
    "\u202e", "é", "\U0001f600", "[", "]", "{", "}", "[" * 3000, "[" * 200_000, "{" * 300, "x" * 70_000, ",", ";", ":", "=",
    "#", "%", "%s", "%00", "${NOT_SET}", "${", "..", "/", "/dev/zero", "/dev/null", "/dev/full", "rtsp://[::1", "http://[",
    "@", "?", "&", "~",
)  # fmt: skip
"""What takes the place of a number, a word or a sign in a text."""
SIZES = (0, 1, 2, 255, 65535, 65536, 32000, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_TOKEN = re.compile(r"[A-Za-z_]+|-?\d+(?:\.\d+)?|[^\sA-Za-z_\d]|\s+")


@st.composite
def in_bytes(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to six bytes or pieces are replaced, left out, repeated or put in."""
    data = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(1, 64))
        kind = draw(st.sampled_from(("set", "flip", "leave out", "put in", "repeat", "end", "zero")))
        if kind == "set":
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "leave out":
            del data[at : at + length]
        elif kind == "put in":
            data[at:at] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "repeat":
            data[at:at] = data[at : at + length] * draw(st.sampled_from((1, 2, 1000)))
        elif kind == "end":
            del data[at:]
        else:
            data[at : at + length] = bytes(len(data[at : at + length]))
    return bytes(data)


@st.composite
def in_words(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to four words, numbers or signs of a text become others, or trade places; at times the encoding is another."""
    parts = _TOKEN.findall(seed.decode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(parts) - 1))
        if draw(st.booleans()):
            parts[at] = draw(st.sampled_from(WORDS))
        else:
            other = draw(st.integers(0, len(parts) - 1))
            parts[at], parts[other] = parts[other], parts[at]
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")))
    return "".join(parts).encode(encoding, "replace")


@st.composite
def in_png_header(draw: st.DrawFn, seed: bytes) -> bytes:
    """A PNG says that it is of another size or kind; its check sum is right."""
    header = bytearray(seed[16:29])
    if draw(st.booleans()):
        header[draw(st.sampled_from((8, 9, 12)))] = draw(st.sampled_from((0, 1, 2, 3, 4, 6, 8, 16, 255)))
    else:
        at = draw(st.sampled_from((0, 4)))
        header[at : at + 4] = struct.pack(">I", draw(st.sampled_from(SIZES)))
    checked = b"IHDR" + bytes(header)
    return seed[:12] + checked + struct.pack(">I", zlib.crc32(checked)) + seed[33:]


def in_sizes(seed: bytes) -> st.SearchStrategy[bytes]:
    """Two or four bytes become a size that matters somewhere, in either order of bytes."""
    packed = [struct.pack(order + code, size) for order in "<>" for code, most in (("H", 2**16), ("I", 2**32))
              for size in SIZES if size < most]  # fmt: skip
    return st.builds(
        lambda at, size: seed[:at] + size + seed[at + len(size) :],
        st.integers(0, max(0, min(len(seed), 4096) - 4)),
        st.sampled_from(packed),
    )
