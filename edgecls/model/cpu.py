"""Detect the features of this machine's processor that decide how fast int8 and bfloat16 are: its vector instructions."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "asimddp", "i8mm", "bf16")
"""The features that decide the speed of int8, which are AVX2 and VNNI on x86 and dot products on ARM, and of bfloat16."""
VNNI = frozenset({"avx512_vnni", "avx_vnni"})
DOT_PRODUCTS = VNNI | {"asimddp", "i8mm"}
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_X86 = ("x86_64", "amd64", "x86", "i686", "i386")
_ARM = ("aarch64", "arm64", "armv7l", "armv8l")

Kind = Literal["x86", "arm", "other"]


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor: its name, its architecture, and which of FLAGS it has (None if the system does not say)."""

    name: str
    kind: Kind
    flags: tuple[str, ...] | None

    @property
    def has_vnni(self) -> bool | None:
        """Whether it is an x86 processor that accumulates int8 products in 32 bits, without saturation; None if unknown."""
        if self.kind != "x86":
            return False
        return None if self.flags is None else bool(VNNI & set(self.flags))

    @property
    def has_bfloat16(self) -> bool | None:
        """Whether it computes in bfloat16 instead of emulating it; None if unknown."""
        return None if self.flags is None else bool(BFLOAT16 & set(self.flags))

    @property
    def saturates(self) -> bool:
        """Whether 8-bit weights give wrong results because sums saturate: on x86 known to lack VNNI."""
        return self.kind == "x86" and self.has_vnni is False


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def this() -> Processor:
    """Return the processor of this machine."""
    machine = platform.machine().lower()
    kind: Kind = "x86" if machine in _X86 else "arm" if machine in _ARM else "other"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return Processor(platform.processor() or platform.machine(), kind, None)
    cpuinfo = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    present = set(f"{cpuinfo.get('flags', '')} {cpuinfo.get('Features', '')}".split())
    flags = tuple(flag for flag in FLAGS if flag in present) if present else None
    return Processor(cpuinfo.get("model name", platform.machine()), kind, flags)
