"""The schemes that are right for each kind of processor, and what this machine can measure for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.export.quantize.schemes import SCHEMES

if TYPE_CHECKING:
    from edgecls.model.cpu import Processor

AUTO = "auto"
FLOATS = ("fp32", "fp16")
_RANGES = ("", "-tensor", "-percentile", "-entropy")
_FLOAT_LAYERS = ("-float1", "-float2", "-float4")


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of processor that a model can be exported for.

    Attributes:
        plain: The int8 schemes that are right on all these processors, in the order in which they are tried.
        rescue: Schemes that leave layers in float. They are tried in order, only if all plain schemes lose too much accuracy,
            until one does not.
        eight_bits: Whether weights have 8 bits.
        kind: The `Processor.kind` on which its times can be measured.
        vnni: Whether measuring its times needs VNNI as well.
    """

    plain: tuple[str, ...]
    rescue: tuple[str, ...]
    eight_bits: bool
    kind: str
    vnni: bool = False

    @property
    def allowed(self) -> tuple[str, ...]:
        """All its schemes."""
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
"""Its int8 has weights of 7 bits, which every processor computes correctly, ARM included: a safe default."""


def look_up(scheme: str, target: str) -> Target:
    """Return the target of this name. Raises ConfigError if it or `scheme` is unknown, or if the scheme is not right for it.

    `scheme` is a key of SCHEMES or "auto".
    """
    if target not in TARGETS:
        raise ConfigError(f"target {target!r} is not known; expected {' or '.join(TARGETS)}")
    if scheme != AUTO and scheme not in SCHEMES:
        raise ConfigError(f"scheme {scheme!r} is not known; expected {AUTO} or one of {', '.join(SCHEMES)}")
    if scheme != AUTO and scheme not in TARGETS[target].allowed:
        others = [name for name, row in TARGETS.items() if scheme in row.allowed]
        raise ConfigError(f"scheme {scheme} is not right for `target={target}`; expected {AUTO} or one of "
                          f"{', '.join(TARGETS[target].allowed)}; or use `target={'|'.join(others)}`")  # fmt: skip
    return TARGETS[target]


def check_measurable(target: str, schemes: tuple[str, ...], processor: Processor) -> None:
    """Raise ConfigError if a scheme with 8-bit weights would be measured on a processor that computes them wrong.

    The measured loss would not be that of the target, and the golden pictures of the file would carry wrong probabilities.
    """
    if TARGETS[target].eight_bits and processor.saturates and set(schemes) - {*FLOATS, "int8"}:
        raise ConfigError(
            f"`target={target}`: weights of 8 bits cannot be measured on this processor ({processor.name}), which has no VNNI "
            "and saturates; export on a machine with VNNI or on ARM, or use `target=x86`"
        )


def timed_here(target: str, processor: Processor) -> bool:
    """Return whether times measured on this processor apply to the target."""
    row = TARGETS[target]
    return processor.kind == row.kind and (not row.vnni or processor.has_vnni is True)
