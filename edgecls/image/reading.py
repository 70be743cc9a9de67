"""Read picture files. Training, evaluation, prediction and folder sources all use the same function.

Pictures that are too large are detected by their header, truncated and damaged ones by their structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from edgecls.errors import DataError
from edgecls.files import read_regular
from edgecls.image import header, jpeg, levels, orientation
from edgecls.image.opencv import cv2, quiet_opencv
from edgecls.limits import check_size, max_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgecls.frame import Picture

SUFFIXES = frozenset(
    [
        ".apng",
        ".avif",
        ".avifs",
        ".bmp",
        ".dib",
        ".exr",
        ".gif",
        ".hdr",
        ".heic",
        ".heif",
        ".hif",
        ".j2k",
        ".jfi",
        ".jfif",
        ".jif",
        ".jp2",
        ".jpc",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".pam",
        ".pbm",
        ".pfm",
        ".pgm",
        ".pic",
        ".pjp",
        ".pjpeg",
        ".png",
        ".pnm",
        ".ppm",
        ".pxm",
        ".ras",
        ".sr",
        ".tif",
        ".tiff",
        ".webp",
    ]
)
"""File name extensions of pictures. OpenCV reads all but HEIC, which is listed so that it is reported as an error."""
Note: TypeAlias = Callable[[str, int], None]
"""Called for each 16-bit picture that is read as one with fewer bits, with its name and the number of bits."""
BYTES_PER_PIXEL = 8
"""Files with more than this many bytes per allowed pixel are not read."""
_HALVED = (cv2.IMREAD_COLOR, cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_COLOR_8)


def load(path: str | Path, *, note: Note | None = None) -> Picture:
    """Read a picture file and turn it upright by its EXIF orientation.

    Args:
        path: The file.
        note: Called if a 16-bit picture is read as one with fewer bits.

    Returns:
        (H, W, 3) uint8 blue-green-red.

    Raises:
        DataError: The file is missing, not a regular file, not a picture, truncated, damaged, or has too many pixels.

    Example:
        pixels = load("data/signs/stop/0001.jpg")
    """
    return decode(read_file(path), str(path), note=note)


def read_file(path: str | Path) -> bytes:
    """Read the bytes of a picture file. Raises DataError if it is not a regular file, or larger than any allowed picture."""
    return read_regular(path, error=DataError, most_bytes=BYTES_PER_PIXEL * max_pixels() + (1 << 20))


def decode(data: bytes, where: str, *, halvings: int = 0, live: bool = False, note: Note | None = None) -> Picture:
    """Decode the bytes of a picture file and turn it upright.

    Args:
        data: The content of the file.
        where: Its name, for error messages.
        halvings: Halve each side this many times (0..3), which makes decoding a JPEG faster.
        live: Whether it comes from a live camera; then slow checks for damage are skipped.
        note: Called if a 16-bit picture is read as one with fewer bits.

    Returns:
        (H, W, 3) uint8 blue-green-red.

    Raises:
        DataError: Not a picture, truncated, damaged, or too many pixels.
    """
    if not data:
        raise DataError(f"{where}: the file is empty, expected a picture")
    if unreadable := header.unreadable(data):
        raise DataError(f"{where}: {unreadable}")
    stated_wh = header.size(data)
    bits = levels.stated(data)
    weight = max(header.weight(data), 1 if bits is None else 2)
    check_size(*(stated_wh or (0, 0)), where, DataError, weight=weight)
    is_jpeg = data.startswith(header.JPEG)
    whole = _whole_jpeg(data, where, live=live) if is_jpeg else orientation.plain_exif(data)
    picture = None if bits is None or halvings else _of_few_bits(data, bits, where, note)
    if picture is None:
        picture = _decoded(whole, where, _HALVED[halvings])
    if picture is None:
        raise DataError(f"{where}: {_why_not(is_jpeg=is_jpeg, has_size=stated_wh is not None)} ({len(data)} bytes)")
    return orientation.upright(picture, data, stated_wh)


def decode_as_stored(data: bytes, where: str) -> Picture:
    """Decode a PNG from `edgecls.image.codec.encode_png` to (H, W) or (H, W, 3) uint8. Raises DataError."""
    check_size(*(header.size(data) or (0, 0)), where, DataError)
    picture = _decoded(data, where, cv2.IMREAD_UNCHANGED) if data else None
    if picture is None:
        raise DataError(f"{where}: holds a picture that OpenCV cannot decode ({len(data)} bytes)")
    return picture


def few_bits(found: Sequence[tuple[str, int]]) -> str:
    """Return one line about the 16-bit pictures that were read as fewer bits; `found` has the name and the bits of each."""
    name = found[0][0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    kinds = sorted({bits for _, bits in found})
    listed = " or ".join(map(str, kinds))
    return f"{name}{more}: 16-bit levels of which only {listed} bits are used; read as {listed}-bit pictures"


def _why_not(*, is_jpeg: bool, has_size: bool) -> str:
    if is_jpeg:
        return "the JPEG is damaged: its data ends before its last pixel"
    if has_size:
        return "the picture is cut off or damaged, or of a kind that this OpenCV cannot decode; copy it again, or convert it"
    return "not a picture that OpenCV can decode"


def _whole_jpeg(data: bytes, where: str, *, live: bool) -> bytes:
    found = jpeg.layout(data)
    if not found.end:
        raise DataError(f"{where}: the JPEG is cut off after {len(data)} bytes; copy it again")
    if damage := jpeg.damage(data, found, suspicious_only=live):
        raise DataError(f"{where}: the JPEG is damaged: {damage}; copy it again")
    return jpeg.data_of(data, found)


def _decoded(data: bytes, where: str, flags: int) -> Picture | None:
    quiet_opencv()  # its warnings would clutter the one line that names the file
    try:
        return cast("Picture | None", cv2.imdecode(np.frombuffer(data, np.uint8), flags))
    except (cv2.error, MemoryError) as error:
        raise DataError(f"{where}: OpenCV cannot decode it ({getattr(error, 'err', 'not enough memory')})") from error


def _of_few_bits(data: bytes, stated: int, where: str, note: Note | None) -> Picture | None:
    """Decode a 16-bit picture from the low bits of its levels; None if it uses all 16."""
    found = _decoded(data, where, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if found is None or found.dtype != np.uint16:
        return None
    bits = levels.used(cast("np.ndarray[tuple[int, ...], np.dtype[np.uint16]]", found), stated)
    if bits == levels.ALL_BITS:
        return None
    if note is not None:
        note(where, bits)
    shift = np.right_shift if bits >= 8 else np.left_shift
    return cast("Picture", shift(found, abs(bits - 8), out=found).astype(np.uint8))  # in place: it is large
