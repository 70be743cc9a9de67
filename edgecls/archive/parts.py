"""The files of an archive. Each is hidden until it is whole, and says in its metadata what it was made of.

    DIR/archive.json                                              the model and the rules, see `edgecls.archive.manifest`
    DIR/unreadable.jsonl                                          recordings without labels, or with labels up to a damage
    DIR/labels/camera=door/day=2026-11-28/12.34-0123456789abcdef.parquet
    DIR/events/camera=door/day=2026-11-28/12.34-0123456789abcdef.parquet

The 16 digits in a name are those of the recording (`Recording.id`), so all files of a recording are found by their names. A
file of labels is written after that of the events, so a recording whose labels are there is done. Long recordings
have several files of labels, such as `day-0123456789abcdef.0003-of-0024.parquet`, and one of events, which is written last.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from edgecls import extras
from edgecls.archive.schema import EVENTS, LABELS, VERSION, events_schema, labels_schema
from edgecls.errors import ConfigError, DataError, SinkError
from edgecls.files import make_private_folder
from edgecls.files.reading import BINARY, NO_LINK
from edgecls.files.writing import FULL, private_mode, unlink_quietly
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.archive.recordings import Recording

KEY = b"edgecls"
"""The metadata of a file that holds its stamp, as JSON."""
ROWS = 8192
"""How many rows are written at a time, and kept in memory until then."""
LONGEST_STEM = 80
TEMPORARY = ".tmp"
_PART = re.compile(r"(?P<stem>.*)-(?P<id>[0-9a-f]{16})(?:\.(?P<index>\d+)-of-(?P<count>\d+))?\.parquet", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a part was made of.

    Attributes:
        recording: The path or address of the recording.
        size: Its size in bytes when it was read.
        modified_ns: When it had been written, in nanoseconds since 1970.
        sha256: The hash of its content.
        camera: Its camera.
        began_us: When it began, in microseconds since 1970.
        is_named: Whether its name says when it began.
        model: The sha256 of the model file.
        rules: The fingerprint of the rules of its camera.
        frames: How many frames the part has.
        first: The number of its first frame, if it is one of several parts.
        media_s: The seconds of media time that it covers.
        fault: Why the recording ends early or lacks pictures; "" if it is whole.
        edgecls: The version of edgecls.
        schema: The version of the tables.
    """

    recording: str
    size: int
    modified_ns: int
    sha256: str
    camera: str
    began_us: int
    is_named: bool
    model: str
    rules: str
    frames: int = 0
    first: int = 0
    media_s: float = 0.0
    fault: str = ""
    edgecls: str = ""
    schema: int = VERSION

    def is_of(self, recording: Recording) -> bool:
        """Whether it was made of the recording as it is now, as far as size and time tell, for the same camera and time."""
        same_file = (self.size, self.modified_ns) == (recording.size, recording.modified_ns)
        return same_file and self.is_placed_as(recording)

    def is_placed_as(self, recording: Recording) -> bool:
        """Whether it is for the camera of the recording and the time in its name."""
        began_us = self.began_us if self.is_named else None
        return (self.camera, began_us) == (recording.camera, recording.began_us)


@dataclass(frozen=True, slots=True)
class Part:
    """The files of a part: which of how many parts of its recording, and where its labels and events are."""

    labels: Path
    index: int
    count: int

    @property
    def id(self) -> str:
        """The id of the recording."""
        return re.sub(r"\.\d+-of-\d+$", "", self.labels.stem)[-16:]

    @property
    def events(self) -> Path:
        """The file of the events, which all parts of a recording share."""
        parents = self.labels.parents
        name = self.labels.name if self.count == 1 else re.sub(r"\.\d+-of-\d+\.parquet$", ".parquet", self.labels.name)
        return parents[2].parent / EVENTS / parents[1].name / parents[0].name / name


def load_parquet() -> tuple[Any, Any]:
    """Import pyarrow and its parquet. Raises MissingExtraError."""
    purpose = "Writing an archive"
    return extras.load("pyarrow", extra="archive", purpose=purpose), extras.load(
        "pyarrow.parquet", extra="archive", purpose=purpose
    )


def part_of(out: Path, recording: Recording, began_us: int, index: int = 0, count: int = 1) -> Part:
    """Return where a part of a recording is written.

    Args:
        out: The folder of the archive.
        recording: The recording.
        began_us: When it began, in microseconds since 1970.
        index: Which of its parts, from 0.
        count: How many parts it has.
    """
    day = datetime.fromtimestamp(began_us / 1e6, UTC).strftime("%Y-%m-%d")
    stem = re.sub(r"[^\w.-]+", "_", os.fsencode(recording.stem).decode("utf-8", "replace"))[:LONGEST_STEM].lstrip(".") or "_"
    which = f".{index:04d}-of-{count:04d}" if count > 1 else ""
    folder = out / LABELS / f"camera={quote(recording.camera, safe=' ', errors='surrogateescape')}" / f"day={day}"
    return Part(folder / f"{stem}-{recording.id}{which}.parquet", index, count)


def part_at(path: Path) -> Part | None:
    """Return the part whose labels are in a file; None if its name is not that of a part."""
    named = _PART.fullmatch(path.name)
    return None if named is None else Part(path, int(named["index"] or 0), int(named["count"] or 1))


