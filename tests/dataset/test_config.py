"""The settings of labelled pictures."""

from __future__ import annotations

import pytest

from edgecls.dataset import DataConfig
from edgecls.dataset.config import read_labels
from edgecls.errors import ConfigError, DataError


def test_a_labels_file_has_one_label_a_line(tmp_path):
    """Blank lines and blanks around are left out; letters beyond ASCII stay."""
    (tmp_path / "labels.txt").write_text("stop \n\n Überholverbot\n", encoding="utf-8")
    assert read_labels(tmp_path / "labels.txt") == ["stop", "Überholverbot"]


def test_a_labels_file_that_cannot_be_used_is_refused(tmp_path):
    """A missing and an empty file are told apart."""
    with pytest.raises(DataError, match=r"none\.txt: the labels cannot be read"):
        read_labels(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(DataError, match=r"empty\.txt: expected one label a line, the file is empty"):
        read_labels(tmp_path / "empty.txt")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_share_that_empties_a_side_is_refused(fraction):
    """val_fraction lies between 0 and 1."""
    with pytest.raises(ConfigError, match=r"data.val_fraction must be between 0 and 1, not"):
        DataConfig("x", val_fraction=fraction)


def test_scan_uses_the_settings(shapes, tmp_path):
    """Labels from the file rename the classes, and the group is used."""
    (tmp_path / "labels.txt").write_text("w\nx\ny\nz\n")
    found = DataConfig(str(shapes), labels=str(tmp_path / "labels.txt"), group=r"(\w)\w*/").scan()
    assert found.labels == ("w", "x", "y", "z")
    assert found.items[0].group == "d"
