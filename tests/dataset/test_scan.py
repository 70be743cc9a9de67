"""Tests of `scan` on the usual layouts of labelled pictures."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import fingerprint, scan
from edgecls.errors import DataError
from tests.drawn import plant


def test_class_folders_are_the_labels(tmp_path):
    """Each folder is a class, in natural order (2 before 10); pictures in its subfolders belong to it."""
    for name in ("10/a.png", "2/b.png", "2/deeper/c.JPG"):
        plant(tmp_path / name)
    found = scan(tmp_path)
    assert found.labels == ("2", "10")
    assert [(item.name, item.class_id) for item in found.items] == [("2/b.png", 0), ("2/deeper/c.JPG", 0), ("10/a.png", 1)]
    assert found.group_rule == "each picture by itself"


def test_hidden_files_and_other_files_are_no_pictures(tmp_path):
    """.DS_Store, ._a.png, .cache folders and text files are left out."""
    for name in ("a/1.png", "b/1.png", "a/._1.png", ".cache/x.png", "a/.thumbs/1.png", "a/notes.txt", "readme.md"):
        plant(tmp_path / name)
    found = scan(tmp_path)
    assert found.labels == ("a", "b")
    assert [item.name for item in found.items] == ["a/1.png", "b/1.png"]


def test_train_val_and_test_folders_are_parts(tmp_path):
    """train, valid and test hold the class folders; every class of any part is a label."""
    for name in ("train/a/1.png", "train/b/1.png", "valid/a/2.png", "test/c/3.png"):
        plant(tmp_path / name)
    found = scan(tmp_path)
    assert found.labels == ("a", "b", "c")
    assert {item.name: item.split for item in found.items} == {
        "train/a/1.png": "train", "train/b/1.png": "train", "valid/a/2.png": "val", "test/c/3.png": "test",
    }  # fmt: skip


def test_a_class_called_test_is_a_class_where_there_is_no_train(tmp_path):
    """Without a train folder, `test` and `val` are names like any other."""
    for name in ("test/1.png", "val/1.png"):
        plant(tmp_path / name)
    assert scan(tmp_path).labels == ("test", "val")


def gray_arrays(**shapes):
    """MedMNIST's arrays: plain pictures and labels (N, 1) that alternate between 0 and 1."""
    arrays = {}
    for split, shape in shapes.items():
        arrays[f"{split}_images"] = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        arrays[f"{split}_labels"] = (np.arange(shape[0]) % 2)[:, None].astype(np.uint8)
    return arrays


def test_medmnist_gray_and_rgb(tmp_path):
    """An npz has gray (N, H, W) or RGB (N, H, W, 3) arrays; its parts are kept and RGB is read as BGR."""
    np.savez(tmp_path / "gray.npz", **gray_arrays(train=(4, 5, 6), val=(2, 5, 6), test=(3, 5, 6)))
    gray = scan(tmp_path / "gray.npz")
    assert gray.labels == ("0", "1")
    assert [item.split for item in gray.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    assert gray.items[0].picture().tolist() == np.arange(30).reshape(5, 6).tolist()
    np.savez(tmp_path / "rgb.npz", **gray_arrays(train=(4, 1, 1, 3)))
    assert scan(tmp_path / "rgb.npz").items[1].picture().tolist() == [[[5, 4, 3]]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros(3)}, r"expected train_images and train_labels as in MedMNIST, found x"),
        (gray_arrays(train=(4, 5)), r"expected train_images as uint8 \(N, H, W\) or \(N, H, W, 3\), found uint8 \(4, 5\)"),
        ({**gray_arrays(train=(4, 5, 6)), "train_images": np.zeros((4, 5, 6))}, r"found float64 \(4, 5, 6\)"),
        ({**gray_arrays(train=(4, 5, 6)), "train_labels": np.zeros(3, int)}, "expected one whole number .* for each of 4"),
        ({**gray_arrays(train=(4, 5, 6)), "train_labels": np.ones((4, 2), int)}, "several labels a picture are learned from"),
        ({**gray_arrays(train=(4, 5, 6)), "train_labels": np.full(4, -1)}, "expected one whole number >= 0"),
        ({**gray_arrays(train=(4, 5, 6)), "train_labels": np.zeros(4, int)}, r"needs at least 2 classes, found 1 \(0\)"),
    ],
)  # fmt: skip
def test_an_npz_of_something_else_is_refused(tmp_path, arrays, message):
    """The error names the file, what was expected and what was found."""
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=rf"data\.npz: .*{message}"):
        scan(tmp_path / "data.npz")


