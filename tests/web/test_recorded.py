"""Recordings: the page plays the file itself, with what the run has found in each of its pictures."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from edgecls.frame import GONE, Box, Detection, Prediction, Result, StateChange, Timing
from edgecls.regions.geometry import Polygon
from edgecls.source import open_source
from edgecls.web.answers import NotThereError
from edgecls.web.recorded.found import CHUNK_S, Found, Recording
from edgecls.web.recorded.pictures import Pictures
from tests.run.world import frame, result
from tests.web.served import served
from tests.web.test_browser import READ_NUMBER, number_of, numbered, open_page, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FPS, COUNT = 20, 240
FIRST = 28
"""The number of ticks at which a file begins that does not begin at 0."""


def write_recording(path: Path, *, first: int = 0, codec: str = "libx264") -> Path:
    """Write 12 s of pictures that tell their numbers."""
    with av.open(str(path), "w") as out:
        options = {"g": "40", "bf": "2", "preset": "ultrafast"} if codec == "libx264" else {"g": "40"}
        stream = out.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(COUNT):
            picture = av.VideoFrame.from_ndarray(numbered(i), format="bgr24")
            picture.pts = first + i
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the same recording in several files."""
    path = tmp_path_factory.mktemp("recordings")
    write_recording(path / "plain.mp4")
    write_recording(path / "later.mp4", first=FIRST)
    write_recording(path / "plain.mkv")
    write_recording(path / "old.avi", codec="mpeg4")
    return path


@contextmanager
def analysed(view, path: Path, *, until_s: float = 1e9) -> Iterator[None]:
    """Read the recording as a run does, as fast as it can; the number of each picture is a label in a box."""

    def run() -> None:
        with open_source(path) as source:
            for shown in source:
                if shown.time_s > until_s:
                    return
                shown.camera = "gate"
                found = Detection(Box(40, 40, 120, 120), Prediction(str(number_of(shown.luma())), 0.9, 0, ()), "motion")
                view.write(Result(shown, (found,), Timing(0.1, 0.1, 1.0)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)


def recorded(path: Path, **settings) -> dict[str, Recording]:
    """Return the recordings of a run with one camera."""
    return {"gate": Recording(str(path), **settings)}


@pytest.mark.parametrize("name", ["plain.mp4", "later.mp4", "plain.mkv", "old.avi"])
def test_a_recording_plays_at_its_own_pace_with_its_boxes(tab, folder, name):
    """Each box lies on its picture, also after seeking there and back; what browsers cannot play is shown as pictures."""
    path = folder / name
    with served(recordings=recorded(path, has_ended=True)) as page, analysed(page.view, path):
        wait_for(lambda: ((page.view.found.get("gate") or Found()).until_s or 0) > (COUNT - 2) / FPS)
        open_page(tab, page)
        slider = tab.get_by_label("Place in the recording of gate")
        shown = ".screen img" if name == "old.avi" else ".screen video"
        tab.locator(shown).wait_for()
        if name == "old.avi":
            tab.wait_for_function("() => document.querySelector('canvas').dataset.labels")
            tab.get_by_role("button", name="Pause").click()
            for place in (7.0, 2.0):
                slider.fill(str(place))
                tab.wait_for_function(f"() => document.querySelector('canvas').dataset.labels === '{round(place * FPS)}'")
            tab.get_by_text("browsers do not play this kind of file").wait_for()
            return
        tab.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
        pairs = [tab.evaluate(READ_NUMBER) for _ in range(4)]
        slider.fill("9")
        tab.wait_for_function("() => !document.querySelector('video').seeking")
        pairs += [tab.evaluate(READ_NUMBER) for _ in range(4)]
        steps = [abs(pair["picture"] - int(pair["overlay"] or -99)) for pair in pairs]
        assert sorted(steps)[-2] <= 1, pairs  # a late machine may skip a picture between both readings
        assert pairs[-1]["picture"] >= 9 * FPS > pairs[3]["picture"]
        tab.get_by_role("button", name="Pause").click()
        slider.fill("3")
        tab.wait_for_function(f"() => document.querySelector('canvas').dataset.labels === '{3 * FPS}'")


def test_it_plays_as_far_as_the_run_has_come(tab, folder):
    """Then it waits, and says so; at the end it offers to play it again."""
    path, kept = folder / "plain.mp4", {}
    kept.update(recorded(path))
    with served(recordings=kept) as page:
        with analysed(page.view, path, until_s=2.0):
            open_page(tab, page)
            tab.get_by_text("The run has come to 0:02.").wait_for()
        assert tab.evaluate("document.querySelector('video').currentTime") < 2.5
        assert "0:02 analysed" in tab.inner_text("article")
        tab.get_by_label("Place in the recording of gate").fill("11")
        with analysed(page.view, path):
            pass
        kept.update(recorded(path, has_ended=True))
        tab.get_by_text("The recording has ended.").wait_for()
        tab.get_by_role("button", name="Play again").click()
        tab.wait_for_function("() => document.querySelector('video').currentTime < 5")
        tab.get_by_role("button", name="Pause").wait_for()


@pytest.mark.parametrize("name", ["plain.mp4", "old.avi"])
def test_private_areas_are_black(folder, name):
    """There is no video of such a camera, and its pictures are without them."""
    area = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
    with served(recordings=recorded(folder / name, private=(area,))) as page:
        assert page.ask("/api/recordings/gate").json()["why"] == "single pictures, because of the private areas"
        assert page.ask("/api/recordings/gate/video").status == 409
        answer = page.ask(f"/api/recordings/gate/picture?at={(COUNT - 1) / FPS}")
        picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture[:, :155].max() < 32
        assert number_of(picture) == (COUNT - 1) & 0b1111


def test_single_pictures_are_those_of_their_time(folder):
    """In order, after a jump, between two pictures, and beyond the end."""
    for name in ("plain.mp4", "later.mp4", "old.avi"):
        with served(recordings=recorded(folder / name)) as page:
            assert page.ask("/api/recordings/gate").json()["duration_s"] == pytest.approx(COUNT / FPS, abs=0.11)
            for at_s, number in ((0, 0), (0.05, 1), (0.12, 2), (7.0, 140), (2.0, 40), (99, COUNT - 1)):
                answer = page.ask(f"/api/recordings/gate/picture?at={at_s}")
                picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_GRAYSCALE)
                assert (number_of(picture), float(answer.headers["x-time"])) == (number, pytest.approx(number / FPS, abs=1e-3))


