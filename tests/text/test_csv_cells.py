"""Cells that spreadsheets must not calculate."""

from __future__ import annotations

import csv
import io

import pytest

from edgecls.text.csv_cells import csv_line, read_cell, safe_cell

FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "=HYPERLINK(\"http://x\")", "-", "--", "\uff1d1",
    "'=1", "''=1",
]  # fmt: skip
PLAIN = ["", "car", "a=b", "1-2", "'car", '{"car": 2}', "2025-11-22T15:03:07.000Z", -0.5, 3, "-5", "+1.5e3", "-.5", None]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text):
    """What a program would calculate begins with an apostrophe, and is read back as it was."""
    assert safe_cell(text) == f"'{text}"
    assert read_cell(safe_cell(text)) == text


@pytest.mark.parametrize("value", PLAIN)
def test_the_rest_stays(value):
    """Texts, dates and numbers with a sign are as they were."""
    text = "" if value is None else str(value)
    assert safe_cell(value) == read_cell(safe_cell(value)) == text


def test_a_row_comes_back():
    """Commas, quotes and line breaks too."""
    row = ["=a,b", 'say "x"', "two\nlines", "-1", "x"]
    (found,) = csv.reader(io.StringIO(csv_line(row).decode()))
    assert [read_cell(cell) for cell in found] == row
