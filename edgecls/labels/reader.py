"""Read a recording of labels: the lines that `edgecls run` wrote to a file."""

from __future__ import annotations

import codecs
import sys
from collections import Counter
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from edgecls.errors import DataError
from edgecls.events.observation import Observation
from edgecls.files import open_regular
from edgecls.files.advice import of_another_kind
from edgecls.labels.json_lines import read_line, to_event
from edgecls.log import Say, log_warning
from edgecls.text.strict_json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgecls.event import Event
    from edgecls.frame import StateChange

LONGEST_LINE = 4 << 20
"""The longest line in bytes, so that a file of another kind does not fill the memory. Hundreds of boxes take a tenth of
this."""
EVENTS = "events"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PIECE = 1 << 16


def read_labels(
    path: str | Path, *, say: Say = log_warning, on_event: Callable[[Event], None] | None = None
) -> Iterator[Observation]:  # fmt: skip
    """Read the frames of a recording. Lines of events and state changes are skipped.

    Example:
        for seen in edgecls.read_labels("labels.jsonl"):
            print(seen.camera, seen.moment.time_s, [d.prediction.label for d in seen.detections])

    Args:
        path: A file with lines from `edgecls run`, or "-" for stdin.
        say: Called with one line of text if the last line is incomplete, as after a crash. That line is skipped.
        on_event: Called with each event in the recording, in order.

    Returns:
        An iterator over the observations, in order.

    Raises:
        DataError: The file cannot be read, a line was not written by a run (with its number), or there are no labels in it.
    """
    return (seen for seen in read_lines(path, say=say, on_event=on_event) if isinstance(seen, Observation))


def read_lines(
    path: str | Path, *, say: Say = log_warning, on_event: Callable[[Event], None] | None = None
) -> Iterator[Observation | StateChange]:  # fmt: skip
    """Read the frames and state changes of a recording. Lines of events are skipped. See `read_labels`."""
    frames = 0
    others: Counter[str] = Counter()
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            text = _text(line, where)
            seen = read_line(text, where)
            if seen is None and on_event is not None:
                _pass_event(text, where, on_event)
        except DataError as error:
            use = "" if frames or others else of_another_kind(path, "recording")
            if use:
                raise DataError(
                    f"{path}: expected lines of labels as edgecls run writes them, found something else{use}"
                ) from error
            if line.endswith(b"\n"):
                raise
            say(f"{where}: the last line is incomplete and was skipped; the run ended while writing it")
            continue
        if isinstance(seen, Observation):
            frames += 1
        else:
            others[_kind(text)] += 1
        if seen is not None:
            yield seen
    if not frames:
        found = ", ".join(f"{count} of {kind}" for kind, count in others.items())
        use = "; edgecls replay writes such lines: use the recording that it has read, with the same `config`"
        use = use if EVENTS in others else ""
        raise DataError(
            f"{path}: expected lines of labels as edgecls run writes them, found "
            + (f"lines without labels ({found}){use}" if found else "none; the file is empty")
        )


def _lines(path: str | Path) -> Iterator[bytes]:
    if path == "-":
        yield from _pieces(sys.stdin.buffer, path)
        return
    try:
        with open_regular(path, error=DataError) as file:
            yield from _pieces(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _pieces(file: BinaryIO, path: str | Path) -> Iterator[bytes]:
    first = file.readline(LONGEST_LINE)
    rest = iter(partial(file.readline, LONGEST_LINE), b"")
    lines = _from_utf_16(first, file, path) if first.startswith(_UTF_16) else chain([first] if first else [], rest)
    for number, line in enumerate(lines, 1):
        if len(line) >= LONGEST_LINE:
            raise DataError(f"{path}:{number}: longer than {LONGEST_LINE >> 20} MB; expected lines of edgecls run")
        yield line


def _from_utf_16(first: bytes, file: BinaryIO, path: str | Path) -> Iterator[bytes]:
    """Yield the lines of a UTF-16 file, as written by PowerShell, in UTF-8. `first` is its first line."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    begun, number = "", 1
    for piece in chain([first], iter(partial(file.read, _PIECE), b"")):
        try:
            *lines, begun = (begun + decoder.decode(piece)).split("\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}:{number}: expected a line in UTF-16, found other bytes") from error
        number += len(lines)
        yield from (f"{line}\n".encode("utf-8", "surrogatepass") for line in lines)
        if len(begun) >= LONGEST_LINE:
            break
    if begun:
        yield begun.encode("utf-8", "surrogatepass")


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: expected a line in UTF-8, found other bytes at {error.start}") from error


def _pass_event(line: str, where: str, on_event: Callable[[Event], None]) -> None:
    record = loads(line)
    if not isinstance(record, dict) or "event" not in record:
        return
    try:
        event = to_event(record)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not an event of edgecls run ({type(error).__name__}: {error})") from error
    on_event(event)


def _kind(line: str) -> str:
    record = loads(line)
    kinds = {"event": EVENTS, "state": "states of cameras"}
    return next((kind for key, kind in kinds.items() if isinstance(record, dict) and key in record), "something else")
