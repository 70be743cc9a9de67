"""Tests of detecting the processor."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edgecls.model import cpu
from edgecls.model.cpu import Processor


@pytest.mark.parametrize(
    ("machine", "told", "kind", "flags"),
    [
        ("x86_64", "model name : Fast\nflags : fpu avx2 avx512_vnni\n", "x86", ("avx2", "avx512_vnni")),
        ("AMD64", None, "x86", None),
        ("aarch64", "Features : fp asimd asimddp\n", "arm", ("asimddp",)),
        ("arm64", None, "arm", None),
        ("riscv64", "isa : rv64\n", "other", None),
    ],
)
def test_it_is_read_off_the_machine(monkeypatch, machine, told, kind, flags):
    """The machine name gives the kind, /proc/cpuinfo the flags; without that file the flags are None."""

    def read(*_args, **_kwargs):
        if told is None:
            raise FileNotFoundError
        return told

    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", read)
    here = cpu.this()
    assert (here.kind, here.flags) == (kind, flags)
    assert here.name


@pytest.mark.parametrize(
    ("kind", "flags", "has_vnni", "saturates"),
    [
        ("x86", ("avx2", "avx_vnni"), True, False),
        ("x86", ("avx2",), False, True),
        ("x86", None, None, False),
        ("arm", ("asimddp",), False, False),
        ("arm", None, False, False),
    ],
)
def test_x86_without_vnni_saturates(kind, flags, has_vnni, saturates):
    """Only x86 known to lack VNNI saturates; unknown flags count as not saturating."""
    found = Processor("a processor", kind, flags)
    assert found.has_vnni is has_vnni
    assert found.saturates is saturates


@pytest.mark.parametrize(
    ("flags", "found"), [(("avx2",), False), (("avx512_bf16",), True), (("asimddp", "bf16"), True), (None, None)]
)
def test_bfloat16_is_known_by_its_flag(flags, found):
    """On x86 and ARM; unknown if the system does not say."""
    assert Processor("a processor", "x86", flags).has_bfloat16 is found
