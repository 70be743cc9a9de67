"""Tables in which a picture may have several labels."""

from __future__ import annotations

from collections import Counter

import pytest

from edgecls.dataset import fingerprint, scan, split
from edgecls.errors import DataError
from tests.drawn import plant


def written(folder, header, *rows, name="labels.csv"):
    """Pictures a.png, b.png, ... and a table with these rows about them."""
    lines = [header]
    for i, row in enumerate(rows):
        picture = f"{chr(97 + i)}.png"
        plant(folder / picture, level=i)
        lines.append(f"{picture},{row}" if row is not None else picture)
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def marks(folder):
    """The labels and the marks of each picture."""
    dataset = scan(folder, multi_label=True)
    return dataset.labels, [item.marks for item in dataset.items]


def test_a_column_for_each_label_keeps_names_order_and_what_is_unknown(tmp_path):
    """The names are those of the first line with their case; an empty cell is unknown; other columns are reported."""
    folder = written(tmp_path, "filename,Traffic Light,car,note", "1,0,near", "0,,far", "0.0,1.0,")
    assert marks(folder) == (("Traffic Light", "car"), [(1, 0), (0, -1), (0, 1)])
    assert "columns that are not labels, ignored: 1 (note)" in scan(folder, multi_label=True).notes


@pytest.mark.parametrize("separator", ["|", ";"])
def test_a_column_may_list_the_labels(tmp_path, separator):
    """What is not in the list is not there; an empty list is a picture without labels."""
    folder = written(tmp_path, "image,labels", separator.join(("car", " person")), "car", "")
    assert marks(folder) == (("car", "person"), [(1, 1), (1, 0), (0, 0)])


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "filename,car,person",
            ("1,0", "2,1", "0,1"),
            r"labels\.csv:3: label 'car' is '2', expected 1 \(shown\), 0 \(not shown\)",
        ),
        ("filename,car,person", ("1,0", "-1,1", "0,1"), r"labels\.csv:3: label 'car' is '-1', .*unknown"),
        ("filename,car", ("1", "0"), r"expected at least 2 labels, found 1 \(car\)"),
        ("filename,none,person", ("1,0", "0,1"), "a label cannot be called 'none'"),
        ("filename,note", ("near", "far"), "expected a column of 0 and 1 for each label, .* found filename, note"),
        ("filename,label", ("car", "person"), "found the column 'label' with one label for each picture"),
        ("filename,Car,car", ("1,0", "0,1"), "several columns are called 'car', apart from case and blanks"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(tmp_path, header, rows, message):
    """Each kind of damage gives one line with the file and what was found."""
    with pytest.raises(DataError, match=message) as error:
        scan(written(tmp_path, header, *rows) / "labels.csv", multi_label=True)
    assert "\n" not in str(error.value)


def test_the_other_kind_of_data_is_named(tmp_path):
    """Class folders do not fit several labels, and a table of labels does not fit one."""
    for name in ("car", "person"):
        plant(tmp_path / "classes" / name / "a.png")
    with pytest.raises(DataError, match="class folders give one label for each picture"):
        scan(tmp_path / "classes", multi_label=True)
    folder = written(tmp_path / "table", "filename,car,person", "1,0", "1,1")
    with pytest.raises(DataError, match=r"expected a column with its class .* edgecls train --multi-label"):
        scan(folder / "labels.csv")


def test_a_label_that_is_on_no_picture_or_on_all_cannot_be_learned(tmp_path):
    """The error names the label."""
    folder = written(tmp_path / "never", "filename,car,person", "1,0", "0,0", "1,0", "0,0")
    with pytest.raises(DataError, match="label 'person' is on no training picture"):
        split(scan(folder, multi_label=True))
    folder = written(tmp_path / "always", "filename,car,person", "1,1", "1,0", "1,0", "1,1")
    with pytest.raises(DataError, match="label 'car' is on every training picture"):
        split(scan(folder, multi_label=True))


def test_each_label_is_held_out_in_proportion(tmp_path):
    """Of 200 pictures with three labels, about a fifth with and without each label is held out, rare ones too."""
    rows = [f"{int(i % 2 == 0)},{int(i % 5 == 0)},{int(i % 20 == 0)}" for i in range(200)]
    lines = ["filename,half,fifth,rare"]
    for i, row in enumerate(rows):
        plant(tmp_path / f"{i}.png", level=i)
        lines.append(f"{i}.png,{row}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    sides = split(scan(tmp_path, multi_label=True), fraction=0.2)
    counts = [Counter(stratum for item in items for stratum in item.strata) for items in (sides.train, sides.val)]
    for stratum in range(6):
        share = counts[1][stratum] / (counts[0][stratum] + counts[1][stratum])
        assert 0.14 <= share <= 0.3, (stratum, share)


def test_two_rows_with_different_labels_are_named(tmp_path):
    """A picture in two rows with different marks is a conflict."""
    folder = written(tmp_path, "filename,car,person", "1,0", "0,1")
    with (folder / "labels.csv").open("a") as file:
        file.write("a.png,1,1\nc.png,0,0\n")
    plant(folder / "c.png", level=3)
    sides = split(scan(folder, multi_label=True), fraction=0.4)
    assert any(line.startswith("pictures that have rows with different labels: 1 (a.png as ") for line in sides.warnings)


def test_the_fingerprint_depends_on_the_marks(tmp_path):
    """One changed mark changes it, the order of the rows does not."""
    one = fingerprint(scan(written(tmp_path / "1", "filename,car,person", "1,0", "0,1"), multi_label=True))
    two = fingerprint(scan(written(tmp_path / "2", "filename,car,person", "1,0", "0,"), multi_label=True))
    assert one != two
