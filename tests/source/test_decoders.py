"""Tests of streams and video files that are the same with either decoder."""

from __future__ import annotations

import threading
from itertools import pairwise

import av
import pytest

from edgecls import SourceError
from edgecls.source import ReadingSettings, open_source
from tests.drawn import gray_levels, write_video
from tests.run.footage import level, write_footage
from tests.run.world import cut_in_half, noise, web_server


@pytest.fixture(params=["opencv", "pyav"])
def reading(request):
    """Yield each decoder in turn; a live source ends when it is lost."""
    return ReadingSettings(decoder=request.param, give_up_after_s=0)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
@pytest.mark.parametrize("fps", [25.0, 12.5, 60.0])
def test_a_file_gives_every_frame_at_its_time(tmp_path, suffix, fps, reading):
    """40 frames at a known rate: indices 0..39, each with its own picture, and times right to a millisecond."""
    path = write_video(tmp_path / f"v{suffix}", gray_levels(range(0, 240, 6)), fps)
    with open_source(path, reading=reading) as source:
        frames = list(source)
    assert [f.index for f in frames] == list(range(40))
    assert [f.time_s for f in frames] == pytest.approx([i / fps for i in range(40)], abs=1e-3)
    assert all(abs(int(f.bgr().mean()) - 6 * f.index) <= 12 for f in frames)  # MPEG-4 has another range of levels
    assert source.skipped == 0


@pytest.mark.parametrize(("name", "count"), [("car-detection.mp4", 377), ("vtest.avi", 795)])
def test_a_real_video_is_whole(real_videos, name, count, reading):
    """The real videos have 377 and 795 frames at evenly increasing times."""
    with open_source(real_videos / name, reading=reading) as source:
        frames = [(f.index, f.time_s) for f in source]
    assert [index for index, _ in frames] == list(range(count))
    step_s = frames[-1][1] / (count - 1)
    assert [t for _, t in frames] == pytest.approx([i * step_s for i in range(count)], abs=2e-3)


@pytest.mark.parametrize(("codec", "bframes"), [("libx264", 0), ("libx264", 2), ("libx264", 3), ("mpeg4", 2)])
def test_avi_with_b_frames_is_in_order(tmp_path, codec, bframes, reading):
    """AVI stores no presentation times: all 50 pictures come in order, one frame apart, from 0 on."""
    options = {"b_strategy": "0"} if codec == "libx264" else {"bf": str(bframes), "q": "2"}
    path = write_footage(tmp_path / "v.avi", 50, codec=codec, bframes=bframes, **options)
    with open_source(path, reading=reading) as source:
        frames = list(source)
    assert [f.index for f in frames] == list(range(50))
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(50)], abs=1e-3)
    shown = [float(f.luma().mean()) for f in frames]
    assert all(before < after + 1.5 for before, after in pairwise(shown))
    assert shown[40] - shown[0] == pytest.approx((level(40) - level(0)) * 255 / 219, abs=8)


