"""Cells that spreadsheets must not treat as formulas."""

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
    """A cell that a program would calculate gets an apostrophe, and is read back unchanged."""
    assert safe_cell(text) == f"'{text}"
    assert read_cell(safe_cell(text)) == text


@pytest.mark.parametrize("value", PLAIN)
def test_other_cells_do_not_change(value):
    """Texts, dates and signed numbers."""
    text = "" if value is None else str(value)
    assert safe_cell(value) == read_cell(safe_cell(value)) == text


def test_a_row_is_read_back_unchanged():
    """With commas, quotes and line breaks."""
    row = ["=a,b", 'say "x"', "two\nlines", "-1", "x"]
    (found,) = csv.reader(io.StringIO(csv_line(row).decode()))
    assert [read_cell(cell) for cell in found] == row
