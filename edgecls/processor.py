"""The processor of this machine, as far as it decides over 8 bits: what kind it is, and how it multiplies them."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "asimddp", "i8mm")
"""What decides over the speed of int8: the vector units of x86 with and without VNNI, the dot products of ARM."""
VNNI = frozenset({"avx512_vnni", "avx_vnni"})
DOT_PRODUCTS = VNNI | {"asimddp", "i8mm"}
_X86 = ("x86_64", "amd64", "x86", "i686", "i386")
_ARM = ("aarch64", "arm64", "armv7l", "armv8l")

Kind = Literal["x86", "arm", "other"]


@dataclass(frozen=True, slots=True)
class Processor:
    """Its name, its kind, and which of FLAGS it has; None where the system does not tell them."""

    name: str
    kind: Kind
    flags: tuple[str, ...] | None

    @property
    def has_vnni(self) -> bool | None:
        """Whether an x86 processor adds products of 8 bits in 32, and does not saturate; None where that is not known."""
        if self.kind != "x86":
            return False
        return None if self.flags is None else bool(VNNI & set(self.flags))

    @property
    def saturates(self) -> bool:
        """Whether weights of 8 bits give wrong answers here: on x86 that is known to have no VNNI."""
        return self.kind == "x86" and self.has_vnni is False


def this() -> Processor:
    """The processor that this runs on."""
    machine = platform.machine().lower()
    kind: Kind = "x86" if machine in _X86 else "arm" if machine in _ARM else "other"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Processor(platform.processor() or platform.machine(), kind, None)
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    has = set(f"{told.get('flags', '')} {told.get('Features', '')}".split())
    flags = tuple(flag for flag in FLAGS if flag in has) if has else None
    return Processor(told.get("model name", platform.machine()), kind, flags)
