"""Export a training run: convert, measure every form that is asked for, choose, and only then write the file.

run folder -> best.keras -> fp32 -> schemes -> the fastest that loses little -> card and golden pictures -> out.onnx
                  |           |        |
                  `- parity --'        |
                  `- accuracy, within max_drop points, through the runtime's own path

Held-out pictures decide. Test pictures measure what was decided, and decide nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras, processor
from edgecls.classifier import INPUT_NAME
from edgecls.errors import ConfigError, GateError
from edgecls.evaluate import measure
from edgecls.export.climb import KERAS, card_of, climb, golden_of, rungs
from edgecls.export.convert import stamp
from edgecls.export.inputs import gather
from edgecls.export.parity import Parity, compare
from edgecls.export.quantize.targets import AUTO, DEFAULT, check_measurable, look_up, timed_here
from edgecls.files import whole_file
from edgecls.ladder import REFERENCE, Ladder, Limits, choose
from edgecls.report.ladder import drawing, put_into

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.card import ModelCard
    from edgecls.evaluate import Report
    from edgecls.export.climb import Form, Probabilities
    from edgecls.export.inputs import Given
    from edgecls.processor import Processor


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The written file, its card, how far it is from Keras on the held-out pictures, and all forms that were measured."""

    out: Path
    card: ModelCard
    parity: Parity
    ladder: Ladder


def build(  # noqa: PLR0913 - each is an option of the command
    run: str | Path, out: str | Path, *, scheme: str = AUTO, target: str = DEFAULT, calibration: str = "", test: str = "",
    max_drop: float = 0.5, max_bytes: int | None = None, max_us: float | None = None, reject: float = 0.02,
    say: Callable[[str], None] = lambda _line: None,
) -> ExportReport:  # fmt: skip
    """Export a run folder, or the best.keras in one, to the file `out`.

    `scheme` is one of SCHEMES, or "auto": then all that are right on `target` (a key of TARGETS) are made and measured, the
    fastest that passes is taken (see `edgecls.ladder.choose`), and the ladder is written beside `out` as M.ladder.json and
    M.ladder.svg. To pass, a form must keep to within `max_drop` points of Keras' top-1 and macro recall on the held-out
    pictures, and to `max_bytes` and `max_us` (microseconds for one picture), where they are given.

    The run's own training pictures calibrate and its held-out ones measure; `calibration` says where they lie now, if not where
    they were. To the held-out ones the scores are fitted, so that they become frequencies, and a threshold under which a share
    `reject` of them (0..1) comes out as unknown. `test` names labelled pictures that are measured for the card instead.

    Raises ExportError when the file is not the model that was trained, and GateError, which has the ladder, when no form
    passes; then nothing is written.
    """
    limits, here = Limits(max_drop, max_bytes, max_us), processor.this()
    allowed = look_up(scheme, target)
    check_measurable(target, allowed.allowed if scheme == AUTO else (scheme,), here)
    _check_numbers(reject, limits, target, here)
    out = writable(Path(out))
    given = gather(Path(run), out, calibration=calibration, test=test, reject=reject, target=target, say=say)
    forms, left_out = climb(scheme, allowed, given, max_drop=max_drop, say=say)
    measured, timed = rungs(forms, scheme, limits, given.held_out.batch), timed_here(target, here)
    ladder = Ladder(
        target=target,
        processor=here.name,
        timed_here=timed,
        limits=limits,
        measured_on=given.card.measured_on,
        rungs=measured,
        chosen=choose(measured, timed_here=timed),
        left_out=tuple(left_out),
    )
    if ladder.chosen is None:
        raise GateError(_why_none(out, ladder), ladder)
    chosen = next(form for form in forms if form.name == ladder.chosen)
    ladder, report = _tested(ladder, forms, chosen, given)
    parity = compare(forms[0].report, chosen.report)
    card = card_of(chosen, given, report)
    card = replace(
        card,
        metrics={**card.metrics, "parity_largest_difference": round(parity.largest_difference, 6)},
        measured_on=ladder.tested_on or ladder.measured_on,
    )
    content = stamp(chosen.model, card, golden_of(chosen, given, plainly(chosen.model.SerializeToString())))
    if max_bytes is not None and len(content) > max_bytes:  # the numbers on its card are longer than those that were weighed
        raise GateError(f"{out}: {chosen.name} has {len(content):,} bytes with its card, at most {max_bytes:,}; nothing was "
                        "written. Allow more with --max-bytes", ladder)  # fmt: skip
    weighed = [replace(rung, bytes=len(content)) if rung.name == chosen.name else rung for rung in ladder.rungs]
    ladder = replace(ladder, rungs=tuple(weighed))
    _write(out, content, ladder if scheme == AUTO else None)
    _show(Path(run), ladder, say)
    return ExportReport(out, card, parity, ladder)


