"""The debug video of each camera: of a drawn road, and where it cannot be written."""

from __future__ import annotations

import os

import numpy as np
import pytest

from edgecls import ConfigError, Run, SinkError
from edgecls.draw.explain import COUNTED, FAULT
from edgecls.sink import ExplainSettings, ExplainSink, check_sinks, open_sink
from edgecls.sink.sink import Backlog
from tests.drawn import write_video
from tests.run.disk import fill, small_disk
from tests.run.drawn_road import FPS, HIGH, LANES, LINE, SIZES, WIDE, road
from tests.run.world import frame, noise, result
from tests.sink.recordings.test_video import at, played
from tests.tiny import color_model

SECONDS = 14.0
CLOSE = 45
"""How far a colour may be from what was drawn: H.264 stores colour for 2x2 pixels."""


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """The film of a road, its debug video, and the events with and without it."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "colors.onnx").write_bytes(color_model())
    film = road(0, SECONDS)
    clip = write_video(folder / "road.avi", [picture for _, picture in film.pictures()], FPS)
    events = []
    for sinks in ([], [f"explain:{folder}/new/why"]):
        with Run(
            model=folder / "colors.onnx", sources=[f"road={clip}"], lines={"line": (LINE, 0.0, LINE, 1.0)}, sinks=sinks
        ) as run:
            events.append([event for _, found in run for event in found])
    return film, played(folder / "new" / "why" / "road.mp4"), events


def like(picture, color):
    """Where a picture has about this colour: (H, W) bool."""
    return np.abs(picture.astype(int) - color).max(axis=2) < CLOSE


def test_each_frame_is_there_and_nothing_else_changes(explained):
    """As many frames as the film, at their times; the events are those of a run without it."""
    _, frames, (without, with_it) = explained
    assert [time_s for time_s, _ in frames] == pytest.approx([i / FPS for i in range(int(SECONDS * FPS))], abs=2e-3)
    assert with_it == without
    assert any(event.kind == "crossing" for event in without)


def test_vehicles_are_tinted_where_they_are(explained):
    """In the middle of each that is whole in the picture; the empty road is not."""
    film, frames, _ = explained
    seen = 0
    for time_s, picture in frames[int(3 * FPS) :: 5]:
        for drive in film.drives:
            left, (high, wide) = round(drive.left(time_s)), SIZES[drive.kind]
            if 60 < left < WIDE - wide - 60 and abs(left + wide / 2 - LINE * WIDE) > wide:
                middle = (
                    slice(LANES[drive.lane][0], LANES[drive.lane][0] + high // 2 - 6),
                    slice(left + wide // 2 + 4, left + wide - 8),
                )
                tint = picture[middle].astype(int)
                seen += 1
                assert np.median(tint[..., 0] - tint[..., 2]) > 40, (time_s, drive)
    assert seen > 10
    _, empty = frames[int(2.5 * FPS)]
    blue = empty[40 : HIGH - 60, 20:200].astype(int)
    assert (blue[..., 0] - blue[..., 2]).mean() < 5


def test_each_crossing_flashes(explained):
    """The line is yellow when one is counted, and not in the frame before the first one."""
    _, frames, (_, events) = explained
    on_line = slice(20, HIGH - 20), slice(round(LINE * WIDE) - 2, round(LINE * WIDE) + 3)
    counted = [event.start.frame for event in events if event.kind == "crossing"]
    for index in counted:
        assert like(frames[index + 2][1][on_line], COUNTED).sum() > 100
    assert like(frames[min(counted) - 2][1][on_line], COUNTED).sum() < 20


def test_the_warm_up_says_so(explained):
    """Red at the top in its two seconds, and no more after that."""
    _, frames, _ = explained
    top = slice(0, 12), slice(0, 100)
    assert like(frames[5][1][top], FAULT).mean() > 0.4
    assert like(frames[int(2.5 * FPS)][1][top], FAULT).mean() < 0.05


def test_it_costs_nothing_when_it_is_off(tmp_path, monkeypatch, light_model):
    """Tracks are collected only for a sink that shows them."""
    clip = write_video(tmp_path / "plain.avi", noise(3))
    asked = []
    monkeypatch.setattr("edgecls.events.detector.Events.tracks", lambda self, camera: asked.append(camera) or ())
    for sinks, times in (([], 0), ([f"explain:{tmp_path}/why"], 3)):
        with Run(model=light_model, sources=[clip], sinks=sinks) as run:
            list(run)
        assert len(asked) == times


def test_a_folder_that_cannot_be_created_is_one_line(tmp_path, light_model, edgecls):
    """A file has its name; the exit code is 1 and nothing runs. As a sink it is the same."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"file/why: the folder for the debug videos cannot be created \(Not a directory\)"):
        open_sink(f"explain:{tmp_path}/file/why")
    clip = write_video(tmp_path / "plain.avi", noise(3))
    done = edgecls("run", "-m", light_model, "-s", clip, "--explain", tmp_path / "file" / "why")
    assert (done.returncode, done.stdout) == (1, "")
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        f"error: {tmp_path}/file/why: the folder for the debug videos cannot be created (Not a directory)"
    ]
    done = edgecls("run", "-m", light_model, "-s", clip, "--explain", tmp_path / "why", "--quiet")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "why").iterdir()] == ["plain.mp4"]


def test_an_encoder_that_fails_does_not_end_the_run(tmp_path, monkeypatch):
    """It is said once; the other camera has its video."""
    told = []
    with ExplainSink(tmp_path, say=told.append) as sink:
        for i in range(5):
            sink.write(at(i / 25, i, size_hw=(1, 1), camera="tiny"))
            sink.write(at(i / 25, i, camera="gate"))
        assert sink.backlog == Backlog(dropped=5)
    (line,) = told
    assert "expected frames of 2x2 pixels or more, found 1x1; the run goes on without the debug video of tiny" in line
    assert [path.name for path in tmp_path.iterdir()] == ["gate.mp4"]
    assert len(played(tmp_path / "gate.mp4")) == 5


def test_a_full_disk_does_not_end_the_run(tmp_path):
    """As with the annotated video: frames are lost and counted, which is said."""
    told = []
    with small_disk(tmp_path / "disk", "1m") as disk:
        sink = ExplainSink(disk / "why", say=told.append)
        fill(disk / "filled")
        for i, picture in enumerate(noise(12, (360, 480))):
            one = result(frame(i, size_hw=(360, 480)))
            one.frame._make_bgr = one.frame._make_plane = None
            one.frame._bgr, one.frame._plane = picture, np.ascontiguousarray(picture[..., 0])
            sink.write(one)
        assert sink.backlog.dropped > 0
        (disk / "filled").unlink()
        sink.close()
        assert not [path for path in (disk / "why").iterdir() if "part" in path.name]
    assert any("frames of the video cannot be written" in line for line in told)


@pytest.mark.parametrize("name", ["", "why{x}"])
def test_a_folder_without_a_name_or_with_braces_is_none(name):
    """It is said before anything is created."""
    with pytest.raises(ConfigError, match="path must be the name of a folder, without braces, not "):
        ExplainSettings(name)


def test_checking_it_creates_nothing(tmp_path):
    """`edgecls check-config` only looks."""
    assert check_sinks([f"explain:{tmp_path}/a/b"]) == []
    (tmp_path / "file").write_text("")
    ((index, fault),) = check_sinks([f"explain:{tmp_path}/file/b"])
    assert index == 0
    assert "cannot be created or written to" in fault
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - the names are compared
