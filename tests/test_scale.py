"""docs/scale.md: what follows from the inputs is what the page says."""

from __future__ import annotations

import ast
import operator
import re

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
NUMBER = r"[\d,.]+(?:e[+-]?\d+)?"
INPUTS = re.findall(rf"^\| `(\w+)` \| ({NUMBER}) \| ([^|]+) \| (\w+) \| (.*) \|$", TEXT, re.MULTILINE)
RESULTS = re.findall(rf"^\| `(\w+)` \| `([^`]+)` \| ({NUMBER}) \| ([^|]+) \|$", TEXT, re.MULTILINE)
OPERATORS = {ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Add: operator.add, ast.Sub: operator.sub}


def number(text):
    return float(text.replace(",", ""))


def value(node, known):
    """The value of an expression of numbers, names, and + - * /."""
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](value(node.left, known), value(node.right, known))
    return known[node.id] if isinstance(node, ast.Name) else float(node.value)


def computed():
    """The inputs, and the results in their order."""
    known = {name: number(text) for name, text, *_ in INPUTS}
    for name, expression, *_ in RESULTS:
        known[name] = value(ast.parse(expression, mode="eval").body, known)
    return known


def test_both_tables_are_found():
    """Each row of them, by a name of its own."""
    names = [row[0] for row in (*INPUTS, *RESULTS)]
    rows = TEXT[TEXT.index("## Inputs") : TEXT.index("## What breaks first")].count("\n| `")
    assert len(INPUTS) >= 20
    assert len(RESULTS) >= 20
    assert len(names) == len(set(names)) == rows


@pytest.mark.parametrize(("name", "shown"), [(row[0], row[2]) for row in RESULTS])
def test_a_result_is_what_follows_from_the_inputs(name, shown):
    """To three digits."""
    assert number(shown) == pytest.approx(computed()[name], rel=0.005)


def test_each_input_says_where_it_is_from():
    """What is measured names a command, what is estimated says from what."""
    for name, _, _, kind, origin in INPUTS:
        assert kind in ("given", "measured", "estimate"), name
        assert kind == "given" or origin.strip(), name
        assert kind != "measured" or "`" in origin or "the same" in origin, name


def test_what_the_text_says_of_the_results():
    """The answer at the top, and the numbers in the last table."""
    known = computed()
    assert known["uplink"] == pytest.approx(400e9)
    assert known["video_s"] / (365.25 * 86400) == pytest.approx(63, abs=0.5)
    assert known["days"] == pytest.approx(5, abs=0.3)
    assert known["key_days"] * 24 == pytest.approx(7, abs=0.2)
    assert known["segment_parts"] == pytest.approx(33e6, rel=0.02)
    assert known["label_hours"] == pytest.approx(10)
    assert known["segment_bytes"] == pytest.approx(1e5, rel=0.2)
    assert 14 * known["devices"] / 1000 == pytest.approx(350)
