"""What a run costs, and how many cameras a machine holds."""

from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace

import pytest

from edgecls import Box, Classifier, Pipeline, Region, SourceError, bench
from edgecls.bench import Trial, cameras
from edgecls.bench.parts import _decoded
from edgecls.bench.speed import MOST_AT_ONCE
from edgecls.source import ReadingSettings
from tests.drawn import gray_levels, write_video


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Cameras that start at nearly one moment, so that a trial takes a second."""
    monkeypatch.setattr(cameras, "KEY_FRAME_EVERY_S", 0.2)
    monkeypatch.setattr(cameras, "WARM_UP_S", 0.1)


@pytest.fixture
def clip(tmp_path):
    return str(write_video(tmp_path / "clip.avi", gray_levels(range(0, 250, 10))))


@pytest.fixture
def classifier(light_model):
    return Classifier.load(light_model, device="cpu")


def trial(cameras: int, *, held: bool) -> Trial:
    return Trial(cameras, 25.0, 0.0 if held else 0.5, 1.0, 2.0, 0.1, 100.0)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 5, 11, 63, 64])
def test_the_most_cameras_are_found(limit):
    """On a machine that holds so many cameras, that number is tried and held, the next is tried and is not."""
    tried = []

    def try_so_many(count: int) -> Trial:
        tried.append(count)
        return trial(count, held=count <= limit)

    trials = bench.most_held(try_so_many, most=64)
    assert max((t.cameras for t in trials if t.held), default=0) == limit
    assert limit == 64 or limit + 1 in tried
    assert len(tried) == len(set(tried)) <= 13
    assert [t.cameras for t in trials] == sorted(tried)


@pytest.mark.parametrize(
    ("skipped", "age_ms", "held"), [(0.0, 10.0, True), (0.01, 200.0, True), (0.02, 10.0, False), (0.0, 201.0, False)]
)
def test_held_is_in_time_and_next_to_nothing_skipped(skipped, age_ms, held):
    """At most 1 % skipped and 99 % of the labels at most 200 ms old."""
    assert Trial(1, 25.0, skipped, 1.0, age_ms, 0.1, 100.0).held is held


def test_speed_has_every_stage(classifier, clip):
    """A clip of 25 frames gives 25 frames and three percentiles, in order, for each of five stages."""
    speed = bench.speed(classifier, clip, ReadingSettings(), seconds=20)
    assert speed.frames == 25
    assert set(speed.stages_ms) == {"decode", "shrink", "infer", "sink", "age"}
    assert all(0 <= p50 <= p95 <= p99 for p50, p95, p99 in speed.stages_ms.values())
    assert speed.fps > 0
    assert speed.rss_mb > 20


def test_speed_has_the_cpu_time_of_every_stage(classifier, clip):
    """The stages together are what the process took, and each has taken something."""
    speed = bench.speed(classifier, clip, ReadingSettings())
    assert list(speed.cpu_ms) == ["decode", "read", "take", "shrink", "infer", "labels", "sink"]
    assert sum(speed.cpu_ms.values()) == pytest.approx(1e3 * speed.cores / speed.fps, rel=0.05)
    assert min(ms for stage, ms in speed.cpu_ms.items() if stage != "decode") > 0


def test_speed_ends_after_so_many_frames(classifier, clip):
    """Ten of 25 frames, and the regions that are asked for."""
    seen = []

    def corner(frame):
        seen.append(frame.index)
        return (Region("corner", Box(0, 0, 8, 8)),)

    assert bench.speed(classifier, clip, ReadingSettings(), frames=10, regions=corner).frames == 10
    assert seen == list(range(10))


def test_speed_takes_as_many_frames_at_once_as_a_pipeline():
    """Otherwise another batch would be measured."""
    assert inspect.signature(Pipeline).parameters["frames"].default == MOST_AT_ONCE


def test_the_sum_of_the_parts():
    """340 frames a second and 1 ms on 2 cores: 1 / (1 / 340 + 0.0005)."""
    parts = bench.Parts(decode_fps=340, decode_cores=2, decode_ms=5.6, read_ms=0.2, infer_ms=1.0, cores=2)
    assert parts.fps == pytest.approx(290.6, abs=0.1)
    assert set(parts.cpu_ms) < {"decode", "read", "take", "shrink", "infer", "labels", "sink"}


def test_the_parts_are_those_of_the_run(classifier, clip, tmp_path):
    """All frames are decoded, or so many; with key frames only those; the parts together are at least as fast as the run."""
    whole = bench.parts(classifier, clip, ReadingSettings())
    assert min(whole.decode_fps, whole.decode_cores, whole.read_ms, whole.infer_ms) > 0
    h264 = str(bench.write_clip(tmp_path / "clip.mp4", width=320, height=240, seconds=4))
    assert _decoded(h264, ReadingSettings(), 60.0, None)[0] == 100
    assert _decoded(h264, ReadingSettings(keyframes=True), 60.0, None)[0] == 2
    assert _decoded(h264, ReadingSettings(), 60.0, 10)[0] == pytest.approx(10, abs=2)


def test_no_parts_where_they_do_not_share_the_processor(classifier, clip, tmp_path):
    """A model on another device, pictures, and OpenCV's reader have none."""
    elsewhere = SimpleNamespace(device="cuda")
    assert bench.parts(elsewhere, clip, ReadingSettings()) is None
    assert bench.parts(classifier, str(tmp_path), ReadingSettings()) is None
    assert bench.parts(classifier, clip, ReadingSettings(decoder="opencv")) is None