def test_a_broken_npz_is_refused(tmp_path):
    """A text file named .npz and a truncated zip archive raise DataError."""
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "whole.npz", **gray_arrays(train=(40, 5, 6)))
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    for name in ("text.npz", "cut.npz"):
        with pytest.raises(DataError, match=rf"{name}: not an npz file of plain arrays"):
            scan(tmp_path / name)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "expected one folder of pictures per class or a CSV manifest, found nothing"),
        (["1.png"], "expected one folder of pictures per class or a CSV manifest, found pictures without class folders"),
        (["a/1.png"], r"a classifier needs at least 2 classes, found 1 \(a\); only edgecls learn takes a single class"),
        (["a/1.png", "b/notes.txt"], "class folder 'b' has no picture; add some or remove the folder"),
        (["train/a/1.png", "train/b/1.png", "extra/a/1.png"], "beside train, val and test there is 'extra'; move it"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_refused(tmp_path, files, message):
    """An empty folder, loose pictures, one class, an empty class, an unrelated folder: each is reported."""
    for name in files:
        plant(tmp_path / name)
    with pytest.raises(DataError, match=message) as caught:
        scan(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))


def test_a_path_that_is_not_there_is_refused(tmp_path):
    """The errors for a missing path and for another kind of file say what is expected."""
    with pytest.raises(DataError, match="none: no such file or folder; expected class folders, a CSV manifest or an npz"):
        scan(tmp_path / "none")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.zip: expected a folder, a \.csv or a \.npz, found \.zip"):
        scan(tmp_path / "a.zip")


def test_labels_rename_the_classes_in_their_order(tmp_path):
    """Folders 0 and 1 become stop and go; a wrong number of labels or equal ones are refused."""
    for name in ("0/a.png", "1/a.png"):
        plant(tmp_path / name)
    assert scan(tmp_path, labels=["stop", "go"]).labels == ("stop", "go")
    with pytest.raises(DataError, match="3 labels given for 2 classes"):
        scan(tmp_path, labels=["a", "b", "c"])
    with pytest.raises(DataError, match="labels given must differ, 'a' is given twice"):
        scan(tmp_path, labels=["a", "a"])


@pytest.mark.parametrize(
    ("names", "groups", "rule"),
    [
        (["a/00001_00002.ppm", "b/00001_00002.ppm"], ["a/00001", "b/00001"], "GTSRB track: "),
        (["a/x_jpg.rf.0a1b.jpg", "b/y_jpg.rf.99ff.jpg"], ["a/x_jpg", "b/y_jpg"], "copies made by Roboflow: "),
        (["a/clip1_frame003.png", "b/clip2-frame-10.png"], ["a/clip1", "b/clip2"], "frames of one video: "),
        (["a/clip1_frame003.png", "b/other.png"], ["a/clip1_frame003.png", "b/other.png"], "each picture by itself"),
    ],
)  # fmt: skip
def test_groups_are_found_by_the_usual_names(tmp_path, names, groups, rule):
    """A rule is taken only if it fits every picture, and it is named."""
    for name in names:
        plant(tmp_path / name)
    found = scan(tmp_path)
    assert [item.group for item in found.items] == groups
    assert found.group_rule.startswith(rule)


def test_a_group_may_be_given(tmp_path):
    """The capturing group names the group. An expression that does not match every picture, or is not valid, is rejected."""
    for name in ("a/cam1-x.png", "b/cam2-y.png"):
        plant(tmp_path / name)
    found = scan(tmp_path, group=r"(cam\d)")
    assert [item.group for item in found.items] == ["cam1", "cam2"]
    assert found.group_rule == r"(cam\d)"
    with pytest.raises(DataError, match=r"`group` cam1 does not match 'b/cam2-y.png'; it must match the path of every"):
        scan(tmp_path, group="cam1")
    with pytest.raises(DataError, match=r"`group` \(: not a regular expression"):
        scan(tmp_path, group="(")


def test_the_fingerprint_is_of_content_and_labels_not_of_the_place(tmp_path):
    """The same pictures in another folder have the same fingerprint; another picture or label changes it."""
    for place in ("one", "two", "three", "four"):
        plant(tmp_path / place / "a" / "1.png", level=10)
        plant(tmp_path / place / ("b" if place != "three" else "c") / "1.png", level=20 if place != "four" else 21)
    one, two, three, four = (fingerprint(scan(tmp_path / p)) for p in ("one", "two", "three", "four"))
    assert one == two
    assert one.startswith("sha256:")
    assert len({one, three, four}) == 3
