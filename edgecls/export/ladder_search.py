"""The ladder search of an export: build each variant of the model, evaluate it with the code of the runtime, and time them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import metrics
from edgecls.errors import ExportError, ModelError
from edgecls.evaluate import AnyReport, Report, measure
from edgecls.export.convert import stamp, to_onnx
from edgecls.export.known import KnownPictures, with_novelty
from edgecls.export.parity import check_float, compare
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import AUTO, FLOATS
from edgecls.model import golden
from edgecls.model.classifier import Classifier
from edgecls.model.ladder import REFERENCE, Limits, Rung, losses, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.inputs import Given
    from edgecls.export.quantize.targets import Target
    from edgecls.frame import Batch
    from edgecls.model.answers import Answers
    from edgecls.model.card import ModelCard
    from edgecls.model.confidence import Confidence
    from edgecls.model.golden import Golden
    from edgecls.model.novelty import NoveltyLimit
    from edgecls.model.several_labels import SeveralLabels

    Probabilities = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

BATCHES = (1, 16)
TURNS = 60
RUNS_A_TURN = 3
LONGEST_TIMING_S = 30.0
"""Timing stops after this time, but not before FEWEST_TURNS, which a median needs."""
FEWEST_TURNS = 10
KERAS = "keras"


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A variant of the model that was built.

    Attributes:
        name: Its scheme.
        run: Computes uncalibrated probabilities of a uint8 batch.
        report: The evaluation on the held-out pictures.
        confidence: The calibration fitted to it.
        bytes: The size of the file; for Keras, of the float32 weights.
        model: The ONNX model; None for Keras.
        novelty: What the card says of the novelty that the model computes; None if it does not.
        answers: Computes uncalibrated answers of a uint8 batch; None for Keras.
    """

    name: str
    run: Probabilities
    report: AnyReport
    confidence: Confidence | SeveralLabels
    bytes: int
    model: Any = None  # onnx.ModelProto
    novelty: NoveltyLimit | None = None
    answers: Callable[[NDArray[np.uint8]], Answers] | None = None

    @property
    def read(self) -> AnyReport:
        """The evaluation after calibration, with the thresholds of the labels if there are several a picture."""
        return self.report.read_as(self.confidence)  # type: ignore[arg-type]  # each goes with the other


def search(
    scheme: str, target: Target, given: Given, *, max_drop: float, say: Callable[[str], None]
) -> tuple[list[Form], list[tuple[str, str]]]:
    """Build and evaluate the variants: Keras, fp32, and `scheme`, or with "auto" all schemes for the target.

    If every int8 scheme loses more than `max_drop` points, one, two and then four layers are left in float until one passes.

    Returns:
        The variants, and (name, reason) of each scheme that could not be built.

    Raises:
        ExportError: The fp32 model does not compute the same as Keras.
    """
    graph = to_onnx(given.model, given.card.input)
    keras = _form(KERAS, lambda batch: np.asarray(given.model.predict_on_batch(batch)), given, given.reject)
    fp32 = made("fp32", graph, given)
    check_float(compare(keras.report, fp32.report), str(given.out))
    forms, left_out = [keras, fp32], []
    if scheme != AUTO:
        return [*forms, *(made(name, graph, given) for name in {scheme} - {"fp32"})], []
    kept = False
    for name in (*FLOATS[1:], *target.plain, *target.rescue):
        if kept and name in target.rescue:
            break
        try:
            form = made(name, graph, given)
        except (ExportError, ModelError) as error:
            left_out.append((name, str(error)))
            say(f"{name}: cannot be built")
            continue
        forms.append(form)
        lost = losses(form.read.gates, keras.read.gates, max_drop)
        kept = kept or (name not in FLOATS and not lost)
        say(f"{name}: {lost or ', '.join(f'{what} {share:.2%}' for what, share in form.read.gates.items())}")
    return forms, left_out


