"""Export a training run: convert, measure, quantize, measure, and only then write the file.

run folder -> best.keras -> fp32 -> scheme -> card stamped -> out.onnx
                  |           |        |
                  `- parity --'        |
                  `- accuracy, within max_drop points, through the runtime's own path
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import __version__, confidence, extras, golden, metrics
from edgecls.card import ModelCard
from edgecls.classifier import INPUT_NAME, Classifier
from edgecls.dataset import DataConfig, Pictures, decode, fingerprint
from edgecls.errors import ConfigError, ExportError
from edgecls.evaluate import Report, match_labels, measure
from edgecls.export.convert import check_backend, stamp, to_onnx
from edgecls.export.parity import Parity, check_drop, check_float, compare
from edgecls.export.quantize import CALIBRATION_PICTURES, SCHEMES
from edgecls.files import whole_file
from edgecls.settings import build as build_settings
from edgecls.settings import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Batch

    Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

TIMED_ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Form:
    """One row of the table: a form of the model, how good it is, its bytes (of Keras: its weights alone, in float),
    and the microseconds for one picture on one thread.
    """

    name: str
    top1: float
    macro_recall: float
    bytes: int
    us: float


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The written file, its card, how far it is from Keras on the held-out pictures, and the table before and after."""

    out: Path
    card: ModelCard
    parity: Parity
    forms: tuple[Form, ...]


