"""Which labelled pictures, how they are read and parted: the settings that training and export must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.dataset.scan import scan
from edgecls.dataset.split import Split, split
from edgecls.errors import DataError
from edgecls.settings import check

if TYPE_CHECKING:
    from edgecls.dataset.items import Dataset


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Labelled pictures by their settings.

    `path` is a folder, manifest or npz file; `labels` a text file with one label a line that renames the classes;
    `group` a regular expression, "" for the usual ones; `roi` cuts the regions of interest of a manifest; `strict` stops
    at the first broken picture, and at one that stands in two parts; `val_fraction` of the pictures is held out, drawn with
    `seed`.
    """

    path: str
    labels: str = ""
    group: str = ""
    roi: bool = False
    strict: bool = False
    val_fraction: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a share that leaves one side empty."""
        check("data.val_fraction", self.val_fraction, 0 < self.val_fraction < 1, "between 0 and 1")

    def scan(self) -> Dataset:
        """List the pictures. Raises DataError as `dataset.scan`."""
        labels = read_labels(self.labels) if self.labels else None
        return scan(self.path, labels=labels, group=self.group or None, roi=self.roi)

    def split(self, dataset: Dataset) -> Split:
        """Hold pictures out. Raises DataError as `dataset.split`."""
        return split(dataset, fraction=self.val_fraction, seed=self.seed, strict=self.strict)


def read_labels(path: str | Path) -> list[str]:
    """Read a text file with one label a line, in the order of the classes. Raises DataError."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the labels cannot be read ({error})") from error
    labels = [line.strip() for line in lines if line.strip()]
    if not labels:
        raise DataError(f"{path}: expected one label a line, the file is empty")
    return labels
