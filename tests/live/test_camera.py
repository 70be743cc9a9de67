"""Cameras by number: a V4L2 device that sends, falls silent, is unplugged and comes back."""

from __future__ import annotations

import signal
import sys
from itertools import pairwise

import pytest

from tests.drawn import gray_levels
from tests.live.process import edgecls, watched
from tests.live.v4l2 import FakeCamera, build

PATIENT = ("--read-timeout", 1)
LEVELS = [0] * 5 + [128] * 5 + [255] * 5


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The compiled library."""
    return build(tmp_path_factory.mktemp("v4l2"))


@pytest.fixture
def camera(library, tmp_path) -> FakeCamera:
    """A YUYV camera: a quarter of a second dark, dim, bright in turn."""
    return FakeCamera(library, tmp_path, gray_levels(LEVELS, (120, 160)))


def labels(run) -> list[dict]:
    return [line for line in run.lines if "label" in line]


def rises(run) -> bool:
    return all(a["frame"] < b["frame"] and a["time_s"] < b["time_s"] for a, b in pairwise(labels(run)))


def started(model, camera, *options):
    return watched(*edgecls("run", "-m", model, "--camera", 0, *PATIENT, *options), env=camera.env)


@pytest.mark.parametrize("pixels", ["YUYV", "MJPG"])
def test_labels_come_from_a_camera(library, tmp_path, light_model, pixels):
    """All three labels come, in order, whatever the camera sends; Ctrl-C ends it with 130."""
    fake = FakeCamera(library, tmp_path, gray_levels(LEVELS, (120, 160)), pixels)
    with started(light_model, fake) as run:
        for label in ("dark", "dim", "bright", "dark"):
            run.until_label(label, "camera0")
        assert run.end(signal.SIGINT) == 130
    assert [line["state"] for line in run.lines if "state" in line] == ["connecting", "live"]
    assert rises(run)
    assert labels(run)[-1]["age_ms"] < 1000


def test_unplugged_and_plugged_in_again(camera, light_model):
    """ENODEV: lost, and nothing is classified; plugged in: live, and frame and time go on."""
    with started(light_model, camera) as run:
        run.until_label(camera="camera0")
        camera.now("unplugged")
        run.until_state("lost", "camera0")
        assert not [line for line in run.for_s(0.7) if "label" in line]
        camera.no_longer("unplugged")
        run.until_state("live", "camera0")
        run.until_label(camera="camera0")
        run.end(signal.SIGINT)
    assert rises(run)


def test_a_camera_that_falls_silent(camera, light_model):
    """Connected and silent: stalled after the read timeout, however long OpenCV's own waits are; it speaks: live."""
    with started(light_model, camera, "--read-timeout", 2) as run:
        run.until_label(camera="camera0")
        camera.now("silent")
        assert "no picture for 2 s" in run.until_state("stalled", "camera0", 8)["why"]
        camera.no_longer("silent")
        run.until_state("live", "camera0")
        run.end(signal.SIGINT)
    assert rises(run)


def test_a_camera_that_is_plugged_in_later(camera, light_model):
    """Never there at the start: lost with what to check, and live as soon as it is plugged in."""
    camera.now("unplugged")
    with started(light_model, camera) as run:
        assert "camera 0: cannot be opened" in run.until_state("lost", "camera0")["why"]
        camera.no_longer("unplugged")
        run.until_label(camera="camera0")
        run.end(signal.SIGINT)


@pytest.mark.parametrize("state", ["unplugged", "busy"])
def test_a_camera_that_cannot_be_had(camera, light_model, state):
    """Not there, or in somebody else's hands: with --give-up-after 0 one line, and exit code 1."""
    camera.now(state)
    with started(light_model, camera, "--give-up-after", 0) as run:
        assert run.end() == 1
    assert labels(run) == []
    assert run.errors.splitlines()[-1].startswith("error: camera 0: cannot be opened; ")


LEAVING = """
import json, threading, edgecls
try:
    with edgecls.open_source(0) as source:
        for frame in source:
            {leave}
finally:
    print(json.dumps([thread.name for thread in threading.enumerate()]))
"""


