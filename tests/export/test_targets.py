"""The schemes of each target, and what this machine can measure for them."""

from __future__ import annotations

import pytest

from edgecls.errors import ConfigError
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import DEFAULT, TARGETS, check_measurable, look_up, timed_here
from edgecls.model.cpu import Processor

VNNI = Processor("with VNNI", "x86", ("avx2", "avx512_vnni"))
AVX2 = Processor("without VNNI", "x86", ("avx2",))
UNKNOWN = Processor("unknown", "x86", None)
ARM = Processor("a phone", "arm", ("asimddp",))


def test_every_scheme_has_a_target_and_every_target_knows_its_schemes():
    """No row of one table is missing in the other."""
    assert {name for row in TARGETS.values() for name in row.allowed} == set(SCHEMES)


def test_x86_that_may_have_no_vnni_gets_seven_bits():
    """The default target has no scheme with 8-bit weights."""
    assert DEFAULT == "x86"
    assert [name for name in TARGETS["x86"].allowed if name.startswith(("int8-full", "int8-s8"))] == []
    assert {name.split("-float")[0] for name in TARGETS["arm"].plain} >= {"int8-s8"}
    assert all(name.startswith("int8-s8") for name in (*TARGETS["arm"].plain, *TARGETS["arm"].rescue))


@pytest.mark.parametrize(
    ("scheme", "target", "message"),
    [
        ("int8", "mips", "target 'mips' is not known; expected x86 or x86-vnni or arm"),
        ("int4", "x86", "scheme 'int4' is not known; expected auto or one of fp32, fp16, int8"),
        ("int8-full", "x86", r"scheme int8-full is not right for `target=x86`; .*; or use `target=x86-vnni`$"),
        ("int8", "arm", r"scheme int8 is not right for `target=arm`; .*; or use `target=x86\|x86-vnni`$"),
    ],
)
def test_what_does_not_go_together_is_refused(scheme, target, message):
    """An unknown target or scheme, and a scheme of another target; the message names that target."""
    with pytest.raises(ConfigError, match=message):
        look_up(scheme, target)


@pytest.mark.parametrize("target", ["x86-vnni", "arm"])
def test_eight_bits_are_not_measured_where_they_saturate(target):
    """On x86 without VNNI 8-bit weights would measure worse than they are. Other processors and schemes are accepted."""
    schemes = TARGETS[target].allowed
    with pytest.raises(ConfigError, match=rf"^`target={target}`: weights of 8 bits cannot be measured on .* \(without VNNI\)"):
        check_measurable(target, schemes, AVX2)
    check_measurable(target, ("fp16",), AVX2)
    check_measurable("x86", TARGETS["x86"].allowed, AVX2)
    for here in (VNNI, UNKNOWN, ARM):
        check_measurable(target, schemes, here)


@pytest.mark.parametrize(
    ("target", "here", "counts"),
    [
        ("x86", VNNI, True),
        ("x86", AVX2, True),
        ("x86", ARM, False),
        ("x86-vnni", VNNI, True),
        ("x86-vnni", UNKNOWN, False),
        ("arm", VNNI, False),
        ("arm", ARM, True),
    ],
)
def test_microseconds_count_on_a_processor_of_the_target(target, here, counts):
    """They do not count on another kind of processor, or where it is unknown whether it has VNNI."""
    assert timed_here(target, here) is counts
