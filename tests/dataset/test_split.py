"""Tests of splitting a dataset by group."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecls.dataset import Dataset, Item, scan, split
from edgecls.errors import DataError
from tests.drawn import plant, write_gtsrb


def dataset(rows):
    """A dataset of 1x1 pictures from rows (class, group, part, level)."""
    items = tuple(
        Item(f"{i}", c, g, part, pixels=np.array([[level // 256, level % 256]], np.uint8))
        for i, (c, g, part, level) in enumerate(rows)
    )
    return Dataset("drawn", tuple(f"class {c}" for c in range(1 + max(row[0] for row in rows))), items, "by hand")


def test_a_track_stays_on_one_side(tmp_path):
    """No track of GTSRB is on both sides, and every class is on both."""
    found = scan(write_gtsrb(tmp_path, classes=3, tracks=5))
    sides = split(found, fraction=0.2, seed=1)
    assert not {i.group for i in sides.train} & {i.group for i in sides.val}
    assert {i.class_id for i in sides.train} == {i.class_id for i in sides.val} == {0, 1, 2}
    assert Counter(i.class_id for i in sides.val) == {0: 4, 1: 4, 2: 4}
    assert sides.rule.startswith("48 train, 12 val in 15 groups (GTSRB track: ")
    assert sides.rule.endswith("seed 1")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 60)), min_size=8, max_size=80),
    st.floats(0.05, 0.6), st.integers(0, 3),
)  # fmt: skip
def test_no_group_and_no_equal_picture_is_parted(rows, fraction, seed):
    """Whatever the data: each picture is on one side, groups and equal bytes stay together, each class trains."""
    whole = dataset(
        [(c, f"group {g}", "", level) for c, g, level in rows]
        + [(c, f"own {c} {n}", "", 1000 + 2 * c + n) for c in range(5) for n in range(2)]
    )
    sides = split(whole, fraction=fraction, seed=seed)
    assert Counter(map(id, sides.train + sides.val)) == Counter(map(id, whole.items))
    for key in (lambda i: i.group, lambda i: i.content_hash()):
        assert not {key(i) for i in sides.train} & {key(i) for i in sides.val}
    assert {i.class_id for i in sides.train} == set(range(5))
    assert {whole.labels[c] for c in range(5)} - {whole.labels[i.class_id] for i in sides.val} == set(sides.unvalidated)


def test_byte_identical_pictures_stay_together(tmp_path):
    """Twenty copies of five pictures under different names: each picture is on one side only."""
    for c in ("a", "b"):
        for i in range(20):
            plant(tmp_path / c / f"{i}.png", level=10 * (i % 5) + (c == "b"))
    sides = split(scan(tmp_path), fraction=0.3)
    assert not {i.content_hash() for i in sides.train} & {i.content_hash() for i in sides.val}
    assert sides.val


def test_the_same_seed_gives_the_same_sides():
    """The same seed gives the same split, another seed another one."""
    whole = dataset([(i % 2, f"g{i}", "", i) for i in range(60)])
    first, again, other = (tuple(i.name for i in split(whole, seed=s).val) for s in (5, 5, 6))
    assert first == again
    assert first != other


def test_the_share_is_kept_for_each_class():
    """0.2 of 100 and of 10 single pictures are 20 and 2."""
    whole = dataset([(0, f"a{i}", "", i) for i in range(100)] + [(1, f"b{i}", "", 200 + i) for i in range(10)])
    assert Counter(i.class_id for i in split(whole, fraction=0.2).val) == {0: 20, 1: 2}


def test_data_that_names_its_sides_keeps_them():
    """Train and val are taken as they are; test is on neither side."""
    whole = dataset([(i % 2, f"g{i}", part, i) for i, part in enumerate(["train"] * 4 + ["val"] * 2 + ["test"] * 2)])
    sides = split(whole)
    assert [i.split for i in sides.train + sides.val] == ["train"] * 4 + ["val"] * 2
    assert sides.rule == "as the data says: 4 train, 2 val"


def test_without_a_val_side_it_is_drawn_from_train():
    """Pictures named test never train nor validate."""
    whole = dataset([(i % 2, f"g{i}", "train", i) for i in range(20)] + [(i % 2, f"t{i}", "test", 50 + i) for i in range(6)])
    sides = split(whole, fraction=0.2)
    assert {i.split for i in sides.train + sides.val} == {"train"}


def test_a_class_with_a_single_picture_is_refused():
    """Such a class cannot be trained and validated. The error names it and counts such classes."""
    whole = dataset([(0, "a", "", 0), (0, "b", "", 1), (1, "c", "", 2)])
    with pytest.raises(DataError, match=r"drawn: class 'class 1' has 1 picture, expected at least 2 .*; 1 such class"):
        split(whole)


def test_a_class_with_a_single_group_trains_and_is_named():
    """Its group stays on the training side; the class is listed as not validated."""
    whole = dataset([(0, f"a{i}", "", i) for i in range(10)] + [(1, "only", "", 50 + i) for i in range(5)])
    sides = split(whole, fraction=0.2)
    assert sides.unvalidated == ("class 1",)
    assert Counter(i.class_id for i in sides.train)[1] == 5


def test_nothing_to_hold_out_is_refused():
    """Where every class is one group, the error suggests `group`."""
    whole = dataset([(c, f"g{c}", "", 10 * c + i) for c in range(2) for i in range(5)])
    with pytest.raises(DataError, match="every class has a single group, so nothing can be held out; check `group`"):
        split(whole)


def test_data_with_a_test_part_only_cannot_be_split():
    """The error says which parts there are."""
    with pytest.raises(DataError, match=r"has no training pictures, only .*test"):
        split(dataset([(i % 2, f"g{i}", "test", i) for i in range(6)]))
