"""Zones, lines and rules drawn and changed in a real browser; two of the tests before a run of a real RTSP camera."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from websockets.sync.client import connect

from edgecls.frame import Box, Detection
from edgecls.run.config import read_config
from edgecls.run.run import Run
from edgecls.web import ConfigFile
from edgecls.web.login.passwords import set_password
from tests.live.rtsp import rtsp_server, write_units
from tests.run.world import frame, result, said
from tests.web.served import PASSWORD, Page, parts_of, served
from tests.web.test_accessible import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FPS, COUNT = 10, 60
TEXT = """# the yard
model = "MODEL" # the model

[web]
listen = 0

[[camera]]
name = "gate" # by the road
source = "SOURCE"

# the road
[[camera.line]]
name = "road"
line = [[0.5, 0.1], [0.5, 0.9]] # measured

# the end
"""


READ_HALVES = """async () => {
    const shown = document.querySelector(".screen img");
    await new Promise((resolve) => shown.addEventListener("load", resolve, { once: true }));
    const { naturalWidth: width, naturalHeight: height } = shown;
    const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    pen.drawImage(shown, 0, 0);
    const brightest = (x) => Math.max(...pen.getImageData(x, 0, width / 2 - 8, height).data.filter((_, i) => i % 4 === 0));
    return [brightest(0), brightest(width / 2 + 8)];
}"""


class Watched(NamedTuple):
    """A page before a run, and what the run gave."""

    page: Page
    path: Path
    run: Run | None = None
    indices: list[int] | None = None


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """An RTSP camera before which a bright square passes."""
    pictures = np.full((COUNT, 240, 320, 3), 60, np.uint8)
    for i, picture in enumerate(pictures):
        picture[90:150, 4 * i : 4 * i + 60] = 230
    units = write_units(tmp_path_factory.mktemp("rtsp") / "cam", list(pictures), fps=FPS, gop=20)
    with rtsp_server(units, fps=FPS, user="admin", password="secret") as server:  # noqa: S106
        yield server


@contextmanager
def running(tmp_path: Path, camera, light_model: Path) -> Iterator[Watched]:
    """Run the camera and serve its page."""
    path = tmp_path / "cameras.toml"
    path.write_text(TEXT.replace("MODEL", str(light_model)).replace("SOURCE", camera.url.replace("//", "//admin:${PASSWORD}@")))
    indices: list[int] = []
    with Run(path) as run:
        file = ConfigFile(path, read=read_config, apply=run.reload)
        with served("gate", config=file) as page:
            run.sinks.extend([page.view, file.recent])

            def read() -> None:
                for found, _ in run:
                    indices.append(found.frame.index)

            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            yield Watched(page, path, run, indices)
            run.stop()
            thread.join(10)


@contextmanager
def still(tmp_path: Path, text: str = TEXT) -> Iterator[Watched]:
    """Serve a page with a configuration that no run uses."""
    path = tmp_path / "cameras.toml"
    path.write_text(text)
    file = ConfigFile(path, read=read_config, apply=lambda _config: None)
    with served("gate", config=file) as page:
        page.view.write(result(frame(size_hw=(90, 160))))
        yield Watched(page, path)


def open_editor(tab, watched: Watched) -> None:
    """Open the page of the camera, and the editor on it."""
    tab.goto(f"http://127.0.0.1:{watched.page.server.port}/#/camera/gate")
    tab.get_by_text("live", exact=True).wait_for()
    tab.get_by_role("button", name="Zones and rules").click()
    tab.locator(".shapes").get_by_role("button", name="Rules").wait_for()


def at(tab, x: float, y: float) -> tuple[float, float]:
    """Return where a point of the picture is on the screen."""
    box = tab.locator("svg.drawing").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(tab, start: tuple[float, float], end: tuple[float, float], *, shift: bool = False) -> None:
    """Drag from a point of the picture to another one."""
    tab.mouse.move(*at(tab, *start))
    tab.mouse.down()
    if shift:
        tab.keyboard.down("Shift")
    tab.mouse.move(*at(tab, *[(a + b) / 2 for a, b in zip(start, end, strict=True)]))
    tab.mouse.move(*at(tab, *end))
    tab.mouse.up()
    if shift:
        tab.keyboard.up("Shift")


def drag_by_finger(tab, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with one finger."""
    session = tab.context.new_cdp_session(tab)
    middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    for kind, point in (("touchStart", start), ("touchMove", middle), ("touchMove", end), ("touchEnd", None)):
        x, y = (0, 0) if point is None else at(tab, *point)
        points = [] if point is None else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def tool(tab, name: str) -> None:
    """Choose what to draw."""
    tab.get_by_role("group", name="Draw").get_by_role("button", name=name).click()


