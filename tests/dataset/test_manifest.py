"""Tests of CSV manifests."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import decode, scan
from edgecls.errors import DataError
from edgecls.input_spec import InputSpec
from tests.drawn import plant, write_gtsrb


def test_the_official_layout_of_gtsrb(tmp_path):
    """One `;` CSV per class folder: the classes are its numbers, the groups its tracks."""
    found = scan(write_gtsrb(tmp_path))
    assert found.labels == ("0", "1")
    assert len(found.items) == 24
    assert {item.group for item in found.items} == {f"0000{c}/0000{t}" for c in range(2) for t in range(3)}
    assert found.group_rule.startswith("GTSRB track")


def test_roi_cuts_the_region_out(tmp_path):
    """With `roi`, the picture is only the white square; without it, there is a black border."""
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
    """The error names it, its region and the size of the picture; the others are kept."""
    for name in ("a.png", "b.png"):
        plant(tmp_path / name, size_hw=(20, 20))
    (tmp_path / "m.csv").write_text("file,label,x1,y1,x2,y2\na.png,a,50,50,60,60\nb.png,b,0,0,4,4\n")
    found = decode(scan(tmp_path, roi=True).items, InputSpec(4, 4))
    assert len(found.batch) == 1
    assert found.broken == ("a.png: its region of interest (50.0, 50.0, 60.0, 60.0) lies outside the picture of 20x20",)


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
@pytest.mark.parametrize("header", ["Filename,ClassId", "path,CLASS", "image,label", " file , class_id "])
def test_delimiters_and_names_of_columns(tmp_path, delimiter, header):
    """Semicolon, comma and tab; the usual names in any case; a byte-order mark."""
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
    """An unknown word does not drop its pictures silently: the error names the line, the word and the known words."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name)
    (tmp_path / "m.csv").write_text("path,label,split\nx.png,a,train\ny.png,b,holdout\n")
    with pytest.raises(DataError, match=r"m\.csv:3: split 'holdout' is not known; expected train, .*val, .*test"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"m\.csv: expected a column with the picture's file \(filename or file or path or image\), found none"),
        ("a,b\n1,2\n", r"m\.csv: expected a column with the picture's file .*, found a, b"),
        ("file,b\n1,2\n", r"m\.csv: expected a column with its class \(classid or class_id or class or label\), found file, b"),
        ("file,label\n", r"m\.csv: the manifest has no rows"),
        ("file,label\nx.png,a\nx.png\n", r"m\.csv:3: no value for classid or class_id or class or label"),
        ("file,label\nx.png,a\n,b\n", r"m\.csv:3: no value for filename or file or path or image"),
        ("file,label\nx.png,a\ngone.png,b\n", r"m\.csv:3: the picture .*gone\.png does not exist"),
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
        ("file,label\nx.png,a\n", r"`roi` expects columns roi\.x1 .* or left top right bottom, found file, label"),
        ("file,label,x1,y1,x2,y2\nx.png,a,1,2,3,four\n", r"m\.csv:2: the region of interest is not .* numbers \(.*four"),
    ],
)  # fmt: skip
def test_a_manifest_without_regions_has_no_roi(tmp_path, text, message):
    """`roi` with a manifest without the columns, or with words in them, is refused."""
    plant(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        scan(tmp_path, roi=True)


def test_a_csv_that_is_not_text_is_refused(tmp_path):
    """Bytes that are not UTF-8 raise DataError with the name of the file."""
    (tmp_path / "m.csv").write_bytes(np.arange(256, dtype=np.uint8).tobytes())
    with pytest.raises(DataError, match=r"m\.csv:2: expected text in UTF-8, found the byte 0x80"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        ("x1,y1,x2,y2", "nan,0,4,4", r"numbers \(x1 is 'nan'\)"),
        ("x1,y1,x2,y2", "0,0,inf,4", r"numbers \(x2 is 'inf'\)"),
        ("x1,y1,x2,y2", "0,0,4,-1e999", r"numbers \(y2 is '-1e999'\)"),
        ("x1,y1,x2,y2", "0,0,4,1e300", r"numbers \(y2 is '1e300'\)"),
        ("x1,y1,x2,y2,width,height", "0,0,4,4,0,4", r"numbers \(width is '0'\)"),
        ("x1,y1,x2,y2,width,height", "0,0,4,4,4,nan", r"numbers \(height is 'nan'\)"),
        ("x1,y1,x2,y2", "0,,4,4", r"numbers \(y1 is ''\)"),
    ],
)
def test_a_region_of_no_numbers_is_refused_with_its_line(tmp_path, columns, row, message):
    """NaN, infinity, numbers larger than any picture, a picture of width 0."""
    plant(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text(f"file,label,{columns}\nx.png,a,{row}\n")
    with pytest.raises(DataError, match=rf"m\.csv:2: the region of interest is not made of {message}"):
        scan(tmp_path, roi=True)


@pytest.mark.parametrize("region", ["4,0,0,4", "0,4,4,4", "3,3,3,3"])
def test_a_region_without_a_pixel_is_a_broken_picture(tmp_path, region):
    """Corners in the wrong order, or equal."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name, size_hw=(8, 8))
    (tmp_path / "m.csv").write_text(f"file,label,x1,y1,x2,y2\nx.png,a,{region}\ny.png,b,0,0,4,4\n")
    found = decode(scan(tmp_path, roi=True).items, InputSpec(4, 4))
    assert found.broken == (f"x.png: its region of interest {tuple(map(float, region.split(',')))} has no width or no height",)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("nan", "the class is 'nan', which most programs write for a missing value"),
        ("NaN", "the class is 'NaN', which most programs write for a missing value"),
        ('"two\nlines"', r"the class name 'two\\nlines' has control characters"),
        ("\x07", r"the class name '\\x07' has control characters"),
    ],
)
def test_a_class_that_is_none_is_refused_with_its_line(tmp_path, label, message):
    """What pandas writes for a missing value, line breaks, and control characters."""
    plant(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text(f"file,label\nx.png,a\nx.png,{label}\n")
    with pytest.raises(DataError, match=rf"m\.csv:\d: {message}"):
        scan(tmp_path / "m.csv")


def kaggle_gtsrb(root, *, upper=False, slash="/"):
    """Return GTSRB as on Kaggle: three manifests at the top, tracks of .png in Train, one sign per class in Meta."""
    header = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"
    rows = {"Train": [header], "Test": [header], "Meta": ["Path,ClassId,ShapeId,ColorId,SignId"]}
    for c in (0, 2, 10):
        pictures = {
            "Train": [f"Train/{c}/{c:05}_{t:05}_{f:05}.png" for t in range(3) for f in range(4)],
            "Test": [f"Test/{c + i:05}.png" for i in range(2)],
            "Meta": [f"Meta/{c}.png"],
        }
        for part, names in pictures.items():
            for i, name in enumerate(names):
                plant(root / name, level=c + 20 * i, size_hw=(8, 8))
                path = name.replace("/", slash)
                rows[part].append(f"{path},{c},0,0,0" if part == "Meta" else f"8,8,1,1,7,7,{c},{path}")
    for part, lines in rows.items():
        (root / f"{part}.csv").write_text(
            "\n".join(line.upper() if upper and line is lines[0] else line for line in lines) + "\n"
        )
    return root


@pytest.mark.parametrize("changes", [{}, {"slash": "\\"}, {"upper": True}], ids=["as it is", "backslashes", "upper case"])
def test_kaggles_gtsrb(tmp_path, changes):
    """Train.csv and Test.csv name their parts, Meta.csv describes classes, and tracks of .png stay together."""
    data = scan(kaggle_gtsrb(tmp_path, **changes), roi=True)
    assert data.labels == ("0", "2", "10")
    assert {part: len(data.of_split(part)) for part in ("train", "test", "")} == {"train": 36, "test": 6, "": 0}
    assert data.group_rule.startswith("GTSRB track")
    assert len({item.group for item in data.of_split("train")}) == 9
    assert data.notes == (
        "CSV files that are not a manifest of these pictures, ignored: 1 (Meta.csv)",
        "pictures that are not in a manifest, left out: 3 (Meta/0.png, Meta/2.png, Meta/10.png)",
    )
    assert data.items[0].picture().shape == (6, 6, 3)


@pytest.mark.parametrize("removed", [["Meta"], ["Test", "Meta"], ["Test"]])
def test_kaggles_gtsrb_in_part(tmp_path, removed):
    """The training pictures are those of Train.csv, even if other files are missing."""
    kaggle_gtsrb(tmp_path)
    for name in removed:
        (tmp_path / f"{name}.csv").unlink()
    train = scan(tmp_path).of_split("train")
    assert len(train) == 36
    assert all(item.name.startswith("Train/") for item in train)


def test_the_class_folders_of_kaggles_gtsrb(tmp_path):
    """Classes are sorted by number, and tracks stay together."""
    data = scan(kaggle_gtsrb(tmp_path) / "Train")
    assert data.labels == ("0", "2", "10")
    assert len({item.group for item in data.items}) == 9


@pytest.mark.parametrize(
    ("manifests", "parts"),
    [
        (["train.csv", "val.csv", "test.csv"], ["train", "val", "test"]),
        (["train_labels.csv", "Test_Labels.csv"], ["train", "test"]),
        (["train/labels.csv", "valid/labels.csv", "test/labels.csv"], ["train", "val", "test"]),
        (["Training.csv"], ["train"]),
        (["GT-final_test.csv"], [""]),
        (["labels.csv"], [""]),
    ],
)
def test_a_manifest_says_its_part_by_its_name_or_its_folders(tmp_path, manifests, parts):
    """If there is only one manifest, a word within its name does not count."""
    for i, (name, _) in enumerate(zip(manifests, parts, strict=True)):
        for k in "ab":
            plant((tmp_path / name).parent / f"{i}{k}.png")
        (tmp_path / name).write_text(f"file,class\n{i}a.png,a\n{i}b.png,b\n")
    found = {item.name.split("/")[-1]: item.split for item in scan(tmp_path).items}
    assert found == {f"{i}{k}.png": part for i, part in enumerate(parts) for k in "ab"}


def test_kaggles_columns_of_other_data(tmp_path):
    """`filepaths`, `labels` and `data set` are recognized. A possible split column with other words is ignored."""
    for name in ("x.png", "y.png"):
        plant(tmp_path / name)
    (tmp_path / "m.csv").write_text("filepaths,labels,data set\nx.png,a,train\ny.png,b,valid\n")
    assert [item.split for item in scan(tmp_path).items] == ["train", "val"]
    (tmp_path / "m.csv").write_text("filepaths,labels,data set\nx.png,a,train\ny.png,b,kitti\n")
    assert [item.split for item in scan(tmp_path).items] == ["", ""]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a/history.csv", "epoch,loss\n1,0.2\n"),
        ("results.csv", "epoch,loss\n1,0.2\n"),
        ("_classes.csv", "filename, a, b\n1.png, 1, 0\n"),
        ("a/metadata.csv", "file,label,age\n1.png,a,7\n"),
        ("latin1.csv", "größe\n".encode("latin-1")),
        ("empty.csv", ""),
        ("null.csv", b"\0\0"),
        ("no-header.csv", "a/1.png,a\nb/1.png,b\n"),
        ("Meta.csv", "path,classid\na/1.png,a\nb/1.png,b\n"),
    ],
)
def test_a_stray_csv_beside_class_folders_is_passed_over_and_named(tmp_path, name, text):
    """A training log, Roboflow's one-hot table, metadata of some pictures, a binary file, no header, a table of classes."""
    for picture in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        plant(tmp_path / picture)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    data = scan(tmp_path)
    assert (data.labels, len(data.items)) == (("a", "b"), 4)
    assert data.notes == (f"CSV files that are not a manifest of these pictures, ignored: 1 ({name})",)


def test_a_stray_csv_beside_manifests_is_passed_over_and_named(tmp_path):
    """The official layout of GTSRB with an additional CSV file, and with a resource fork of macOS."""
    write_gtsrb(tmp_path)
    (tmp_path / "notes.csv").write_text("epoch,loss\n")
    (tmp_path / "00000" / "._GT-00000.csv").write_bytes(b"\0\5\x16\7")
    data = scan(tmp_path)
    assert len(data.items) == 24
    assert data.notes == ("CSV files that are not a manifest of these pictures, ignored: 1 (notes.csv)",)


def test_without_class_folders_the_reason_is_told(tmp_path):
    """A table without the columns next to loose pictures."""
    plant(tmp_path / "1.png")
    (tmp_path / "m.csv").write_text("1.png,a\n")
    message = (
        r"expected a column with the picture's file .*, found 1\.png, a; its first line names the columns; there are no class"
    )
    with pytest.raises(DataError, match=message):
        scan(tmp_path)
