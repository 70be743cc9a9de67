"""Generate the pictures of the page in docs/pictures/: Debian's Chromium looks at a run of the drawn street as an RTSP camera.

Needs the extras cpu, web and dev, chromium and GStreamer's RTSP server.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))
from edgecls import Run
from edgecls.run.config import read_config
from edgecls.web import ConfigFile, PageServer, ViewSink, WebSettings
from scripts import drawn_street
from scripts.pictures import PICTURES, ROOT, STREET_RULES, STREET_S
from tests.live.rtsp import rtsp_server, write_units

FPS = 10
WIDTH, HEIGHT = 1280, 760
JPEG_QUALITY = 82
STREET = f"""
model = "{ROOT}/models/street.onnx"
[web]
listen = 0
[[camera]]
name = "street"
source = "SOURCE"
{STREET_RULES}
"""
BAY = ((0.74, 0.35), (0.88, 0.36), (0.9, 0.47), (0.73, 0.46))


def main() -> None:
    """Run the street, and take pictures of its page."""
    pictures = [drawn_street.frame(index / FPS) for index in range(round(STREET_S * FPS))]
    with tempfile.TemporaryDirectory() as folder:
        units = write_units(Path(folder) / "street", pictures, fps=FPS, gop=2 * FPS)
        path = Path(folder) / "cameras.toml"
        with rtsp_server(units, fps=FPS) as camera:
            path.write_text(STREET.replace("SOURCE", camera.url), encoding="utf-8")
            _show(path)


def _show(path: Path) -> None:
    """Run a configuration while pictures of its page are taken."""
    with Run(path) as run:
        view = ViewSink(["street"])
        file = ConfigFile(path, read=read_config, apply=run.reload)
        run.sinks.extend([view, file.recent])
        with PageServer(view, WebSettings(listen=0), config=file) as server:
            reading = threading.Thread(target=lambda: all(run), daemon=True)
            reading.start()
            _take(server.address)
            run.stop()
            reading.join()


def _take(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        tab.goto(f"{address}#/camera/street")
        tab.get_by_role("button", name="Zones and rules").click()
        _draw(tab)
        tab.get_by_label("Name").fill("bus bay")
        tab.wait_for_function("() => document.querySelector('video')?.currentTime > 12")  # the second pass: tracks have settled
        tab.wait_for_function("() => document.querySelector('.screen canvas').dataset.labels?.split('vehicle').length > 3")
        tab.screenshot(path=PICTURES / "page-zones.jpg", type="jpeg", quality=JPEG_QUALITY)
        browser.close()


def _draw(tab: Page) -> None:
    """Draw the bay corner by corner."""
    tab.get_by_role("group", name="Draw").get_by_role("button", name="Zone").click()
    box = tab.locator("svg.drawing").bounding_box() or {}
    for x, y in (*BAY, BAY[0]):
        tab.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


if __name__ == "__main__":
    main()
