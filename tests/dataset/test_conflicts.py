"""Tests of pictures that are in two classes."""

from __future__ import annotations

import pytest

from edgecls.dataset import in_two_classes, scan, split
from edgecls.errors import DataError
from tests.drawn import plant


def classes(root, **levels):
    """Class folders with a plain picture for each gray level."""
    for name, values in levels.items():
        for i, level in enumerate(values):
            plant(root / name / f"{i}.png", level=level)
    return scan(root)


def test_equal_pictures_in_two_classes_are_named_and_counted(tmp_path):
    """Equal bytes count, whatever the names. Equal pictures of one class are not reported."""
    data = classes(tmp_path, a=[1, 2, 3, 4, 9], b=[5, 2, 6, 7, 1], c=[8, 8, 10, 11, 1])
    line = "pictures that are in more than one class: 2 (a/0.png as 'a' and b/4.png as 'b', a/1.png as 'a' and b/1.png as 'b')"
    assert line in split(data).warnings
    with pytest.raises(DataError, match=r"pictures that are in more than one class: 2 .*; keep each in one class"):
        split(data, strict=True)


def test_a_linked_class_folder_is_found(tmp_path):
    """Two names for one folder give two classes with the same pictures."""
    classes(tmp_path, a=[1, 2, 3], b=[4, 5, 6])
    (tmp_path / "c").symlink_to("a")
    assert any("are in more than one class: 3 (a/0.png as 'a' and c/0.png as 'c'" in w for w in split(scan(tmp_path)).warnings)


def test_a_path_that_a_manifest_names_in_two_classes_is_found(tmp_path):
    """Paths are compared without reading the files; different regions of a picture are different pictures."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name, level=ord(name[0]), size_hw=(8, 8))
    (tmp_path / "m.csv").write_text("file,class,x1,y1,x2,y2\nx.png,a,0,0,4,4\ny.png,b,0,0,4,4\nx.png,b,4,4,8,8\n")
    whole, regions = (scan(tmp_path / "m.csv", roi=roi) for roi in (False, True))
    assert in_two_classes(whole, {item: item.file for item in whole.items}) == (
        "pictures that are in more than one class: 1 (x.png as 'a' and x.png as 'b')"
    )
    assert in_two_classes(regions, {item: item.file for item in regions.items}) == ""
