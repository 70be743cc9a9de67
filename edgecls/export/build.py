"""Export a training run: convert the model, measure the requested variants, choose one, and only then write the file.

run folder -> best.keras -> fp32 -> schemes -> the fastest that loses little -> card and golden pictures -> out.onnx
                  |           |        |
                  `- parity --'        |
                  `- accuracy, within max_drop points, measured with the code of the runtime

The choice is based on the held-out pictures. Test pictures only measure the chosen variant.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.errors import ConfigError, GateError
from edgecls.evaluate import measure
from edgecls.export.convert import stamp
from edgecls.export.inputs import gather
from edgecls.export.ladder_search import KERAS, card_of, golden_of, rungs, search
from edgecls.export.parity import Parity, compare
from edgecls.export.quantize.targets import AUTO, DEFAULT, check_measurable, look_up, timed_here
from edgecls.files import whole_file
from edgecls.files.advice import of_no_folder
from edgecls.log import log_progress
from edgecls.model import cpu
from edgecls.model.answers import Answers
from edgecls.model.classifier import INPUT_NAME
from edgecls.model.ladder import REFERENCE, Ladder, Limits, choose
from edgecls.report.ladder import drawing, put_into
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.evaluate import AnyReport
    from edgecls.export.inputs import Given
    from edgecls.export.ladder_search import Form, Probabilities
    from edgecls.log import Say
    from edgecls.model.card import ModelCard
    from edgecls.model.cpu import Processor


@dataclass(frozen=True, slots=True)
class ExportReport:
    """The outcome of an export.

    Attributes:
        out: The written file.
        card: Its card.
        parity: Its difference from Keras on the held-out pictures.
        ladder: All variants that were measured.
    """

    out: Path
    card: ModelCard
    parity: Parity
    ladder: Ladder


def export_model(  # noqa: PLR0913 - each is an option of the command
    run: str | Path, out: str | Path, *, scheme: str = AUTO, target: str = DEFAULT, calibration: str | Path = "",
    test: str | Path = "", max_drop: float = 0.5, max_bytes: int | None = None, max_us: float | None = None,
    reject: float = 0.02, novelty: bool = True, say: Say = log_progress,
) -> ExportReport:  # fmt: skip
    """Export a training run to one .onnx file, after checking that the file still computes what the trained model does.

    The training pictures of the run calibrate the quantization. Its held-out pictures measure the accuracy of each form and
    calibrate the scores.

    Args:
        run: The folder of a training run, or the best.keras in it.
        out: The .onnx file to write; its folder exists.
        scheme: A key of `edgecls.export.quantize.SCHEMES`, such as "fp32", "fp16" or "int8". With "auto", all schemes that are
            right for `target` are built and measured, and the fastest that passes is chosen (`edgecls.model.ladder.choose`);
            the ladder is written beside `out` as M.ladder.json and M.ladder.svg.
        target: The processors that the file is for: "x86" (any), "x86-vnni" or "arm".
        calibration: Where the pictures of the run are now, if they have moved; "" if not.
        test: Labelled pictures to measure for the card; "" uses the held-out ones.
        max_drop: Maximum loss of top-1 and of macro recall against Keras, in percentage points; with several labels a picture,
            of macro F1 and of mean AP.
        max_bytes: Maximum size of the file in bytes; None: no limit.
        max_us: Maximum time per picture on one thread of this machine, in microseconds; None: no limit.
        reject: The share (0 to below 1) of known pictures that may be classified as unknown, so that foreign ones are.
        novelty: Whether the graph also computes how far a picture lies from the training pictures, by which it is unknown too.
        say: Called with each line of progress and each warning. Default: the logger "edgecls".

    Returns:
        The written file, its card, its difference from Keras, and the measured forms.

    Raises:
        ConfigError: A setting is not valid, or `run` is not the folder of a training run.
        DataError: The pictures cannot be read.
        ExportError: The file does not compute the same as the trained model; nothing is written.
        GateError: No form passes. The error holds the ladder; nothing is written.

    Example:
        >>> import edgecls
        >>> report = edgecls.export_model("runs/shapes", "shapes.onnx", scheme="fp32", max_drop=5)
        >>> report.out, report.card.scheme, report.card.labels
        (PosixPath('shapes.onnx'), 'fp32', ('disc', 'ring', 'square', 'stripes'))
    """
    calibration, test = str(calibration), str(test)
    limits, here = Limits(max_drop, max_bytes, max_us), cpu.this()
    allowed = look_up(scheme, target)
    check_measurable(target, allowed.allowed if scheme == AUTO else (scheme,), here)
    _check_numbers(reject, limits, target, here)
    out = writable(Path(out))
    for source in (Path(run), Path(run) / "best.keras"):
        refuse_same(out, source)
    given = gather(Path(run), out, calibration=calibration, test=test, reject=reject, novelty=novelty, target=target, say=say)
    forms, left_out = search(scheme, allowed, given, max_drop=max_drop, say=say)
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
    raw, read = compare(forms[0].report, chosen.report), compare(forms[0].read, chosen.read)
    parity = replace(read, largest_difference=raw.largest_difference, mean_difference=raw.mean_difference)
    card = card_of(chosen, given, report)
    card = replace(
        card,
        metrics={**card.metrics, "parity_largest_difference": round(parity.largest_difference, 6)},
        measured_on=ladder.tested_on or ladder.measured_on,
    )
    content = stamp(chosen.model, card, golden_of(chosen, given, plain_answers(chosen.model.SerializeToString())))
    if max_bytes is not None and len(content) > max_bytes:  # the final card is longer than the one that was measured with
        raise GateError(f"{out}: {chosen.name} has {len(content):,} bytes with its card, at most {max_bytes:,}; nothing was "
                        "written. Increase `max_bytes`", ladder)  # fmt: skip
    weighed = [replace(rung, bytes=len(content)) if rung.name == chosen.name else rung for rung in ladder.rungs]
    ladder = replace(ladder, rungs=tuple(weighed))
    _write(out, content, ladder if scheme == AUTO else None)
    _show(Path(run), ladder, say)
    return ExportReport(out, card, parity, ladder)


def _tested(ladder: Ladder, forms: Sequence[Form], chosen: Form, given: Given) -> tuple[Ladder, AnyReport]:
    """Measure Keras, fp32 and the chosen variant on the test pictures. Returns the ladder and the report for the card."""
    if given.tested is None:
        return ladder, chosen.report
    shown = {
        form.name: measure(form.answers or form.run, given.card.labels, given.tested.pictures, given.tested.class_ids)
        for form in forms
        if form.name in (KERAS, "fp32", chosen.name)
    }
    read = {form.name: shown[form.name].read_as(form.confidence) for form in forms if form.name in shown}  # type: ignore[arg-type]
    with_test = [
        replace(
            rung,
            test_top1=report.top1,
            test_macro_recall=report.macro_recall,
            test_macro_f1=report.gates.get("macro F1"),
            test_mean_ap=report.gates.get("mean AP"),
        )
        if (report := read.get(rung.name))
        else rung
        for rung in ladder.rungs
    ]
    return replace(ladder, rungs=tuple(with_test), tested_on=given.tested.name("test")), shown[chosen.name]


def _why_none(out: Path, ladder: Ladder) -> str:
    """Return the message for a ladder without a form that passes."""
    tried = [rung for rung in ladder.rungs if rung.refused != REFERENCE]
    if len(tried) == 1:
        return (f"{out}: {tried[0].name} {tried[0].refused}; nothing was written. Choose another `scheme`, or increase "
                "`max_drop`, `max_bytes` or `max_us`")  # fmt: skip
    return (f"{out}: none of {len(tried)} forms passes; nothing was written. Increase `max_drop`, `max_bytes` or `max_us`, "
            "or train a smaller network")  # fmt: skip


def _write(out: Path, content: bytes, ladder: Ladder | None) -> None:
    """Write the file and its ladder. Without a ladder, remove the outdated one of an earlier export to the same name."""
    record, drawn = out.with_suffix(".ladder.json"), out.with_suffix(".ladder.svg")
    with whole_file(out) as path, contextlib.ExitStack() as beside:  # the model is renamed into place last
        path.write_bytes(content)
        if ladder is not None:
            found = ladder.as_record()
            text = dumps(found, indent=1)
            beside.enter_context(whole_file(record)).write_text(text + "\n", encoding="utf-8")
            beside.enter_context(whole_file(drawn)).write_text(drawing(found) + "\n", encoding="utf-8")
    if ladder is None:
        record.unlink(missing_ok=True)
        drawn.unlink(missing_ok=True)


def _show(run: Path, ladder: Ladder, say: Say) -> None:
    """Add the ladder to the report of the run, if there is one."""
    page = (run.parent if run.suffix == ".keras" else run) / "report.html"
    try:
        if page.exists():
            put_into(page, ladder.as_record())
    except (ConfigError, OSError) as error:
        say(f"warning: the ladder is not in the run's report: {error}")


def plainly(content: bytes) -> Probabilities:
    """Return a function that computes the probabilities of a model file like `plain_answers`."""
    answers = plain_answers(content)
    return lambda batch: answers(batch).probabilities


def plain_answers(content: bytes) -> Callable[[NDArray[np.uint8]], Answers]:
    """Return a function that runs a model file node by node, without the fused kernels of ONNX Runtime's optimizer."""
    ort = extras.load("onnxruntime", extra="export", purpose="Exporting")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda batch: Answers(*(np.asarray(output) for output in session.run(None, {INPUT_NAME: batch})[:2]))


def _check_numbers(reject: float, limits: Limits, target: str, here: Processor) -> None:
    """Check the share to reject, and that a limit on time can be measured on this processor. Raises ConfigError."""
    if not 0 <= reject < 1:
        raise ConfigError(f"reject {reject}: expected the share of known pictures that may be unknown, from 0 to below 1")
    if limits.max_us is not None and not timed_here(target, here):
        raise ConfigError(
            f"`max_us={limits.max_us:g}`: timings on this processor ({here.name}) do not apply to `target={target}`; omit it, "
            "or export on such a machine"
        )


def refuse_same(out: Path, source: Path) -> None:
    """Raise ConfigError if `out` is the input file itself, by name or through a link."""
    if out.exists() and source.exists() and out.samefile(source):
        raise ConfigError(f"`out={out}`: it is the input file {source}; expected another one")


def writable(out: Path) -> Path:
    """Return `out` after checking that a model can be written there. Raises ConfigError."""
    if out.suffix != ".onnx":
        raise ConfigError(f"`out={out}`: expected a file name that ends in .onnx")
    if fault := of_no_folder(out.parent):
        raise ConfigError(f"`out={out}`: {fault}")
    return out
