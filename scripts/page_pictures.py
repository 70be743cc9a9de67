"""Generate the pictures of the page in docs/pictures/: Debian's Chromium looks at a run of four drawn streets as RTSP cameras.

    python -m scripts.page_pictures [--only live,zones,events,event,teach,model,...] [--to FOLDER --look light,dark,phone]

With --to, every page is also taken as it looks in dark colours and on a phone, to be looked at. Needs the extras cpu, web and
dev, chromium and GStreamer's RTSP server.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from playwright.sync_api import Page, sync_playwright

from edgecls import Run, Store
from edgecls.run.config import read_config
from edgecls.store import Origin
from edgecls.web import ConfigFile, PageServer, ViewSink, WebSettings
from scripts import drawn_street
from scripts.drawn_world import WORLDS, World
from scripts.pictures import PICTURES, ROOT, STREET_RULES, STREET_S
from tests.drift.simulated import simulated
from tests.live.rtsp import rtsp_server, write_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

    from edgecls.drift.history import DriftState
    from edgecls.frame import Picture

FPS = 10
STORED_EVERY, LEAST_STORED_PX, MOST_LABELLED = 15, 20, 12
"""Which drawn objects are pictures to label, and how many of a world have a label."""
BEGAN_S, APART_S = 1_763_823_600.0, 3600.0
"""They seem to have passed an hour apart, so that each is a moment of its own to learn from."""
WORLDS_SHOWN, WORLD_S = ("avenue", "parking", "queue"), 40
JPEG_QUALITY = 80
WATCHED_S = 60.0
"""For so long the streets are watched before pictures of what was found are taken."""
CONFIG = """
model = "models/street.onnx"
sinks = ["sqlite:events.db", "clip:clips", "snapshot:snapshots?shows=annotated,crop", "collect:pictures"]
[web]
listen = 0
"""
CAMERA = """
[[camera]]
name = "{name}"
source = "{url}"
[camera.motion]
"""
BAY = ((0.74, 0.35), (0.88, 0.36), (0.9, 0.47), (0.73, 0.46))


class Look(NamedTuple):
    """How a page is looked at."""

    width: int
    height: int
    colors: Literal["light", "dark"]


LOOKS = {"light": Look(1280, 760, "light"), "dark": Look(1280, 760, "dark"), "phone": Look(390, 844, "light")}


def main() -> None:
    """Run the streets, and take pictures of the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(PAGES), help="Which pages, with commas. Default: all.")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="Write PNG files there instead, to be looked at.")
    parser.add_argument("--look", default="light", help=f"How to look, with commas: {', '.join(LOOKS)}. Default: light.")
    args = parser.parse_args()
    pages, looks = args.only.split(","), args.look.split(",")
    to = None if args.to is None else args.to.absolute()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(contextlib.chdir(folder))  # the page shows paths as they are configured
        address = stack.enter_context(_served(stack.enter_context(_streets())))
        time.sleep(WATCHED_S)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for name in pages:
                for look in looks:
                    file = PICTURES / f"page-{name}.jpg" if to is None else to / f"{name}-{look}.png"
                    _take(browser, address, name, LOOKS[look], file)
            browser.close()


def _take(browser: Browser, address: str, name: str, look: Look, file: Path) -> None:
    """Take a picture of a page."""
    tab = browser.new_page(viewport={"width": look.width, "height": look.height}, color_scheme=look.colors)
    PAGES[name](tab, address)
    if file.suffix == ".jpg":
        tab.screenshot(path=file, type="jpeg", quality=JPEG_QUALITY)
    else:
        tab.screenshot(path=file, full_page=not tab.locator("dialog[open]").count())
    tab.close()


@contextmanager
def _streets() -> Iterator[Path]:
    """Serve the drawn streets as cameras. Yields the cameras.toml, in this folder, of a run that watches them."""
    street = [drawn_street.frame(index / FPS) for index in range(round(STREET_S * FPS))]
    with Store("pictures") as store:
        shown = {"street": street} | {name: _drawn(name, store) for name in WORLDS_SHOWN}
    for kind in ("clips", "snapshots", "models"):
        Path(kind).mkdir()
    for file in (ROOT / "models").glob("street.*"):
        shutil.copy(file, "models")
    text = CONFIG
    with ExitStack() as cameras:
        for name, pictures in shown.items():
            units = write_units(Path(name), pictures, fps=FPS, gop=2 * FPS)
            camera = cameras.enter_context(rtsp_server(units, fps=FPS))
            text += CAMERA.format(name=name, url=camera.url) + (STREET_RULES if name == "street" else "")
        path = Path("cameras.toml")
        path.write_text(text, encoding="utf-8")
        yield path


