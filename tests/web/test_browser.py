"""The page in a real browser, before a real RTSP camera and drawn pictures."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, get_args

import av
import numpy as np
import pytest

from edgecls.event import Moment, View
from edgecls.frame import Box, Detection, PictureFault, Prediction, Result, StateChange, Timing, Unfit
from edgecls.run.web import WebSettings
from edgecls.sink.recordings.folder import RecordingFolder
from edgecls.sink.recordings.snapshot import SnapshotSink
from edgecls.sink.sqlite import SqliteSink
from edgecls.source import ReadingSettings, open_source
from edgecls.store import Store
from edgecls.web import PageServer, ViewSink, app, fair_share
from edgecls.web.live.notices import Notices
from tests.live.rtsp import rtsp_server, write_units
from tests.run.world import event, frame, result
from tests.web.served import PASSWORD, served
from tests.web.test_accessible import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

FPS, GOP, COUNT = 20, 80, 160
STRIPES = 8
"""The number of a picture is drawn as this many black and white stripes, its binary digits."""
READ_NUMBER = """() => {
    const video = document.querySelector("video"), canvas = document.querySelector("canvas");
    const { videoWidth: width, videoHeight: height } = video;
    const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    const isWhite = (i) => pen.getImageData((i + 0.5) * width / 8, height / 2, 1, 1).data[0] > 127;
    return new Promise((resolve) => video.requestVideoFrameCallback(() => requestAnimationFrame(() => {
        pen.drawImage(video, 0, 0);
        const bits = [...Array(8).keys()].map(isWhite).map(Number).join("");
        resolve({ picture: parseInt(bits, 2), overlay: canvas.dataset.labels });
    })));
}"""

POSTERS = """
    const soon = HTMLVideoElement.prototype.requestVideoFrameCallback;
    HTMLVideoElement.prototype.requestVideoFrameCallback = function (act) { // as of a slow decoder
        if (window.posters[0]?.overlay) soon.call(this, act);
        else setTimeout(() => this.requestVideoFrameCallback(act), 50);
    };
    window.posters = [];
    const seen = (image) => {
        const { naturalWidth: width, naturalHeight: height } = image;
        const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
        pen.drawImage(image, 0, 0);
        const isWhite = (i) => pen.getImageData((i + 0.5) * width / 8, height / 2, 1, 1).data[0] > 127;
        const picture = parseInt([...Array(8).keys()].map(isWhite).map(Number).join(""), 2);
        const poster = { picture };
        window.posters.push(poster);
        const look = () => {
            if (!image.isConnected) return;
            poster.overlay = document.querySelector(".screen canvas").dataset.labels;
            requestAnimationFrame(look);
        };
        look();
    };
    new MutationObserver((changes) => {
        const added = changes.flatMap((one) => [...one.addedNodes]).filter((one) => one.matches?.(".screen img"));
        for (const image of added) image.addEventListener("load", () => setTimeout(() => seen(image)));
    }).observe(document, { childList: true, subtree: true });
