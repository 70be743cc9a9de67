"""Class folders, and a CSV table with everything that is known about the pictures of a store."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from edgecls.dataset.csv_table import read_table
from edgecls.errors import DataError, SinkError
from edgecls.files import whole_file
from edgecls.text.csv_cells import csv_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edgecls.store import Entry

TABLE = "labels.csv"
COLUMNS = (
    *("file", "label", "camera", "region", "at_s", "time_s", "recording", "event", "track", "reason", "model", "prediction"),
    *("score", "author", "labelled_at_s", "left", "top", "right", "bottom", "width", "height"),
)
"""`edgecls train FOLDER` reads such a table: it needs the first two. With `--roi` it takes only what a model sees of each
picture, from left to bottom, in pixels of a picture of this width and height.
"""


def write_folders(entries: Sequence[Entry], out: Path) -> None:
    """Copy labelled pictures to OUT/LABEL/. Raises OSError."""
    for entry in entries:
        folder = out / folder_name(entry.label)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(entry.path, folder / file_name(entry))


def write_table(entries: Sequence[Entry], out: Path) -> None:
    """Copy labelled pictures to OUT/pictures/, and write OUT/labels.csv with a row for each. Raises OSError."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    lines = [csv_line(COLUMNS)]
    for entry in entries:
        name = f"pictures/{file_name(entry)}"
        shutil.copyfile(entry.path, out / name)
        origin, (height, width) = entry.origin, entry.size_hw
        lines.append(
            csv_line(
                (
                    *(name, entry.label, origin.camera, origin.region, origin.at_s, origin.time_s, origin.file, origin.event),
                    *(origin.track, origin.reason, origin.model, origin.prediction, origin.score, entry.author),
                    *(entry.labelled_at_s, *(origin.box or (0, 0, width, height)), width, height),
                )
            )
        )
    with whole_file(out / TABLE) as beside:
        beside.write_bytes(b"".join(lines))


def file_name(entry: Entry) -> str:
    """Return the name of a picture outside of the store: unique, and with its number."""
    return f"{entry.id:06d}-{entry.path.name}"


def has_boxes(data: Path) -> bool:
    """Whether data is a table that `write_table` has written, which says what a model sees of each picture."""
    path = data / TABLE if data.is_dir() else data
    try:
        return path.name == TABLE and path.is_file() and set(COLUMNS) <= set(read_table(path).columns)
    except DataError:  # reading the data says what is wrong
        return False


def folder_name(label: str) -> str:
    """Return the folder of a label. Raises SinkError if no folder can have its name."""
    if re.search(r'[/\\\0:*?"<>|]', label) or label.strip(". ") != label:
        raise SinkError(f"label {label!r} cannot be the name of a folder; export as csv, or rename the label")
    return label
