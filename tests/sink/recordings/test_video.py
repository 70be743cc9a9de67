"""Tests of the annotated video, read back with PyAV."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from edgecls import ConfigError, MissingExtraError, SinkError, image
from edgecls.draw.results import draw
from edgecls.frame import Box, Detection
from edgecls.sink import Quota, VideoSink, open_sink
from tests.run.disk import fill, small_disk
from tests.run.world import frame, noise, result, said

if TYPE_CHECKING:
    from pathlib import Path


def played(path: Path) -> list[tuple[float, np.ndarray]]:
    """Return the time in seconds and the picture of every frame of a video."""
    with av.open(str(path)) as container:
        return [(float(f.time), f.to_ndarray(format="bgr24")) for f in container.decode(video=0)]


def at(time_s: float, index: int = 0, size_hw: tuple[int, int] = (120, 160), camera: str = "gate"):
    """Return a result with a plain frame at a time."""
    picture = np.full((*size_hw, 3), 90, np.uint8)
    return result(image.as_frame(picture, camera, index, time_s=time_s, captured_at=0.0))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_each_result_is_a_frame_at_its_time(tmp_path, suffix):
    """However unevenly results come, the video has a frame for each, at its own time to a millisecond."""
    times = [0.0, 0.04, 0.1, 0.5, 0.501, 2.0, 3.25]
    path = tmp_path / f"out{suffix}"
    with VideoSink(path) as sink:
        for i, time_s in enumerate(times):
            sink.write(at(time_s, i))
    assert [t for t, _ in played(path)] == pytest.approx(times, abs=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_many_results_are_as_many_frames(tmp_path):
    """300 results give a video of 300 frames."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        for i in range(300):
            sink.write(at(i / 30, i))
    times = [t for t, _ in played(tmp_path / "out.mp4")]
    assert times == pytest.approx([i / 30 for i in range(300)], abs=1e-3)


def test_the_video_shows_what_draw_draws(tmp_path):
    """The frames are the drawn pictures, except for the loss of H.264."""
    one = at(0.0)
    with VideoSink(tmp_path / "out.mp4") as sink:
        sink.write(one)
    ((_, picture),) = played(tmp_path / "out.mp4")
    assert np.abs(picture.astype(int) - draw(one)).mean() < 10


def test_each_camera_keeps_its_labels_in_place(tmp_path, monkeypatch):
    """Label positions are remembered per camera."""
    known: dict[str, set[int]] = {}

    def note(one, steady):
        known.setdefault(one.frame.camera, set()).add(id(steady))
        return draw(one, steady)

    monkeypatch.setattr("edgecls.sink.recordings.video_file.draw", note)
    with VideoSink(tmp_path / "out-{camera}.mp4") as sink:
        for i in range(3):
            sink.write(at(i / 25, i, camera="a"))
            sink.write(at(i / 25, i, camera="b"))
    assert len(known["a"]) == len(known["b"]) == 1
    assert known["a"] != known["b"]


@pytest.mark.parametrize("size_hw", [(121, 161), (121, 160), (120, 161), (33, 47), (2, 2), (3, 3)])
def test_odd_sizes_lose_their_last_row_and_column(tmp_path, size_hw):
    """H.264 stores colour for 2x2 pixels, so an odd side becomes one pixel shorter."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        for i in range(3):
            sink.write(at(i / 25, i, size_hw))
    pictures = [p for _, p in played(tmp_path / "out.mp4")]
    assert [p.shape[:2] for p in pictures] == [(size_hw[0] // 2 * 2, size_hw[1] // 2 * 2)] * 3


def test_times_that_stand_still_or_go_back_lose_no_frame(tmp_path):
    """Frames with equal or decreasing times are all in the video, in the order they came."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        for i, time_s in enumerate([1.0, 1.0, 0.5, 2.0]):
            sink.write(at(time_s, i))
    times = [t for t, _ in played(tmp_path / "out.mp4")]
    assert len(times) == 4
    assert times == sorted(set(times))


