"""Numbers that a pencil can check."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgecls import metrics

CONFUSION = np.array([[3, 1, 0], [0, 1, 0], [0, 0, 0]])


def test_rows_are_truth_and_columns_are_predictions():
    """One picture of class 0 taken for class 2 stands in row 0, column 2."""
    found = metrics.confusion_matrix(np.array([0, 1, 1]), np.array([2, 1, 1]), 3)
    assert found.tolist() == [[0, 0, 1], [0, 2, 0], [0, 0, 0]]


def test_top1_is_the_share_on_the_diagonal():
    """4 of 5 are right; of no pictures, none."""
    assert metrics.top1(CONFUSION) == 0.8
    assert metrics.top1(np.zeros((2, 2), np.int64)) == 0


def test_macro_recall_counts_each_class_with_pictures_once():
    """Recalls 3/4 and 1 give 7/8; the class without pictures is left out, not counted as 0."""
    assert metrics.macro_recall(CONFUSION) == pytest.approx(0.875)
    assert math.isnan(metrics.recalls(CONFUSION)[2])


def test_precision_is_a_share_of_the_column():
    """Class 1 was said twice and right once; class 2 was never said."""
    found = metrics.precisions(CONFUSION)
    assert found[:2].tolist() == [1.0, 0.5]
    assert math.isnan(found[2])


def test_calibration_error_of_an_honest_and_of_a_boasting_model():
    """Score 0.75 with 3 of 4 right is honest: 0. Score 1.0 with half right is off by 0.5."""
    assert metrics.calibration_error(np.full(4, 0.75), np.array([True, True, True, False])) == pytest.approx(0)
    assert metrics.calibration_error(np.full(4, 1.0), np.array([True, False] * 2)) == pytest.approx(0.5)


def test_reliability_says_of_each_bin_what_is_in_it():
    """Of four bins two have pictures; 1.0 lies in the last one, NaN in none."""
    found = metrics.reliability(np.array([0.6, 0.7, 1.0, np.nan]), np.array([True, False, True, True]), bins=4)
    assert [(b.low, b.high, b.pictures) for b in found] == [(0, 0.25, 0), (0.25, 0.5, 0), (0.5, 0.75, 2), (0.75, 1, 1)]
    assert found[2][3:] == pytest.approx((0.65, 0.5))
    assert math.isnan(found[0].right)


def test_scores_that_are_no_numbers_have_no_calibration_error():
    """One NaN makes it NaN, instead of an error."""
    assert math.isnan(metrics.calibration_error(np.array([0.5, np.nan]), np.array([True, False])))


def test_percentiles():
    """The median of 1..5 is 3; of nothing it is NaN."""
    assert metrics.percentile([5, 1, 4, 2, 3], 50) == 3
    assert math.isnan(metrics.percentile([], 50))


@pytest.mark.parametrize(
    ("fixed", "broken", "p"), [(0, 0, 1), (5, 5, 1), (0, 5, 2 / 32), (9, 1, 2 * 11 / 1024), (1, 9, 2 * 11 / 1024), (0, 1, 1)]
)
def test_mcnemar_is_the_sign_test_of_the_pictures_that_differ(fixed, broken, p):
    """Two-sided, from the binomial distribution with 1/2: 0 of 5 has 1/32 on each side."""
    assert metrics.mcnemar(fixed, broken) == pytest.approx(p)


def test_mcnemar_of_a_million_pictures_is_a_number():
    """Sums of probabilities that no float could hold as ratios of factorials."""
    assert 0 < metrics.mcnemar(500_000, 501_000) < 1
    assert metrics.mcnemar(500_000, 520_000) < 1e-80


def test_holm_multiplies_by_what_is_left():
    """The smallest of three by 3, the next by 2, the last by 1; never below one before it, never above 1."""
    assert metrics.holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])
    assert metrics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert metrics.holm([]) == []


def test_the_interval_of_a_paired_difference_holds_the_truth():
    """Of 2,000 pairs of models whose accuracy truly differs by 2 points, measured on 150 pictures, 93 to 97 % contain it."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(150, [0.05, 0.03, 0.92], size=2000)
    inside = [low <= 0.02 <= high for low, high in (metrics.paired_difference(f, b, 150) for f, b, _ in drawn.tolist())]
    assert 0.93 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize(
    ("share", "pictures", "low", "high"),
    [(1.0, 6, 0.6097, 1.0), (0.0, 6, 0.0, 0.3903), (0.5, 10, 0.2366, 0.7634), (0.9, 100, 0.8256, 0.9448)],
)
def test_wilson_is_that_of_the_tables(share, pictures, low, high):
    """Published values."""
    found = metrics.wilson(share, pictures)
    assert found == pytest.approx((low, high), abs=1e-4)


def test_pictures_by_themselves_count_fully():
    """Each is a group."""
    assert metrics.effective_pictures(np.array([True, False, True]), ["a", "b", "c"]) == 3


def test_a_group_that_is_right_or_wrong_as_a_whole_is_one_picture():
    """40 groups of 5, of which half are right."""
    right = np.repeat(np.arange(40) % 2 == 0, 5)
    assert metrics.effective_pictures(right, np.repeat(np.arange(40), 5).tolist()) == pytest.approx(40, rel=0.01)


def test_groups_that_do_not_matter_count_nearly_fully():
    """In many groups whose pictures are right by chance, most of the 2,000 count."""
    right = np.random.default_rng(0).random(2000) < 0.8
    found = metrics.effective_pictures(right, np.repeat(np.arange(400), 5).tolist())
    assert found > 1500


def test_if_all_are_right_groups_count_as_one_picture_each():
    """How alike they are cannot be seen."""
    assert metrics.effective_pictures(np.ones(20, bool), np.repeat(np.arange(4), 5).tolist()) == 4
