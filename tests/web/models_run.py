"""A run for the tests of the pages about models and the machine: a drawn model with a full card, cameras with drift."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgecls import Run
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.metrics import Bin
from edgecls.model import golden
from edgecls.model.card import ModelCard
from edgecls.model.classifier import Classifier
from edgecls.model.confidence import Confidence
from edgecls.model.ladder import Ladder, Limits, Rung
from edgecls.model.measured import Measured
from edgecls.run.web import WebSettings
from edgecls.text.strict_json import dumps
from edgecls.web import PageServer, ViewSink
from edgecls.web.login.passwords import set_password
from tests.tiny import light_graph
from tests.web.served import PASSWORD, Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edgecls.drift.camera_drift import CameraDrift
SPEC = InputSpec(height=8, width=8)
LABELS = ("dunkel <b>Größe</b>", "dämmrig", "hell & klar")


def labels(count: int) -> tuple[str, ...]:
    """Return so many labels, the first of which are hard to show."""
    return (*LABELS, *(f"Schild {i}" for i in range(len(LABELS), count)))[:count]


def measured(count: int) -> Measured:
    """Return what an evaluation might say of a model with so many labels."""
    rng = np.random.default_rng(0)
    confusion = np.diag(rng.integers(20, 60, count)) + (rng.random((count, count)) < 3 / count) * rng.integers(
        0, 4, (count, count)
    )
    bins = [Bin(i / 15, (i + 1) / 15, 3 * i * i, (i + 0.5) / 15, min(1.0, (i + 0.8) / 15 * 0.97)) for i in range(15)]
    return Measured.of(confusion, bins)


def write_model(path: Path, count: int = 3, *, is_bare: bool = False) -> ModelCard:
    """Write a model with so many labels, its ladder and its report. A bare one has neither, and an empty card."""
    graph, names = light_graph(SPEC, count), labels(count)
    if is_bare:
        path.write_bytes(stamp(graph, card := ModelCard(names, SPEC, "fp32")))
        return card
    found = measured(count)
    pictures, right = sum(found.pictures), sum(found.right)
    metrics = {
        "top1": round(right / pictures, 5),
        "macro_recall": 0.93,
        "calibration_error": 0.0123,
        "pictures": pictures,
        "coverage": 0.98,
        "risk": 0.0123,
    }
    card = ModelCard(
        names, SPEC, "fp32", about="drawn squares <script>alert(1)</script>", split=f"{5 * pictures} train, {pictures} val",
        confidence=Confidence(1.1, 5.0, 0.25), metrics=metrics, measured_on=f"{pictures} test pictures", measured=found,
        made_with={"edgecls": "0.2.0", "arch": "edge"},
    )  # fmt: skip
    run = Classifier.from_bytes(stamp(graph, card.uncalibrated), str(path), device="cpu").answers
    batch = np.repeat(np.linspace(0, 255, 8, dtype=np.uint8)[:, None, None, None], 8, 1).repeat(8, 2)
    kept = golden.make(batch, np.arange(8) % 3, run, run, scheme="fp32")
    path.write_bytes(stamp(graph, card, kept))
    rung = Rung("fp32", 0.953, 0.93, 0.8, names[0], 1.0, 0.01, len(path.read_bytes()), 583, 700, 5000, 6000)
    rungs = (
        replace(rung, name="keras", us=3576, refused="reference"),
        rung,
        replace(
            rung,
            name="int8",
            top1=0.91,
            us=340,
            bytes=637_000,
            agreement=0.98,
            refused="loses 4.30 points of top-1, at most 0.5",
        ),
    )
    ladder = Ladder("x86", "AMD EPYC", True, Limits(), card.measured_on, rungs, "fp32", (("fp16", "cannot be built"),))
    path.with_suffix(".ladder.json").write_text(dumps(ladder.as_record()), encoding="utf-8")
    path.with_suffix(".html").write_text(
        "<h1>Report</h1><script>parent.location = 'https://example.com'</script>", encoding="utf-8"
    )
    return card


@contextmanager
def models_page(
    folder: Path, *, count: int = 3, config: str = "", passwords: Path | None = None, drifts: tuple[CameraDrift, ...] = (),
    **settings: Any,
) -> Iterator[tuple[Page, Run]]:  # fmt: skip
    """Serve the page of a run of two drawn pictures, whose model in `folder`/licht.onnx has so many labels.

    Args:
        folder: Where everything is written. A licht.onnx that is there is used.
        count: The number of labels.
        config: More lines of the configuration, before its cameras.
        passwords: The file of passwords; None: no login.
        drifts: What is known of the drift of cameras.
        settings: More of [web].
    """
    model = folder / "licht.onnx"
    if not model.exists():
        write_model(model, count)
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    for name, level in (("1", 20), ("2", 230)):
        cv2.imwrite(str(pictures / f"{name}.png"), np.full((48, 64), level, np.uint8))
    if passwords is not None:
        set_password(passwords, "admin", PASSWORD)
        settings["passwords"] = str(passwords)
    cameras = "".join(
        f'[[camera]]\nname = "{name}"\nsource = "{where}"\n' for name, where in (("gate", pictures), ("Hof-Süd", pictures))
    )
    path = folder / "cameras.toml"
    path.write_text(f'model = "{model}"\n{config}\n{cameras}', encoding="utf-8")
    with Run(path, spool=folder / "spool", say=lambda _: None) as run:
        for drift in drifts:
            run._site.drift._cameras[drift.state.camera] = SimpleNamespace(drift=drift)
        view = ViewSink(("gate", "Hof-Süd"))
        run.sinks.append(view)
        for _ in range(2):
            run.write(run.read())
        with PageServer(view, WebSettings(**{"listen": 0} | settings), outs=lambda: run.config.outputs, run=run) as server:
            yield Page(view, server), run
        run._site.drift._cameras.clear()
