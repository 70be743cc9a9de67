"""Network cameras and what happens to them: a real RTSP server, killed, stopped, spoilt and brought back."""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edgecls import Classifier, Pipeline, ReadingSettings, SourceError, open_source
from tests.drawn import gray_levels
from tests.live.process import edgecls, watched
from tests.live.rtsp import rtsp_server, spoil, write_units
from tests.run.world import assert_only_main_thread

if TYPE_CHECKING:
    from pathlib import Path

FPS = 20
SHORT = ("--read-timeout", 1.5, "--open-timeout", 3)
LATE_S = 0.6
"""So much later than it should a busy machine may film a picture, or give it."""


@pytest.fixture(scope="module")
def units(tmp_path_factory) -> Path:
    """Half a second dark, half dim, half bright, again and again."""
    pictures = gray_levels([0] * 10 + [128] * 10 + [255] * 10, (240, 320))
    return write_units(tmp_path_factory.mktemp("units") / "light.units", pictures, fps=FPS)


@pytest.fixture(scope="module")
def garbage(units) -> Path:
    """The same with noise in place of pictures."""
    return spoil(units.with_name("garbage.units"), units)


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert_only_main_thread()


def labels(lines, camera: str = "gate") -> list[dict]:
    return [line for line in lines if line["camera"] == camera and "label" in line]


def rises(lines) -> bool:
    return all(a["frame"] < b["frame"] and a["time_s"] < b["time_s"] for a, b in pairwise(labels(lines)))


def test_labels_come_from_a_camera_on_the_network(units, light_model):
    """All three labels come, frame after frame at the camera's pace; Ctrl-C ends it with 130 and whole lines."""
    with rtsp_server(units, fps=FPS) as camera, watched(*edgecls("run", "-m", light_model, "-s", f"gate={camera.url}")) as run:
        for label in ("dark", "dim", "bright", "dark"):
            run.until_label(label)
        assert run.end(signal.SIGINT) == 130
    states = [line["state"] for line in run.lines if "state" in line]
    assert states == ["connecting", "live"]
    assert rises(run.lines)
    paced = labels(run.lines)
    paced_s = paced[-1]["time_s"] - paced[0]["time_s"]
    assert paced_s == pytest.approx((paced[-1]["frame"] - paced[0]["frame"]) / FPS, abs=LATE_S)


def test_a_camera_that_is_restarted_comes_back(units, light_model):
    """Killed: lost, and nothing is classified; started again: live, and frame and time go on."""
    with (
        rtsp_server(units, fps=FPS) as camera,
        watched(*edgecls("run", "-m", light_model, "-s", f"gate={camera.url}", *SHORT)) as run,
    ):
        run.until_label()
        camera.kill()
        run.until_state("lost")
        assert labels(run.for_s(1)) == []
        camera.start()
        run.until_state("live")
        run.until_label()
        assert run.end(signal.SIGTERM) == 143
    assert rises(run.lines)


def test_a_camera_that_says_nothing_is_found_out(units, light_model):
    """A server that is stopped keeps its connections: stalled within the read timeout; it goes on: live."""
    with (
        rtsp_server(units, fps=FPS) as camera,
        watched(*edgecls("run", "-m", light_model, "-s", f"gate={camera.url}", *SHORT)) as run,
    ):
        run.until_label()
        camera.stop()
        run.until_state("stalled")
        last = labels(run.lines)[-1]
        camera.go_on()
        run.until_state("live")
        assert run.until_label()["frame"] > last["frame"]
        run.end(signal.SIGINT)
    assert rises(run.lines)


def test_a_camera_that_is_not_there_yet(units, light_model):
    """Never there at the start: lost; then it is switched on: live. The camera beside it is not touched."""
    with rtsp_server(units, fps=FPS) as late, rtsp_server(units, fps=FPS) as good:
        late.kill()
        command = edgecls("run", "-m", light_model, "-s", f"late={late.url}", "-s", f"good={good.url}", *SHORT)
        with watched(*command) as run:
            run.until_state("lost", "late")
            run.until_label(camera="good")
            assert [line for line in run.for_s(1) if line["camera"] == "good"], "it waited for the other"
            late.start()
            run.until_label(camera="late")
            run.end(signal.SIGINT)
        assert not [
            line for line in run.lines if line["camera"] == "good" and line.get("state") not in (None, "connecting", "live")
        ]


def test_giving_up(units, light_model):
    """Gone for ever with --give-up-after 1: the run ends with one line, exit code 1, after the good frames."""
    with (
        rtsp_server(units, fps=FPS) as camera,
        watched(*edgecls("run", "-m", light_model, "-s", f"gate={camera.url}", *SHORT, "--give-up-after", 1)) as run,
    ):
        run.until_label()
        camera.kill()
        run.until_state("ended")
        assert run.end() == 1
    assert run.errors.splitlines()[-1].startswith(
        "error: camera gate: given up, no picture for 1 s; last error: rtsp://127.0.0.1:"
    )


