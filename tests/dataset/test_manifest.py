"""CSV manifests."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.card import InputSpec
from edgecls.dataset import decode, scan
from edgecls.errors import DataError
from tests.drawn import plant, write_gtsrb


def test_the_official_layout_of_gtsrb(tmp_path):
    """One `;` CSV per class folder: the classes are its numbers, the groups its tracks."""
    found = scan(write_gtsrb(tmp_path))
    assert found.labels == ("0", "1")
    assert len(found.items) == 24
    assert {item.group for item in found.items} == {f"0000{c}/0000{t}" for c in range(2) for t in range(3)}
    assert found.group_rule.startswith("GTSRB track")


def test_roi_cuts_the_region_out(tmp_path):
    """With roi a picture is the white square alone, without it the border is black."""
    write_gtsrb(tmp_path)
    cut, whole = (scan(tmp_path, roi=roi).items[0].picture() for roi in (True, False))
    assert cut.shape == (10, 10, 3)
    assert cut.min() == 255
    assert whole.shape == (20, 20, 3)


def test_a_roi_is_scaled_to_the_picture_at_hand(tmp_path):
    """A region measured in 40x20 halves its columns in a copy of 20x20."""
    picture = plant(tmp_path / "p" / "a.png", size_hw=(20, 20))
    plant(tmp_path / "p" / "b.png", size_hw=(20, 20))
    (tmp_path / "m.csv").write_text("file,label,x1,y1,x2,y2,width,height\np/a.png,a,10,5,30,15,40,20\np/b.png,b,0,0,4,4,,\n")
    items = scan(tmp_path / "m.csv", roi=True).items
    assert picture.exists()
    assert items[0].picture().shape == (10, 10, 3)
    assert items[1].picture().shape == (4, 4, 3)


def test_a_roi_outside_of_the_picture_is_a_broken_picture(tmp_path):
    """It is named with its region and the size of the picture, and the others are kept."""
    for name in ("a.png", "b.png"):
        plant(tmp_path / name, size_hw=(20, 20))
    (tmp_path / "m.csv").write_text("file,label,x1,y1,x2,y2\na.png,a,50,50,60,60\nb.png,b,0,0,4,4\n")
    found = decode(scan(tmp_path, roi=True).items, InputSpec(4, 4))
    assert len(found.batch) == 1
    assert found.broken == ("a.png: its region of interest (50.0, 50.0, 60.0, 60.0) lies outside the picture of 20x20",)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("header", ["Filename,ClassId", "path,CLASS", "image,label", " file , class_id "])
def test_delimiters_and_names_of_columns(tmp_path, delimiter, header):
    """Semicolon, comma and tab; the usual names in any case; a byte-order mark does no harm."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name)
    text = f"{header}\nx.png,10\ny.png,9\n".replace(",", delimiter)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8-sig")
    found = scan(tmp_path)
    assert found.labels == ("9", "10")
    assert [(item.name, item.class_id) for item in found.items] == [("x.png", 1), ("y.png", 0)]


def test_the_test_set_csv_beside_its_pictures(tmp_path):
    """GTSRB's GT-final_test.csv lies in the folder of the pictures; data/Test and data/Test/x.csv mean the same."""
    for i in range(4):
        plant(tmp_path / f"{i:05}.ppm", level=i)
    rows = "".join(f"{i:05}.ppm;4;4;0;0;3;3;{i % 2}\n" for i in range(4))
    csv = tmp_path / "GT-final_test.csv"
    csv.write_text("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n" + rows)
    for path in (tmp_path, csv):
        found = scan(path)
        assert found.labels == ("0", "1")
        assert [item.name for item in found.items] == [f"{i:05}.ppm" for i in range(4)]


def test_a_split_column_parts_the_data(tmp_path):
    """Usage Train, Val and Test are parts, whatever their case."""
    for i in range(6):
        plant(tmp_path / f"{i}.png", level=i)
    rows = "".join(
        f"{i}.png,{'ab'[i % 2]},{usage}\n" for i, usage in enumerate(["Train", "train", "VAL", "val", "Test", "test"])
    )
    (tmp_path / "m.csv").write_text("path,label,Usage\n" + rows)
    assert [item.split for item in scan(tmp_path).items] == ["train", "train", "val", "val", "test", "test"]


@pytest.mark.parametrize(
    ("word", "part"), [("validation", "val"), ("valid", "val"), ("Training", "train"), ("TESTING", "test")]
)
def test_a_part_is_known_by_its_usual_names(tmp_path, word, part):
    """Validation is val, training is train, testing is test, whatever the case."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name)
    (tmp_path / "m.csv").write_text(f"path,label,split\nx.png,a,{word}\ny.png,b,{word}\n")
    assert {item.split for item in scan(tmp_path).items} == {part}


def test_an_unknown_part_is_refused(tmp_path):
    """A word that names no part never drops its pictures silently: the error has the line, the word and the known ones."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name)
    (tmp_path / "m.csv").write_text("path,label,split\nx.png,a,train\ny.png,b,holdout\n")
    with pytest.raises(DataError, match=r"m\.csv, line 3: split 'holdout' is not known; expected train, .*val, .*test"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"m\.csv: expected a column with the picture's file \(filename or file or path or image\), found none"),
        ("a,b\n1,2\n", r"m\.csv: expected a column with the picture's file .*, found a, b"),
        ("file,b\n1,2\n", r"m\.csv: expected a column with its class \(classid or class_id or class or label\), found file, b"),
        ("file,label\n", r"m\.csv: the manifest has no row"),
        ("file,label\nx.png,a\nx.png\n", r"m\.csv, line 3: no value for classid or class_id or class or label"),
        ("file,label\nx.png,a\n,b\n", r"m\.csv, line 3: no value for filename or file or path or image"),
        ("file,label\nx.png,a\ngone.png,b\n", r"m\.csv, line 3: the picture .*gone\.png does not exist"),
        ("file,label\nx.png,a\nx.png,a\n", r"a classifier needs at least 2 classes, found 1 \(a\)"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_used_is_refused(tmp_path, text, message):
    """The error names the file, the line, what was expected and what was found."""
    plant(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\nx.png,a\n", r"--roi expects columns roi\.x1 .* or left top right bottom, found file, label"),
        ("file,label,x1,y1,x2,y2\nx.png,a,1,2,3,four\n", r"m\.csv, line 2: the region of interest is not .* numbers \(.*four"),
    ],
)  # fmt: skip
def test_a_manifest_without_regions_has_no_roi(tmp_path, text, message):
    """--roi on a manifest without the columns, or with words in them, is refused."""
    plant(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        scan(tmp_path, roi=True)


def test_a_csv_that_is_not_text_is_refused(tmp_path):
    """Bytes that are no UTF-8 are one DataError with the file's name."""
    (tmp_path / "m.csv").write_bytes(np.arange(256, dtype=np.uint8).tobytes())
    with pytest.raises(DataError, match=r"m\.csv: cannot be read as text"):
        scan(tmp_path)