"""


def numbered(number: int) -> np.ndarray:
    """Return a picture that tells its number."""
    bits = [255 * (number >> (STRIPES - 1 - i) & 1) for i in range(STRIPES)]
    row = np.repeat(np.array(bits, np.uint8), 320 // STRIPES)
    return np.repeat(np.tile(row, (240, 1))[..., None], 3, axis=2)


def number_of(picture: np.ndarray) -> int:
    """Return the number that a gray picture tells."""
    wide = picture.shape[1]
    bits = [picture[picture.shape[0] // 2, int((i + 0.5) * wide / STRIPES)] > 127 for i in range(STRIPES)]
    return int("".join(str(int(bit)) for bit in bits), 2)


@contextmanager
def running(view: ViewSink, url: str, *, read=number_of) -> Iterator[threading.Event]:
    """Read a camera and write to the view what is found: the number of each picture, as a label in a box."""
    over = threading.Event()

    def run() -> None:
        reading = ReadingSettings(keep_s=10.0)
        with open_source(url, reading=reading) as source:
            source.on_state(lambda change: view.write_state(StateChange("gate", change.state, change.why, change.at_s)))
            for shown in source:
                if over.is_set():
                    return
                shown.camera = "gate"
                found = Detection(Box(40, 40, 120, 120), Prediction(str(read(shown.luma())), 0.9, 0, ()), "motion")
                view.write(Result(shown, (found,), Timing(0.1, 0.1, 1.0)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield over
    finally:
        over.set()
        thread.join(10)


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """An RTSP camera whose pictures tell their numbers, with a key frame every 4 s."""
    units = write_units(tmp_path_factory.mktemp("rtsp") / "cam", [numbered(i) for i in range(COUNT)], fps=FPS, gop=GOP)
    with rtsp_server(units, fps=FPS) as server:
        yield server


def open_page(tab, page, path="/"):
    """Open the page."""
    tab.goto(f"http://127.0.0.1:{page.server.port}{path}")


def wait_for(condition, seconds=20.0):
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)


def test_the_video_plays_and_boxes_lie_on_their_picture(tab, camera):
    """The first picture need not wait for the next key frame, and each overlay is that of the picture shown, or of the one
    before it.
    """
    with served() as page, running(page.view, camera.url):
        wait_for(lambda: page.view.cameras["gate"].fps(time.monotonic()) > 1)
        open_page(tab, page)
        tab.wait_for_function("() => document.querySelector('video')?.currentTime > 1")
        tab.wait_for_function("() => document.querySelector('canvas').dataset.labels")
        pairs = [tab.evaluate(READ_NUMBER) for _ in range(12)]
        steps = [(pair["picture"] - int(pair["overlay"] or -99)) % COUNT for pair in pairs]
        assert sorted(steps)[-3] <= 1, pairs  # a late machine may skip a picture between both readings
        assert len({pair["picture"] for pair in pairs}) > 3


def test_a_poster_is_shown_until_the_video_has_a_picture(tab, camera):
    """With the boxes that were found in it; then it goes. What is not needed for it is not waited for."""
    tab.add_init_script(POSTERS)
    with served() as page, running(page.view, camera.url):
        wait_for(lambda: page.view.cameras["gate"].fps(time.monotonic()) > 1)
        open_page(tab, page)
        tab.wait_for_function("() => window.posters[0]?.overlay && !document.querySelector('.screen img')")
        (poster,) = tab.evaluate("window.posters")
        assert poster["picture"] == int(poster["overlay"]), poster
        assert not page.view.cameras["gate"].wants_poster


def test_names_and_labels_are_shown_as_text(tab):
    """A camera, a label and a zone that look like markup run nothing."""
    name = "<img src=x onerror=alert(1)>"
    with served(name) as page:
        shown = frame(camera=name)
        page.view.write(
            result(shown, Detection(Box(0, 0, 64, 48), Prediction("<script>alert(2)</script>", 1.0, 0, ()), "frame"))
        )
        page.view.write_event(event(camera=name, region="<i>zone</i>", label="<b>car</b>"))
        dialogs: list[str] = []
        tab.on("dialog", lambda dialog: dialogs.append(dialog.message))
        open_page(tab, page)
        tab.get_by_text(name, exact=True).wait_for()
        tab.get_by_role("link", name="Events").click()
        tab.get_by_role("cell", name="<b>car</b>").wait_for()
        tab.get_by_role("cell", name="<i>zone</i>").wait_for()
        assert (dialogs, tab.locator("main img, main i, main b").count()) == ([], 0)


def test_a_lost_camera_says_why(tab):
    """Within seconds, on its tile, without the password."""
    with served() as page:
        page.view.write(result(frame()))
        open_page(tab, page)
        tab.get_by_text("live", exact=True).wait_for()
        page.view.write_state(StateChange("gate", "lost", "rtsp://u:secret@10.0.0.7: no more frames after 12", 1.0))
        tab.get_by_text("lost", exact=True).wait_for()
        assert "no more frames after 12" in tab.inner_text("article")
        assert "secret" not in tab.content()


def test_pictures_with_a_fault_say_what_it_is(tab):
    """In a sentence on the tile, and whether anything is classified meanwhile; for every fault that there is."""
    with served() as page:
        page.view.write(result(frame()))
        open_page(tab, page)
        note = tab.locator(".tile .note")
        for fault in get_args(PictureFault):
            unfit = Unfit(fault, event().start, event().start, classified=fault == "moved")
            page.view.write(replace(result(frame()), unfit=unfit))
            tab.get_by_text(fault, exact=True).wait_for()
            tab.wait_for_function("(fault) => document.querySelector('.tile .note').innerText.includes('.')", arg=fault)
            assert ("Nothing is classified meanwhile." in note.inner_text()) == (fault != "moved"), fault
        page.view.write(result(frame()))
        tab.get_by_text("live", exact=True).wait_for()
        assert "The camera was moved." not in note.inner_text()


def test_a_camera_that_is_not_there_cannot_be_edited(tab):
    """Its page says so, and offers nothing; that of another one does."""
    with served() as page:
        page.view.write(result(frame()))
        open_page(tab, page, "/#/camera/gate")
        tab.get_by_role("button", name="Zones and rules").wait_for()
        open_page(tab, page, "/#/camera/nobody")
        tab.get_by_text("There is no camera of this name.").wait_for()
        assert tab.get_by_role("button", name="Zones and rules").is_hidden()


def test_pictures_are_shown_where_there_is_no_video(tab):
    """Of a camera without packets, with the reason."""
    with served() as page, _written(page.view):
        open_page(tab, page)
        tab.wait_for_function("() => document.querySelector('.screen img')?.naturalWidth === 64")
        tab.get_by_text("single pictures only").wait_for()


def test_a_tile_that_nobody_sees_costs_nothing(tab):
    """Pictures stop when the tile is scrolled away, and go on when it is back."""
    names = [f"camera-{i}" for i in range(12)]
    with served(*names) as page, _written(page.view, *names):
        tab.set_viewport_size({"width": 390, "height": 700})
        open_page(tab, page)
        views = page.view.cameras
        wait_for(lambda: views["camera-0"].wants_frames and not views["camera-11"].wants_frames)
        tab.locator("article").last.scroll_into_view_if_needed()
        wait_for(lambda: views["camera-11"].wants_frames and not views["camera-0"].wants_frames)
        tab.get_by_role("link", name="Events").click()
        wait_for(lambda: not any(view.wants_frames for view in views.values()))


def test_events_are_filtered(tab):
    """By camera, and all again; the address of a camera leads to its own page with its events."""
    with served("gate", "yard") as page:
        page.view.write_event(event(1, camera="gate", label="car"))
        page.view.write_event(event(2, camera="yard", label="person"))
        open_page(tab, page, "/#/events")
        tab.get_by_role("cell", name="person").wait_for()
        tab.get_by_label("Camera").select_option("gate")
        tab.get_by_role("cell", name="person").wait_for(state="hidden")
        assert tab.locator("tbody tr").count() == 1
        page.view.write_event(event(3, camera="gate", label="bus"))
        tab.get_by_role("cell", name="bus").wait_for()
        tab.get_by_label("Camera").select_option("all")
        tab.get_by_role("cell", name="person").wait_for()
        tab.get_by_role("link", name="yard").click()
        tab.get_by_text("crossing: person over entry → in").wait_for()


def test_a_day_of_events_is_looked_through_by_keyboard(tab, tmp_path):
    """Arrow keys choose an hour of the timeline, Enter opens an event with its picture, Escape closes it."""
    noon = datetime.now().astimezone().replace(hour=12, minute=0, second=0, microsecond=0).timestamp()
    (tmp_path / "shots").mkdir()
    with SqliteSink(tmp_path / "events.db") as sink, SnapshotSink(tmp_path / "shots") as shots:
        for i in range(150):
            moment = Moment(i, i / 25, noon + 3600 * (i >= 120) + i)
            made = replace(
                event(i, label="<b>car</b>", camera="gate"), start=moment, view=View(i, i / 25, (8, 8, 40, 40), (48, 64))
            )
            sink.write_event(made)
        shots.write(result(frame(149)))
        shots.write_event(made)
    sinks = [sink.format(tmp_path) for sink in ("sqlite:{}/events.db", "snapshot:{}/shots", "collect:{}/store")]
    with served("gate", sinks=sinks) as page:
        open_page(tab, page, "/#/events")
        rows = tab.locator("tbody tr")
        tab.get_by_role("button", name="Show older events").click()
        tab.get_by_role("button", name="Show older events").wait_for(state="hidden")
        assert rows.count() == 150
        tab.locator(".bar[tabindex='0']").focus()
        for key in ("Home", *["ArrowRight"] * 13, "Enter"):
            tab.keyboard.press(key)
        wait_for(lambda: rows.count() == 30)
        assert tab.locator(".bar[aria-pressed='true']").get_attribute("title").endswith(": 30 events")
        assert f"since={int(noon + 3600)}" in tab.get_by_role("link", name="Export CSV").get_attribute("href")
        tab.locator("tbody button").first.focus()
        tab.keyboard.press("Enter")
        tab.wait_for_function("() => document.querySelector('dialog img').naturalWidth === 64")
        tab.get_by_label("Right label").fill("van")
        tab.keyboard.press("Enter")
        tab.get_by_text("The picture is in the labelling store with this label.").wait_for()
        assert tab.locator("dialog b").count() == 0
        tab.keyboard.press("Escape")
        tab.get_by_role("dialog").wait_for(state="hidden")
    with Store(tmp_path / "store", create=False) as store:
        assert [(entry.label, entry.origin.event) for entry in store.entries()] == [("van", made.id)]


def test_the_clip_of_an_event_plays(tab, tmp_path):
    """A real one, in the browser's own player; it can be sought."""
    made = replace(event(0), start=Moment(0, 0.0, time.time()))
    folder = RecordingFolder(tmp_path, "clips", quota=None, say=print)
    name = folder.name(made)
    path = tmp_path / f"{name}.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(40):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(i), format="bgr24")))
        out.mux(stream.encode(None))
    folder.put(name, [path], made, {})
    with served("gate", sinks=[f"clip:{tmp_path}"]) as page:
        page.view.write_event(made)
        open_page(tab, page, "/#/events")
        tab.locator("tbody button").click()
        tab.wait_for_function("() => document.querySelector('dialog video')?.duration > 1.9")
        tab.evaluate("() => { document.querySelector('dialog video').currentTime = 1.5; }")
        tab.wait_for_function("() => !document.querySelector('dialog video').seeking")
        tab.get_by_text("A wrong label cannot be reported. There is no store of pictures to label.").wait_for()


