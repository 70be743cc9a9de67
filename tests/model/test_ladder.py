"""Tests of choosing a rung of a ladder, and of the ladder file."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgecls.model.ladder import REFERENCE, Ladder, Limits, Rung, choose, refusal

KERAS = Rung(
    name="keras",
    top1=0.9,
    macro_recall=0.8,
    worst_recall=0.5,
    worst_class="disc",
    agreement=1.0,
    calibration_error=0.01,
    bytes=4000,
    us=900.0,
    p99_us=1000.0,
    us_16=2000.0,
    p99_us_16=2500.0,
    refused=REFERENCE,
)


def rung(name: str, **numbers) -> Rung:
    """Return a rung that passes and equals Keras except for the given numbers."""
    return replace(KERAS, name=name, refused="", **numbers)


def test_the_fastest_that_passes_is_taken():
    """A faster rung that was rejected, and the reference, are not chosen."""
    found = [KERAS, rung("a", us=300), rung("b", us=100), replace(rung("c", us=50), refused="loses all")]
    assert choose(found, timed_here=True) == "b"


def test_of_those_as_fast_the_smallest_then_the_closest():
    """Times within a tenth are equal; of those rungs the smallest remain, and of these the best agreement wins."""
    found = [
        rung("large", us=100, bytes=4000, agreement=1.0),
        rung("far", us=105, bytes=1000, agreement=0.98),
        rung("close", us=110, bytes=1010, agreement=0.99),
        rung("slow", us=111, bytes=900, agreement=1.0),
    ]
    assert choose(found, timed_here=True) == "close"
    assert choose(found[::-1], timed_here=True) == "close"


def test_of_equals_the_first():
    """If all else is equal, the first rung wins."""
    assert choose([rung("a"), rung("b")], timed_here=True) == "a"


def test_times_of_another_processor_do_not_count():
    """The smallest rung is chosen, however slow it is on this processor."""
    found = [rung("fast", us=10, bytes=4000), rung("small", us=1000, bytes=1000)]
    assert choose(found, timed_here=False) == "small"


def test_none_is_taken_if_none_passes():
    """Only references and rejected rungs, or no rungs at all."""
    assert choose([KERAS, replace(rung("a"), refused="too large")], timed_here=True) is None
    assert choose([], timed_here=True) is None


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        ({}, ""),
        ({"top1": 0.95}, ""),
        ({"top1": 0.895}, ""),
        ({"top1": 0.894}, "loses 0.60 points of top-1, at most 0.5"),
        ({"macro_recall": 0.79}, "loses 1.00 points of macro recall, at most 0.5"),
        ({"top1": 0.8, "macro_recall": 0.7}, "loses 10.00 points of top-1 and 10.00 points of macro recall, at most 0.5"),
        ({"bytes": 5001}, "has 5,001 bytes, at most 5,000"),
        ({"us": 1200.4}, "takes 1,200 us, at most 1,000"),
        ({"top1": 0.8, "bytes": 9000}, "loses 10.00 points of top-1, at most 0.5; has 9,000 bytes, at most 5,000"),
    ],
)
def test_why_a_rung_is_refused(numbers, why):
    """Each loss beyond max_drop, bytes and microseconds; a gain, or a value equal to the limit, passes."""
    assert refusal(rung("a", **numbers), KERAS, Limits(0.5, max_bytes=5000, max_us=1000)) == why


def test_without_bounds_only_accuracy_counts():
    """Without limits, every size and time passes."""
    assert refusal(rung("a", bytes=10**9, us=1e9), KERAS, Limits()) == ""


def test_the_record_is_what_the_module_tells():
    """The module's docstring has every key of the record, and the record is unchanged by JSON."""
    from edgecls.model import ladder

    found = Ladder(
        target="arm",
        processor="a processor",
        timed_here=False,
        limits=Limits(),
        measured_on="32 held-out pictures",
        rungs=(KERAS, rung("int8", us=123.456789, test_top1=0.5)),
        chosen="int8",
        left_out=(("fp16", "too large a weight"),),
    )
    record = found.as_record()
    assert json.loads(json.dumps(record)) == record
    keys = {*record, *record["limits"], *record["rungs"][0], *record["left_out"][0]}
    assert [key for key in keys if key not in ladder.__doc__] == []
    assert record["chosen"] == "int8"
    assert record["rungs"][1]["us"] == 123.457
    assert record["rungs"][0]["test_top1"] is None
    assert record["left_out"] == [{"name": "fp16", "why": "too large a weight"}]