@pytest.mark.parametrize(("leave", "code"), [("break", 0), ("raise KeyError('my own')", 1)])
def test_leaving_the_loop_leaves_no_thread(camera, leave, code):
    """A program that breaks out of its loop, or fails in it, is left with the thread that it began with."""
    with watched(sys.executable, "-c", LEAVING.format(leave=leave), env=camera.env) as run:
        assert run.end() == code
    assert ("my own" in run.errors) is (code == 1)
    assert run.lines == [["MainThread"]]


SILENT = """
import json, threading, time, edgecls
with edgecls.open_source(0, reading=edgecls.ReadingSettings(read_timeout_s=60)) as source:
    source.read()
    print(json.dumps("read"), flush=True)
    time.sleep(1.5)
print(json.dumps([thread.name for thread in threading.enumerate()]))
"""


def test_leaving_a_silent_camera_leaves_no_thread(camera):
    """However long its read timeout is, nobody waits for a camera that says nothing when the program is through with it."""
    with watched(sys.executable, "-c", SILENT, env=camera.env) as run:
        run.until(lambda line: line == "read")
        camera.now("silent")
        assert run.end() == 0
    assert run.lines[-1] == ["MainThread"]


SLOW = """
import json, time, edgecls
with edgecls.open_source(0) as source:
    for frame in source:
        print(json.dumps({"frame": frame.index, "skipped": source.skipped}), flush=True)
        time.sleep(0.3)
        if frame.index > 30:
            break
"""


def test_a_program_slower_than_its_camera(camera):
    """At 3 frames a second of 20 the indices jump, and what was jumped over is counted."""
    with watched(sys.executable, "-c", SLOW, env=camera.env) as run:
        assert run.end() == 0
    indices = [line["frame"] for line in run.lines]
    assert all(after - before >= 3 for before, after in pairwise(indices[1:]))
    assert run.lines[-1]["skipped"] >= indices[-1] - len(indices)


FAST = """
import json, edgecls
with edgecls.open_source(0) as source:
    for frame in source:
        print(json.dumps({"time_s": frame.time_s}), flush=True)
        if frame.index == 20:
            break
"""


def test_a_camera_keeps_its_rate(camera):
    """20 frames of a camera that sends 20 a second take a second: none is lost for want of a buffer to put it in."""
    with watched(sys.executable, "-c", FAST, env=camera.env) as run:
        assert run.end() == 0
    assert run.lines[-1]["time_s"] < 1.6


SIZED = """
import json, edgecls
with edgecls.open_source(0, reading=edgecls.ReadingSettings(needed_hw={needed_hw})) as source:
    for frame in source:
        shown = dict(size=frame.size_hw, level=int(frame.luma().mean()), skipped=source.skipped)
        print(json.dumps(shown), flush=True)
        if source.skipped > 1:
            break
"""


@pytest.mark.parametrize(("needed_hw", "size_hw"), [(None, (720, 1280)), ((32, 32), (180, 320))])
def test_a_jpeg_camera_is_decoded_as_large_as_a_model_needs(library, tmp_path, needed_hw, size_hw):
    """For 32x32 the JPEGs of 1280x720 are decoded at a quarter; one that is cut off is counted, and the camera goes on."""
    fake = FakeCamera(library, tmp_path, gray_levels([40] * 3 + [200] * 3, (720, 1280)), "MJPG")
    (tmp_path / "1").write_bytes((tmp_path / "1").read_bytes()[:9000])
    with watched(sys.executable, "-c", SIZED.format(needed_hw=needed_hw), env=fake.env) as run:
        assert run.end() == 0
    assert {tuple(line["size"]) for line in run.lines} == {size_hw}
    assert {line["level"] for line in run.lines} == {40, 200}
    assert run.lines[-1]["skipped"] == 2


EMPTY = """
import json, edgecls
with edgecls.open_source(0) as source:
    for frame in source:
        print(json.dumps({"frame": frame.index, "skipped": source.skipped}), flush=True)
        if source.skipped:
            break
"""


def test_a_buffer_without_a_byte_in_it(library, tmp_path):
    """A motion JPEG camera that gives an empty buffer, as some do after a hiccup, skips that picture and goes on."""
    fake = FakeCamera(library, tmp_path, gray_levels([40] * 6, (120, 160)), "MJPG")
    (tmp_path / "1").write_bytes(b"")
    with watched(sys.executable, "-c", EMPTY, env=fake.env) as run:
        assert run.end() == 0, run.errors
    assert run.lines[-1]["skipped"] >= 1
