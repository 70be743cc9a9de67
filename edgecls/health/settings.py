"""Settings for when a camera is unfit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from edgecls.errors import ConfigError
from edgecls.frame import PictureFault
from edgecls.settings import check, check_limits, limited


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """How long pictures must show a fault before the camera is unfit. All times are in seconds of media time.

    Attributes:
        frozen_s: Longer than the usual key frame interval, within which an encoder may repeat a still picture.
        black_s: Nothing but dark.
        overexposed_s: Nearly all white.
        covered_s: Something right in front of the lens.
        defocused_s: Much less sharp than usual.
        moved_s: Another scene than usual.
        stays_s: A new scene that has stayed for this long becomes the usual one, and the camera is no longer "moved".
        clear_s: How long the fault must be absent before the camera is fit again.
        warm_up_s: How long the usual sharpness and scene are learned before pictures are compared with them.
        learn_s: The time constant of learning after that. More than `warm_up_s`.
        ignore: Faults that are not detected.
        classify_anyway: Classify pictures while the camera is unfit, too.
        off: Detect nothing.
    """

    frozen_s: float = limited(10.0, at_least=0, unit="seconds")
    black_s: float = limited(2.0, at_least=0, unit="seconds")
    overexposed_s: float = limited(3.0, at_least=0, unit="seconds")
    covered_s: float = limited(5.0, at_least=0, unit="seconds")
    defocused_s: float = limited(5.0, at_least=0, unit="seconds")
    moved_s: float = limited(5.0, at_least=0, unit="seconds")
    stays_s: float = limited(60.0, above=0, below=None, unit="seconds")
    clear_s: float = limited(1.0, at_least=0, unit="seconds")
    warm_up_s: float = limited(5.0, at_least=0, unit="seconds")
    learn_s: float = limited(60.0, above=0, unit="seconds")
    ignore: tuple[PictureFault, ...] = ()
    classify_anyway: bool = False
    off: bool = False

    def __post_init__(self) -> None:
        """Validate the times and the names of faults."""
        check_limits(self)
        check("learn_s", self.learn_s, self.warm_up_s < self.learn_s, f"more seconds than warm_up_s ({self.warm_up_s:g})")
        check("stays_s", self.stays_s, self.moved_s < self.stays_s, f"more seconds than moved_s ({self.moved_s:g})")
        for fault in self.ignore:
            if fault not in get_args(PictureFault):
                raise ConfigError(f"ignore: unknown fault {fault!r}; expected some of {', '.join(get_args(PictureFault))}")

    def begin_s(self, fault: PictureFault) -> float:
        """Return how long pictures must show a fault, in seconds."""
        seconds: float = getattr(self, f"{fault}_s")
        return seconds
