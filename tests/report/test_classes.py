"""Confusions and the table of classes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.report.classes import LONGEST_LABEL, MOST_DRAWN, Pair, confusions, matrix, pairs, per_class
from tests.report.made import ANSWERS, Reader, report


def test_pairs_come_by_their_number_then_by_their_share():
    """Three of ten, then two of two, then two of four; the diagonal is not listed."""
    confusion = np.array([[5, 3, 2], [2, 0, 0], [1, 1, 2]])
    assert pairs(confusion, "abc")[:2] == [Pair("a", "b", 3, 0.3), Pair("b", "a", 2, 1.0)]
    assert len(pairs(confusion, "abc")) == 5


@pytest.mark.parametrize("classes", [2, 3, 10, 43, MOST_DRAWN])
def test_a_matrix_fits_on_a_page_and_its_numbers_in_their_cells(classes):
    """With up to 60 long names the matrix is at most 1,110 pixels wide, and no number is wider than its cell."""
    confusion = np.diag(np.full(classes, 1234))
    confusion[0, 1] = 1007
    read = Reader(matrix(confusion, [f"a class with a long name {i}" for i in range(classes)]))
    width, _ = map(float, read.of("svg", "viewbox")[0].split()[2:])
    assert width <= 1110
    assert "a class with a long name 0 taken for a class with a long name 1: 1,007 of 2,241" in read.text
    cell = max(map(float, read.of("rect", "width")))
    sizes = [float(size) for size in read.of("text", "font-size")][2 * classes :]
    assert all(4 * 0.6 * size <= cell for size in sizes)


def test_long_names_are_cut_and_complete_in_the_tooltip():
    """The label on the axis is short; its title is complete."""
    name = "no overtaking by vehicles over 3.5 tonnes"
    read = Reader(matrix(np.eye(2, dtype=np.int64), [name, "b"]))
    assert f"{name[: LONGEST_LABEL - 1]}\u2026" in read.text
    assert name in read.text


def test_more_classes_than_can_be_drawn_are_a_table_of_pairs():
    """61 classes: no matrix, only the pairs."""
    answers = [(i, (i + 1) % 61, 0.9) for i in range(61)] + [(i, i, 0.9) for i in range(61)]
    read = Reader(confusions(report(answers, [f"c{i}" for i in range(61)])))
    assert "svg" not in read.tags
    assert "What is confused most, 60 of 61 pairs" in read.text
    assert "c0 c1 1 50.0 %" in read.text


def test_the_worst_class_comes_first_and_one_without_pictures_last():
    """The order is recall 1/2, 2/3, 1, none; each row has the most frequent wrong label."""
    found = report(ANSWERS, ("dark", "dim", "bright", "glaring"))
    text = Reader(per_class(found)).text
    rows = text.split("most often taken for ")[1]
    assert rows == (
        "dim 2 50.0 % 9.5 to 90.5 % 50.0 % dark (1) dark 3 66.7 % 20.8 to 93.9 % 66.7 % dim (1) "
        "bright 1 100.0 % 20.7 to 100.0 % 100.0 % glaring 0 \u2013 \u2013"
    )
