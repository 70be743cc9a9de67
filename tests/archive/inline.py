"""An executor that does its tasks in this process, and small recordings to give it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from edgecls.archive.archive import Archive
from edgecls.archive.executor import Done, Executor
from edgecls.archive.labeller import Labeller
from tests.drawn import gray_levels, write_video

if TYPE_CHECKING:
    from pathlib import Path

DARK, BRIGHT = 20, 235


class Inline(Executor):
    """Does each task when its answer is waited for. `done` are the addresses of all tasks that were given to any of them."""

    done: list[str] = []  # noqa: RUF012 - shared, and emptied by `archived`

    def __init__(self, job, workers, say):
        self.workers = workers
        self._labeller = Labeller(job, say)
        self._tasks = deque()

    def submit(self, task):
        self._tasks.append(task)

    def wait(self, timeout_s):
        task = self._tasks.popleft()
        self.done.append(task.recording.address)
        return Done(task, self._labeller.label(task, lambda frames: None))

    def close(self):
        pass


def archived(model, *places, out, **options):
    """Archive recordings in this process. Returns what was done, and the names of the files that were read for it."""
    Inline.done.clear()
    said = []
    with Archive(model, places, out=out, executor=Inline, workers=1, say=said.append, **options) as archive:
        while archive.step() is not None:
            pass
        progress = archive.progress
    return progress, [name.rpartition("/")[2] for name in Inline.done], said


def lamp(path: Path, dark: int = 40, bright: int = 40) -> Path:
    """Write a recording in which a lamp is switched on: 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, gray_levels([DARK] * dark + [BRIGHT] * bright))


def rows(out: Path, kind: str = "labels") -> list[dict]:
    """All rows of a table, with the camera and the day of their folder."""
    found = []
    for path in sorted((out / kind).glob("*/*/*.parquet")):
        place = {"camera": path.parent.parent.name.partition("=")[2], "day": path.parent.name.partition("=")[2]}
        found += [{**row, **place} for row in pq.ParquetFile(path).read().to_pylist()]
    return found


def files(out: Path) -> dict[str, bytes]:
    """The content of all tables, by path."""
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}