def save(tab) -> None:
    """Save, and wait until it is in force."""
    tab.get_by_role("button", name="Save").click()
    tab.get_by_text("Saved in cameras.toml, and in force.").wait_for()


def camera_of(watched: Watched) -> dict:
    """What the file says of the camera."""
    return watched.page.ask("/api/config/camera/gate").json()


def scene_with(watched: Watched, *names: str) -> dict:
    """Wait until the live channel shows zones and lines of these names."""
    with connect(f"ws://127.0.0.1:{watched.page.server.port}/api/live") as socket:
        socket.send(json.dumps({"watch": ["gate"]}))
        until = time.monotonic() + 20
        while time.monotonic() < until:
            for message in parts_of(socket.recv(20)):
                scene = json.loads(message) if isinstance(message, str) else {}
                if scene.get("kind") == "scene" and {one["name"] for one in (*scene["areas"], *scene["lines"])} >= set(names):
                    return scene
    raise AssertionError(f"the live channel does not show {names}")


def assert_no_frame_was_lost(watched: Watched) -> None:
    """The camera was not opened again, and what is missing was skipped because the machine is slow, and counted."""
    count = len(watched.indices)
    until = time.monotonic() + 20
    while len(watched.indices) < count + 3 and time.monotonic() < until:
        time.sleep(0.05)
    indices = list(watched.indices)
    assert indices == sorted(set(indices))
    assert indices[-1] - indices[0] + 1 - len(indices) <= watched.run.frames.skipped


def test_a_polygon_and_a_line_drawn_by_mouse(tab, tmp_path, camera, light_model, monkeypatch):
    """Are in the file with its comments and in force in the run, which loses no frame; the change can be undone."""
    monkeypatch.setenv("PASSWORD", "secret")
    with running(tmp_path, camera, light_model) as watched:
        before = watched.path.read_text()
        open_editor(tab, watched)
        tool(tab, "Zone")
        for corner in ((0.1, 0.2), (0.4, 0.25), (0.3, 0.8), (0.1, 0.2)):
            tab.mouse.click(*at(tab, *corner))
        tab.get_by_label("Name").fill("Bucht ä")
        tool(tab, "Line")
        drag(tab, (0.6, 0.3), (0.9, 0.7))
        tab.get_by_label("Side on the left").fill("hinaus")
        tab.get_by_label("Side on the right").fill("herein")
        save(tab)
        assert tab.get_by_role("button", name="Line line 1", exact=True).get_attribute("aria-pressed") == "true"  # as before
        assert tab.get_by_label("Side on the left").input_value() == "hinaus"
        found = camera_of(watched)
        zone, (_, line) = found["zone"][0], found["line"]
        assert (zone["name"], zone["look"], [line[key] for key in ("name", "left", "right")]) == (
            "Bucht ä", "objects", ["line 1", "hinaus", "herein"],
        )  # fmt: skip
        assert np.allclose(zone["area"], [[0.1, 0.2], [0.4, 0.25], [0.3, 0.8]], atol=0.01)
        assert np.allclose(line["line"], [[0.6, 0.3], [0.9, 0.7]], atol=0.01)
        text = watched.path.read_text()
        assert text.startswith(before.removesuffix("\n# the end\n"))
        assert text.endswith("\n# the end\n")
        scene_with(watched, "Bucht ä", "line 1", "road")
        assert watched.run.config.camera[0].line[1].left == "hinaus"
        assert_no_frame_was_lost(watched)
        tab.get_by_role("button", name="Undo the last change").click()
        tab.get_by_text("The last change in cameras.toml is undone.").wait_for()
        tab.get_by_role("button", name="Camera Rules", exact=True).click()
        tab.get_by_text("(usual: off)").first.wait_for()
        assert (watched.path.read_text(), watched.run.config.camera[0].zone) == (before, ())
        assert "secret" not in tab.content()


