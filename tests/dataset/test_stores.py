"""A store is a dataset: what has a label is learned from, and what belongs together stays on one side of a split."""

from __future__ import annotations

import numpy as np
import pytest

import edgecls
from edgecls.dataset import scan, split
from edgecls.store import Origin, Store


def noise(seed):
    """A picture like no other."""
    return np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)


@pytest.fixture
def store(tmp_path):
    """Forty events of three pictures each, in two classes."""
    with Store(tmp_path / "store") as opened:
        for n in range(40):
            numbers = [opened.add(noise(10 * n + i), Origin(camera="gate", event=f"event {n}")) for i in range(3)]
            opened.label(numbers, ("open", "closed")[n % 2])
        yield opened


def test_labelled_pictures_are_the_dataset(store):
    """The classes in alphabetical order; what has no label, is unusable or was deleted is left out and said."""
    store.add(noise(1000))
    store.reject([store.add(noise(1001))])
    deleted = store.add(noise(1002))
    store.label([deleted], "open")
    store.entry(deleted).path.unlink()
    dataset = scan(store.folder)
    assert dataset.labels == ("closed", "open")
    assert len(dataset.items) == 120
    assert [line.split(":")[0] for line in dataset.notes] == [
        "pictures of the store without a label, left out",
        "pictures of the store marked as unusable, left out",
        "pictures of the store that were deleted by hand, left out",
    ]


def test_an_event_stays_on_one_side(store):
    """Its three pictures are one group."""
    sides = split(scan(store.folder))
    train, val = ({item.group for item in side} for side in (sides.train, sides.val))
    assert val
    assert not train & val
    assert len(train | val) == 40


def test_pictures_of_one_minute_of_a_camera_stay_together(tmp_path):
    """Without events. Another camera, and the next minute, are other groups."""
    with Store(tmp_path / "store") as store:
        for n, (camera, at_s) in enumerate([("a", 0.0), ("a", 59.0), ("a", 60.0), ("b", 0.0)]):
            store.label([store.add(noise(n), Origin(camera=camera, at_s=1_800_000_000 + at_s))], "open" if n % 2 else "closed")
    groups = {item.name: item.group for item in scan(tmp_path / "store").items}
    assert len(set(groups.values())) == 3


def test_near_copies_stay_together(store):
    """A picture of another event that differs by a little noise joins the group of its copy."""
    dataset = scan(store.folder)
    first = next(iter(store.entries()))
    copy = np.clip(noise(0).astype(int) + np.random.default_rng(1).integers(-3, 4, (24, 24, 3)), 0, 255).astype(np.uint8)
    number = store.add(copy, Origin(camera="yard", event="another"))
    store.label([number], "closed")
    groups = {item.name: item.group for item in scan(store.folder).items}
    names = [entry.path.relative_to(store.folder).as_posix() for entry in (first, store.entry(number))]
    assert groups[names[0]] == groups[names[1]]
    assert len({item.group for item in dataset.items}) == len(set(groups.values()))


def test_a_group_rule_of_the_user_comes_first(store):
    """`group` works on the path, as with other data."""
    assert len({item.group for item in scan(store.folder, group=r"pictures/([^/]+)/").items}) == 1


def test_a_store_without_labels_is_refused(tmp_path):
    """One line says what is missing."""
    with Store(tmp_path / "store") as store:
        store.add(noise(0))
    with pytest.raises(edgecls.DataError, match="is a store of 1 pictures, none of which has a label"):
        scan(tmp_path / "store")
