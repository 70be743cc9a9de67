"""The ladder of an export: each form of a model with what it is worth here, which of them pass, and which one is taken.

`edgecls export` makes it; this is its data, and the rule of the choice. `Ladder.as_record` is the layout of the file
M.ladder.json, which stays as it is within a version:

    version       1
    target        "x86", "x86-vnni" or "arm": the processors that the model is for
    processor     the name of the one that measured
    timed_here    whether that is one of the target, so that microseconds mean something; if not, bytes decide
    chosen        the name of the rung that was taken; null if none passed
    limits        max_drop (points of top-1 and of macro recall), max_bytes, max_us (null: any)
    measured_on   the pictures that decided; they are none of `tested_on`
    tested_on     the pictures behind test_top1 and test_macro_recall; "" if there are none
    rungs         a list, in the order in which they were climbed; the first is Keras, which all are held against:
        name                                  of the scheme
        top1, macro_recall, worst_recall      0..1
        worst_class                           its label
        agreement                             the share of pictures with the label of fp32, 0..1
        calibration_error                     0..1, after a temperature was fitted
        bytes                                 of the file; of Keras: of its weights
        us, p99_us, us_16, p99_us_16          median and 99th percentile, in microseconds, of one picture and of a batch of 16
        refused                               why it cannot be taken; "" if it passes
        test_top1, test_macro_recall          0..1; null where it was not measured
    left_out      a list of {name, why}: what could not be made
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VERSION = 1
REFERENCE = "reference"
"""Why a rung that others are held against is not taken."""
AS_GOOD = 1.1
"""What is within a tenth of the best is as good: so much a median moves from one measurement to the next."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One form of a model, measured through the runtime's own path; the fields are told at the top of this module."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What a form must keep to: points (hundredths) of top-1 and of macro recall against Keras, bytes, and microseconds for
    one picture. None: any.
    """

    max_drop: float = 0.5
    max_bytes: int | None = None
    max_us: float | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """All rungs of an export, and the name of the one that is taken; the fields are told at the top of this module."""

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
        """The layout that the top of this module tells, for JSON."""
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


class Accuracy(Protocol):
    """What both a rung and a report have: shares 0..1."""

    @property
    def top1(self) -> float:
        """The share whose best label is right."""

    @property
    def macro_recall(self) -> float:
        """The mean of the classes' recalls."""


def losses(form: Accuracy, reference: Accuracy, max_drop: float) -> str:
    """What a form loses against the reference beyond `max_drop` points (hundredths); "" for nothing.

    Both count: top-1 alone would let a rare class go, macro recall alone a frequent one.
    """
    lost = {"top-1": reference.top1 - form.top1, "macro recall": reference.macro_recall - form.macro_recall}
    told = [f"{100 * drop:.2f} points of {what}" for what, drop in lost.items() if 100 * drop > max_drop + 1e-9]
    return f"loses {' and '.join(told)}, at most {max_drop:g}" if told else ""


def refusal(rung: Rung, reference: Rung, limits: Limits) -> str:
    """Why a rung does not keep to the limits; "" if it does."""
    why = [losses(rung, reference, limits.max_drop)]
    if limits.max_bytes is not None and rung.bytes > limits.max_bytes:
        why.append(f"has {rung.bytes:,} bytes, at most {limits.max_bytes:,}")
    if limits.max_us is not None and rung.us > limits.max_us:
        why.append(f"takes {rung.us:,.0f} us, at most {limits.max_us:,g}")
    return "; ".join(filter(None, why))


def choose(rungs: Sequence[Rung], *, timed_here: bool) -> str | None:
    """The name of the rung to take; None if none passes.

    Of those that pass the fastest for one picture; of those that are AS_GOOD in this the smallest; of those that are as small
    the one that agrees best with fp32, then the first. Where the times are not those of the target, they do not count.
    """
    left = [rung for rung in rungs if not rung.refused]
    costs: tuple[Callable[[Rung], float], ...] = (lambda rung: rung.us, lambda rung: rung.bytes)
    for cost in costs if timed_here else costs[1:]:
        least = min(map(cost, left), default=0.0)
        left = [rung for rung in left if cost(rung) <= AS_GOOD * least]
    return max(left, key=lambda rung: rung.agreement).name if left else None


def _rounded(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