def made(scheme: str, graph: onnx.ModelProto, given: Given) -> Form:
    """Build one variant from the float graph and evaluate it. Raises ExportError or ModelError if it cannot be built or run."""
    model, novelty, reject = SCHEMES[scheme](graph, given.train), None, given.reject
    if given.fitting is not None:
        fitted = with_novelty(model, KnownPictures(given.fitting, given.held_out, given.reject))
        model, novelty, reject = fitted or (model, None, given.reject)
    content = stamp(model, replace(given.card, scheme=scheme, novelty=novelty))
    classifier = Classifier.from_bytes(content, f"{given.out} ({scheme})", device="cpu", threads=1)
    form = _form(scheme, classifier.answers, given, reject)
    form = replace(form, run=classifier.probabilities, model=model, novelty=novelty, answers=classifier.answers)
    whole = stamp(model, card_of(form, given, form.report), golden_of(form, given, classifier.answers))
    return replace(form, bytes=len(whole))


def _form(name: str, run: Callable[[NDArray[np.uint8]], Any], given: Given, reject: float) -> Form:
    """Evaluate a variant and fit its calibration. Raises ExportError if a probability is not finite."""
    report = measure(run, given.card.labels, given.held_out, range(len(given.card.labels)))
    broken = int((~np.isfinite(report.probabilities)).any(axis=1).sum())
    if broken:
        raise ExportError(
            f"{given.out}: as {name} the network gives no numbers (NaN or infinite) for {broken} of "
            f"{len(report.probabilities)} held-out pictures; train again"
        )
    return Form(name, run, report, report.fitted(reject), 4 * given.model.count_params())


def card_of(form: Form, given: Given, report: AnyReport) -> ModelCard:
    """Return the card of a variant with the metrics of a report, after calibration."""
    read = report.read_as(form.confidence)  # type: ignore[arg-type]
    read = replace(read, novelty_limit=form.novelty) if isinstance(read, Report) else read
    return replace(
        given.card.read_as(form.confidence), scheme=form.name, novelty=form.novelty, metrics=read.as_metrics(),
        measured=read.measured,
    )  # fmt: skip


def golden_of(form: Form, given: Given, other: Callable[[NDArray[np.uint8]], Answers]) -> Golden:
    """Return the golden pictures of a variant; `other` is another correct computation of it."""
    run = form.answers or form.run
    return golden.make(given.held_out.batch, given.held_out.class_ids, run, other, scheme=form.name)


def rungs(forms: Sequence[Form], scheme: str, limits: Limits, pictures: Batch) -> tuple[Rung, ...]:
    """Time the variants and check the limits. The first, Keras, is the reference; agreement is with the second, fp32."""
    times = [time_in_turns({form.name: form.run for form in forms}, pictures, batch) for batch in BATCHES]
    found: list[Rung] = []
    for form in forms:
        (us, p99_us), (us_16, p99_us_16) = (of_batch[form.name] for of_batch in times)
        report = form.read
        rung = Rung(
            name=form.name,
            top1=report.top1,
            macro_recall=report.macro_recall,
            worst_recall=report.worst_recall,
            worst_class=report.worst_class,
            agreement=compare(forms[1].read, report).agreement,
            calibration_error=report.calibration_error,
            bytes=form.bytes,
            us=us,
            p99_us=p99_us,
            us_16=us_16,
            p99_us_16=p99_us_16,
            macro_f1=report.gates.get("macro F1"),
            mean_ap=report.gates.get("mean AP"),
        )
        asked_for = form.name != KERAS and scheme in (AUTO, form.name)
        found.append(replace(rung, refused=refusal(rung, (found or [rung])[0], limits) if asked_for else REFERENCE))
    return tuple(found)


def time_in_turns(forms: Mapping[str, Probabilities], pictures: Batch, batch: int) -> dict[str, tuple[float, float]]:
    """Return the median and the 99th percentile of the time for a batch in microseconds, by variant.

    The variants take turns, so that other load slows all of them alike. The first run of a turn is not counted, because the
    other variants have evicted its weights from the cache.
    """
    times: dict[str, list[float]] = {name: [] for name in forms}
    started = time.perf_counter()
    for turn in range(TURNS):
        if turn >= FEWEST_TURNS and time.perf_counter() - started > LONGEST_TIMING_S:
            break
        some = pictures[np.arange(turn * batch, (turn + 1) * batch) % len(pictures)]
        for name, run in forms.items():
            run(some)
            for _ in range(RUNS_A_TURN):
                began = time.perf_counter()
                run(some)
                times[name].append((time.perf_counter() - began) * 1e6)
    return {name: (metrics.percentile(found, 50), metrics.percentile(found, 99)) for name, found in times.items()}
