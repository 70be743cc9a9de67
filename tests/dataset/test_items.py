"""One labelled picture."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import Dataset, Item
from edgecls.dataset.items import Roi
from edgecls.errors import DataError
from tests.drawn import plant


def test_content_hash_is_of_the_bytes(tmp_path):
    """Equal files have equal hashes, another level another one; so have arrays."""
    one, two, three = (plant(tmp_path / f"{i}.png", level=v) for i, v in enumerate((5, 5, 6)))
    hashes = [Item("x", 0, "", file=f).content_hash() for f in (one, two, three)]
    assert hashes[0] == hashes[1] != hashes[2]
    pixels = [Item("x", 0, "", pixels=np.full((2, 2), v, np.uint8)).content_hash() for v in (5, 5, 6)]
    assert pixels[0] == pixels[1] != pixels[2]


def test_a_file_that_is_gone_is_named(tmp_path):
    """Hashing a file that was removed after the scan is a DataError with its path."""
    with pytest.raises(DataError, match=r"gone\.png: cannot be read \(No such file"):
        Item("x", 0, "", file=tmp_path / "gone.png").content_hash()
    with pytest.raises(DataError, match="x: an item needs a file or pixels"):
        Item("x", 0, "").picture()


def test_a_region_of_less_than_a_pixel_holds_one(tmp_path):
    """A region that shrinks to nothing in a small copy still has one pixel."""
    file = plant(tmp_path / "a.png", size_hw=(4, 4))
    assert Item("x", 0, "", file=file, roi=Roi(50, 50, 51, 51, 100, 100)).picture().shape == (1, 1, 3)


def test_of_split_takes_parts_by_name():
    """The items of the parts that are named, in order."""
    items = tuple(Item(str(i), 0, "", part) for i, part in enumerate(["train", "val", "test", "train"]))
    found = Dataset("x", ("a", "b"), items, "").of_split("train", "test")
    assert [item.name for item in found] == ["0", "2", "3"]
