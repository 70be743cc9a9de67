"""Build an adopted model in a number format and compare it with float; with "auto", choose the fastest that loses little."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError, ExportError, ModelError
from edgecls.evaluate import measure
from edgecls.export.convert import stamp
from edgecls.export.ladder_search import time_in_turns
from edgecls.export.parity import agreement
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import AUTO, DEFAULT, FLOATS, TARGETS
from edgecls.model.classifier import Classifier
from edgecls.model.ladder import Rung, choose

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.evaluate import AnyReport
    from edgecls.model.card import ModelCard


@dataclass(frozen=True, slots=True)
class Scheme:
    """The number format to build.

    Attributes:
        name: A key of SCHEMES, or "auto": the fastest that passes.
        calibration: Where the calibration pictures are, for the schemes that need some.
        max_drop: Maximum loss of accuracy on the check pictures, in percentage points. Without check pictures, the maximum
            percentage of calibration pictures whose label differs from float.
    """

    name: str = "fp32"
    calibration: str = ""
    max_drop: float = 0.5

    def __post_init__(self) -> None:
        """Raise ConfigError for an unknown scheme."""
        if self.name != AUTO and self.name not in SCHEMES:
            raise ConfigError(f"scheme {self.name!r} is not known; expected {AUTO} or one of {', '.join(SCHEMES)}")

    @property
    def missing(self) -> tuple[str, ...]:
        """The setting that the scheme needs and that was not given, if any."""
        if self.name in FLOATS or self.calibration:
            return ()
        return (f"`calibration=DATA` (pictures to calibrate `scheme={self.name}` with)",)


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Compares forms with float, on labelled pictures if there are some.

    Attributes:
        in_float: The model in float.
        before: Its evaluation on the labelled pictures, if any.
        checked: The labelled pictures, if any.
        unlabelled: Pictures to compare labels on otherwise, (N, height, width, channels) uint8, channels in the order of the
            feed.
    """

    in_float: Classifier
    before: AnyReport | None
    checked: Pictures | None
    unlabelled: NDArray[np.uint8]

    def judge(self, form: Form, max_drop: float) -> Form:
        """Return the form with its measurements, and the reason to refuse it if it loses more than `max_drop`."""
        labels, run = self.in_float.card.labels, form.classifier.probabilities
        if self.before is None or self.checked is None:
            same = agreement(self.in_float.probabilities(self.unlabelled), run(self.unlabelled))
            lost = 100 * (1 - same)
            what = f"{lost:.2f} % of {len(self.unlabelled)} pictures get another label than in float"
            return replace(form, same=same, refused=what if lost > max_drop + 1e-9 else "")
        after = measure(run, labels, self.checked, range(len(labels)))
        lost = 100 * (self.before.top1 - after.top1)
        what = f"{lost:.2f} points of accuracy are lost against float on the check pictures"
        same = agreement(self.before.probabilities, after.probabilities)
        return replace(form, same=same, report=after, refused=what if lost > max_drop + 1e-9 else "")


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A model in one number format.

    Attributes:
        model: The onnx.ModelProto.
        card: Its card.
        classifier: The model, loaded.
        same: The share of pictures with the same label as in float, 0..1.
        report: Its evaluation on the check pictures, if any.
        refused: Why it does not pass; "" if it does.
    """

    model: Any
    card: ModelCard
    classifier: Classifier
    same: float = 1.0
    report: AnyReport | None = None
    refused: str = ""


def judge_of(in_float: Classifier, checked: Pictures | None, unlabelled: NDArray[np.uint8]) -> Judge:
    """Return a Judge, after evaluating the float model on the check pictures."""
    labels = in_float.card.labels
    before = None if checked is None else measure(in_float.probabilities, labels, checked, range(len(labels)))
    return Judge(in_float, before, checked, unlabelled)


def best_form(
    in_float: Form, scheme: Scheme, calibration: NDArray[np.uint8], judge: Judge, say: Callable[[str], None]
) -> Form:  # fmt: skip
    """Return the form of a scheme, or with "auto" the fastest that passes (of equally fast ones the smallest).

    Raises ExportError if the scheme loses too much.
    """
    plain = replace(in_float, report=judge.before)
    if scheme.name == "fp32":
        return plain
    if scheme.name == AUTO:
        return _fastest([plain, *_all(in_float, scheme, calibration, judge, say)], judge.unlabelled)
    form = judge.judge(_made(in_float, scheme.name, calibration), scheme.max_drop)
    if form.refused:
        raise ExportError(
            f"{scheme.name}: {form.refused}, expected at most {scheme.max_drop:g}; nothing was written. Use `scheme=fp32` or "
            "`scheme=auto`, or increase `max_drop`"
        )
    return form


def _made(in_float: Form, name: str, calibration: NDArray[np.uint8]) -> Form:
    model = SCHEMES[name](in_float.model, calibration)
    card = replace(in_float.card, scheme=name)
    return Form(model, card, Classifier.from_bytes(stamp(model, card), f"the model in {name}", device="cpu", threads=1))


def _all(
    in_float: Form, scheme: Scheme, calibration: NDArray[np.uint8], judge: Judge, say: Callable[[str], None]
) -> list[Form]:  # fmt: skip
    """Return all forms that pass. As in `export_model`, layers stay in float only if every plain int8 scheme loses too much."""
    target, passed = TARGETS[DEFAULT], list[Form]()
    for name in (*FLOATS[1:], *target.plain, *target.rescue):
        if name in target.rescue and any(form.card.scheme not in FLOATS for form in passed):
            break
        try:
            form = judge.judge(_made(in_float, name, calibration), scheme.max_drop)
        except (ExportError, ModelError):
            say(f"{name}: cannot be built")
            continue
        say(f"{name}: {form.refused or f'the same label on {form.same:.2%}'}")
        passed += [] if form.refused else [form]
    return passed


def _fastest(forms: list[Form], pictures: NDArray[np.uint8]) -> Form:
    """Time the forms on the pictures and return the best, see `edgecls.model.ladder.choose`."""
    times = [time_in_turns({f.card.scheme: f.classifier.probabilities for f in forms}, pictures, batch) for batch in (1, 16)]
    rungs = []
    for form in forms:
        (us, p99_us), (us_16, p99_us_16) = (found[form.card.scheme] for found in times)
        shares = (form.same, form.same, form.same, "", form.same, 0.0)
        rungs.append(Rung(form.card.scheme, *shares, form.classifier.bytes, us, p99_us, us_16, p99_us_16))
    chosen = choose(rungs, timed_here=True)
    return next(form for form in forms if form.card.scheme == chosen)