def test_the_page_comes_back_after_a_restart(tab):
    """It says that there is no connection, and goes on by itself."""
    with served() as page:
        open_page(tab, page)
        tab.get_by_text("connecting", exact=True).wait_for()
        port = page.server.port
    tab.get_by_text("No connection to the run. Trying again.").wait_for()
    view = ViewSink(["gate"])
    with PageServer(view, WebSettings(listen=port)):
        view.write(result(frame()))
        tab.get_by_text("live", exact=True).wait_for()
        assert tab.locator("#connection").is_hidden()


def test_an_old_page_asks_to_be_loaded_anew(tab, monkeypatch):
    """After an update of edgecls the files of the page differ; one click loads the new ones."""
    with served() as page:
        open_page(tab, page)
        tab.get_by_text("connecting", exact=True).wait_for()
        port = page.server.port
        assert tab.locator("#connection").is_hidden()
    files = app.FILES
    monkeypatch.setattr(app, "FILES", SimpleNamespace(iterdir=lambda: [_Changed(file) for file in files.iterdir()]))
    with PageServer(ViewSink(["gate"]), WebSettings(listen=port)):
        tab.get_by_text("edgecls was updated. Load this page anew.").wait_for()
        assert faults(tab) == []
        tab.get_by_role("button", name="Reload").click()
        tab.get_by_text("connecting", exact=True).wait_for()
        assert tab.locator("#connection").is_hidden()


