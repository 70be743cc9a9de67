"""Tests of npz files: memory-mapped pictures, and invalid labels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgecls.dataset import fingerprint, npz, scan, storage
from edgecls.errors import DataError

ARRAYS = {
    "train_images": np.random.default_rng(0).integers(0, 256, (12, 5, 6, 3), np.uint8),
    "train_labels": (np.arange(12) % 3)[:, None].astype(np.uint8),
    "test_images": np.random.default_rng(1).integers(0, 256, (4, 5, 6, 3), np.uint8),
    "test_labels": np.arange(4) % 3,
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_pictures_that_do_not_fit_are_mapped(tmp_path, monkeypatch, save):
    """Without memory for them, the same pictures are mapped from the npz or from a temporary file, and no file is left."""
    save(tmp_path / "data.npz", **ARRAYS)
    read = scan(tmp_path / "data.npz")
    monkeypatch.setattr(storage, "SHARE", 0)
    monkeypatch.setattr(npz.tempfile, "tempdir", str(tmp_path))
    mapped = scan(tmp_path / "data.npz")
    assert not mapped.items[0].pixels.flags.writeable
    assert read.items[0].pixels.flags.writeable
    assert fingerprint(mapped) == fingerprint(read)
    for one, other in zip(mapped.items, read.items, strict=True):
        assert (one.picture() == other.picture()).all()
    assert [p.name for p in tmp_path.iterdir()] == ["data.npz"]


def test_an_array_by_columns_is_mapped_as_it_stands(tmp_path, monkeypatch):
    """Its pictures come out as they are."""
    np.savez(tmp_path / "data.npz", **{**ARRAYS, "train_images": np.asfortranarray(ARRAYS["train_images"])})
    monkeypatch.setattr(storage, "SHARE", 0)
    assert (scan(tmp_path / "data.npz").items[7].pixels == ARRAYS["train_images"][7]).all()


def test_no_room_to_unpack_is_one_line(tmp_path, monkeypatch):
    """The error names the array, its size, and the folder for temporary files."""
    np.savez_compressed(tmp_path / "data.npz", **ARRAYS)
    monkeypatch.setattr(storage, "SHARE", 0)
    monkeypatch.setattr(npz.shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(
        DataError, match=r"data\.npz: unpacked, train_images\.npy takes .* GB, more than .* has free; .* TMPDIR"
    ):
        scan(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_labels": np.arange(12) + 10**9}, r"from 0 in train_labels, found 1000000011"),
        ({"train_labels": np.zeros((12, 2), int)}, r"in train_labels for each of 12 pictures, found int64 \(12, 2\)"),
        ({"train_labels": np.zeros(12)}, r"for each of 12 pictures, found float64 \(12,\)"),
        ({"train_labels": np.arange(12) - 1}, r"for each of 12 pictures, found int64 \(12,\) with -1"),
        ({"test_labels": np.zeros(5, int)}, r"in test_labels for each of 4 pictures, found int64 \(5,\)"),
        ({"train_images": np.zeros((12, 0, 6), np.uint8)}, r"train_images of at least 1x1 pixels, found \(12, 0, 6\)"),
        ({"train_images": np.array([None] * 12)}, r"not an npz file of plain arrays"),
    ],
)  # fmt: skip
def test_labels_and_pictures_that_are_none_are_refused(tmp_path, changes, message):
    """Labels out of range or of another shape or type, pictures of size 0, object arrays: the error says what was found."""
    np.savez(tmp_path / "data.npz", **{**ARRAYS, **changes})
    with pytest.raises(DataError, match=rf"data\.npz: .*{message}"):
        scan(tmp_path / "data.npz")


def test_no_picture_at_all_is_refused(tmp_path):
    """The arrays have the right names and no rows."""
    np.savez(tmp_path / "data.npz", train_images=np.zeros((0, 5, 6), np.uint8), train_labels=np.zeros(0, int))
    with pytest.raises(DataError, match=r"data\.npz: train_images contain no pictures"):
        scan(tmp_path / "data.npz")