def _tested(ladder: Ladder, forms: Sequence[Form], chosen: Form, given: Given) -> tuple[Ladder, Report]:
    """The ladder with what Keras, fp32 and the chosen form do on the test pictures, and the report that goes on the card."""
    if given.tested is None:
        return ladder, chosen.report
    shown = {
        form.name: measure(form.run, given.card.labels, given.tested.pictures, given.tested.class_ids)
        for form in forms
        if form.name in (KERAS, "fp32", chosen.name)
    }
    with_test = [
        replace(r, test_top1=shown[r.name].top1, test_macro_recall=shown[r.name].macro_recall) if r.name in shown else r
        for r in ladder.rungs
    ]
    return replace(ladder, rungs=tuple(with_test), tested_on=given.tested.name("test")), shown[chosen.name]


def _why_none(out: Path, ladder: Ladder) -> str:
    tried = [rung for rung in ladder.rungs if rung.refused != REFERENCE]
    if len(tried) == 1:
        return (f"{out}: {tried[0].name} {tried[0].refused}; nothing was written. Take another --scheme, or allow more with "
                "--max-drop, --max-bytes, --max-us")  # fmt: skip
    return (f"{out}: none of {len(tried)} forms passes, as the table says; nothing was written. Allow more with --max-drop, "
            "--max-bytes, --max-us, or train a smaller network")  # fmt: skip


def _write(out: Path, content: bytes, ladder: Ladder | None) -> None:
    """Write the file, and the ladder beside it. Without one, that of another file of this name is taken away."""
    record, drawn = out.with_suffix(".ladder.json"), out.with_suffix(".ladder.svg")
    with whole_file(out) as path, contextlib.ExitStack() as beside:  # the model takes its name last
        path.write_bytes(content)
        if ladder is not None:
            found = ladder.as_record()
            text = json.dumps(found, ensure_ascii=False, indent=1)
            beside.enter_context(whole_file(record)).write_text(text + "\n", encoding="utf-8")
            beside.enter_context(whole_file(drawn)).write_text(drawing(found) + "\n", encoding="utf-8")
    if ladder is None:
        record.unlink(missing_ok=True)
        drawn.unlink(missing_ok=True)


def _show(run: Path, ladder: Ladder, say: Callable[[str], None]) -> None:
    """Put the ladder into the page of the run, where it has one."""
    page = (run.parent if run.suffix == ".keras" else run) / "report.html"
    try:
        if page.exists():
            put_into(page, ladder.as_record())
    except (ConfigError, OSError) as error:
        say(f"warning: the ladder is not in the run's report: {error}")


def plainly(content: bytes) -> Probabilities:
    """The graph of a file as it is written, node by node, without the kernels that ONNX Runtime makes of several."""
    ort = extras.load("onnxruntime", extra="export", purpose="Exporting")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(None, {INPUT_NAME: batch})[0])


def _check_numbers(reject: float, limits: Limits, target: str, here: Processor) -> None:
    if not 0 <= reject < 1:
        raise ConfigError(f"reject {reject}: expected the share of known pictures that may be unknown, from 0 to below 1")
    if limits.max_us is not None and not timed_here(target, here):
        raise ConfigError(
            f"--max-us {limits.max_us:g}: microseconds of this processor ({here.name}) say nothing of --target {target}; leave "
            "it out, or export on such a machine"
        )


def writable(out: Path) -> Path:
    """Return `out`, where a model can be written. Raises ConfigError."""
    if out.suffix != ".onnx":
        raise ConfigError(f"--out {out}: expected a file that ends in .onnx")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ConfigError(f"--out {out}: the folder {out.parent} does not exist or cannot be written to")
    return out
