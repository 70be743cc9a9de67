"""Encode pictures as PNG and JPEG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.image.opencv import cv2

if TYPE_CHECKING:
    from edgecls.frame import Picture


def encode_png(picture: Picture) -> bytes:
    """Encode a picture as PNG, which is lossless.

    Args:
        picture: (H, W) gray, (H, W, 1) or (H, W, 3) blue-green-red, uint8.

    Returns:
        The bytes of the file.
    """
    return bytes(cv2.imencode(".png", picture)[1])


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """Encode a picture as JPEG.

    Args:
        picture: (H, W) gray or (H, W, 3) blue-green-red, uint8.
        quality: 1 (smallest file) to 100 (best).

    Returns:
        The bytes of the file.
    """
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