class _Changed:
    """A file of the page after an update."""

    def __init__(self, file) -> None:
        self.name = file.name
        self.read_bytes = lambda: file.read_bytes() + (b"// changed" if file.name == "app.js" else b"")


def test_what_troubles_the_run_is_said_on_every_page(tab):
    """A broker that is gone, a full disk, a reload that failed, a new model: in sentences, as long as it lasts."""
    run = SimpleNamespace(
        named_sinks={"mqtt://broker/x": SimpleNamespace(trouble=""), "csv:e.csv": SimpleNamespace(trouble="")},
        classifier=1,
        config=SimpleNamespace(model_name="street2"),
    )
    notices = Notices(run, "/etc/cameras.toml")
    with PageServer(ViewSink(["gate"], notices=notices), WebSettings(listen=0)) as server:
        tab.goto(f"{server.address}#/")
        tab.get_by_text("connecting", exact=True).wait_for()
        assert tab.locator("#notices").is_hidden()
        run.named_sinks["mqtt://broker/x"].trouble = "the broker does not answer"
        run.named_sinks["csv:e.csv"].trouble = "e.csv: No space left on device"
        notices.fault = "not reloaded: /etc/cameras.toml:5: <b>colour</b> is unknown"
        run.classifier = 2
        for text in (
            "mqtt://broker: the broker does not answer",
            "e.csv: No space left on device",
            "not reloaded: cameras.toml:5: <b>colour</b> is unknown",
            "The model in use is now street2.",
        ):
            tab.get_by_text(text, exact=True).wait_for()
        assert faults(tab) == []
        tab.get_by_role("link", name="Events").click()
        assert tab.locator("#notices p").count() == 4
        notices.fault = run.named_sinks["mqtt://broker/x"].trouble = ""
        tab.wait_for_function("() => document.querySelectorAll('#notices p').length === 2")


