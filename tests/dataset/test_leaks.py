"""Tests of pictures that are in two parts of data with its own parts."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig, scan, split
from edgecls.errors import DataError
from tests.drawn import plant


def parts(root, train=20, val=6, test=0):
    """Return a folder with the classes `a` and `b` in train/, val/ and test/, all of whose pictures differ."""
    level = 0
    for part, count in (("train", train), ("val", val), ("test", test)):
        for i in range(count):
            plant(root / part / "ab"[i % 2] / f"{part}{i}.png", level=level)
            level += 1
    return root


def copy(root, source, target):
    """Copy a picture to another path."""
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    (root / target).write_bytes((root / source).read_bytes())


def test_parts_that_share_nothing_stay_as_they_are(tmp_path):
    """There are no warnings, and all pictures are kept as the data says."""
    sides = split(scan(parts(tmp_path, test=4)))
    assert (len(sides.train), len(sides.val), sides.warnings) == (20, 6, ())
    assert sides.rule == "as the data says: 20 train, 6 val"


def test_a_picture_of_training_that_is_in_val_too_is_left_out_and_named(tmp_path):
    """The warning names both files, val is unchanged, and the rule for the card counts the picture."""
    parts(tmp_path)
    copy(tmp_path, "val/a/val0.png", "train/b/twin.png")
    sides = split(scan(tmp_path))
    assert len(sides.val) == 6
    assert "train/b/twin.png" not in {item.name for item in sides.train}
    said = "train/b/twin.png has the bytes of val/a/val0.png"
    assert sides.warnings == (f"1 of 21 pictures of train are also in a later part: {said}; left out of train",)
    assert sides.rule == "as the data says: 20 train, 6 val (1 left out)"


def test_what_is_in_test_is_left_out_of_training_and_of_val(tmp_path):
    """Test is unchanged. If val is chosen at random, it has no picture of test either."""
    parts(tmp_path, train=20, val=20, test=20)
    copy(tmp_path, "test/a/test0.png", "train/a/x.png")
    copy(tmp_path, "test/a/test2.png", "val/a/y.png")
    sides = split(scan(tmp_path))
    assert not {"train/a/x.png", "val/a/y.png"} & {item.name for item in sides.train + sides.val}
    assert [line.split(" are also in")[0] for line in sides.warnings] == [
        "1 of 21 pictures of val",
        "1 of 21 pictures of train",
    ]
    drawn = split(scan(without(tmp_path, "val")))
    assert "train/a/x.png" not in {item.name for item in drawn.train + drawn.val}


def without(root, part):
    """The data has no val part."""
    (root / part).rename(root.parent / f"{root.name}-{part}")
    return root


def test_strict_refuses_a_single_one(tmp_path):
    """`DataConfig.strict` applies; the error names both files."""
    parts(tmp_path)
    copy(tmp_path, "val/a/val0.png", "train/b/twin.png")
    config = DataConfig(str(tmp_path), strict=True)
    with pytest.raises(
        DataError, match=r"train/b/twin\.png has the bytes of val/a/val0\.png; a score on them would be too high"
    ):
        config.split(config.scan())


def test_parts_that_share_much_are_refused(tmp_path):
    """More than a tenth of the training pictures leak. The error names at most five, and says what to do."""
    parts(tmp_path)
    for i in range(6):
        copy(tmp_path, f"val/{'ab'[i % 2]}/val{i}.png", f"train/a/twin{i}.png")
    with pytest.raises(
        DataError, match=r"6 of 26 pictures of train are also in a later part: .*; and 1 more; .*give it without parts"
    ):
        split(scan(tmp_path))


def test_a_track_on_both_sides_is_found_by_its_name(tmp_path):
    """Frames of one GTSRB track in train/ and val/ have different bytes and the same group."""
    for part, tracks in (("train", (0, 1, 2, 3)), ("val", (3, 4))):
        for c in "ab":
            for track in tracks:
                plant(
                    tmp_path / part / c / f"{track:05}_{0 if part == 'train' else 1:05}.ppm", level=10 * track + (part == "val")
                )
    with pytest.raises(
        DataError, match=r"2 of 8 pictures of train .*: train/a/00003_00000\.ppm has the group of val/a/00003_00001"
    ):
        split(scan(tmp_path))


def test_a_group_that_is_given_finds_a_camera_on_both_sides(tmp_path):
    """Only the captured text counts."""
    parts(tmp_path)
    plant(tmp_path / "train" / "a" / "cam1-0.png", level=200)
    plant(tmp_path / "val" / "a" / "cam1-1.png", level=201)
    sides = split(scan(tmp_path, group=r"(cam\d|[^/]*)[^/]*$"))
    said = "train/a/cam1-0.png has the group of val/a/cam1-1.png"
    assert sides.warnings == (f"1 of 21 pictures of train are also in a later part: {said}; left out of train",)


def test_equal_names_in_two_parts_are_no_leak(tmp_path):
    """train/a/0.png and val/a/0.png are two pictures if their bytes differ."""
    for level, part in ((10, "train"), (30, "val")):
        for c in "ab":
            for i in range(12):
                plant(tmp_path / part / c / f"{i}.png", level=level + i + 100 * (c == "b"))
    assert split(scan(tmp_path)).warnings == ()


def test_a_class_missing_in_val_is_named(tmp_path):
    """Such a class is trained but not validated, and a warning names it."""
    parts(tmp_path)
    for i in range(12):
        plant(tmp_path / "train" / "c" / f"{i}.png", level=150 + i)
    sides = split(scan(tmp_path))
    assert sides.unvalidated == ("c",)
    assert sides.warnings == ("1 class(es) have no picture in val and are not validated: c",)


def test_a_class_missing_in_train_is_refused(tmp_path):
    """A class without training pictures is an error."""
    plant(parts(tmp_path) / "val" / "c" / "0.png", level=150)
    with pytest.raises(DataError, match=r"class 'c' has no picture in train; 1 such class\(es\): add pictures or remove them"):
        split(scan(tmp_path))


def test_a_class_with_few_pictures_is_warned_of(tmp_path):
    """A class with fewer than ten training pictures gets a warning with their number."""
    for i in range(30):
        plant(tmp_path / ("a" if i < 26 else "b") / f"{i}.png", level=i)
    assert split(scan(tmp_path), fraction=0.2).warnings == (
        "1 class(es) have fewer than 10 training pictures: b (3); add some",
    )
