"""What each kind of processor gets right and fast, and what can be measured of it here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.export.quantize import SCHEMES

if TYPE_CHECKING:
    from edgecls.processor import Processor

AUTO = "auto"
FLOATS = ("fp32", "fp16")
_RANGES = ("", "-tensor", "-percentile", "-entropy")
_FLOAT_LAYERS = ("-float1", "-float2", "-float4")


@dataclass(frozen=True, slots=True)
class Target:
    """The processors that a model is for: the schemes that are right on all of them, in the order in which they are climbed,
    and those that leave layers in float, which are tried only if all the plain int8 lose too much, until one does not.

    `eight_bits`: with weights of 8 bits. `kind` and `vnni` say on which machine its microseconds can be measured.
    """

    plain: tuple[str, ...]
    rescue: tuple[str, ...]
    eight_bits: bool
    kind: str
    vnni: bool = False

    @property
    def allowed(self) -> tuple[str, ...]:
        """All that it may have."""
        return (*FLOATS, *self.plain, *self.rescue)


TARGETS = {
    "x86": Target(
        plain=tuple(f"int8{v}" for v in _RANGES),
        rescue=tuple(f"int8{v}" for v in _FLOAT_LAYERS),
        eight_bits=False,
        kind="x86",
    ),
    "x86-vnni": Target(
        plain=(*(f"int8-full{v}" for v in _RANGES), "int8"),
        rescue=tuple(f"int8-full{v}" for v in _FLOAT_LAYERS),
        eight_bits=True,
        kind="x86",
        vnni=True,
    ),
    "arm": Target(
        plain=tuple(f"int8-s8{v}" for v in _RANGES),
        rescue=tuple(f"int8-s8{v}" for v in _FLOAT_LAYERS),
        eight_bits=True,
        kind="arm",
    ),
}
DEFAULT = "x86"
"""Its int8 keeps to 7 bits, which every processor adds up right, ARM too: who asks for nothing gets no wrong answer."""


def look_up(scheme: str, target: str) -> Target:
    """The row of a target, after checking that `scheme`, one of SCHEMES or "auto", is right on it. Raises ConfigError."""
    if target not in TARGETS:
        raise ConfigError(f"target {target!r} is not known; expected {' or '.join(TARGETS)}")
    if scheme != AUTO and scheme not in SCHEMES:
        raise ConfigError(f"scheme {scheme!r} is not known; expected {AUTO} or one of {', '.join(SCHEMES)}")
    if scheme != AUTO and scheme not in TARGETS[target].allowed:
        others = [name for name, row in TARGETS.items() if scheme in row.allowed]
        raise ConfigError(f"scheme {scheme} is not made for --target {target}; expected {AUTO} or one of "
                          f"{', '.join(TARGETS[target].allowed)}; or take --target {' or '.join(others)}")  # fmt: skip
    return TARGETS[target]


def check_measurable(target: str, schemes: tuple[str, ...], processor: Processor) -> None:
    """Raise ConfigError where weights of 8 bits would be measured on a processor that gets them wrong: it would find a loss
    that the target does not have, and the file would carry wrong golden answers.
    """
    if TARGETS[target].eight_bits and processor.saturates and set(schemes) - {*FLOATS, "int8"}:
        raise ConfigError(
            f"--target {target}: weights of 8 bits cannot be measured on this processor ({processor.name}), which has no VNNI "
            "and saturates; export on a machine with VNNI or on ARM, or take --target x86"
        )


def timed_here(target: str, processor: Processor) -> bool:
    """Whether microseconds of this processor say something of the target."""
    row = TARGETS[target]
    return processor.kind == row.kind and (not row.vnni or processor.has_vnni is True)
