"""The store: add pictures, label them, undo, list, remove. Every call is whole or has not happened, even if killed midway.

A picture's file is complete before its row is written, and its row is gone before its file is removed. What a killed program
leaves in between is a file without a row (`edgecls.store.upkeep`). Paths in the database are relative, so a store can be moved.
Several programs may use a store at the same time.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from edgecls import image
from edgecls.errors import DataError
from edgecls.files import make_private_folder, private_mode, unlink_quietly, whole_file
from edgecls.store.entry import UNKNOWN_ORIGIN, Entry, Origin
from edgecls.store.rows import columns_of, entry_of, file_for, stored
from edgecls.store.schema import connect, readable
from edgecls.text.strict_json import in_utf8

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    from edgecls.frame import Picture

QUALITY = 95
"""Of a JPEG file, 1 to 100. A crop is learned from, so it is kept better than a picture to look at."""
SMALL_PX = 128 * 128
"""A picture of at most so many pixels is kept without loss."""
Which = Literal["all", "unlabelled", "labelled", "confirmed", "unusable"]
WHERE: dict[Which, str] = {
    "all": "1",
    "unlabelled": "label = '' AND NOT unusable",
    "labelled": "label != '' AND NOT unusable",
    "confirmed": "label != '' AND NOT unusable AND EXISTS (SELECT 1 FROM labels WHERE picture = pictures.id AND label = "
    "before_label AND n = (SELECT MAX(n) FROM labels WHERE picture = pictures.id AND NOT undone))",
    "unusable": "unusable",
}
MOST_AT_ONCE = 500
"""Values in one statement; some builds of SQLite allow 999."""
LONGEST_LABEL = 255


class Store:
    """A folder of pictures with their labels. It is a dataset too: `edgecls train FOLDER` learns from what is labelled.

    Attributes:
        folder: The path of the store.

    Example:
        with edgecls.Store("pictures-of-the-gate") as store:
            number = store.add(picture, edgecls.Origin(camera="gate", reason="doubtful"))
            store.label([number], "open", author="anna")
            print(store.counts())
    """

    def __init__(self, folder: str | Path, *, create: bool = True) -> None:
        """Open a store.

        Args:
            folder: The folder. It is created if it does not exist.
            create: Whether a folder without a store becomes one. False: that is an error.

        Raises:
            DataError: It is no store, is damaged, or was written by a newer edgecls, or the folder cannot be used.
        """
        self.folder = Path(folder)
        with readable(self.folder):
            self._db = connect(self.folder, create=create)

    def __enter__(self) -> Self:
        """Return the store, which is closed at the end of the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def add(self, picture: Picture, origin: Origin = UNKNOWN_ORIGIN) -> int:
        """Add a picture.

        Args:
            picture: (H, W) gray or (H, W, 3) blue-green-red, uint8, as the camera delivered it.
            origin: Where it comes from.

        Returns:
            Its number.

        Raises:
            DataError: It cannot be written, for example because the disk is full.
        """
        is_small = picture.shape[0] * picture.shape[1] <= SMALL_PX
        data = image.encode_png(picture) if is_small else image.encode_jpeg(picture, QUALITY)
        return self._add(data, ".png" if is_small else ".jpg", picture, origin)

    def add_file(self, path: str | Path, origin: Origin = UNKNOWN_ORIGIN) -> int:
        """Add a copy of a picture file, byte for byte. Returns its number. Raises DataError if it is no picture."""
        data = image.read_file(Path(path))
        picture = image.decode(data, str(path))
        ending = Path(path).suffix.lower()
        return self._add(data, ending if ending in image.SUFFIXES else ".jpg", picture, origin)

    def label(self, numbers: Sequence[int], label: str, *, author: str = "") -> int:
        """Give pictures a label, in one stroke. "" takes their labels away; the label that a picture has is confirmed.

        Args:
            numbers: The pictures.
            label: The label, a text on one line.
            author: Who says so.

        Returns:
            The number of the stroke, for `undo`.

        Raises:
            DataError: The label is not a text on one line, a picture does not exist, or the disk fails.
        """
        if label != label.strip() or len(label) > LONGEST_LABEL or not (label.isprintable()):
            raise DataError(f"label {label[:40]!r}: expected a text on one line of at most {LONGEST_LABEL} characters")
        return self._stroke(numbers, label, unusable=False, author=author)

    def confirm(self, numbers: Sequence[int], *, author: str = "") -> int:
        """Say that the labels of pictures are right, so that they are no longer suspected. Returns the stroke, for `undo`."""
        return self._stroke(numbers, None, unusable=False, author=author)

    def reject(self, numbers: Sequence[int], *, author: str = "") -> int:
        """Say that pictures show nothing to learn from. They keep no label. Returns the number of the stroke, for `undo`."""
        return self._stroke(numbers, "", unusable=True, author=author)

    def undo(self, stroke: int | None = None, *, author: str | None = None) -> int:
        """Take back a stroke, by default the last one that was not taken back; with `author`, the last one of that person.

        Pictures that got another label since keep that one.

        Returns:
            How many pictures have their former label again; 0 if there was nothing to undo.
        """
        with self._writing() as db:
            if stroke is None:
                last = "SELECT MAX(stroke) FROM labels WHERE NOT undone AND author = COALESCE(?, author)"
                stroke = db.execute(last, (author,)).fetchone()[0]
            rows = db.execute("SELECT * FROM labels WHERE stroke = ? AND NOT undone", (stroke,)).fetchall()
            db.execute("UPDATE labels SET undone = 1 WHERE stroke = ?", (stroke,))
            restored = 0
            for row in rows:
                restored += db.execute(
                    "UPDATE pictures SET label = ?, unusable = ?, author = ?, labelled_at_s = ? WHERE id = ? AND NOT EXISTS "
                    "(SELECT 1 FROM labels WHERE picture = pictures.id AND n > ? AND NOT undone)",
                    (row["before_label"], row["before_unusable"], row["before_author"], row["before_at_s"], row["picture"],
                     row["n"]),
                ).rowcount  # fmt: skip
            return restored

    def entries(self, which: Which = "all") -> Iterator[Entry]:
        """Yield the pictures in the order in which they were added.

        Args:
            which: "all", "unlabelled", "labelled", "confirmed" (those of the labelled ones) or "unusable".
        """
        last = 0
        while True:  # in pieces, so that nobody waits for a reader who takes a long time for each picture
            statement = f"SELECT * FROM pictures WHERE {WHERE[which]} AND id > ? ORDER BY id LIMIT {MOST_AT_ONCE}"  # noqa: S608
            with readable(self.folder):
                rows = self._db.execute(statement, (last,)).fetchall()
            if not rows:
                return
            yield from (entry_of(row, self.folder) for row in rows)
            last = rows[-1]["id"]

    def entry(self, number: int) -> Entry:
        """Return one picture. Raises DataError if there is none of this number."""
        with readable(self.folder):
            row = self._db.execute("SELECT * FROM pictures WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise DataError(f"{self.folder}: has no picture {number}")
        return entry_of(row, self.folder)

    def present(self, numbers: Sequence[int]) -> list[Entry]:
        """Return the pictures of these numbers that are still there, in the same order. A run that collects removes some."""
        found: dict[int, Entry] = {}
        for first in range(0, len(numbers), MOST_AT_ONCE):
            part = [int(number) for number in numbers[first : first + MOST_AT_ONCE]]
            statement = f"SELECT * FROM pictures WHERE id IN ({', '.join('?' * len(part))})"  # noqa: S608
            with readable(self.folder):
                found |= {row["id"]: entry_of(row, self.folder) for row in self._db.execute(statement, part)}
        return [found[number] for number in numbers if number in found]

    def of_event(self, event: str) -> list[Entry]:
        """Return the pictures of an event, in the order in which they were added."""
        with readable(self.folder):
            rows = self._db.execute("SELECT * FROM pictures WHERE event = ? ORDER BY id", (event,)).fetchall()
        return [entry_of(row, self.folder) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of pictures of each label, by name; those without a label have the key ""."""
        statement = "SELECT label, COUNT(*) FROM pictures WHERE NOT unusable GROUP BY label ORDER BY label"
        with readable(self.folder):
            return {row[0]: row[1] for row in self._db.execute(statement)}

    def history(self, number: int) -> list[tuple[str, bool, str, float, bool]]:
        """Return what was said of a picture: (label, is it unusable, author, when in seconds since 1970, was it undone)."""
        with readable(self.folder):
            rows = self._db.execute("SELECT * FROM labels WHERE picture = ? ORDER BY n", (number,)).fetchall()
        return [(row["label"], bool(row["unusable"]), row["author"], row["at_s"], bool(row["undone"])) for row in rows]

    def update(self, number: int, **fields: Any) -> None:
        """Set what a model says of a picture: `model`, `prediction`, `score`, `embedding`, `embedded_by` or `hash`."""
        allowed = ("model", "prediction", "score", "embedding", "embedded_by", "hash")
        if strange := [name for name in fields if name not in allowed]:
            raise TypeError(f"{strange[0]} cannot be set; expected one of {', '.join(allowed)}")
        values = [stored(value) for value in fields.values()]
        names = ", ".join(f"{name} = ?" for name in fields)
        with self._writing() as db:
            db.execute(f"UPDATE pictures SET {names} WHERE id = ?", (*values, number))  # noqa: S608 - names from `allowed`

    def remove(self, numbers: Iterable[int], *, labelled: bool = True) -> None:
        """Remove pictures and what was said of them. With labelled=False, those that have a label or are unusable stay."""
        numbers = list(numbers)
        for first in range(0, len(numbers), MOST_AT_ONCE):
            part = numbers[first : first + MOST_AT_ONCE]
            which = f"id IN ({', '.join('?' * len(part))}) AND {WHERE['all' if labelled else 'unlabelled']}"
            with self._writing() as db:  # nobody can give a label between looking and removing
                files = [row[0] for row in db.execute(f"SELECT file FROM pictures WHERE {which}", part)]  # noqa: S608
                db.execute(f"DELETE FROM labels WHERE picture IN (SELECT id FROM pictures WHERE {which})", part)  # noqa: S608
                db.execute(f"DELETE FROM pictures WHERE {which}", part)  # noqa: S608
            for file in files:
                unlink_quietly(self.folder / file)

    def make_room(self, more: int, most_bytes: int) -> int:
        """Remove the oldest unlabelled pictures until `more` bytes fit. A labelled picture is never removed.

        Args:
            more: Bytes to be added.
            most_bytes: The most bytes that all pictures may take.

        Returns:
            How many bytes are still too many; 0: there is room.
        """
        with readable(self.folder):
            total = self._db.execute("SELECT COALESCE(SUM(bytes), 0) FROM pictures").fetchone()[0]
            excess = total + more - most_bytes
            chosen = []
            statement = f"SELECT id, bytes FROM pictures WHERE {WHERE['unlabelled']} ORDER BY stored_at_s, id"  # noqa: S608
            for row in self._db.execute(statement) if excess > 0 else ():
                if excess <= 0:
                    break
                chosen.append(row["id"])
                excess -= row["bytes"]
        if excess > 0:
            return int(excess)
        self.remove(chosen, labelled=False)
        return 0

    def _add(self, data: bytes, ending: str, picture: Picture, origin: Origin) -> int:
        now_s = time.time()
        file = file_for(origin, now_s, ending)
        values = {
            "file": file.as_posix(), "bytes": len(data), "height": picture.shape[0], "width": picture.shape[1],
            **columns_of(origin), "stored_at_s": now_s,
            "hash": stored(image.perceptual_hash(picture) if origin.hash is None else origin.hash),
        }  # fmt: skip
        path = self.folder / file
        with readable(self.folder):
            make_private_folder(path.parent)
            with whole_file(path, mode=private_mode()) as beside:
                beside.write_bytes(data)
        statement = f"INSERT INTO pictures ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
        try:
            with self._writing() as db:
                return int(db.execute(statement, list(values.values())).lastrowid or 0)
        except DataError:
            unlink_quietly(path)
            raise

    def _stroke(self, numbers: Sequence[int], label: str | None, *, unusable: bool, author: str) -> int:
        now_s, author = time.time(), in_utf8(author)
        with self._writing() as db:
            stroke = db.execute("SELECT COALESCE(MAX(stroke), 0) + 1 FROM labels").fetchone()[0]
            for number in dict.fromkeys(numbers):
                columns = "label, unusable, author, labelled_at_s"
                row = db.execute(f"SELECT {columns} FROM pictures WHERE id = ?", (number,)).fetchone()  # noqa: S608
                if row is None:
                    raise DataError(f"{self.folder}: has no picture {number}")
                if label is None and not row["label"]:
                    raise DataError(f"{self.folder}: picture {number} has no label to confirm")
                given = row["label"] if label is None else in_utf8(label)
                db.execute(
                    "INSERT INTO labels (stroke, picture, label, unusable, author, at_s, before_label, before_unusable, "
                    "before_author, before_at_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (stroke, number, given, unusable, author, now_s, *row),
                )
                db.execute(
                    "UPDATE pictures SET label = ?, unusable = ?, author = ?, labelled_at_s = ? WHERE id = ?",
                    (given, unusable, author, now_s, number),
                )
        return int(stroke)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write in one transaction, which begins with the lock, so that no other program writes between reading and writing."""
        with readable(self.folder), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
