"""Tests of finding the pictures that a manifest refers to."""

from __future__ import annotations

import pytest

from edgecls.dataset import scan
from edgecls.errors import DataError
from tests.drawn import plant


def read(root, manifest, rows, *pictures):
    """Return the names of the pictures that a manifest with these rows refers to."""
    for name in pictures:
        plant(root / name)
    (root / manifest).parent.mkdir(parents=True, exist_ok=True)
    (root / manifest).write_text("file,class\n" + "".join(f"{path},{'ab'[i % 2]}\n" for i, path in enumerate(rows)))
    return [item.name for item in scan(root).items]


@pytest.mark.parametrize(
    ("manifest", "rows", "pictures"),
    [
        ("train.csv", ["1.png", "2.png"], ["images/1.png", "images/2.png"]),
        ("labels.csv", ["1", "2.5"], ["images/1.png", "images/2.5.jpg"]),
        ("labels/labels.csv", ["1.png", "2.png"], ["images/1.png", "images/deeper/2.png"]),
        ("labels.csv", ["0\\1.png", r"x\2.png"], ["0/1.png", "data/x/2.png"]),
        ("labels.csv", ["./0/1.png", "0//2.png"], ["0/1.png", "0/2.png"]),
    ],
    ids=["a folder of pictures", "ids without endings", "beside", "backslashes", "plain"],
)
def test_usual_ways_to_write_a_path(tmp_path, manifest, rows, pictures):
    """Each row refers to the only matching picture."""
    assert read(tmp_path, manifest, rows, *pictures) == pictures


def test_paths_of_another_machine_are_found_by_their_end(tmp_path):
    """Absolute paths of Windows, Linux and a notebook; a note gives their number."""
    rows = [r"C:\Users\me\gtsrb\Train\0\1.png", "/home/me/gtsrb/Train/0/2.png", "../input/gtsrb/Train/0/3.png"]
    pictures = [f"Train/0/{i}.png" for i in (1, 2, 3)]
    assert read(tmp_path, "labels.csv", rows, *pictures) == pictures
    assert scan(tmp_path).notes[0].startswith("paths of another machine, found by their last parts: 3 (C:\\Users")


def test_of_several_the_one_of_the_manifests_part_or_name_is_meant(tmp_path):
    """On Kaggle, pictures of train and test may have the same names."""
    pictures = ["train/1.png", "train/2.png", "test/1.png", "test/2.png", "extra/1.png"]
    assert read(tmp_path, "train.csv", ["1.png", "2.png"], *pictures) == ["train/1.png", "train/2.png"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.png", r"labels\.csv:2: 1\.png may be .*one/1\.png or .*two/1\.png; write the full path in the manifest"),
        ("one/3.png", r"labels\.csv:2: the picture .*one/3\.png does not exist"),
        ("/etc/passwd.png", r"labels\.csv:2: the picture /etc/passwd\.png does not exist"),
        ("x" * 300, r"labels\.csv:2: the picture .*x does not exist"),
        ("one", r"labels\.csv:2: the picture .*one does not exist"),
    ],
)
def test_a_picture_that_is_not_there_is_refused_with_its_line(tmp_path, row, message):
    """Two matching pictures, none, an impossible name, a folder."""
    with pytest.raises(DataError, match=message):
        read(tmp_path, "labels.csv", [row, "one/2.png"], "one/1.png", "two/1.png", "one/2.png")