def test_a_polygon_and_a_rectangle_drawn_by_finger(browser, tmp_path, camera, light_model, monkeypatch):
    """On a phone; a drag draws a rectangle and does not scroll the page."""
    monkeypatch.setenv("PASSWORD", "secret")
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.set_default_timeout(20_000)
    with running(tmp_path, camera, light_model) as watched:
        open_editor(tab, watched)
        tool(tab, "Zone")
        for corner in ((0.1, 0.2), (0.5, 0.25), (0.3, 0.8), (0.1, 0.2)):
            tab.touchscreen.tap(*at(tab, *corner))
        tool(tab, "Ignored area")
        before = tab.evaluate("scrollY")
        drag_by_finger(tab, (0.6, 0.5), (0.9, 0.9))
        assert tab.evaluate("scrollY") == before
        tool(tab, "Line")
        for end in ((0.2, 0.9), (0.8, 0.9)):
            tab.touchscreen.tap(*at(tab, *end))
        save(tab)
        found = camera_of(watched)
        assert np.allclose(found["zone"][0]["area"], [[0.1, 0.2], [0.5, 0.25], [0.3, 0.8]], atol=0.02)
        assert np.allclose(found["ignore"][0], [0.6, 0.5, 0.3, 0.4], atol=0.02)
        assert np.allclose(found["line"][1]["line"], [[0.2, 0.9], [0.8, 0.9]], atol=0.02)
        scene_with(watched, "zone 1", "line 1")
        assert_no_frame_was_lost(watched)
    context.close()


def test_a_private_area_is_black_as_soon_as_it_is_saved(tab, tmp_path, camera, light_model, monkeypatch):
    """The video, which shows it, is replaced by pictures without it; taken back, the video is there again."""
    monkeypatch.setenv("PASSWORD", "secret")
    with running(tmp_path, camera, light_model) as watched:
        open_editor(tab, watched)
        tab.wait_for_function("() => document.querySelector('.screen video')?.currentTime > 0")
        tool(tab, "Private area")
        drag(tab, (0.5, 0.0), (1.0, 1.0))
        save(tab)
        tab.get_by_text("single pictures, because of the private areas").wait_for()
        tab.wait_for_function("() => document.querySelector('.screen img')?.naturalWidth === 320")
        assert tab.locator(".screen video").count() == 0
        for _ in range(3):
            left, right = tab.evaluate(READ_HALVES)
            assert (left > 50, right < 8) == (True, True)
        assert camera_of(watched)["private"] == [[0.5, 0.0, 0.5, 1.0]]
        tab.get_by_role("button", name="Undo the last change").click()
        tab.wait_for_function("() => document.querySelector('.screen video')?.currentTime > 0")
        assert "private" not in watched.path.read_text()


def test_areas_for_left_objects_are_drawn_and_set(tab, tmp_path):
    """They turn the search on; turned off, nothing of it stays in the file."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tool(tab, "Area for left objects")
        drag(tab, (0.1, 0.2), (0.4, 0.6))
        tab.locator(".forms summary").click()
        tab.get_by_label("After (seconds)").fill("60")
        tab.get_by_label("Kinds").fill("left")
        save(tab)
        left = read_config(watched.path).camera[0].left
        assert (left.after_s, left.kinds, len(left.area)) == (60, ("left",), 1)
        assert np.allclose(camera_of(watched)["rules"]["left"]["area"], [[0.1, 0.2, 0.3, 0.4]], atol=0.01)
        assert faults(tab) == []
        tab.get_by_label("Report objects left behind or removed").uncheck()
        assert tab.locator(".drawing .left").count() == 0
        save(tab)
        assert "left" not in camera_of(watched)["rules"]
        tab.get_by_label("Report objects left behind or removed").check()
        save(tab)
        assert read_config(watched.path).camera[0].left.after_s == 30
        assert "# the road" in watched.path.read_text()


def test_corners_snap(tab, tmp_path):
    """To the edges of the picture, to corners of others, and with Shift to a right angle."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tool(tab, "Zone")
        drag(tab, (0.2, 0.3), (0.495, 0.105))  # near the end of the line
        tool(tab, "Line")
        drag(tab, (0.006, 0.5), (0.8, 0.6), shift=True)
        save(tab)
        found = camera_of(watched)
        (x, y, wide, high), line = found["zone"][0]["area"], found["line"][1]["line"]
        assert (round(x + wide, 4), y, line[0][0]) == (0.5, 0.1, 0)
        assert line[0][1] == line[1][1]
        assert high > 0.1


