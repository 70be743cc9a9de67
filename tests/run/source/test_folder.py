"""A folder of pictures as a source."""

from __future__ import annotations

import cv2
import pytest

from edgecls import SourceError
from edgecls.run.source import FolderSource, Reading, open_source
from tests.drawn import gray_levels


@pytest.fixture
def pictures(tmp_path):
    """1.png, 2.png, 10.png and more/3.png, each with ten times its number as its gray level; 2.png is broken."""
    (tmp_path / "more").mkdir()
    for name in ("1.png", "2.png", "10.png", "more/3.png"):
        cv2.imwrite(str(tmp_path / name), gray_levels([10 * int(name.removeprefix("more/").removesuffix(".png"))])[0])
    (tmp_path / "2.png").write_bytes(b"this is no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def test_pictures_come_in_natural_order(pictures):
    """1 comes before 10, folders below are read too, and each frame names its file."""
    with FolderSource(str(pictures), "folder", say=[].append) as source:
        frames = list(source)
    assert [f.file for f in frames] == ["1.png", "10.png", "more/3.png"]
    assert [int(f.bgr()[0, 0, 0]) for f in frames] == [10, 100, 30]


def test_a_broken_picture_is_named_counted_and_keeps_its_index(pictures):
    """The second of four pictures is broken: it is told by its name, skipped, and the third is still number 2."""
    told: list[str] = []
    with open_source(pictures, say=told.append) as source:
        frames = list(source)
    assert [f.index for f in frames] == [0, 2, 3]
    assert [f.time_s for f in frames] == [0, 2, 3]
    assert source.skipped == 1
    assert told == [f"left out: {pictures / '2.png'}: not a picture that OpenCV can decode (18 bytes)"]


def test_strict_stops_at_a_broken_picture(pictures):
    """With strict the pictures before the broken one come, then an error names it."""
    frames = []
    source = open_source(pictures, reading=Reading(strict=True), say=pytest.fail)
    with source, pytest.raises(SourceError, match=r"2\.png: not a picture that OpenCV can decode"):
        frames.extend(source)
    assert [f.index for f in frames] == [0]


def test_a_folder_without_pictures(tmp_path):
    """A folder in which nothing is a picture is an error that names it."""
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path)
    assert str(caught.value) == f"{tmp_path}: the folder holds no picture that OpenCV reads"


def test_a_folder_of_broken_pictures_only(tmp_path):
    """When every picture is broken, each is told and no frame comes."""
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"")
    told: list[str] = []
    with open_source(tmp_path, say=told.append) as source:
        assert list(source) == []
    assert source.skipped == 2
    assert [line.split(": ")[1] for line in told] == [str(tmp_path / "a.jpg"), str(tmp_path / "b.png")]