def parts_by_recording(out: Path) -> dict[str, list[Part]]:
    """Return the parts in an archive, by the id of their recording."""
    found: dict[str, list[Part]] = {}
    for path in sorted((out / LABELS).glob("camera=*/day=*/*.parquet")):
        part = part_at(path)
        if part is not None:
            found.setdefault(part.id, []).append(part)
    return found


def are_complete(parts: Sequence[tuple[Part, Stamp]]) -> bool:
    """Whether these are all parts of one recording, and their events are there."""
    first, stamp = parts[0]
    if first.count == 1:
        return len(parts) == 1
    is_all = [part.index for part, _ in parts] == list(range(first.count)) and len({one.sha256 for _, one in parts}) == 1
    return is_all and first.events.exists() and read_stamp(first.events).sha256 == stamp.sha256


def read_stamp(path: Path) -> Stamp:
    """Read the stamp of a part. Raises DataError if the file is not one, or of another version."""
    _, pq = load_parquet()
    try:
        text = (pq.read_metadata(path).metadata or {}).get(KEY, b"{}").decode()
        record = loads(text)
        version = record.get("schema")
        if version != VERSION:
            raise DataError(
                f"{path}: is of version {version} of the tables, this edgecls writes version {VERSION}; choose another `out`, "
                "or go on with the edgecls that began it"
            )
        return Stamp(**record)
    except DataError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: is not a part of an archive ({' '.join(str(error).split()):.100}); remove it") from error


def remove_leftovers(out: Path) -> int:
    """Remove what killed processes have left half written. Returns how many files that were."""
    found = [path for kind in (LABELS, EVENTS) for path in (out / kind).glob(f"camera=*/day=*/.*{TEMPORARY}")]
    for path in found:
        unlink_quietly(path)
    return len(found)


def remove(parts: Iterable[Part], *, keep: Sequence[Part] = ()) -> None:
    """Remove the files of parts; the labels first, without which a part is not there. Files of parts to `keep` stay."""
    kept = {path for part in keep for path in (part.labels, part.events)}
    for part in parts:
        with failing(part.labels):
            for path in {part.labels: None, part.events: None}:
                if path not in kept:
                    path.unlink(missing_ok=True)
            for folder in (part.labels.parent, part.labels.parent.parent, part.events.parent, part.events.parent.parent):
                with contextlib.suppress(OSError):  # not empty
                    folder.rmdir()


@contextlib.contextmanager
def failing(path: Path) -> Iterator[None]:
    """Raise SinkError, with what to do, for an error of the disk that holds `path`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, SinkError):
            raise
        advice = "make room, and" if error.errno in FULL or "No space left" in str(error) else "mend that, and"
        raise SinkError(
            f"{path}: cannot be written ({error.strerror or error}); nothing that is done is lost: {advice} run the same "
            "command again"
        ) from error


class PartWriter:
    """Writes rows into a file that is hidden until `finish`. As a context it removes the file unless that was called."""

    def __init__(self, path: Path, kind: str) -> None:
        """Begin a file of "labels" or "events" that will be at `path`. Raises SinkError if it cannot be written."""
        self._pa, self._pq = load_parquet()
        self._schema = (labels_schema if kind == LABELS else events_schema)(self._pa)
        self._path = path
        self._hidden = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
        self._rows: list[Sequence[Any]] = []
        self.count = 0
        with failing(path):
            make_private_folder(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK | BINARY
            self._file = open(os.open(self._hidden, flags, private_mode()), "wb")  # noqa: SIM115, PTH123 - closed by `finish`
            self._writer = self._pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows, in the order of the columns. Raises SinkError."""
        before = len(self._rows)
        self._rows.extend(rows)
        self.count += len(self._rows) - before
        if len(self._rows) >= ROWS:
            self._flush()

    def finish(self, stamp: Stamp) -> None:
        """Write what is left and the stamp, and give the file its name once it is on the disk. Raises SinkError."""
        self._flush()
        with failing(self._path):
            self._writer.add_key_value_metadata({KEY: dumps(asdict(stamp))})
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._hidden, self._path)  # noqa: PTH105 - os.replace is documented as atomic
            sync_folder(self._path.parent)

    def __enter__(self) -> Self:
        """Return the writer, whose file is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the file if it was not finished."""
        if not self._file.closed:
            with contextlib.suppress(OSError, self._pa.ArrowException):
                self._writer.close()
            with contextlib.suppress(OSError):
                self._file.close()
        unlink_quietly(self._hidden)

    def _flush(self) -> None:
        rows, self._rows = self._rows, []
        columns = zip(*rows, strict=True) if rows else [()] * len(self._schema)
        with failing(self._path):
            arrays = [self._pa.array(list(c), f.type) for c, f in zip(columns, self._schema, strict=True)]
            self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))


def stamp_again(path: Path, stamp: Stamp) -> None:
    """Give a part another stamp. Its rows stay as they are."""
    _, pq = load_parquet()
    kind = EVENTS if path.parents[2].name == EVENTS else LABELS
    with PartWriter(path, kind) as writer, pq.ParquetFile(path) as file:
        for i in range(file.num_row_groups):
            writer.add(map(tuple, (row.values() for row in file.read_row_group(i).to_pylist())))
        writer.finish(stamp)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_out(out: Path) -> None:
    """Make the folder of an archive. Raises ConfigError if something else is there, SinkError if it cannot be made."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"`out={out}` is a file; expected a folder for the archive")
    with failing(out):
        make_private_folder(out)