def test_shapes_are_changed_by_mouse(tab, tmp_path):
    """A corner is moved, one is added at the middle of a side, all are moved, and one is removed."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tool(tab, "Zone")
        drag(tab, (0.2, 0.2), (0.4, 0.6))
        drag(tab, (0.4, 0.6), (0.45, 0.7))
        drag(tab, (0.3, 0.25), (0.35, 0.35))
        save(tab)
        assert np.allclose(camera_of(watched)["zone"][0]["area"], [0.25, 0.3, 0.25, 0.5], atol=0.01)
        tab.locator(".shapes").get_by_role("button", name="zone 1").click()
        drag(tab, (0.375, 0.3), (0.375, 0.15))
        assert tab.locator("[data-corner]").count() == 5
        save(tab)
        assert np.allclose(camera_of(watched)["zone"][0]["area"][1], [0.375, 0.15], atol=0.01)
        tab.locator(".shapes").get_by_role("button", name="zone 1").click()
        tab.get_by_role("button", name="Remove this zone").click()
        save(tab)
        assert (camera_of(watched)["zone"], "# the road" in watched.path.read_text()) == ([], True)


def test_the_keyboard_is_enough(tab, tmp_path):
    """A zone in the middle, whose corners are moved, added and removed; Escape chooses nothing, Delete removes it."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tab.get_by_role("button", name="+ Zone").press("Enter")
        tab.get_by_role("button", name="Corner 1 of 4 of zone 1: 35 % from the left, 35 % from the top").wait_for()
        for key in ("Shift+ArrowLeft", "ArrowUp", "+", "ArrowUp"):
            tab.keyboard.press(key)
        tab.get_by_role("button", name="Corner 2 of 5").wait_for()
        tab.keyboard.press("Delete")
        save(tab)
        assert camera_of(watched)["zone"][0]["area"] == [[0.33, 0.345], [0.65, 0.345], [0.65, 0.65], [0.33, 0.65]]
        tab.get_by_role("button", name="zone zone 1", exact=True).press("Enter")
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("Delete")
        assert tab.locator(".drawing .shape").count() == 1
        tab.get_by_role("button", name="line road", exact=True).press("Enter")
        assert tab.locator(".drawing .selected").count() == 1
        tab.keyboard.press("Escape")
        assert tab.locator(".drawing .selected").count() == 0
        tab.keyboard.press("Control+z")
        assert tab.locator(".drawing .shape").count() == 2
        tab.keyboard.press("Control+z")
        assert tab.get_by_role("button", name="Save").is_disabled()


