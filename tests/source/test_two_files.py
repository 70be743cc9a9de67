"""Two recordings of one camera: the small one is watched, the large one decoded where somebody asks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgecls import ConfigError, SourceError, image, open_source
from edgecls.frame import Box
from edgecls.input_spec import InputSpec
from edgecls.regions.geometry import Polygon
from edgecls.regions.sharp import is_ready
from edgecls.source import ReadingSettings, kept_decoder, same_scene
from tests.source.two import MAIN_HW, SUB_HW, number_of, numbered, write_h264

FPS, COUNT = 20, 100


def write(path, size_hw, numbers, *, fps=FPS, b_frames=0):
    """Write numbered pictures as H.264, with a key frame each 20."""
    return write_h264(path, (numbered(number, size_hw) for number in numbers), fps=fps, gop=20, b_frames=b_frames)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Five seconds, squeezed to 4:3."""
    return write(tmp_path_factory.mktemp("small") / "small.mp4", SUB_HW, range(COUNT))


@pytest.fixture(scope="module")
def large(small):
    """The same at full size."""
    return write(small.with_name("large.mp4"), MAIN_HW, range(COUNT))


@pytest.fixture
def decoded(monkeypatch):
    """Count the packets of the large video that are decoded."""
    numbers = []
    decode = kept_decoder.KeptDecoder._decoded
    monkeypatch.setattr(kept_decoder.KeptDecoder, "_decoded", lambda self, p: numbers.append(p.number) or decode(self, p))
    return numbers


def reading(small, **settings):
    return ReadingSettings(substream=str(small), **settings)


def test_a_main_frame_is_that_of_the_same_moment(small, large):
    """Of each frame that is asked for, the large picture has the same number; all frames are those of the small video."""
    with open_source(large, reading=reading(small)) as source:
        frames = list(source)
    assert [number_of(frame) for frame in frames] == list(range(COUNT))
    assert all(frame.size_hw == SUB_HW for frame in frames)
    with open_source(large, reading=reading(small)) as source:
        for frame in source:
            assert is_ready(frame)
            assert (number_of(frame.sharp), frame.sharp.size_hw) == (number_of(frame), MAIN_HW)
            assert (frame.sharp.index, frame.sharp.time_s, frame.sharp.camera) == (frame.index, frame.time_s, frame.camera)


@pytest.mark.parametrize("fps", [5, 7, 30])
def test_streams_of_different_rates(small, tmp_path, monkeypatch, fps):
    """The main frame is the nearest one, within half the distance of its pictures."""
    monkeypatch.setattr(same_scene.SameScene, "agrees", lambda *_: True)  # the same number is not the same moment here
    other = write(tmp_path / "other.mp4", MAIN_HW, range(5 * fps), fps=fps, b_frames=2 if fps == 30 else 0)
    with open_source(other, reading=reading(small)) as source:
        for frame in source:
            is_ready(frame)
            if frame.sharp is not None:
                assert abs(number_of(frame.sharp) / fps - frame.time_s) <= 0.5 / fps + 1e-3
            else:
                assert frame.time_s > 4.8


def test_nothing_is_decoded_that_nobody_asks_for(small, large, decoded):
    """Without a request no packet; for one picture those since its key frame, and none of the group between two requests."""
    with open_source(large, reading=reading(small)) as source:
        frames = iter(source)
        first = [next(frames) for _ in range(25)]
        assert decoded == []
        is_ready(first[24])
        assert decoded == [20, 21, 22, 23, 24]
        rest = [next(frames) for _ in range(45)]
        is_ready(rest[44])
        assert decoded == [20, 21, 22, 23, 24, *range(60, 70)]
        is_ready(rest[43])
        assert number_of(rest[43].sharp) == 68  # an earlier one again, as of another thread


def test_parts_are_cut_from_the_main_frame(small, large):
    """A box of the squeezed small picture is the same part of the large one, with all its pixels; a whole frame stays."""
    spec = InputSpec(64, 64, "gray")
    with open_source(large, reading=reading(small)) as source:
        frame = list(source)[77]
        box = Box(20, 30, 80, 90)
        before = image.fit_region(frame, box, spec)
        is_ready(frame)
        sharp, there = image.sharpest(frame, box)
        assert (sharp, there) == (frame.sharp, Box(80, 90, 320, 270))
        after = image.fit_region(frame, box, spec)
        assert np.array_equal(after, image.fit_region(frame.sharp, there, spec))
        assert np.abs(after.astype(int) - before).mean() < 12  # the same stripes, with sharper edges
        assert image.sharpest(frame, Box(0, 0, 160, 120)) == (frame, Box(0, 0, 160, 120))