@pytest.mark.parametrize("first_s", [0.0, 50.0, 3.0])
@pytest.mark.parametrize("bframes", [0, 2])
def test_two_recordings_in_one_file_are_one_after_the_other(tmp_path, bframes, first_s, reading):
    """The times of the second restart: its first frame comes one frame after the last of the first."""
    parts = []
    for n, offset_s in enumerate((first_s, 0.0)):
        path = write_footage(tmp_path / f"{n}.ts", 60, bframes=bframes)
        moved = tmp_path / f"moved{n}.ts"
        with av.open(str(path)) as source, av.open(str(moved), "w") as target:
            copy = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream, shift = copy, round(offset_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    target.mux(packet)
        parts.append(moved.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    with open_source(path, reading=reading) as source:
        times = [f.time_s for f in source]
    assert times == pytest.approx([i / 25 for i in range(120)], abs=1e-3)


def test_a_cut_off_file_gives_its_good_frames_first(tmp_path, reading):
    """Half of a file of 40 frames gives about half of them, then an error with their number."""
    path = cut_in_half(write_video(tmp_path / "half.avi", noise(40)))
    frames = []
    with open_source(path, reading=reading) as source, pytest.raises(SourceError) as caught:
        frames.extend(source)
    assert 10 <= len(frames) < 30
    assert [f.index for f in frames] == list(range(len(frames)))
    assert str(caught.value) == f"{path}: ended after {len(frames)} of 40 frames; the file is cut off"


@pytest.mark.parametrize("ending", ["txt", "nfo", "asc", "idf"])
def test_a_text_is_no_video(tmp_path, reading, ending):
    """FFmpeg would draw its characters, which no camera saw."""
    path = tmp_path / f"notes.{ending}"
    path.write_text("gate open, gate closed\n" * 300, encoding="utf-8")
    with pytest.raises(SourceError, match=rf"notes\.{ending}: is a text, not a video; expected"):
        open_source(path, reading=reading)


def test_a_file_that_is_no_video(tmp_path, reading):
    """The error for a text called .mp4 shows its size, and that it is text."""
    path = tmp_path / "text.mp4"
    path.write_text("no video at all")
    with pytest.raises(SourceError, match=r"text\.mp4: not a video that can be decoded \(15 bytes\); it is text, expected"):
        open_source(path, reading=reading)


def test_an_empty_file(tmp_path, reading):
    """A file without data, as after a full disk, is called empty, whatever its name."""
    for name in ("v.mp4", "v.ts", "v"):
        (tmp_path / name).touch()
        with pytest.raises(SourceError, match=rf"{name}: is empty \(0 bytes\); expected a video"):
            open_source(tmp_path / name, reading=reading)


def test_a_missing_file(tmp_path, reading):
    """The error shows the path and what was expected."""
    path = tmp_path / "missing.mp4"
    with pytest.raises(SourceError) as caught:
        open_source(path, reading=reading)
    assert str(caught.value) == f"{path}: no such file or folder; expected a video, a picture, a folder of pictures or a URL"


def test_motion_jpeg_over_http_is_a_live_source(reading):
    """Its newest frame is returned, and its end is a loss."""
    levels = list(range(0, 240, 6))
    with web_server(gray_levels(levels), wait_s=0.005) as address, open_source(f"{address}/camera", reading=reading) as source:
        assert source.live
        assert source.name == "127.0.0.1"
        frames = []
        with pytest.raises(SourceError) as caught:
            frames.extend(source)
        assert str(caught.value) == (f"{address}/camera: no more frames after 40; the camera was lost or stopped sending")
        assert len(frames) + source.skipped == 40
        assert frames[-1].index == 39
        assert all(abs(int(f.bgr().mean()) - levels[f.index]) <= 3 for f in frames)


def test_motion_jpeg_has_the_times_of_the_clock(reading):
    """FFmpeg would assume 25 frames per second; these arrive every 0.1 s, and so are their times."""
    pictures = gray_levels([0] * 25)
    with web_server(pictures, wait_s=0.1) as address, open_source(f"{address}/camera", reading=reading) as source:
        frames = []
        with pytest.raises(SourceError):
            frames.extend(source)
    first, last = frames[0], frames[-1]
    assert last.time_s - first.time_s == pytest.approx(last.captured_at - first.captured_at, abs=0.3)
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))


def test_leaving_a_stream_early_leaves_no_thread(reading):
    """Closing in the middle of a stream joins its reader and closes the connection."""
    before = threading.active_count()
    with web_server(gray_levels([0] * 5000)) as address:
        with open_source(f"{address}/camera", reading=reading) as source:
            assert source.read().index >= 0
        assert not [t.name for t in threading.enumerate() if t.name.startswith("read ")]
    assert threading.active_count() == before


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_video_over_http_is_read_whole(tmp_path, suffix, reading):
    """A file over HTTP has a length: it is not live, and every frame has its own time."""
    path = write_video(tmp_path / f"v{suffix}", gray_levels(range(0, 240, 6)))
    with (
        web_server(files={path.name: path.read_bytes()}) as address,
        open_source(f"{address}/{path.name}", reading=reading) as source,
    ):
        frames = list(source)
        assert not source.live
    assert [f.index for f in frames] == list(range(40))
    assert [f.time_s for f in frames] == pytest.approx([i / 25 for i in range(40)], abs=1e-3)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_stream_that_refuses_says_no_password(scheme, capfd, reading):
    """The error shows scheme, host, path, the reason and what to check, but no user or password."""
    url = f"{scheme}://user:secret@127.0.0.1:9/x?token=hidden&a=b"
    with open_source(url, reading=reading) as source, pytest.raises(SourceError) as caught:
        source.read()
    text = str(caught.value)
    assert text.startswith(f"{scheme}://***@127.0.0.1:9/x?token=***&a=b: cannot be opened (")
    assert "check the address and the network" in text
    out, err = capfd.readouterr()
    assert not [word for word in ("user:", "secret", "hidden") if word in text + out + err]


def test_a_lost_stream_says_no_password(reading):
    """The error for a stream that is lost in the middle shows no password."""
    with web_server(gray_levels([0] * 20)) as address:
        url = address.replace("http://", "http://user:secret@")
        with (
            open_source(f"gate={url}/camera", reading=reading) as source,
            pytest.raises(SourceError, match="no more frames") as caught,
        ):
            list(source)
    assert "secret" not in str(caught.value)
