"""The ladder of an export: every variant of a model with its accuracy, size and speed, and the rule that chooses one.

`edgecls export` measures it. `Ladder.as_record` defines the layout of the file M.ladder.json, which does not change within a
version:

    version       1
    target        "x86", "x86-vnni" or "arm": the processors that the model is for
    processor     the name of the processor that measured
    timed_here    whether this processor is one of the target, so that its timings count; if not, only the size counts
    chosen        the name of the chosen rung; null if none passed
    limits        max_drop (points of top-1 and of macro recall; with several labels a picture, of macro F1 and of mean AP),
                  max_bytes, max_us (null: no limit)
    measured_on   the pictures that the choice is based on, none of which is in `tested_on`
    tested_on     the pictures behind test_top1 and test_macro_recall; "" if there are none
    rungs         a list in the order of measurement; the first is Keras, the reference for all others:
        name                                  the scheme
        top1, macro_recall, worst_recall      0..1
        worst_class                           the label with the worst recall
        agreement                             the share of pictures with the same label as fp32, 0..1
        calibration_error                     0..1, after fitting a temperature
        bytes                                 the size of the file; for Keras, of the weights
        us, p99_us, us_16, p99_us_16          median and 99th percentile in microseconds for one picture and for a batch of 16
        refused                               why it was rejected; "" if it passes
        test_top1, test_macro_recall          0..1; null if not measured
        macro_f1, mean_ap                     0..1, what a model with several labels a picture is judged by, else null; its
                                              top1 is the share of pictures all of whose labels are right
        test_macro_f1, test_mean_ap           0..1; null if not measured
    left_out      a list of {name, why}: the schemes that could not be built
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

VERSION = 1
REFERENCE = "reference"
"""The reason for rejecting a rung that only serves as the reference."""
TOLERANCE = 1.1
"""Costs within a tenth of the best count as equal: that is how much a median varies between measurements."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One variant of a model, measured with the code of the runtime. The top of this module explains the fields."""

    name: str
    top1: float
    macro_recall: float
    worst_recall: float
    worst_class: str
    agreement: float
    calibration_error: float
    bytes: int
    us: float
    p99_us: float
    us_16: float
    p99_us_16: float
    refused: str = ""
    test_top1: float | None = None
    test_macro_recall: float | None = None
    macro_f1: float | None = None
    mean_ap: float | None = None
    test_macro_f1: float | None = None
    test_mean_ap: float | None = None

    @property
    def gates(self) -> dict[str, float]:
        """What the variants of a model are judged by, by name, 0..1."""
        if self.macro_f1 is None or self.mean_ap is None:
            return {"top-1": self.top1, "macro recall": self.macro_recall}
        return {"macro F1": self.macro_f1, "mean AP": self.mean_ap}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a variant must meet; None is no limit.

    Attributes:
        max_drop: The largest loss of each of `Rung.gates` against Keras, in points (hundredths).
        max_bytes: The largest file in bytes.
        max_us: The longest median time for one picture in microseconds.
    """

    max_drop: float = 0.5
    max_bytes: int | None = None
    max_us: float | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs of an export and the name of the chosen one. The top of this module explains the fields."""

    target: str
    processor: str
    timed_here: bool
    limits: Limits
    measured_on: str
    rungs: tuple[Rung, ...]
    chosen: str | None
    left_out: tuple[tuple[str, str], ...] = ()
    tested_on: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return the ladder for JSON, in the layout at the top of this module."""
        return {
            "version": VERSION,
            "target": self.target,
            "processor": self.processor,
            "timed_here": self.timed_here,
            "chosen": self.chosen,
            "limits": dataclasses.asdict(self.limits),
            "measured_on": self.measured_on,
            "tested_on": self.tested_on,
            "rungs": [{name: _rounded(value) for name, value in dataclasses.asdict(rung).items()} for rung in self.rungs],
            "left_out": [{"name": name, "why": why} for name, why in self.left_out],
        }


def losses(form: Mapping[str, float], reference: Mapping[str, float], max_drop: float) -> str:
    """Describe what a variant loses against the reference beyond `max_drop` points (hundredths); "" if nothing.

    Both metrics count: top-1 alone would sacrifice a rare class, macro recall alone a frequent one.

    Args:
        form: The `gates` of the variant, by name, 0..1.
        reference: Those of the reference.
        max_drop: The largest loss of each.
    """
    lost = {what: reference[what] - share for what, share in form.items()}
    exceeded = [f"{100 * drop:.2f} points of {what}" for what, drop in lost.items() if 100 * drop > max_drop + 1e-9]
    return f"loses {' and '.join(exceeded)}, at most {max_drop:g}" if exceeded else ""


def refusal(rung: Rung, reference: Rung, limits: Limits) -> str:
    """Describe which limits a rung exceeds; "" if none."""
    why = [losses(rung.gates, reference.gates, limits.max_drop)]
    if limits.max_bytes is not None and rung.bytes > limits.max_bytes:
        why.append(f"has {rung.bytes:,} bytes, at most {limits.max_bytes:,}")
    if limits.max_us is not None and rung.us > limits.max_us:
        why.append(f"takes {rung.us:,.0f} us, at most {limits.max_us:,g}")
    return "; ".join(filter(None, why))


def choose(rungs: Sequence[Rung], *, timed_here: bool) -> str | None:
    """Return the name of the best rung that passes; None if none does.

    The fastest for one picture wins; among those that are equal within TOLERANCE, the smallest; then the one that agrees best
    with fp32; then the first. Speed is ignored unless it was measured on the target (`timed_here`).
    """
    left = [rung for rung in rungs if not rung.refused]
    costs: tuple[Callable[[Rung], float], ...] = (lambda rung: rung.us, lambda rung: rung.bytes)
    for cost in costs if timed_here else costs[1:]:
        least = min(map(cost, left), default=0.0)
        left = [rung for rung in left if cost(rung) <= TOLERANCE * least]
    return max(left, key=lambda rung: rung.agreement).name if left else None


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
