"""Pictures and videos that went bad."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

from tests.fuzz import mutations as m
from tests.fuzz.case import VIDEOS, Case, Seed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.case import Change

UNREADABLE = frozenset({"a.exr", "a.heic", "a.jxl"})
"""Kinds that OpenCV cannot read, or not without an option."""


def _coded() -> dict[str, bytes]:
    """A small picture in each kind of file."""
    colors = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    gray, real = colors[:, :, 0], colors.astype(np.float32) / 255
    deep = gray.astype(np.uint16) * 16
    see_through = np.dstack([colors, gray])
    kinds = {
        **dict.fromkeys((".jpg", ".webp", ".tiff", ".bmp", ".jp2", ".gif", ".avif", ".ppm", ".ras", ".pam"), colors),
        **dict.fromkeys((".pgm", ".pbm"), gray), **dict.fromkeys((".hdr", ".pfm"), real), ".png": see_through,
    }  # fmt: skip
    found = {f"a{suffix}": bytes(cv2.imencode(suffix, picture)[1]) for suffix, picture in kinds.items()}
    found |= {"deep.png": bytes(cv2.imencode(".png", deep)[1]), "deep.tiff": bytes(cv2.imencode(".tiff", deep)[1])}
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    found |= {"a.jfif": bytes(cv2.imencode(".jpg", colors, progressive)[1]), "turned.jpg": _turned(found["a.jpg"])}
    found["a.exr"] = _by_ffmpeg("exr", real)
    found["a.heic"] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + found["a.avif"][24:]
    found["a.jxl"] = b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(64)
    return found


def _turned(jpeg: bytes) -> bytes:
    """A JPEG with an EXIF orientation."""
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, 6, 0, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + jpeg[2:]


def _by_ffmpeg(codec: str, picture: np.ndarray) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.shape[1], picture.shape[0], "gbrpf32le"
    encoder.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="gbrpf32le")
    return b"".join(map(bytes, [*encoder.encode(frame), *encoder.encode(None)]))


def pictures(good: Path) -> list[Seed]:
    """Each kind of picture, given by name and found in a folder."""
    seeds = []
    for name, data in _coded().items():
        changes: tuple[Change, ...] = (m.in_bytes, m.in_sizes)
        changes += (m.in_png_header,) if data.startswith(b"\x89PNG") else ()
        code = int(name in UNREADABLE)
        seeds.append(Seed(Case(("predict", good / "light.onnx", name), {name: data}), name, changes, code))
        folder = ("run", "--model", good / "light.onnx", "--source", ".", "--strict")
        seeds.append(Seed(Case(folder, {name: data}), name, changes, code))
    return seeds


def videos(good: Path) -> list[Seed]:
    """Each kind of video by each decoder."""
    command = ("run", "--model", good / "light.onnx", "--source")
    return [
        Seed(Case((*command, name, "--decoder", decoder), {name: (good / name).read_bytes()}), name, (m.in_bytes, m.in_sizes))
        for name, decoder in itertools.product(VIDEOS, ("pyav", "opencv"))
    ]
