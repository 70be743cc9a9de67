"""Tests of reading a video in spans: together they are the whole file, frame for frame."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from edgecls.source import ReadingSettings
from edgecls.source.pyav import PyAVSource
from edgecls.source.spans import SpanError, SpanSource, plan_spans

KINDS = {
    "b-frames.mp4": ("libx264", "-g", "10", "-bf", "3"),
    "open-groups.mp4": ("libx264", "-g", "10", "-bf", "3", "-x264-params", "open-gop=1"),
    "open-groups.mkv": ("libx264", "-g", "10", "-bf", "3", "-x264-params", "open-gop=1"),
    "open-groups.ts": ("libx264", "-g", "10", "-bf", "3", "-x264-params", "open-gop=1"),
    "refresh.mp4": ("libx264", "-g", "10", "-x264-params", "intra-refresh=1:bframes=0"),
    "hevc.mkv": ("libx265", "-x265-params", "log-level=none:open-gop=1:keyint=10"),
    "mpeg4.avi": ("mpeg4", "-g", "10"),
    "hidden-frames.webm": ("libvpx-vp9", "-g", "10", "-auto-alt-ref", "1", "-lag-in-frames", "8", "-cpu-used", "8"),
    "wraps.ts": ("libx264", "-g", "10", "-output_ts_offset", "95441"),
}
"""What ffmpeg is told for each video, which has 60 frames."""
READINGS = (ReadingSettings(), ReadingSettings(every=3), ReadingSettings(fps=4))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Return a function that makes a video of a kind, once."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    folder = tmp_path_factory.mktemp("spans")

    def make(kind):
        path = folder / kind
        if not path.exists():
            picture = ("-f", "lavfi", "-i", "testsrc2=size=96x64:rate=20:duration=3", "-pix_fmt", "yuv420p")
            subprocess.run(["ffmpeg", "-v", "error", *picture, "-c:v", *KINDS[kind], str(path)], check=True)
        return path

    return make


def frames(source):
    """Number, time and picture of each frame."""
    with source:
        return [(frame.index, frame.time_s, frame.plane().tobytes()) for frame in source]


def opened(path, span, reading=READINGS[0]):
    return SpanSource.open(str(path), "x", reading, span)


@pytest.mark.parametrize("kind", KINDS)
def test_spans_are_the_whole_file(video, kind):
    """With B-frames, open groups, gradual refresh, hidden frames and timestamps that wrap, in each container."""
    path = video(kind)
    for reading in READINGS:
        spans = plan_spans(str(path), reading, seconds=0.9)
        assert len(spans) == 3
        whole = frames(PyAVSource.video(str(path), "x", reading))
        assert [frame for span in spans for frame in frames(opened(path, span, reading))] == whole


def test_a_warm_up_begins_earlier(video):
    """At a key frame; frames are numbered all the same."""
    path = video("b-frames.mp4")
    spans = plan_spans(str(path), READINGS[0], seconds=0.9, warm_up_s=0.7)
    assert [(span.begin, span.first, span.stop) for span in spans] == [(0, 0, 20), (0, 20, 40), (20, 40, 60)]
    whole = frames(PyAVSource.video(str(path), "x", READINGS[0]))
    assert frames(opened(path, spans[2])) == whole[20:]


def test_what_is_not_certain_is_read_as_a_whole(video, tmp_path):
    """Other codecs, times that begin again, damage, hardware, and settings that cannot begin in the middle."""
    path = video("b-frames.mp4")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(video("open-groups.ts").read_bytes() * 2)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(joined.read_bytes()[:40_000])
    other = tmp_path / "mpeg2.ts"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-c:v", "mpeg2video", str(other)], check=True)
    for whole in (joined, cut, other):
        assert plan_spans(str(whole), READINGS[0], seconds=0.9) == []
    for reading in (ReadingSettings(keyframes=True), ReadingSettings(every=2, fps=3), ReadingSettings(decode="ffmpeg")):
        assert plan_spans(str(path), reading, seconds=0.9) == []
    assert plan_spans(str(path), READINGS[0], seconds=5.0) == []


def test_a_span_without_all_its_pictures_is_an_error(video, tmp_path):
    """Also where what is missing is before it, or the plan is of another file."""
    path = video("b-frames.mp4")
    spans = plan_spans(str(path), READINGS[0], seconds=0.9)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 200] = bytes(200)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    with pytest.raises(SpanError):
        _ = [frames(opened(tmp_path / "damaged.mp4", span)) for span in spans]
    with pytest.raises(SpanError, match="a span has 20 frames, not 21"):
        frames(opened(path, replace(spans[1], stop=41)))