def build(
    run: str | Path, out: str | Path, *, scheme: str = "int8", calibration: str = "", test: str = "", max_drop: float = 0.5,
    reject: float = 0.02, say: Callable[[str], None] = lambda _line: None,
) -> ExportReport:  # fmt: skip
    """Export a run folder, or the best.keras in one, to the file `out`.

    The run's own training pictures calibrate and its held-out ones measure; `calibration` says where they lie now, if not where
    they were. To the held-out ones the scores are fitted, so that they become frequencies, and a threshold under which a share
    `reject` of them (0..1) comes out as unknown. `test` names labelled pictures that are measured for the card instead.

    Raises ExportError when the file is not the model that was trained, or loses more than `max_drop` points of accuracy; then
    nothing is written.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"scheme {scheme!r} is not known; expected {' or '.join(SCHEMES)}")
    if not 0 <= reject < 1:
        raise ConfigError(f"reject {reject}: expected the share of known pictures that may be unknown, from 0 to below 1")
    out = _writable(Path(out))
    keras_file, card, data = _read_run(Path(run))
    check_backend()
    tested = _test_pictures(test, data, card) if test else None
    train, held_out = _pictures(card, replace(data, path=calibration or data.path), say)
    model = _load_keras(keras_file)
    graph = to_onnx(model, card.input)
    files = {name: stamp(SCHEMES[name](graph, train), replace(card, scheme=name)) for name in dict.fromkeys(("fp32", scheme))}
    forms: dict[str, Probabilities] = {"keras": lambda batch: np.asarray(model.predict_on_batch(batch))}
    for name, content in files.items():
        forms[name] = Classifier.from_bytes(content, f"{out} ({name})", device="cpu", threads=1).probabilities
    reports = {name: measure(form, card.labels, held_out, range(len(card.labels))) for name, form in forms.items()}
    check_float(compare(reports["keras"], reports["fp32"]), str(out))
    parity = compare(reports["keras"], reports[scheme])
    check_drop(parity, max_drop, str(out))
    card = replace(card, confidence=_confidence(reports[scheme], held_out, reject, say))
    reports[scheme] = reports[scheme].read_as(card.confidence)
    measured_on = f"{len(held_out.batch)} held-out pictures"
    if tested is not None:
        pictures, class_ids, measured_on = tested
        reports = {name: measure(form, card.labels, pictures, class_ids) for name, form in forms.items()}
        reports[scheme] = reports[scheme].read_as(card.confidence)
    card = replace(
        card,
        scheme=scheme,
        metrics={**reports[scheme].as_metrics(), "parity_largest_difference": round(parity.largest_difference, 6)},
        measured_on=measured_on,
        made_with={**card.made_with, **_versions(), "calibration_pictures": str(len(train))},
    )
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    kept = golden.make(held_out.batch, held_out.class_ids, forms[scheme], _plainly(files[scheme]), scheme=scheme)
    final = files[scheme] = stamp(onnx.load_from_string(files[scheme]), card, kept)
    with whole_file(out) as path:
        path.write_bytes(final)
    sizes = {"keras": 4 * model.count_params(), **{name: len(content) for name, content in files.items()}}
    us = _time_in_turns(forms, held_out.batch)
    return ExportReport(out, card, parity, tuple(Form(n, r.top1, r.macro_recall, sizes[n], us[n]) for n, r in reports.items()))


def _confidence(report: Report, held_out: Pictures, reject: float, say: Callable[[str], None]) -> confidence.Confidence:
    if len(held_out.batch) < confidence.FEWEST_TO_FIT:
        say(f"warning: {len(held_out.batch)} held-out pictures are too few to fit confidence to; scores stay as they are, and "
            "nothing comes out as unknown")  # fmt: skip
    return confidence.fit(report.probabilities, held_out.class_ids, reject=reject)


def _plainly(content: bytes) -> Probabilities:
    """The graph of a file as it is written, node by node, without the kernels that ONNX Runtime makes of several."""
    ort = extras.load("onnxruntime", extra="export", purpose="Exporting")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(None, {INPUT_NAME: batch})[0])


def _writable(out: Path) -> Path:
    if out.suffix != ".onnx":
        raise ConfigError(f"--out {out}: expected a file that ends in .onnx")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist or cannot be written to")
    return out


def _read_run(run: Path) -> tuple[Path, ModelCard, DataConfig]:
    folder = run.parent if run.suffix == ".keras" else run
    keras_file = run if run.suffix == ".keras" else folder / "best.keras"
    missing = [file.name for file in (keras_file, folder / "card.json", folder / "config.toml") if not file.is_file()]
    if missing:
        raise ConfigError(
            f"{run}: expected the folder of a training run; missing: {', '.join(missing)}; make one with: edgecls train"
        )
    card = ModelCard.from_json((folder / "card.json").read_text(encoding="utf-8"), str(folder / "card.json"))
    config = folder / "config.toml"
    return keras_file, card, build_settings(DataConfig, read_toml(config).get("data", {}), str(config), "data.")


def _load_keras(file: Path) -> Any:
    keras = extras.load("keras", extra="export", purpose="Exporting")
    try:
        return keras.saving.load_model(file, compile=False)  # how it was trained does not matter here
    except Exception as error:
        raise ConfigError(f"{file}: Keras cannot load it ({str(error)[:200]}); train again with: edgecls train") from error


def _pictures(card: ModelCard, data: DataConfig, say: Callable[[str], None]) -> tuple[NDArray[np.uint8], Pictures]:
    """Some training pictures to calibrate with, and all of the held-out ones."""
    dataset = data.scan()
    if dataset.labels != card.labels:
        raise ExportError(
            f"{data.path}: its classes are not those of the run ({len(dataset.labels)} against {len(card.labels)})"
        )
    if fingerprint(dataset) != card.dataset:
        say(f"warning: {data.path} is not what the run was trained on ({fingerprint(dataset)}, the card says {card.dataset})")
    sides = data.split(dataset)
    chosen = np.random.default_rng(data.seed).permutation(len(sides.train))[:CALIBRATION_PICTURES]
    train = decode([sides.train[i] for i in chosen.tolist()], card.input)
    return train.batch[:], decode(sides.val, card.input, strict=data.strict)


def _test_pictures(test: str, data: DataConfig, card: ModelCard) -> tuple[Pictures, Sequence[int], str]:
    """The pictures to measure for the card, the model's class for each of their classes, and what the card calls them."""
    dataset = DataConfig(path=test, roi=data.roi).scan()
    class_ids = match_labels(dataset, card.labels)
    pictures = decode(dataset.of_split("test") or dataset.items, card.input, strict=data.strict)
    return pictures, class_ids, f"{len(pictures.batch)} test pictures ({fingerprint(dataset)})"


def _time_in_turns(forms: Mapping[str, Probabilities], pictures: Batch) -> dict[str, float]:
    """Median microseconds for one picture, the forms in turns so that a busy machine slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in forms}
    for i in range(TIMED_ROUNDS):
        one = pictures[i % len(pictures)][None]
        for name, form in forms.items():
            began = time.perf_counter()
            form(one)
            times[name].append((time.perf_counter() - began) * 1e6)
    return {name: metrics.percentile(values, 50) for name, values in times.items()}


def _versions() -> dict[str, str]:
    packages: dict[str, Any] = {name: extras.load(name, extra="export", purpose="Exporting") for name in
                                ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}  # fmt: skip
    return {"edgecls": __version__, **{name: str(package.__version__) for name, package in packages.items()}}
