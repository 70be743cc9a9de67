"""Tests of decoded pictures in memory or in a file."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgecls.dataset import Item, MemoryBudget, decode, scan, storage
from edgecls.dataset.storage import File, OnDisk, Slots, machine_memory_bytes
from edgecls.errors import DataError
from edgecls.input_spec import InputSpec
from tests.drawn import plant

SHAPE = (2, 3, 1)
PICTURES = np.arange(60, dtype=np.uint8).reshape(10, *SHAPE)


def filled(place):
    """The place, with the ten pictures put there in another order."""
    for i in (3, 0, 9, 1, 2, 8, 7, 4, 6, 5):
        place.put(i, PICTURES[i])
    return place


@pytest.mark.parametrize("memory_bytes", [59, 60])
def test_pictures_come_back_wherever_they_are_kept(tmp_path, memory_bytes):
    """60 bytes of pictures are an array with a budget of 60, and a file with 59. Both return all pictures, or a selection."""
    kept = filled(MemoryBudget(memory_bytes, str(tmp_path)).make(10, SHAPE))
    whole = kept.only(range(10))
    assert isinstance(whole, np.ndarray) == (memory_bytes == 60)
    assert len(whole) == 10
    assert (whole[:] == PICTURES).all()
    some = kept.only([1, 2, 5, 9])
    assert len(some) == 4
    assert (some[:] == PICTURES[[1, 2, 5, 9]]).all()


@pytest.mark.parametrize(
    "index", [4, -1, slice(2, 7), slice(8, 99), slice(0, 0), [7, 7, 0], np.array([9, 1]), np.array([], int)]
)
def test_pictures_on_disk_are_taken_as_from_an_array(tmp_path, index):
    """An index, a slice and a list of indices give the same as for an array, in shape and content."""
    on_disk = filled(MemoryBudget(0, str(tmp_path)).make(10, SHAPE)).only(range(10))
    found = on_disk[index]
    assert found.shape == PICTURES[index].shape
    assert found.dtype == np.uint8
    assert (found == PICTURES[index]).all()
    assert on_disk.shape == PICTURES.shape


def test_a_number_that_there_is_not_is_an_index_error(tmp_path):
    """IndexError is raised, as for an array, so that a loop over it ends."""
    on_disk = filled(MemoryBudget(0, str(tmp_path)).make(10, SHAPE)).only(range(10))
    with pytest.raises(IndexError):
        on_disk[10]
    assert [int(picture[0, 0, 0]) for picture in on_disk] == list(range(0, 60, 6))


def test_the_file_has_no_name(tmp_path):
    """The file has no name: the folder is empty even while it is used."""
    kept = filled(MemoryBudget(0, str(tmp_path)).make(10, SHAPE))
    assert list(tmp_path.iterdir()) == []
    assert (kept.only(range(10))[3] == PICTURES[3]).all()


def test_what_is_left_of_a_room():
    """The used memory is subtracted, down to 0; the folder is the same."""
    assert MemoryBudget(100, "x").less(30) == MemoryBudget(70, "x")
    assert MemoryBudget(100, "x").less(300) == MemoryBudget(0, "x")


def test_a_disk_that_is_too_small_is_refused_before_it_is_tried(tmp_path, monkeypatch):
    """The error names the pictures, their size, the budget, the folder, its free space, and what to do."""
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: SimpleNamespace(free=2_000_000))
    said = "1000 pictures of 64x64 take 0.0041 GB decoded, more than the 0.001 GB of memory that they may take, and "
    with pytest.raises(DataError, match=rf"{said}{tmp_path} has 0\.002 GB free; take a smaller `input`"):
        MemoryBudget(1_000_000, str(tmp_path)).make(1000, (64, 64, 1))


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    """The line names it."""
    with pytest.raises(DataError, match=r"none cannot be written to \(No such file or directory\)"):
        MemoryBudget(0, str(tmp_path / "none")).make(10, SHAPE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up_is_one_line():
    """The error has the reason given by the system, and says what to do."""
    with (
        Path("/dev/full").open("r+b", buffering=0) as full,
        pytest.raises(
            DataError, match=r"said cannot be written to \(No space left on device\); make room, or take a smaller `input`"
        ),
    ):
        File(Slots(full, 6), 10, SHAPE, "said").put(0, PICTURES[0])


def test_a_file_that_takes_only_a_part_is_full():
    """A short write raises an error."""
    cut = SimpleNamespace(seek=lambda _: None, write=lambda content: len(content) - 1, close=lambda: None)
    with pytest.raises(DataError, match="said is full; make room"):
        File(Slots(cut, 6), 10, SHAPE, "said").put(0, PICTURES[0])


def test_a_file_that_ends_early_is_one_line():
    """A short read raises an error instead of returning a picture with zeros."""
    with pytest.raises(DataError, match=r"the file of decoded pictures ends early \(3 of 6 bytes\); check the disk"):
        OnDisk(Slots(io.BytesIO(bytes(9)), 6), SHAPE, np.arange(2))[1]


def test_a_disk_that_cannot_be_read_is_one_line():
    """The error has the reason given by the system."""

    def broken(_into):
        raise OSError(5, "Input/output error")

    file = SimpleNamespace(seek=lambda _: None, readinto=broken, close=lambda: None)
    with pytest.raises(DataError, match=r"cannot be read \(Input/output error\); check the disk"):
        OnDisk(Slots(file, 6), SHAPE, np.arange(2))[:]


def test_the_memory_of_a_container_counts(tmp_path, monkeypatch):
    """A limit of 1 GB counts on a larger machine; `max` and a missing file mean no limit."""
    monkeypatch.setattr(storage, "_LIMITS", ())
    whole = machine_memory_bytes()
    (tmp_path / "limit").write_text("1000000000\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(storage, "_LIMITS", (str(tmp_path / "none"), str(tmp_path / "limit"), str(tmp_path / "missing")))
    assert machine_memory_bytes() == min(whole, 1_000_000_000)
    assert MemoryBudget().memory_bytes == int(0.5 * machine_memory_bytes())


def test_decoding_to_a_file_is_decoding_to_memory(tmp_path, shapes):
    """The same broken pictures are left out and named, and all pixels are equal."""
    (tmp_path / "broken.png").write_text("text")
    items = [*scan(shapes).items[:50], Item("broken", 0, "", file=tmp_path / "broken.png"), *scan(shapes).items[50:]]
    spec = InputSpec(12, 20, "rgb")
    memory, file = decode(items, spec), decode(items, spec, budget=MemoryBudget(1000, str(tmp_path)))
    assert isinstance(file.batch, OnDisk)
    assert (file.memory_bytes, memory.memory_bytes) == (0, 120 * 12 * 20 * 3)
    assert (file.batch[:] == memory.batch).all()
    assert (file.broken, file.items) == (memory.broken, memory.items)
    assert len(memory.broken) == 1
    assert file.class_ids.tolist() == memory.class_ids.tolist()


def test_without_a_folder_it_is_the_systems_place_for_temporary_files(tmp_path, monkeypatch):
    """TMPDIR names it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DataError, match=r"gone cannot be written to"):
        MemoryBudget(0).make(10, SHAPE)


def test_a_class_of_which_nothing_could_be_read_is_refused(tmp_path):
    """It is named, with the first broken picture; what there is is counted."""
    for i in range(3):
        plant(tmp_path / "a" / f"{i}.png")
        plant(tmp_path / "b" / f"{i}.png").write_text("text")
    found = scan(tmp_path)
    pictures = decode(found.items, InputSpec(2, 2))
    with pytest.raises(
        DataError, match=r"data: of class 'b' no training picture could be read; the first broken one: .*b/0\.png"
    ):
        pictures.counts(found.labels, "data")
    assert pictures.counts(("a",), "data") == [3]
