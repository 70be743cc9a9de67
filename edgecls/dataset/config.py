"""The settings of a dataset: where it is, how it is read and how it is split. Training and export must agree on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.dataset.class_names import class_name
from edgecls.dataset.scan import scan
from edgecls.dataset.split import Split, split
from edgecls.errors import DataError
from edgecls.files.text_file import read_text
from edgecls.settings import check_limits, limited

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.dataset.items import Dataset


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The settings of a dataset.

    Attributes:
        path: A folder, a CSV manifest or an npz file.
        labels: A text file with one label per line that renames the classes; "" keeps the names.
        group: A regular expression that groups pictures; "" tries the usual rules.
        roi: Whether to crop pictures to the region of interest in the manifest.
        strict: Stop at the first broken picture, and at a picture that is in two parts.
        val_fraction: The share of the pictures to hold out, between 0 and 1.
        seed: Chooses the held-out pictures.
        multi_label: Whether a picture may have several labels, or none. Takes a manifest, see `dataset.several_labels`.
    """

    path: str
    labels: str = ""
    group: str = ""
    roi: bool = False
    strict: bool = False
    val_fraction: float = limited(0.15, above=0, below=1)
    seed: int = 0
    multi_label: bool = False

    def __post_init__(self) -> None:
        """Validate the range. Raises ConfigError."""
        check_limits(self)

    def scan(self, *, fewest_classes: int = 2) -> Dataset:
        """List the pictures, see `dataset.scan`. Raises DataError."""
        labels = read_labels(self.labels) if self.labels else None
        return scan(
            self.path,
            labels=labels,
            group=self.group or None,
            roi=self.roi,
            multi_label=self.multi_label,
            fewest_classes=fewest_classes,
        )

    def split(self, dataset: Dataset) -> Split:
        """Split the pictures, see `dataset.split`. Raises DataError."""
        return split(dataset, fraction=self.val_fraction, seed=self.seed, strict=self.strict)


def read_labels(path: str | Path) -> list[str]:
    """Read a text file with one label per line, in the order of the classes. Raises DataError."""
    lines = enumerate(read_text(path, error=DataError).split("\n"), 1)
    labels = [class_name(line.strip(), f"{path}:{number}") for number, line in lines if line.strip()]
    if not labels:
        raise DataError(f"{path}: expected one label per line, found an empty file")
    return labels