def test_a_page_that_is_refused_says_why(tab, monkeypatch):
    """As one of too many connections of its address."""
    with served() as page:
        open_page(tab, page)
        tab.get_by_text("connecting", exact=True).wait_for()
        port = page.server.port
    monkeypatch.setattr(fair_share, "THIS_MACHINE", frozenset())
    monkeypatch.setattr(fair_share, "MOST_PER_ADDRESS", 0)
    with PageServer(ViewSink(["gate"]), WebSettings(listen=port)):
        tab.get_by_text("your address has 48 connections to this page already").wait_for()


def test_logging_in_and_out(tab, tmp_path):
    """A wrong password is said; afterwards the page is closed again."""
    with served(passwords=tmp_path / "p.json") as page:
        open_page(tab, page)
        for password in ("something else", PASSWORD):
            tab.get_by_label("Name").fill("admin")
            tab.get_by_label("Password").fill(password)
            tab.get_by_role("button", name="Log in").click()
            if password != PASSWORD:
                tab.get_by_role("alert").wait_for()
        tab.get_by_role("article").wait_for()
        tab.get_by_role("button", name="Log out").click()
        tab.wait_for_url(re.compile("/login$"))
        open_page(tab, page)
        tab.wait_for_url(re.compile("/login$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("path", ["/#/", "/#/camera/a-camera-with-a-very-long-name-that-does-not-fit", "/#/events"])
def test_nothing_is_wider_than_the_screen(tab, path, width, scheme):
    """Neither on a phone nor with long names, in both colour schemes."""
    name = "a-camera-with-a-very-long-name-that-does-not-fit"
    with served(name, "b") as page:
        page.view.write(result(frame(camera=name)))
        page.view.write_event(event(camera=name, region="Größenprüfung " * 6, label="Straßenbahn" * 8))
        tab.emulate_media(color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 700})
        open_page(tab, page, path)
        tab.locator("main :is(article, table)").first.wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@contextmanager
def _written(view: ViewSink, *names: str) -> Iterator[None]:
    """Write plain results of cameras, 20 a second each."""
    over = threading.Event()

    def run() -> None:
        index = 0
        while not over.wait(0.05):
            for name in names or ("gate",):
                view.write(result(frame(index, camera=name)))
            index += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