def test_a_change_by_hand_meanwhile_is_noticed(tab, tmp_path):
    """It is not overwritten; the page says so and loads it anew."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tool(tab, "Ignored area")
        drag(tab, (0.2, 0.2), (0.4, 0.6))
        by_hand = watched.path.read_text().replace('"road"', '"street"')
        watched.path.write_text(by_hand)
        tab.get_by_role("button", name="Save").click()
        tab.get_by_text("cameras.toml was changed by somebody else meanwhile; load it anew to go on").wait_for()
        assert watched.path.read_text() == by_hand
        tab.get_by_role("button", name="Load it anew").click()
        tab.locator(".shapes").get_by_role("button", name="street").wait_for()
        assert tab.get_by_role("alert").is_hidden()


def test_changes_are_not_lost_by_a_click(tab, tmp_path):
    """On a link: the page asks first."""
    asked: list[str] = []
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tab.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept() if asked[1:] else dialog.dismiss()))
        tool(tab, "Zone")
        drag(tab, (0.2, 0.2), (0.4, 0.6))
        tab.get_by_role("link", name="Events").click()
        assert tab.locator(".drawing .zone").count() == 1
        tab.get_by_role("link", name="Events").click()
        tab.get_by_role("heading", name="Events").wait_for()
        assert asked == ["Discard the changes?"] * 2


def test_what_is_not_valid_is_said_and_nothing_changes(tab, tmp_path):
    """A wrong number beside its field, the rest as check-config says it."""
    with still(tmp_path) as watched:
        before = watched.path.read_text()
        open_editor(tab, watched)
        tab.get_by_label("Count every (seconds)").fill("-1")
        tab.get_by_text("Expected a number, 0 or more.").wait_for()
        tab.get_by_label("Count every (seconds)").fill("")
        tab.locator(".shapes").get_by_role("button", name="road").click()
        tab.get_by_label("Side on the left").fill("right")
        tab.get_by_role("button", name="Save").click()
        tab.get_by_text("left and right are both 'right'; expected two names").wait_for()
        assert watched.path.read_text() == before


def test_rules_are_tested_on_the_last_minutes(tab, tmp_path):
    """Before they are saved: how many events there would have been, and which."""
    with still(tmp_path) as watched:
        for index in range(60):
            box = Box(4 * index, 100, 4 * index + 60, 160)
            shown = frame(index, size_hw=(240, 320))
            watched.page.config.recent.write(result(shown, Detection(box, said("car"), "motion")))
        open_editor(tab, watched)
        tab.get_by_role("button", name="Test").click()
        tab.get_by_text("2 events in the last 2 seconds; 2 with what is in force.").wait_for()
        tab.get_by_text("crossing: car over road → left").wait_for()
        tab.get_by_text("How objects are followed").click()
        tab.get_by_label("Settle", exact=True).fill("100")
        tab.get_by_role("button", name="Test").click()
        tab.get_by_text("0 events in the last 2 seconds; 2 with what is in force.").wait_for()
        assert "settle" not in watched.path.read_text()
        save(tab)
        assert "track = {settle = 100}" in watched.path.read_text()


def test_a_file_that_cannot_be_changed_says_so(tab, tmp_path):
    """And nothing can be drawn."""
    with still(tmp_path) as watched:
        watched.path.chmod(0o444)
        open_editor(tab, watched)
        tab.get_by_text("cameras.toml is read-only, so nothing can be changed here").wait_for()
        assert tab.get_by_role("button", name="+ Zone").is_hidden()
        assert tab.get_by_role("button", name="Save").is_disabled()


def test_axe_finds_nothing_serious_in_the_editor(tab, tmp_path):
    """While a zone is chosen, and in the dark with the rules of the camera and a fault."""
    with still(tmp_path) as watched:
        open_editor(tab, watched)
        tab.get_by_role("button", name="+ Zone").press("Enter")
        tab.get_by_text("When a label becomes a state", exact=False).or_(tab.get_by_label("Dwell")).first.wait_for()
        assert faults(tab) == []
        tab.emulate_media(color_scheme="dark")
        tab.locator(".shapes").get_by_role("button", name="Rules").click()
        tab.get_by_text("How objects are followed").click()
        tab.get_by_label("Overlap").fill("7")
        tab.get_by_role("button", name="Test").click()
        assert faults(tab) == []


def test_who_may_only_look_is_offered_no_editor(tab, tmp_path):
    """The camera is shown, without the button."""
    set_password(tmp_path / "p.json", "anna", PASSWORD, role="view")
    with served("gate", passwords=tmp_path / "p.json") as page:
        page.view.write(result(frame()))
        tab.goto(f"http://127.0.0.1:{page.server.port}/login")
        tab.get_by_label("Name").fill("anna")
        tab.get_by_label("Password").fill(PASSWORD)
        tab.get_by_role("button", name="Log in").click()
        tab.get_by_role("link", name="gate").click()
        tab.get_by_text("live", exact=True).wait_for()
        assert tab.get_by_role("button", name="Zones and rules").is_hidden()


@pytest.mark.parametrize("width", [360, 1400])
def test_the_editor_is_not_wider_than_the_screen(tab, tmp_path, width):
    """With names that are markup, long or full of umlauts."""
    name = "<b>Größenprüfung</b>" * 6
    with still(tmp_path, TEXT.replace('"road"', f'"{name}"')) as watched:
        tab.set_viewport_size({"width": width, "height": 700})
        open_editor(tab, watched)
        tab.locator(".shapes button").nth(1).click()
        tab.get_by_label("Side on the left").wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.locator("main b").count() == 0