def _drawn(name: str, store: Store) -> list[Picture]:
    """Return the frames of a drawn world, gray as those of a camera at night. Some of its objects go to a store."""
    frames: list[Picture] = []
    labelled: list[tuple[int, str]] = []
    for second, gray, seen in World(WORLDS[name], WORLD_S, 12, 3, fps=FPS).frames():
        frames.append(np.dstack([gray] * 3))
        for one in seen if len(frames) % STORED_EVERY == 0 else ():
            left, top, right, bottom = (round(edge) for edge in one.box)
            if one.is_shown and min(right - left, bottom - top) >= LEAST_STORED_PX:
                label = "person" if bottom - top > right - left else "vehicle"
                at_s = BEGAN_S + one.number * APART_S + second
                origin = Origin(camera=name, region="motion", at_s=at_s, time_s=second)
                number = store.add(frames[-1][top:bottom, left:right], origin)
                labelled += [(number, label)] if len(labelled) < MOST_LABELLED else []
    for number, label in labelled:
        store.label([number], label)
    return frames


@contextmanager
def _served(path: Path) -> Iterator[str]:
    """Run a configuration and serve its page. Yields the address."""
    with Run(path) as run:
        view = ViewSink(source.name for source in run.frames.sources)
        file = ConfigFile(path, read=read_config, apply=run.reload)
        run.sinks.extend([view, file.recent])
        shown = cast("Run", Drifted(run))
        with PageServer(view, WebSettings(listen=0), config=file, outs=lambda: run.config.outputs, run=shown) as server:
            reading = threading.Thread(target=lambda: all(run), daemon=True)
            reading.start()
            yield server.address
            run.stop()
            reading.join()


def _live(tab: Page, address: str) -> None:
    tab.goto(address)
    found = "() => document.querySelectorAll('.screen canvas[data-labels]:not([data-labels=\"\"])').length >= 3"
    tab.wait_for_function(found, timeout=60_000)


def _zones(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/camera/street")
    tab.get_by_role("button", name="Zones and rules").click()
    tab.get_by_role("group", name="Draw").get_by_role("button", name="Zone").click()
    drawing = tab.locator("svg.drawing").bounding_box() or {"x": 0.0, "y": 0.0, "width": 0.0, "height": 0.0}
    for x, y in (*BAY, BAY[0]):
        tab.mouse.click(drawing["x"] + x * drawing["width"], drawing["y"] + y * drawing["height"])
    tab.get_by_label("Name").fill("bus bay")
    found = "() => document.querySelector('.screen canvas').dataset.labels?.split('vehicle').length > 3"
    tab.wait_for_function(found, polling=200, timeout=60_000)


def _events(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/events")
    tab.wait_for_function("() => document.querySelectorAll('tbody tr').length > 12")


def _event(tab: Page, address: str) -> None:
    _events(tab, address)
    tab.get_by_label("Camera").first.select_option("street")
    tab.get_by_label("Kind").first.select_option("crossing")
    crossings = "() => [...document.querySelectorAll('tbody td:nth-child(3)')].every((cell) => cell.textContent === 'crossing')"
    tab.wait_for_function(crossings)
    tab.locator("tbody tr", has_text="vehicle").nth(2).locator("button.link").click()
    tab.locator("dialog video, dialog img").first.wait_for()
    tab.wait_for_timeout(1000)


def _teach(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/teach")
    tab.wait_for_function("() => document.querySelectorAll('.sheet img').length > 5", timeout=60_000)
    tab.wait_for_timeout(1000)


class Drifted:
    """A run whose cameras have been watched for days: the drift that the page shows of it is simulated."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._drifts = [simulated("street"), simulated("avenue", days=1), simulated("parking", blurred_from_h=100)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    @property
    def drift(self) -> list[DriftState]:
        """A dirty lens, a camera that still learns, and one where all is as usual."""
        return [drift.state for drift in self._drifts]


def _model(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/model")
    tab.get_by_text("Forms that the export compared").wait_for()


def _drift(tab: Page, address: str) -> None:
    _model(tab, address)
    tab.get_by_role("heading", name="Drift").evaluate("heading => scrollTo(0, heading.offsetTop - 60)")
    tab.wait_for_timeout(500)


def _machine(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/machine")
    tab.get_by_text("cores, ", exact=False).first.wait_for()
    tab.wait_for_timeout(4000)


def _learn(tab: Page, address: str) -> None:
    tab.goto(f"{address}#/teach")
    tab.get_by_role("button", name="Learn", exact=True).click()
    tab.get_by_role("progressbar", name="Progress").wait_for()
    tab.get_by_role("progressbar", name="Progress").wait_for(state="hidden", timeout=180_000)
    tab.get_by_role("button", name="Learn", exact=True).scroll_into_view_if_needed()
    tab.evaluate("() => { document.querySelector('.learn').scrollIntoView(); scrollBy(0, -60); }")
    tab.wait_for_timeout(1000)


PAGES: dict[str, Callable[[Page, str], None]] = {
    "live": _live,
    "zones": _zones,
    "events": _events,
    "event": _event,
    "teach": _teach,
    "learn": _learn,
    "model": _model,
    "drift": _drift,
    "machine": _machine,
}

if __name__ == "__main__":
    main()
