"""What a model says of one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NONE = "none"
"""The label of a picture that shows none of several labels."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for one picture.

    Attributes:
        label: The best label, "unknown" for a picture that belongs to no class, or "none" for one that shows none of several
            labels.
        score: The probability of the best label, 0..1, even if the picture is unknown. Of several labels, a score of 0.5 is
            the threshold of its label; that of "none" is 1 minus the score of the best label.
        class_id: The index of the best label; -1 for an unknown picture, or if it shows none of several labels.
        top: The best labels with their scores, in order. Of several labels, all that are not negligible.
        labels: All labels that the picture shows, with their scores, the best first, if the model gives several for a
            picture; None if it gives one.
        novelty: How far the picture lies from the known ones; above the limit on the model's card, mostly 1, it is unknown.
            None if the model does not compute it.
        unknown_by: Why it is unknown: "score", as no label stands out, or "novelty"; "" if it is not.
    """

    label: str
    score: float
    class_id: int
    top: tuple[tuple[str, float], ...]
    labels: tuple[tuple[str, float], ...] | None = None
    novelty: float | None = None
    unknown_by: Literal["", "score", "novelty"] = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels without their scores: one, or all of several; ("none",) if the picture shows none of them."""
        return tuple(name for name, _ in self.labels) if self.labels else (self.label,)

    @property
    def text(self) -> str:
        """The labels with their scores, for people: "car 93%", or "car 93%, person 71%"."""
        return ", ".join(f"{name} {score:.0%}" for name, score in self.labels or ((self.label, self.score),))
