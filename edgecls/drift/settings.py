"""Settings for when a change in front of a camera is drift."""

from __future__ import annotations

from dataclasses import dataclass

from edgecls.settings import check, check_limits, limited

SLOT_H = 0.25
"""The length of a slot, in hours. Windows consist of whole slots."""


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """When a change in front of a camera is reported as drift. All times are in hours.

    Attributes:
        learn_h: The first hours, which are the reference. With less than 48, day and night are told apart by light alone.
        window_h: The last hours, which are compared with the reference.
        fewest: A region is judged only from this many independent observations: objects that have passed, or minutes of a
            zone. If a window has fewer, it is made longer, up to half a day.
        tolerance: How many times the largest change within the reference itself is still usual.
        stays_h: After this time, a drift that has stayed is the new usual state, which is learned again.
        off: Detect no drift.
    """

    learn_h: float = limited(48.0, at_least=1, at_most=24 * 31)
    window_h: float = limited(1.0, at_least=0.5, at_most=12)
    fewest: int = limited(40, at_least=10)
    tolerance: float = limited(1.3, at_least=1)
    stays_h: float = limited(168.0, above=0)
    off: bool = False

    def __post_init__(self) -> None:
        """Validate the times."""
        check_limits(self)
        check("learn_h", self.learn_h, self.learn_h >= 2 * self.window_h, f"at least twice window_h ({self.window_h:g})")
