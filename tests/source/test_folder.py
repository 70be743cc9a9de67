"""Tests of a folder of pictures as a source."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecls import SourceError
from edgecls.source import FolderSource, ReadingSettings, open_source
from tests.drawn import gray_levels


@pytest.fixture
def pictures(tmp_path):
    """Write 1.png, 2.png, 10.png and more/3.png, each with ten times its number as gray level; 2.png is broken."""
    (tmp_path / "more").mkdir()
    for name in ("1.png", "2.png", "10.png", "more/3.png"):
        cv2.imwrite(str(tmp_path / name), gray_levels([10 * int(name.removeprefix("more/").removesuffix(".png"))])[0])
    (tmp_path / "2.png").write_bytes(b"this is no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def test_pictures_come_in_natural_order(pictures):
    """1 comes before 10, subfolders are included, and each frame has its file name."""
    with FolderSource(str(pictures), "folder", say=[].append) as source:
        frames = list(source)
    assert [f.file for f in frames] == ["1.png", "10.png", "more/3.png"]
    assert [int(f.bgr()[0, 0, 0]) for f in frames] == [10, 100, 30]


def test_a_broken_picture_is_named_counted_and_keeps_its_index(pictures):
    """The second of four pictures is broken: it is named and skipped, and the third is still number 2."""
    told: list[str] = []
    with open_source(pictures, say=told.append) as source:
        frames = list(source)
    assert [f.index for f in frames] == [0, 2, 3]
    assert [f.time_s for f in frames] == [0, 2, 3]
    assert source.skipped == 1
    assert told == [f"left out: {pictures / '2.png'}: not a picture that OpenCV can decode (18 bytes)"]


def test_strict_stops_at_a_broken_picture(pictures):
    """With strict, the pictures before it are returned, then an error names it."""
    frames = []
    source = open_source(pictures, reading=ReadingSettings(strict=True), say=pytest.fail)
    with source, pytest.raises(SourceError, match=r"2\.png: not a picture that OpenCV can decode"):
        frames.extend(source)
    assert [f.index for f in frames] == [0]


def test_a_folder_without_pictures(tmp_path):
    """A folder without pictures is an error with its name."""
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path)
    assert str(caught.value) == f"{tmp_path}: the folder contains no picture that OpenCV can read"


def test_a_folder_of_broken_pictures_only(tmp_path):
    """Each is reported, and there are no frames."""
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"")
    told: list[str] = []
    with open_source(tmp_path, say=told.append) as source:
        assert list(source) == []
    assert source.skipped == 2
    assert [line.split(": ")[1] for line in told] == [str(tmp_path / "a.jpg"), str(tmp_path / "b.png")]


@pytest.mark.parametrize("name", ["x.png", "x.PNG", "x.jpg", "x.JPEG", "x.jfif", "x.bmp", "x.tif", "x.webp"])
@pytest.mark.parametrize("decoder", ["auto", "opencv"])
def test_a_single_picture_is_read_as_a_picture(tmp_path, name, decoder):
    """It gives one frame, the same as from its folder, named after its file."""
    path = tmp_path / name
    kind = ".jpg" if path.suffix == ".jfif" else path.suffix
    path.write_bytes(cv2.imencode(kind, gray_levels([77])[0])[1].tobytes())
    with open_source(path, reading=ReadingSettings(decoder=decoder), say=pytest.fail) as one, open_source(tmp_path) as folder:
        (frame,), (other,) = one, folder
    assert (frame.camera, frame.index, frame.time_s, frame.file, frame.single) == ("x", 0, 0.0, str(path), True)
    assert (frame.bgr() == other.bgr()).all()


def test_a_single_picture_is_turned_upright(tmp_path):
    """According to the EXIF orientation."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    jpeg = cv2.imencode(".jpg", gray_levels([90], (40, 64))[0])[1].tobytes()
    path = tmp_path / "x.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    with open_source(path) as source:
        assert [frame.size_hw for frame in source] == [(64, 40)]


def test_a_single_picture_of_16_bits_keeps_its_levels(tmp_path):
    """12 bits in a 16-bit file are scaled to the whole range, which is reported."""
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.full((40, 64), 4095, np.uint16))
    said: list[str] = []
    with open_source(path, say=said.append) as source:
        assert [int(frame.luma().min()) for frame in source] == [255]
    assert "12-bit" in said[0]


def test_a_single_picture_that_is_broken_or_too_large_is_an_error(tmp_path, monkeypatch):
    """Unlike in a folder, there is nothing to continue with."""
    path = tmp_path / "x.png"
    path.write_bytes(b"this is no picture")
    with pytest.raises(SourceError, match=r"x\.png: not a picture that OpenCV can decode"), open_source(path) as source:
        list(source)
    cv2.imwrite(str(path), gray_levels([90])[0])
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", "100")
    with pytest.raises(SourceError, match="64x48 pixels, more than the 100"), open_source(path) as source:
        list(source)
