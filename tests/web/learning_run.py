"""A run of a real RTSP camera with a store of its pictures, before whose page a new model is learned."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.run.config import read_config
from edgecls.run.run import Run
from edgecls.run.web import WebSettings
from edgecls.store import Origin, Store
from edgecls.web import ConfigFile, PageServer, ViewSink
from tests import tiny
from tests.live.rtsp import write_units
from tests.web.served import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FPS, SIDE = 10, (96, 128)
LEVELS = {"dark": (10, 90), "dim": (80, 175), "bright": (165, 245)}
"""The gray levels of each class. They overlap, so that not every picture can be told apart."""
TEXT = """# the yard
model = "MODEL" # the first one
sinks = ["collect:STORE"]
RULES
[[camera]]
name = "gate" # by the road
source = "SOURCE"
health = { off = true }
ZONES
# the end
"""


class Watched(NamedTuple):
    """A page before a run, its files, and how many frames the run has seen."""

    page: Page
    path: Path
    run: Run
    model: Path
    store: Path
    indices: list[int]


def scene(level: float, rng: np.random.Generator) -> np.ndarray:
    """A noisy gray picture with a darker square somewhere."""
    picture = np.clip(rng.normal(level, 6, (*SIDE, 3)), 0, 255)
    top, left = int(rng.integers(0, SIDE[0] - 24)), int(rng.integers(0, SIDE[1] - 24))
    picture[top : top + 24, left : left + 24] *= 0.8
    return picture.astype(np.uint8)


def draw_store(folder: Path, count: int, *, left: int = 0) -> dict[int, str]:
    """Write a store with `count` pictures of each class, all but `left` of them with labels. Returns the class of each picture,
    by number.
    """
    rng, found = np.random.default_rng(0), {}
    with Store(folder) as store:
        for i in range(count):
            for name, (low, high) in LEVELS.items():
                origin = Origin(camera="gate", event=f"{name} {i}", reason="new", hash=int(rng.integers(1 << 62)))
                number = store.add(scene(float(rng.uniform(low, high)), rng), origin)
                found[number] = name
                if i >= left:
                    store.label([number], name, author="ann")
    return found


def write_camera(folder: Path) -> Path:
    """Write what a camera sends: one second of each class, again and again."""
    rng = np.random.default_rng(1)
    pictures = [scene(level, rng) for level in (30, 128, 225) for _ in range(FPS)]
    return write_units(folder / "cam", pictures, fps=FPS, gop=FPS)


@contextmanager
def running(folder: Path, url: str, *, rules: str = "", zones: str = "", passwords: Path | None = None) -> Iterator[Watched]:
    """Run the camera with the light model and a store in this folder, and serve its page."""
    model, store, path = folder / "models" / "light.onnx", folder / "pictures", folder / "cameras.toml"
    model.parent.mkdir(exist_ok=True)
    if not model.exists():
        model.write_bytes(tiny.light_model())
    text = TEXT.replace("MODEL", str(model)).replace("STORE", str(store)).replace("SOURCE", url)
    path.write_text(text.replace("RULES", rules).replace("ZONES", zones))
    indices: list[int] = []
    settings = WebSettings(listen=0, passwords="" if passwords is None else str(passwords))
    with Run(path, say=lambda _: None) as run:
        file = ConfigFile(path, read=read_config, apply=run.reload)
        view = ViewSink(["gate"])
        with PageServer(view, settings, config=file, outs=lambda: run.config.outputs, run=run) as server:
            run.sinks.extend([view, file.recent])

            def read() -> None:
                for found, _ in run:
                    indices.append(found.frame.index)

            thread = threading.Thread(target=read, daemon=True)
            thread.start()
            try:
                yield Watched(Page(view, server, file), path, run, model, store, indices)
            finally:
                run.stop()
                thread.join(10)
