"""Rows of the table of pictures: from an origin, and back to an entry."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.store.entry import Entry, Origin
from edgecls.store.schema import PICTURES
from edgecls.text.strict_json import in_utf8

if TYPE_CHECKING:
    import sqlite3

HASHES = 1 << 64
"""Hashes have 64 bits. SQLite's integers are signed."""
COLUMNS = {
    **{name: name for name in ("camera", "region", "at_s", "time_s", "event", "track", "reason", "model", "prediction")},
    **{name: name for name in ("score", "embedding", "embedded_by", "hash", "box")},
    "file": "recording",
}
"""The column of each field of an origin."""


def columns_of(origin: Origin) -> dict[str, Any]:
    """Return the columns of an origin by name, as SQLite holds them."""
    return {column: stored(getattr(origin, field)) for field, column in COLUMNS.items()}


def entry_of(row: sqlite3.Row, folder: Path) -> Entry:
    """Return the entry of a row of a store."""
    fields = {field: row[column] for field, column in COLUMNS.items()}
    if fields["embedding"] is not None:
        fields["embedding"] = np.frombuffer(fields["embedding"], np.float16).astype(np.float32)
    if fields["box"] is not None:
        fields["box"] = tuple(map(int, fields["box"].split()))
    if fields["hash"] is not None:
        fields["hash"] %= HASHES
    return Entry(
        id=row["id"],
        path=folder / row["file"],
        bytes=row["bytes"],
        size_hw=(row["height"], row["width"]),
        origin=Origin(**fields),
        label=row["label"],
        is_unusable=bool(row["unusable"]),
        author=row["author"],
        labelled_at_s=row["labelled_at_s"],
    )


def file_for(origin: Origin, now_s: float, ending: str) -> Path:
    """Return a new name for a picture in the folder of a store: its day, its camera and its time, and what no other one has."""
    day = datetime.fromtimestamp(max(0.0, now_s if origin.at_s is None else origin.at_s), UTC)
    camera = re.sub(r"[^\w.-]", "_", origin.camera)[:60] or "picture"
    return Path(PICTURES, f"{day:%Y-%m-%d}", f"{camera}-{day:%H%M%S}-{uuid.uuid4().hex[:12]}{ending}")


def stored(value: Any) -> Any:
    """Return a value as SQLite holds it: embeddings as float16, hashes as signed integers, boxes as four numbers in a text,
    texts without half characters.
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, np.ndarray):
        return value.astype(np.float16).tobytes()
    if isinstance(value, int) and not -HASHES // 2 <= value < HASHES // 2:
        return (value + HASHES // 2) % HASHES - HASHES // 2
    return in_utf8(value) if isinstance(value, str) else value
