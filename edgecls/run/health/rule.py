"""When a camera is told to be unfit."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import get_args

from edgecls.errors import ConfigError
from edgecls.frame import PictureFault
from edgecls.settings import check

SECONDS = ("frozen_s", "black_s", "overexposed_s", "covered_s", "defocused_s", "moved_s", "clear_s", "warm_up_s")


@dataclass(frozen=True, slots=True)
class HealthRule:
    """How long pictures must show a fault before the camera has it, and not show it before it is fit again (`clear_s`).

    `frozen_s` is longer than the usual distance of key frames, up to which an encoder may repeat a still picture. What
    sharpness and which scene are usual is learned from the first `warm_up_s`, and then slowly: most of it is of the last
    `learn_s`. A scene that has been another one for `stays_s` and holds still is the usual one from then on, and the camera is
    no longer `moved`.

    Faults in `ignore` are not looked for. With `classify_anyway` pictures are classified while the camera is unfit too. `off`:
    nothing is looked for.
    """

    frozen_s: float = 10.0
    black_s: float = 2.0
    overexposed_s: float = 3.0
    covered_s: float = 5.0
    defocused_s: float = 5.0
    moved_s: float = 5.0
    stays_s: float = 60.0
    clear_s: float = 1.0
    warm_up_s: float = 5.0
    learn_s: float = 60.0
    ignore: tuple[PictureFault, ...] = ()
    classify_anyway: bool = False
    off: bool = False

    def __post_init__(self) -> None:
        """Refuse times that are none, and faults that nobody knows."""
        for name in SECONDS:
            check(name, getattr(self, name), 0 <= getattr(self, name) < inf, "0 or more seconds")
        check("learn_s", self.learn_s, self.warm_up_s < self.learn_s < inf, f"more seconds than warm_up_s ({self.warm_up_s:g})")
        check("stays_s", self.stays_s, self.moved_s < self.stays_s, f"more seconds than moved_s ({self.moved_s:g})")
        for fault in self.ignore:
            if fault not in get_args(PictureFault):
                raise ConfigError(
                    f"ignore: {fault!r} is no fault of pictures; expected some of {', '.join(get_args(PictureFault))}"
                )

    def begin_s(self, fault: PictureFault) -> float:
        """How long pictures must show a fault."""
        seconds: float = getattr(self, f"{fault}_s")
        return seconds