def test_the_video_has_its_name_only_when_it_is_whole(tmp_path):
    """Until it is closed, the last run's video stays, with at most a .part beside it; then there is only the new one."""
    path = tmp_path / "out.mp4"
    path.write_text("the last run's")
    sink = VideoSink(path)
    for i in range(3):
        sink.write(at(i / 25, i))
    assert path.read_text() == "the last run's"
    assert {p.name for p in tmp_path.iterdir()} <= {".out.part.mp4", "out.mp4"}
    sink.close()
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]
    assert len(played(path)) == 3


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_a_part_can_be_played_after_a_kill(tmp_path, suffix):
    """Of four seconds that were never closed, all can be played except the last second and what the encoder still holds."""
    sink = VideoSink(tmp_path / f"out{suffix}")
    for i in range(100):
        sink.write(at(i / 25, i))
    left = tmp_path / f"left{suffix}"
    left.write_bytes((tmp_path / f".out.part{suffix}").read_bytes())
    sink.close()
    times = []
    with av.open(str(left)) as container, suppress(av.FFmpegError):  # its last fragment may be incomplete
        times.extend(float(f.time) for f in container.decode(video=0))
    assert len(times) >= 25
    assert [time - times[0] for time in times] == pytest.approx([i / 25 for i in range(len(times))], abs=1e-3)


def test_no_result_is_no_video(tmp_path):
    """A run without results leaves no file."""
    VideoSink(tmp_path / "out.mp4").close()
    assert list(tmp_path.iterdir()) == []