def test_private_areas_are_black_in_both(small, large):
    """Neither the small nor the large picture shows them."""
    area = Polygon.rectangle(0, 0, 0.5, 1)
    with open_source(large, reading=reading(small, private=(area,))) as source:
        frame = list(source)[255 % COUNT]
        is_ready(frame)
    for one in (frame, frame.sharp):
        assert one.bgr()[:, : one.size_hw[1] // 2 - 4].max() <= 12
        assert one.paint is not None


def test_clips_are_cut_from_the_main_stream(small, large):
    """With `keep_s` the packets of a frame are those of the large video, in the time of the frames."""
    with open_source(large, reading=reading(small, keep_s=2.0)) as source:
        frame = list(source)[60]
    first = frame.packets.since(frame.time_s)[0]
    assert (first.is_key, frame.packets.time_s(first.pts)) == (True, pytest.approx(3.0))
    assert frame.packets.stream.codec == "h264"
    assert first.size > 100


def test_a_main_video_that_ends_early(small, tmp_path):
    """After its end the small video is classified, without waiting."""
    short = write(tmp_path / "short.mp4", MAIN_HW, range(40))
    with open_source(short, reading=reading(small)) as source:
        frames = list(source)
    assert all(is_ready(frame) for frame in frames)
    assert number_of(frames[38].sharp) == 38
    assert frames[60].sharp is None


def test_a_main_video_that_is_damaged(small, large, tmp_path):
    """What can be decoded is; damaged pictures are never shown, and the rest is classified from the small video."""
    data = bytearray(large.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(data)
    with open_source(bad, reading=reading(small), say=lambda _: None) as source:
        frames = [frame for frame in source if is_ready(frame)]
    assert len(frames) == COUNT
    shown = [frame for frame in frames if frame.sharp is not None]
    assert len(shown) > COUNT // 3
    assert all(number_of(frame.sharp) == number_of(frame) for frame in shown)


@pytest.mark.parametrize(
    ("where", "substream", "expected"),
    [
        (0, "rtsp://10.0.0.7/2", "expected two network streams or two videos, but 0 is a camera, and rtsp"),
        ("rtsp://u:pw@10.0.0.7/1", "small.mp4", "rtsp://***@10.0.0.7/1 is a stream, and small.mp4 is a video"),
        ("rtsp://10.0.0.7/1", "rtsp://10.0.0.7/1", "is the same as source"),
    ],
)
def test_what_cannot_be_a_substream(where, substream, expected):
    """One line without the password, before anything is opened."""
    with pytest.raises(ConfigError, match="substream: ") as found:
        open_source(where, reading=ReadingSettings(substream=substream))
    assert expected in str(found.value)
    assert "pw" not in str(found.value)


def test_what_cannot_go_with_a_substream(small):
    """OpenCV keeps no packets; a missing large video is an error, and leaves nothing open."""
    with pytest.raises(ConfigError, match="remove `decoder=opencv`"):
        replace(ReadingSettings(decoder="opencv"), substream="rtsp://10.0.0.7/2")
    with pytest.raises(SourceError, match=r"gone\.mp4: no such file"):
        open_source("gone.mp4", reading=reading(small))


def test_a_substream_of_another_scene(small, tmp_path):
    """It is said once, and nothing is cut from the wrong picture."""
    other = write(tmp_path / "other.mp4", MAIN_HW, [255 - number if number < 50 else number for number in range(COUNT)])
    said: list[str] = []
    with open_source(other, reading=reading(small), say=said.append) as source:
        frames = [frame for frame in source if is_ready(frame)]
    assert [frame.index for frame in frames if frame.sharp is not None] == [0]  # all black and all white, which proves nothing
    assert [line.partition(";")[0] for line in said] == ["other: source and substream show different scenes"]


def test_scenes_that_agree_again(small, tmp_path, monkeypatch):
    """After a while they are compared again, and main frames are used."""
    monkeypatch.setattr(same_scene, "AGAIN_S", 1.0)
    other = write(tmp_path / "other.mp4", MAIN_HW, [255 - number if number < 50 else number for number in range(COUNT)])
    said: list[str] = []
    with open_source(other, reading=reading(small), say=said.append) as source:
        shown = [frame.index for frame in source if is_ready(frame) and frame.sharp is not None][1:]
    assert shown[0] >= 50
    assert shown == list(range(shown[0], COUNT))
    assert [line.partition(" show ")[2][:13] for line in said] == ["different sce", "the same scen"]
