"""Tests of class folders, with and without folders for train, val and test."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgecls.dataset import scan
from edgecls.errors import DataError
from tests.conftest import ROOT
from tests.drawn import plant


def found(root, *names):
    """Return the labels, and the part of each picture, of a folder with these pictures."""
    for name in names:
        plant(root / name)
    data = scan(root)
    return data.labels, {item.name: item.split for item in data.items}


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["train/1.png", "bus/1.png"], ("bus", "train")),
        (["train/1.png", "train/more/2.png", "bus/1.png"], ("bus", "train")),
        (["Test/1.png", "plane/1.png"], ("plane", "Test")),
        (["val/1.png", "test/1.png"], ("test", "val")),
        (["test/monday/1.png", "bus/1.png"], ("bus", "test")),
    ],
)
def test_train_is_a_class_where_pictures_stand_in_it(tmp_path, names, labels):
    """The same holds for test and val, in any case. No picture has a part then."""
    assert found(tmp_path, *names) == (tuple(sorted(labels)), dict.fromkeys(sorted(names), ""))


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["train/a/1.png", "train/b/1.png"], ["train", "train"]),
        (["Training/a/1.png", "VALID/b/1.png"], ["train", "val"]),
        (["test/a/1.png", "val/b/1.png"], ["test", "val"]),
        (["train/a/1.png", "train/b/1.png", "validation/a/2.png"], ["train", "train", "val"]),
    ],
)
def test_they_are_parts_where_class_folders_stand_in_them(tmp_path, names, parts):
    """All names of parts are recognized; so are test and val without train."""
    assert found(tmp_path, *names) == (("a", "b"), dict(zip(names, parts, strict=True)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["train/1.png", "test/1.png"],
            r"'test' and 'train' have no class folders; if these are parts .* if they are classes, re",
        ),
        (["train/1.png"], r"'train' have no class folders; if these are parts of the data, expected .* train/CLASS/picture"),
        (
            ["train/a/1.png", "train/b/1.png", "bus/1.png"],
            r"there is 'bus'; move it out of the data, or, if 'train' is a class",
        ),
        (
            ["one/a/1.png", "one/b/1.png"],
            r"needs at least 2 classes, found 1 \(one\); if the classes are .* in it, give .*/one$",
        ),
        (["a/1.png", "b/"], r"class folder 'b' has no picture; add some or remove the folder$"),
        (["a/1.png", "b/@eaDir/1.png"], r"class folder 'b' has no picture; .*; folders made by a NAS .*: 1 \(.*b/@eaDir\)$"),
    ],
)
def test_where_nobody_can_know_both_readings_are_told(tmp_path, names, message):
    """Parts without classes, a part next to a class, all data in one folder, an empty class: the error says why."""
    for name in names:
        (tmp_path / name).mkdir(parents=True) if name.endswith("/") else plant(tmp_path / name)
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


def test_what_belongs_to_no_class_is_counted(tmp_path):
    """Pictures next to class folders, in a part or at the top, and folders without pictures next to the parts."""
    labels, _ = found(tmp_path, "train/a/1.png", "train/b/1.png", "train/loose.png", "top.png", "test/1.png", "docs/readme.md")
    assert labels == ("a", "b")
    assert scan(tmp_path).notes == (
        "folders without pictures next to train, val and test, ignored: 1 (docs)",
        "pictures next to class folders, left out: 3 (top.png, test/1.png, train/loose.png)",
    )


@pytest.mark.parametrize(
    ("names", "labels", "note"),
    [
        (["1", "01"], ("01", "1"), "'01' and '1'"),
        (["Car", "car"], ("Car", "car"), "'Car' and 'car'"),
        (["stop", "stop "], ("stop", "stop "), "'stop' and 'stop '"),
        (["ﬁre", "fire"], ("fire", "ﬁre"), "'fire' and 'ﬁre'"),
    ],
)
def test_classes_that_look_alike_are_kept_apart_and_told(tmp_path, names, labels, note):
    """Leading zeros, upper and lower case, trailing blanks, ligatures."""
    assert found(tmp_path, *(f"{name}/1.png" for name in names))[0] == labels
    assert scan(tmp_path).notes == (f"classes whose names look alike, kept apart: 1 ({note})",)


def test_two_encodings_of_an_accent_are_one_class(tmp_path):
    """An é may be one character or two, as on Linux and macOS: both folders are one class, with one label on every system."""
    labels, parts = found(tmp_path, "train/cafe\u0301/1.png", "train/bar/1.png", "test/caf\u00e9/2.png")
    assert labels == ("bar", "caf\u00e9")
    assert len(parts) == 3
    assert scan(tmp_path).notes == (
        "class folders whose names differ only in how accents are encoded, read as one class: 1 ('cafe\\u0301')",
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (b"gr\xfcn", r"class folder: the class name 'gr\\\\xfcn' is not UTF-8, .*; rename it, for example with: convmv"),
        (b"a\nb", r"class folder: the class name 'a\\nb' has control characters; a class name is a text on one line"),
        (b"a\x1b[31m", r"has control characters"),
    ],
)
def test_a_name_that_no_model_can_hold_is_refused(tmp_path, name, message):
    """Undecodable bytes, line breaks, escape sequences: the error names the folder in one printable line."""
    plant(tmp_path / "a" / "1.png")
    os.mkdir(os.path.join(os.fsencode(tmp_path), name))  # noqa: PTH102, PTH118 - bytes
    with pytest.raises(DataError, match=message) as caught:
        scan(tmp_path)
    assert str(caught.value).isprintable()


def test_pictures_whose_names_are_not_utf_8_are_read(tmp_path):
    """Only class names are written to models."""
    plant(tmp_path / "a" / "1.png")
    plant(tmp_path / "b" / "1.png")
    os.rename(tmp_path / "b" / "1.png", os.path.join(os.fsencode(tmp_path), b"b/gr\xfcn.png"))  # noqa: PTH104, PTH118
    assert [item.picture().shape for item in scan(tmp_path).items] == [(4, 4, 3), (4, 4, 3)]


def test_the_order_of_classes_does_not_depend_on_the_seed_of_hashes(tmp_path):
    """Class folders and manifests whose names count as the same number."""
    names = ["1", "01", "001", "Car", "car", "2", "02"]
    for name in names:
        plant(tmp_path / "folders" / name / "1.png")
    rows = "".join(f"folders/{name}/1.png,{name.lower().replace('car', '7')}\n" for name in names)
    (tmp_path / "m.csv").write_text("file,class\n" + rows)
    code = f"from edgecls.dataset import scan; print(*(scan({str(tmp_path)!r} + p).labels for p in ('/folders', '/m.csv')))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        for seed in "012"
    ]
    expected = "('001', '01', '1', '02', '2', 'Car', 'car') ('001', '01', '1', '02', '2', '7')\n"
    assert [run.stdout for run in runs] == [expected] * 3, runs[0].stderr