def test_each_camera_has_its_own_video(tmp_path):
    """With {camera} in the name, two cameras give two videos with their own frames."""
    with VideoSink(tmp_path / "out-{camera}.mp4") as sink:
        for i in range(6):
            sink.write(at(i / 25, i, camera="a"))
            if i % 2 == 0:
                sink.write(at(i / 25, i, size_hw=(48, 64), camera="b"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out-a.mp4", "out-b.mp4"]
    assert len(played(tmp_path / "out-a.mp4")) == 6
    assert [p.shape for _, p in played(tmp_path / "out-b.mp4")] == [(48, 64, 3)] * 3


def test_several_cameras_need_a_name_each(tmp_path):
    """Without {camera} in the name, a second camera is an error that suggests a name; the video of the first is complete."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        sink.write(at(0, camera="a"))
        with pytest.raises(
            SinkError, match=r"several cameras need \{camera\} in the name of the video, such as out-\{camera\}\.mp4"
        ):
            sink.write(at(0, camera="b"))
        sink.write(at(1, 1, camera="a"))
    assert len(played(tmp_path / "out.mp4")) == 2


def test_a_video_with_its_start_in_its_name_replaces_none(tmp_path):
    """{start} is the local date and time of each file: three runs and a new size within a second give five videos."""
    for _ in range(3):
        with VideoSink(tmp_path / "{camera}-{start}.mp4") as sink:
            sink.write(at(0))
    with VideoSink(tmp_path / "{camera}-{start}.mp4") as sink:
        sink.write(at(0))
        sink.write(at(1, 1, size_hw=(48, 64)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 5
    for name in names:
        start = datetime.strptime(name.removesuffix(".mp4").split("-")[1], "%Y%m%dT%H%M%S")
        assert abs((datetime.now() - start).total_seconds()) < 60


def test_an_unknown_placeholder_is_rejected(tmp_path):
    """The error suggests the nearest one."""
    with pytest.raises(ConfigError, match=r"\{strat\} is not a placeholder; did you mean \{start\}\?"):
        VideoSink(tmp_path / "{strat}.mp4")


def test_a_new_resolution_is_a_new_file(tmp_path):
    """A camera that changes its size twice gives three videos: out, out-2 and out-3."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        for i, size_hw in enumerate([(48, 64), (48, 64), (96, 128), (48, 64)]):
            sink.write(at(i / 25, i, size_hw))
    shapes = {p.name: [picture.shape[:2] for _, picture in played(p)] for p in tmp_path.iterdir()}
    assert shapes == {"out.mp4": [(48, 64)] * 2, "out-2.mp4": [(96, 128)], "out-3.mp4": [(48, 64)]}


def test_a_name_without_an_ending_is_refused(tmp_path):
    """The ending determines the format; the error shows one."""
    with pytest.raises(ConfigError, match=r"expected a file name with an ending such as \.mp4 or \.mkv"):
        VideoSink(tmp_path / "out")


def test_an_ending_that_no_video_has(tmp_path):
    """A video called .txt is an error with FFmpeg's reason, and leaves no file."""
    sink = VideoSink(tmp_path / "out.txt")
    with pytest.raises(SinkError, match=r"out\.txt: FFmpeg cannot write a video there"):
        sink.write(at(0))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_container_without_h264(tmp_path):
    """A container that cannot hold H.264, such as .webm, is an error that names it."""
    sink = VideoSink(tmp_path / "out.webm")
    with pytest.raises(SinkError, match=r"out\.webm: "), sink:
        sink.write(at(0))
    assert not (tmp_path / "out.webm").exists()


def test_a_frame_too_small_for_a_video(tmp_path):
    """A frame with a side of one pixel is an error with its size, and leaves no file."""
    sink = VideoSink(tmp_path / "out.mp4")
    with pytest.raises(SinkError, match=r"out\.mp4: expected frames of 2x2 pixels or more, found 5x1"):
        sink.write(at(0, size_hw=(1, 5)))
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_first_drawing_is_raised(tmp_path, monkeypatch):
    """Closing neither hides it nor leaves a file."""
    monkeypatch.setattr("edgecls.sink.recordings.video_file.draw", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), VideoSink(tmp_path / "out.mp4") as sink:
        sink.write(at(0))
    assert list(tmp_path.iterdir()) == []


def test_one_video_that_cannot_be_finished_does_not_cost_the_others(tmp_path):
    """If a folder has the name of one video, the error names it and its .part; the other video is complete."""
    sink = VideoSink(tmp_path / "out-{camera}.mp4")
    for camera in ("a", "b"):
        for i in range(3):
            sink.write(at(i / 25, i, camera=camera))
    (tmp_path / "out-a.mp4").mkdir()
    with pytest.raises(
        SinkError, match=r"out-a\.mp4: the video cannot be finished \(.*the unfinished video is .*\.out-a\.part\.mp4"
    ):
        sink.close()
    assert len(played(tmp_path / "out-b.mp4")) == 3
    assert len(played(tmp_path / ".out-a.part.mp4")) == 3
    sink.close()


def test_without_pyav_the_error_is_the_command_that_installs_it(tmp_path, monkeypatch):
    """When the sink is opened."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        MissingExtraError, match=r"Writing a video needs av, which is not installed: pip install 'edgecls\[cpu\]'"
    ):
        VideoSink(tmp_path / "out.mp4")


def test_labels_of_zones_are_in_the_video(tmp_path):
    """The box of a zone is visible in the right place."""
    one = frame(level=90, size_hw=(240, 320))
    with VideoSink(tmp_path / "out.mp4") as sink:
        sink.write(result(one, Detection(Box(100, 80, 200, 180), said(), "zone")))
    ((_, picture),) = played(tmp_path / "out.mp4")
    inside, border = picture[130, 150].astype(int), picture[130, 100].astype(int)
    assert np.abs(inside - 90).max() <= 12
    assert border[1] - border[2] > 40  # green against gray


def test_with_a_quota_the_oldest_parts_make_room(tmp_path):
    """With parts of 2 s and room for a few of them, a video of 30 s keeps the newest, complete and always within the limit;
    files of the user stay.
    """
    (tmp_path / "holiday.mp4").write_bytes(bytes(300_000))
    quota = Quota(tmp_path, most_bytes=400_000)
    largest = 0
    with VideoSink(tmp_path / "out.mp4", quota=quota, part_s=2.0) as sink:
        for i, picture in enumerate(noise(10, (48, 64)) * 75):
            sink.write(result(image.as_frame(picture, "gate", i, time_s=i / 25, captured_at=0.0)))
            largest = max(largest, sum(p.stat().st_size for p in tmp_path.iterdir() if p.name != "holiday.mp4"))
    parts = sorted(tmp_path.glob("out-*.mp4"))
    spans = [json.loads(part.with_suffix(".json").read_text())["video"] for part in parts]
    assert quota.removed > 0
    assert largest <= 400_000
    assert spans[-1]["last_s"] == pytest.approx(749 / 25, abs=1e-3)
    assert all(after["first_s"] - before["last_s"] == pytest.approx(0.04, abs=2e-3) for before, after in pairwise(spans))
    assert [len(played(part)) for part in parts[:-1]] == [50] * (len(parts) - 1)
    assert (tmp_path / "holiday.mp4").stat().st_size == 300_000


def test_a_video_goes_on_after_a_full_disk(tmp_path, monkeypatch):
    """On a full disk of 300 kB, frames are lost until there is room; then a new, complete video begins. No file stays open, so
    the disk can be unmounted.
    """
    monkeypatch.setattr("edgecls.sink.recordings.video.RETRY_S", 0.0)
    with small_disk(tmp_path / "disk", "300k") as disk:
        said = []
        sink = VideoSink(disk / "out.mp4", say=said.append)
        failed, lost = [], 0
        for i, picture in enumerate(noise(10, (96, 128)) * 12):
            if i == 20:
                fill(disk / "somebody's")
            if i == 80:
                (disk / "somebody's").unlink()
            sink.write(result(image.as_frame(picture, "gate", i, time_s=i / 25, captured_at=0.0)))
            if sink.backlog.dropped > lost:
                failed.append(i)
                lost = sink.backlog.dropped
        sink.close()
        assert 20 <= min(failed) <= max(failed) < 80
        assert "No space left on device" in said[0]
        assert len(said) == 2
        (whole,) = disk.glob("out*.mp4")
        assert len(played(whole)) == 120 - 1 - max(failed)


def test_a_run_goes_on_while_the_disk_of_its_video_is_full(tmp_path, monkeypatch):
    """The sink counts and reports lost frames, and starts another video once there is room. At the start of a run, a full disk
    is an error.
    """
    monkeypatch.setattr("edgecls.sink.recordings.video.RETRY_S", 0.0)
    told = []
    with small_disk(tmp_path / "disk", "300k") as disk:
        sink = open_sink(f"video:{disk}/out.mp4", say=told.append)
        for i, picture in enumerate(noise(10, (96, 128)) * 12):
            if i == 20:
                fill(disk / "somebody's")
            if i == 80:
                (disk / "somebody's").unlink()
            sink.write(result(image.as_frame(picture, "gate", i, time_s=i / 25, captured_at=0.0)))
        sink.close()
        lost = sink.backlog.dropped
        assert told == [
            f"frames of the video cannot be written and are counted as lost: {disk}/out.mp4: No space left on device",
            f"{disk}/out.mp4: frames of the video are written again; {lost} were lost",
        ]
        assert 0 < lost < 80
        assert len(list(disk.glob(".*.part.mp4"))) <= 1
        assert 40 <= len(played(max(disk.glob("out*.mp4")))) <= 120 - lost
    with (
        open_sink(f"video:{tmp_path}/out.txt", say=told.append) as sink,
        pytest.raises(SinkError, match="cannot write a video"),
    ):
        sink.write(at(0))


def test_after_an_error_it_waits(tmp_path):
    """A failed write is not retried with every frame: the next results raise the same error at once."""
    sink = VideoSink(tmp_path / "out.txt")
    for _ in range(3):
        with pytest.raises(SinkError, match=r"out\.txt: FFmpeg cannot write a video there"):
            sink.write(at(0))
    sink.close()
    assert list(tmp_path.iterdir()) == []