def test_only_the_file_of_the_camera_is_served(folder):
    """Whole or a range of it, and no other path."""
    path = folder / "plain.mp4"
    data = path.read_bytes()
    with served("gate", "yard", recordings=recorded(path)) as page:
        assert page.ask("/api/recordings/gate/video").body == data
        part = page.ask("/api/recordings/gate/video", Range="bytes=100-199")
        assert (part.status, part.body) == (206, data[100:200])
        assert page.ask("/api/recordings/gate/video", Range=f"bytes={len(data)}-").status == 416
        others = ("yard", "later.mp4", "..%2Flater.mp4", "%2Fetc%2Fpasswd", str(path).replace("/", "%2F"))
        for name in others:
            for rest in ("", "/video", "/picture?at=1", "/found/0"):
                assert page.ask(f"/api/recordings/{name}{rest}").status == 404, (name, rest)
        for at in ("nan", "inf", "x", "-inf"):
            assert page.ask(f"/api/recordings/gate/picture?at={at}").status == 400
        assert page.ask("/api/recordings/gate/picture?at=-5").status == 200


def test_a_recording_that_is_gone_is_said(tmp_path):
    """In one line."""
    with served(recordings=recorded(tmp_path / "gone.mp4")) as page:
        answer = page.ask("/api/recordings/gate")
        assert (answer.status, answer.body) == (404, b"there is no recording of this camera\n")
        (tmp_path / "gone.mp4").write_text("no video")
        assert page.ask("/api/recordings/gate").status == 503


def test_a_closed_recording_says_so(tmp_path):
    """One that was closed for others, while somebody asks for a picture of it, still knows its length."""
    path = write_recording(tmp_path / "clip.mp4")
    pictures = Pictures(str(path))
    about = pictures.about
    pictures.close()
    pictures.close()
    with pytest.raises(NotThereError, match="was closed; ask again"):
        pictures.at(0.0, Recording(str(path)))
    assert pictures.about == about
    assert about.duration_s > 0


def test_what_was_found_is_kept_by_its_time():
    """In chunks that are complete or not; a run that reads the file again begins anew."""
    found = Found()
    for i in range(25 * 2 * CHUNK_S + 1):
        found.add(result(frame(i, file="a.mp4")))
    assert found.until_s == 2 * CHUNK_S
    lines, is_over = found.chunk(0)
    assert (len(lines), is_over) == (1 + 25 * CHUNK_S, True)  # the scene, and an overlay of each frame
    assert found.chunk(2)[1] is False
    assert found.chunk(3) == ([], False)
    found.add(result(frame(0, file="a.mp4")))
    assert (found.until_s, found.chunk(1)) == (0.0, ([], False))
    found.add(result(frame(5, file="b.mp4")))
    assert len(found.chunk(0)[0]) == 2


def test_of_live_cameras_nothing_is_kept(folder):
    """Nor of a camera that was taken out."""
    with served("gate", "yard", recordings=recorded(folder / "plain.mp4")) as page:
        page.view.write(result(frame(0, camera="yard")))
        page.view.write(result(frame(0, file="plain.mp4")))
        assert list(page.view.found) == ["gate"]
        state = {one["name"]: one["recording"] for one in page.ask("/api/cameras").json()["cameras"]}
        assert state == {"gate": {"until_s": 0.0, "has_ended": False}, "yard": None}
        page.view.write_state(StateChange("gate", "ended", GONE, 1.0))
        assert not page.view.found