def test_a_wrong_password_is_one_line(units, light_model):
    """User and password that are refused are not tried again: one line that shows neither, exit code 1."""
    with rtsp_server(units, fps=FPS, user="boss", password="secret") as camera:  # noqa: S106 - the test's own
        url = camera.url.replace("rtsp://", "rtsp://intruder:wrongword@")
        with watched(*edgecls("run", "-m", light_model, "-s", f"gate={url}", *SHORT)) as run:
            assert run.end() == 1
        said = run.errors + str(run.lines)
        assert "error: rtsp://***@127.0.0.1:" in run.errors
        assert "user and password are refused" in run.errors
        assert not [word for word in ("intruder", "wrongword") if word in said]
        right = camera.url.replace("rtsp://", "rtsp://boss:secret@")
        with open_source(right) as source:
            assert source.read() is not None


def test_garbage_is_no_picture(units, garbage, light_model):
    """A camera that sends noise in place of H.264 gives no label and is stalled or lost; the one beside it goes on."""
    with rtsp_server(garbage, fps=FPS) as bad, rtsp_server(units, fps=FPS) as good:
        command = edgecls("run", "-m", light_model, "-s", f"bad={bad.url}", "-s", f"good={good.url}", *SHORT)
        with watched(*command) as run:
            run.until(lambda line: line["camera"] == "bad" and line.get("state") in ("stalled", "lost"))
            run.until_label(camera="good")
            run.end(signal.SIGINT)
    assert labels(run.lines, "bad") == []


def test_another_resolution_in_mid_stream(units, tmp_path):
    """A camera that changes from 320x240 to 640x480 and back is read on, without a loss."""
    large = write_units(tmp_path / "large.units", gray_levels([0, 255] * 10, (480, 640)), fps=FPS)
    changes: list[str] = []
    sizes = []
    with (
        rtsp_server(units, large, fps=FPS) as camera,
        open_source(camera.url, on_state=lambda c: changes.append(c.state)) as source,
    ):
        for frame in source:
            if frame.size_hw != (sizes or [None])[-1]:
                sizes.append(frame.size_hw)
                assert frame.luma().shape == frame.size_hw
            if len(sizes) == 4:
                break
    assert set(sizes) == {(240, 320), (480, 640)}
    assert changes == ["connecting", "live"]


def test_a_slow_caller_gets_the_newest_frames(units):
    """A caller of 4 frames a second is given frames that are fresh, and the others are counted."""
    with rtsp_server(units, fps=FPS) as camera, open_source(camera.url) as source:
        frames, ages = [], []
        while len(frames) < 6:
            frame = source.read()
            frames.append(frame.index)
            ages.append(time.monotonic() - frame.captured_at)
            time.sleep(0.25)
        assert all(after - before >= 3 for before, after in pairwise(frames[1:]))
        assert source.skipped >= frames[-1] - len(frames)
        assert max(ages[1:]) < LATE_S  # given one after the other, they would be a second old by then


@pytest.mark.parametrize("decoder", ["opencv", "pyav"])
def test_either_decoder_reads_it(units, light_model, decoder):
    """OpenCV and PyAV give the same labels of the same camera."""
    classifier = Classifier.load(light_model, device="cpu")
    seen = set()
    with rtsp_server(units, fps=FPS) as camera, open_source(camera.url, reading=ReadingSettings(decoder=decoder)) as source:
        for result in Pipeline(classifier).over(source):
            seen.add(result.detections[0].prediction.label)
            if len(seen) == 3:
                break
    assert seen == {"dark", "dim", "bright"}


def test_leaving_the_loop(units):
    """A `break`, and an error of the caller's own, leave no thread and no connection."""
    with rtsp_server(units, fps=FPS) as camera:
        with open_source(camera.url) as source:
            for _ in source:
                break
        assert_only_main_thread()

        def fail():
            with open_source(camera.url) as source:
                for _ in source:
                    raise KeyError("the caller's own")

        with pytest.raises(KeyError, match="the caller's own"):
            fail()


def test_a_program_of_ones_own_hears_of_a_loss(units):
    """In Python the state comes to `on_state`, the end as a SourceError at the loop."""
    changes: list[str] = []
    reading = ReadingSettings(read_timeout_s=1.5, open_timeout_s=2, give_up_after_s=1)
    with (
        rtsp_server(units, fps=FPS) as camera,
        open_source(f"gate={camera.url}", reading=reading, on_state=lambda c: changes.append(c.state)) as source,
    ):
        assert source.read() is not None
        camera.kill()
        with pytest.raises(SourceError, match="camera gate: given up"):
            list(source)
    assert changes[:2] == ["connecting", "live"]
    assert changes[-1] == "ended"


def test_pictures_that_come_in_another_order_are_kept(tmp_path):
    """Of a camera with B-frames the first packets have no times: it is read, and what it sent is kept for clips."""
    units = write_units(tmp_path / "b.units", gray_levels([0, 60, 120, 180, 240] * 6, (240, 320)), fps=FPS, b_frames=2)
    reading = ReadingSettings(keep_s=10.0)
    with rtsp_server(units, fps=FPS) as camera, open_source(camera.url, reading=reading) as source:
        frames = [source.read() for _ in range(30)]
    assert all(before.time_s < after.time_s for before, after in pairwise(frames))
    assert len(frames[-1].packets.since(0.0)) > 20


def test_key_frames_alone(units):
    """With keyframes two of twenty frames a second come, ten apart."""
    with rtsp_server(units, fps=FPS) as camera, open_source(camera.url, reading=ReadingSettings(keyframes=True)) as source:
        indices = [source.read().index for _ in range(5)]
    assert {after - before for before, after in pairwise(indices[1:])} == {10}
