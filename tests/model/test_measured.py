"""What a card keeps of each class, and of the scores."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edgecls.errors import ModelError
from edgecls.input_spec import InputSpec
from edgecls.label_report import LabelReport
from edgecls.metrics import Bin
from edgecls.model.card import ModelCard
from edgecls.model.measured import MOST_CONFUSIONS, Measured

CONFUSION = np.array([[8, 2, 0], [1, 6, 3], [0, 0, 0]])
BINS = [Bin(0, 0.5, 0, float("nan"), float("nan")), Bin(0.5, 1, 20, 0.87654321, 0.7)]
FOUND = Measured.of(CONFUSION, BINS)


def test_counts_confusions_and_bins_are_those_of_the_evaluation():
    """The most frequent confusion first; a bin without pictures has zeros, because JSON knows no NaN."""
    assert (FOUND.pictures, FOUND.right, FOUND.given) == ((10, 10, 0), (8, 6, 0), (9, 8, 3))
    assert FOUND.confusions == ((1, 2, 3), (0, 1, 2), (1, 0, 1))
    assert FOUND.bins == ((0, 0.0, 0.0), (20, 0.8765, 0.7))


def test_only_the_most_frequent_confusions_are_kept():
    """So that the card of a thousand classes stays small."""
    many = Measured.of(np.arange(10_000).reshape(100, 100), ())
    assert len(many.confusions) == MOST_CONFUSIONS
    assert many.confusions[0] == (99, 98, 9998)


def test_a_card_has_it_and_gives_it_back():
    """A card without it is the same text as that of an older edgecls, which drift and others keep a hash of."""
    card = ModelCard(("a", "b", "c"), InputSpec(8, 8), "fp32", measured=FOUND)
    assert ModelCard.from_json(card.to_json(), "m.onnx") == card
    assert 'measured":' not in dataclasses.replace(card, measured=None).to_json()


@pytest.mark.parametrize(
    "change",
    [{"pictures": [1, 2]}, {"right": [1, 2, -3]}, {"given": [1, 2, 2.5]}, {"bins": [[1, 0.5, 1.5]]}, {"bins": [[1, "x", 1]]},
     {"bins": 3}, {"confusions": [[0, 3, 1]]}, {"confusions": [[0, 1]]}, {"pictures": None}],
)  # fmt: skip
def test_a_damaged_one_is_refused_in_one_line(change):
    """Somebody may have edited the card."""
    with pytest.raises(ModelError, match="measured classes are damaged"):
        Measured.from_record(dataclasses.asdict(FOUND) | change, 3)


def test_of_several_labels_a_picture_each_label_counts_for_itself():
    """There is no confusion of one with another."""
    truth = np.array([[1, 0], [1, 1], [0, -1]])
    report = LabelReport(("a", "b"), truth, np.array([[0.9, 0.8], [0.2, 0.9], [0.1, 0.9]], np.float32), 1.0, 1.0, ())
    found = report.measured
    assert (found.pictures, found.right, found.given, found.confusions) == ((2, 1), (1, 1), (1, 2), ())
    assert sum(n for n, _, _ in found.bins) == 5