def test_a_file_without_a_frame_has_no_parts(classifier, tmp_path):
    """It is named."""
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"text\.mp4"):
        bench.parts(classifier, str(tmp_path / "text.mp4"), ReadingSettings())


def test_two_cameras_are_played_at_their_pace(classifier, clip):
    """Each of two cameras of a clip of one second gives some 25 results a second, over the clip's end."""
    held = bench.hold(classifier, clip, 2, ReadingSettings(), seconds=1.5)
    assert held.cameras == 2
    assert 15 < held.fps < 30
    assert held.age_p50_ms <= held.age_p99_ms


def test_a_machine_that_is_too_slow_skips(classifier, clip, monkeypatch):
    """Where a frame takes 100 ms to decode, a camera of 25 a second is not held, and says so by its skips."""
    import time

    real = cameras.PyAVSource.read

    def slow(self):
        time.sleep(0.1)
        return real(self)

    monkeypatch.setattr(cameras.PyAVSource, "read", slow)
    held = bench.hold(classifier, clip, 1, ReadingSettings(), seconds=1.0)
    assert held.skipped > 0.2
    assert not held.held


def test_a_clip_that_is_none(classifier, tmp_path):
    """A file that is no video is named."""
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match=r"text\.mp4: not a video that can be decoded"):
        bench.hold(classifier, str(tmp_path / "text.mp4"), 1, ReadingSettings(), seconds=0.1)


def test_the_clip_is_what_a_camera_sends(tmp_path):
    """The drawn clip is H.264 of the size asked for, 25 frames a second, without B-frames, and moves."""
    import av

    path = bench.write_clip(tmp_path / "clip.mp4", width=320, height=240, seconds=1)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height, stream.average_rate) == ("h264", 320, 240, 25)
        frames = list(container.decode(stream))
    assert len(frames) == 25
    assert {int(frame.pict_type) for frame in frames} == {1, 2}  # I and P
    assert abs(frames[0].to_ndarray(format="gray").astype(int) - frames[10].to_ndarray(format="gray")).mean() > 5


def test_memory_is_told_where_the_kernel_does_not():
    """The memory of a process is a number of megabytes."""
    assert 10 < bench.rss_mb() < 100_000 or sys.platform == "win32"
