"""Tests of decoding items to the input of a model."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import image
from edgecls.dataset import Item, decode, decode_below, scan
from edgecls.errors import DataError
from edgecls.input_spec import InputSpec
from tests.drawn import plant


@pytest.fixture
def two_good_one_broken(tmp_path):
    """Pictures of levels 10 and 30, and between them a text file with the name of a picture."""
    plant(tmp_path / "a" / "1.png", level=10)
    (tmp_path / "a" / "2.png").write_bytes(b"text")
    plant(tmp_path / "b" / "3.png", level=30)
    return scan(tmp_path).items


def test_a_broken_picture_among_good_ones_is_named_and_left_out(two_good_one_broken):
    """The good ones keep their order and classes; the broken one is a line with its path."""
    found = decode(two_good_one_broken, InputSpec(2, 2))
    assert found.batch[:, 0, 0, 0].tolist() == [10, 30]
    assert found.class_ids.tolist() == [0, 1]
    assert [item.name for item in found.items] == ["a/1.png", "b/3.png"]
    assert len(found.broken) == 1
    assert "a/2.png: not a picture that OpenCV can decode (4 bytes)" in found.broken[0]


def test_strict_stops_at_the_broken_picture(two_good_one_broken):
    """With strict the same line is raised."""
    with pytest.raises(DataError, match=r"a/2\.png: not a picture that OpenCV can decode \(4 bytes\)"):
        decode(two_good_one_broken, InputSpec(2, 2), strict=True)


def test_nothing_readable_is_refused(tmp_path):
    """Where no picture is good, the error counts them and shows the first."""
    items = [Item(f"{i}.png", 0, "", file=tmp_path / f"{i}.png") for i in range(3)]
    with pytest.raises(DataError, match=r"none of 3 pictures could be read; the first: .*0\.png: cannot be read"):
        decode(items, InputSpec(2, 2))
    with pytest.raises(DataError, match="none of 0 pictures could be read; the first: there is none"):
        decode([], InputSpec(2, 2))


def test_more_than_memory_holds_is_refused_before_it_is_tried():
    """A million pictures of 4096x4096 in colour raise an error that says what to do."""
    items = [Item("x", 0, "", pixels=np.zeros((1, 1), np.uint8))] * 1_000_000
    with pytest.raises(DataError, match=r"1000000 pictures of 4096x4096 take .* GB decoded, .* take a smaller `input`"):
        decode(items, InputSpec(4096, 4096, "rgb"))


def test_order_does_not_depend_on_threads(tmp_path):
    """300 pictures decoded by several threads are in the order of their items."""
    items = [Item(f"{i}", i, "", pixels=np.full((3, 3), i % 251, np.uint8)) for i in range(300)]
    assert decode(items, InputSpec(1, 1)).batch.ravel().tolist() == [i % 251 for i in range(300)]


def test_decoding_is_the_function_that_the_device_runs(shapes):
    """Each picture of the array equals image.fit of image.load."""
    items = scan(shapes).items[::17]
    spec = InputSpec(12, 20, "rgb", "letterbox")
    found = decode(items, spec)
    for item, picture in zip(items, found.batch, strict=True):
        assert (picture == image.fit(image.load(item.file), spec)).all()


def test_pictures_of_no_class_are_read_from_any_depth(tmp_path):
    """Without folders of classes; a folder without pictures is refused."""
    plant(tmp_path / "1.png", level=10)
    plant(tmp_path / "deep" / "er" / "2.png", level=30)
    found = decode_below(tmp_path, InputSpec(2, 2))
    assert sorted(found.batch[:, 0, 0, 0].tolist()) == [10, 30]
    assert found.class_ids.tolist() == [0, 0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a folder of pictures of no class, found none"):
        decode_below(tmp_path / "empty", InputSpec(2, 2))
