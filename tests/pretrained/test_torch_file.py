"""Files of PyTorch are read without PyTorch: tensors with their strides, and nothing else."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecls.errors import EdgeclsError, ModelError
from edgecls.pretrained import read_tensors
from tests.pretrained.torch_writer import Tensor, older, tensors_of, zipped

FORMATS = pytest.mark.parametrize("write", [older, zipped])
NAMED = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "conv.turned": np.arange(24, dtype=np.float32).reshape(4, 3, 2).transpose(2, 1, 0),
    "norm.count": np.array(7, np.int64),
    "half": np.arange(5, dtype=np.float64) / 2,
}
"""Among them one that is not contiguous, and one of no dimensions."""


@FORMATS
def test_tensors_come_back_with_their_strides(write):
    """Names, order, types and values are those that were written, also of a tensor that is not contiguous."""
    found = read_tensors(write(tensors_of(NAMED)), "net.pth")
    assert list(found) == list(NAMED)
    for name, expected in NAMED.items():
        assert found[name].dtype == expected.dtype
        np.testing.assert_array_equal(found[name], expected)


@FORMATS
def test_two_tensors_can_share_a_storage(write):
    """One begins in the middle of the other's data."""
    storage = np.arange(10, dtype=np.float32)
    state = OrderedDict(all=Tensor(storage, (10,), (1,)), tail=Tensor(storage, (2, 2), (1, 2), offset=6))
    found = read_tensors(write(state), "net.pth")
    np.testing.assert_array_equal(found["tail"], [[6, 8], [7, 9]])


def test_tensors_cannot_be_written_to():
    """They are views of the file."""
    with pytest.raises(ValueError, match="read-only"):
        read_tensors(older(tensors_of(NAMED)), "net.pth")["half"][0] = 1


class _Runs:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Name a function that no network needs."""
        return os.getcwd, ()


@FORMATS
@pytest.mark.parametrize(
    ("value", "found"),
    [
        (_Runs(), f"{os.getcwd.__module__}.getcwd"),
        ({"w": 3}, "a int among them"),
        ({"w": "text"}, "a str among them"),
        ([1, 2], "a list instead of tensors with names"),
        ({}, "a dict instead of tensors with names"),
        ({(1, 2): 3}, "a key of the type tuple"),
        ({"w": 1.5 + 2j}, "builtins.complex|__builtin__.complex"),
    ],
)
def test_anything_but_tensors_is_refused_in_one_line(write, value, found):
    """The message says what it is; nothing is run."""
    with pytest.raises(ModelError, match=rf"^net.pth: expected tensors and nothing else, found ({found}); it was not loaded$"):
        read_tensors(write(value), "net.pth")


@FORMATS
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((11,), (1,), 0),
        ((10,), (1,), 1),
        ((2, 2), (1, 9), 0),
        ((1_000_000_000,), (0,), 0),
        ((-1,), (1,), 0),
        ((5,), (-1,), 4),
        ((5,), (1, 1), 0),
        ((2.0,), (1,), 0),
        ((1,) * 40, (1,) * 40, 0),
    ],
)
def test_a_tensor_stays_inside_its_storage(write, shape, strides, offset):
    """A view of other memory, or one that would grow when it is copied, is damage."""
    state = OrderedDict(w=Tensor(np.zeros(10, np.float32), shape, strides, offset))
    with pytest.raises(ModelError, match="damaged"):
        read_tensors(write(state), "net.pth")


def test_a_compressed_archive_is_refused():
    """PyTorch writes none, and a small one could become large."""
    with pytest.raises(ModelError, match="compressed"):
        read_tensors(zipped(tensors_of(NAMED), compression=zipfile.ZIP_DEFLATED), "net.pth")


BOMBS = {
    "a memo of four billion places": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a byte array of a terabyte": b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a text of a terabyte": b"\x80\x04\x8d\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a frame of a terabyte": b"\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00.",
    "a long of two billion digits": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "marks without end": b"\x80\x02" + b"(" * 5000 + b".",
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 200_000 + b".",
    "nothing on the stack": b"\x80\x020.",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_small_file_takes_little_memory(bomb):
    """Whatever lengths it names."""
    tracemalloc.start()
    try:
        for content in (bomb, pickle.dumps(0x1950A86A20F9469CFC6C, 2) + bomb):
            with pytest.raises(ModelError, match=r"^net.pth: expected [^\n]*$"):
                read_tensors(content, "net.pth")
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@FORMATS
def test_any_damage_is_one_line_or_harmless(write):
    """Cut off anywhere, or with any byte changed, a file gives arrays of its size or a ModelError."""
    whole = write(tensors_of(NAMED))

    @settings(max_examples=300)
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.booleans())
    def damaged(place: int, value: int, cut: bool) -> None:
        content = whole[:place] if cut else whole[:place] + bytes([value]) + whole[place + 1 :]
        try:
            found = read_tensors(content, "net.pth")
        except EdgeclsError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most contents raise, and some do not
        else:
            assert sum(array.nbytes for array in found.values()) <= 8 * len(whole)

    damaged()


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04", b"hello", b"\x80\x02."])
def test_other_files_are_damaged_files(content):
    """The message has the path."""
    with pytest.raises(ModelError, match=r"^net.pth: expected a file of PyTorch with tensors, but it is damaged"):
        read_tensors(content, "net.pth")
