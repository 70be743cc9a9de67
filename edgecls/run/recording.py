"""A recording of labels: the lines that `edgecls run` wrote to a file, read again one by one."""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgecls.errors import DataError
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.wire import Observation, read_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.frame import StateChange

LONGEST_LINE = 4 << 20
"""Bytes: a line with hundreds of boxes has a tenth of it; so a file that is something else does not fill the memory."""


def read_labels(path: str | Path, *, say: Say = say_on_stderr) -> Iterator[Observation]:
    """Give what the lines of a file (`-`: of stdin) say of frames, and pass over those of events and of cameras' states. As
    `read_lines`.
    """
    return (seen for seen in read_lines(path, say=say) if isinstance(seen, Observation))


def read_lines(path: str | Path, *, say: Say = say_on_stderr) -> Iterator[Observation | StateChange]:
    """Give what the lines of a file (`-`: of stdin) say of frames and of cameras' states, and pass over those of events.

    A last line that was cut off, as by a run that was killed, is left out, and `say` hears of it. Raises DataError for a line
    that no run wrote, with its number, and at the end for a file without labels.
    """
    frames = 0
    others: Counter[str] = Counter()
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            text = _text(line, where)
            seen = read_line(text, where)
            _check(seen, where)
        except DataError:
            if line.endswith(b"\n"):
                raise
            say(f"{where}: the last line is not whole and was left out; the run was ended while it wrote it")
            continue
        if isinstance(seen, Observation):
            frames += 1
        else:
            others[_kind(text)] += 1
        if seen is not None:
            yield seen
    if not frames:
        found = ", ".join(f"{count} of {kind}" for kind, count in others.items())
        raise DataError(
            f"{path}: expected lines of labels as edgecls run writes them, found "
            + (f"lines without labels ({found})" if found else "none; the file is empty")
        )


def _lines(path: str | Path) -> Iterator[bytes]:
    if path == "-":
        yield from _pieces(sys.stdin.buffer, path)
        return
    try:
        with Path(path).open("rb") as file:
            yield from _pieces(file, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _pieces(file: BinaryIO, path: str | Path) -> Iterator[bytes]:
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
        if len(line) == LONGEST_LINE:
            raise DataError(f"{path}, line {number}: longer than {LONGEST_LINE >> 20} MB; expected lines of edgecls run")
        yield line


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: expected a line in UTF-8, found other bytes at {error.start}") from error


def _check(seen: Observation | StateChange | None, where: str) -> None:
    """Refuse values that no frame has, before they are far from their line."""
    if not isinstance(seen, Observation):
        return
    _, time_s, at_s, file = seen.moment
    timed = isfinite(time_s) and (at_s is None or (isinstance(at_s, int | float) and isfinite(at_s)))
    names = [seen.camera, file, *(name for d in seen.detections for name in (d.prediction.label, d.region))]
    if not (timed and all(isinstance(name, str) for name in names)):
        raise DataError(f"{where}: not a line of edgecls run (a time that is no number, or a name that is no text)")


def _kind(line: str) -> str:
    record = json.loads(line)
    kinds = {"event": "events", "state": "states of cameras"}
    return next((kind for key, kind in kinds.items() if key in record), "something else")
