"""Tries every sink on a disk that fails: at each call that it makes, once, or from that call on until it recovers.

    LD_PRELOAD=failing_disk.so python -m tests.run.failing_disk KIND FOLDER [STEP]

prints a line for each broken promise, and how many calls were tried. The disk is `failing_disk.c`, so system calls of SQLite
and FFmpeg fail as well as those of Python.
"""

from __future__ import annotations

import csv
import ctypes
import errno
import gc
import json
import os
import shutil
import sqlite3
import sys
import time
import traceback
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from edgecls import image
from edgecls.collect import SelectionSettings
from edgecls.errors import EdgeclsError
from edgecls.frame import Box, Detection, Prediction
from edgecls.sink import ClipSink, CollectSettings, CollectSink, CutSettings, ShotSettings, SnapshotSink, open_sink
from edgecls.sink.delivery import spool, spooled
from edgecls.sink.recordings import video
from edgecls.source import open_source
from edgecls.store import Store
from tests.run import footage
from tests.run.world import event, frame, result

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.sink import Sink

ERRORS = (errno.EIO, errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT, errno.EMFILE)
FOREVER = 1 << 40
CHOICE = SelectionSettings(per_day=1000, random=0, unlike=1, apart_s=0)
MANY = 12
"""Results or events in each half of a trial: while the disk fails, and after it has recovered."""
FEW = 3
"""Of pictures, each of which makes many calls."""
MOST_LINES = 6
"""The most messages about one failure."""


class Disk:
    """The library that this process was started with."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(None)
        self._library.disk_calls.restype = ctypes.c_long
        self._library.disk_fail.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_int]
        self._library.disk_watch(os.fsencode(folder))

    def fail(self, at: int, count: int, number: int) -> None:
        """Let the call `at` and those after it fail, `count` in all."""
        self._library.disk_fail(at, count, number)

    def recover(self) -> None:
        """Let no more calls fail."""
        self._library.disk_fail(0, 0, 0)

    @property
    def calls(self) -> int:
        """Return the number of calls since `fail` or `recover`."""
        return int(self._library.disk_calls())


def write_results(sink: Sink, half: int) -> None:
    for i in range(half * MANY, (half + 1) * MANY):
        sink.write(result(frame(i)))


def write_events(sink: Sink, half: int) -> None:
    for i in range(half * MANY, (half + 1) * MANY):
        sink.write_event(event(i))


def collecting(folder: Path, told: list[str]) -> Sink:
    return CollectSink(CollectSettings(str(folder / "store"), choice=CHOICE, embed=False), say=told.append)


def write_pictures(sink: Sink, half: int) -> None:
    """Offer pictures that are unlike each other, each when the one before is in the store or lost."""
    for i in range(half * FEW, (half + 1) * FEW):
        picture = np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8)
        one = image.as_frame(picture, "gate", i, time_s=float(i), captured_at=0.0)
        sink.write(result(one, Detection(Box(0, 0, 32, 32), Prediction("", 0.0, -1, ()), "frame")))
        while sink.backlog.waiting:
            time.sleep(0.0005)


def kept(folder: Path) -> list[int]:
    """Return the frames of the pictures in a store, each of which has a whole file."""
    with Store(folder / "store", create=False) as store:
        entries = list(store.entries())
    assert all(image.load(entry.path).shape == (32, 32, 3) for entry in entries)
    return [round(entry.origin.time_s) for entry in entries]


def lines(folder: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in (folder / "out.jsonl").read_text().splitlines()]


def rows(folder: Path) -> list[int]:
    with (folder / "out.csv").open(newline="") as file:
        return [int(row["track_id"]) for row in csv.DictReader(file)]


def stored(folder: Path) -> list[int]:
    with closing(sqlite3.connect(folder / "out.db")) as db:
        return [number for (number,) in db.execute("SELECT track_id FROM events ORDER BY track_id")]


def frames(folder: Path) -> list[int]:
    """Return the frames of all videos, whose last one must be the last one written."""
    found: list[int] = []
    paths = sorted(path for path in folder.glob("[!.]*.mp4"))
    for path in paths:
        with av.open(str(path)) as container:
            count = sum(1 for _ in container.decode(video=0))
        found += range(2 * MANY - count, 2 * MANY) if path == paths[-1] else range(len(found), len(found) + count)
    return sorted(found)


def recordings(ending: str, folder: Path) -> list[int]:
    """Return the halves whose event has a recording and a sidecar that lists it."""
    found = []
    for sidecar in folder.glob("[!.]*.json"):
        said = json.loads(sidecar.read_text())
        assert all((folder / name).stat().st_size == listed["bytes"] for name, listed in said["files"].items())
        assert all(name.endswith(ending) for name in said["files"])
        found.append(0 if said["event"]["start"]["frame"] < 60 else 1)
    return sorted(found)


class Played:
    """Footage for a recorder, with an event in each half."""

    def __init__(self, path: Path) -> None:
        footage.write_footage(path, 120, gop=10)
        self._source = open_source(f"gate={path}", reading=footage.KEEP)
        self._frames = list(self._source)

    def __call__(self, sink: Sink, half: int) -> None:
        begin, end = 60 * half, 60 * (half + 1)
        plan = {begin + 25: [footage.event(begin + 20)], begin + 35: [footage.event(begin + 20, begin + 30)]}
        for one in self._frames[begin:end]:
            footage.told(sink, one, plan)


class Trial:
    """One kind of sink: how to open it, what is written, what is there afterwards, and how much can be lost."""

    def __init__(
        self, open_it: Callable[[Path, list[str]], Sink], write: Callable[[Sink, int], None],
        found: Callable[[Path], list[int]], second: list[int], total: int,
    ) -> None:  # fmt: skip
        self.open_it, self.write, self.found, self.second, self.total = open_it, write, found, second, total


def by_text(text: str, folder: Path, told: list[str]) -> Sink:
    return open_sink(text.format(folder), spool=folder / "spool", say=told.append)


def trial_of(kind: str, scratch: Path) -> Trial:
    numbers = list(range(MANY, 2 * MANY))
    if kind == "jsonl":
        return Trial(partial(by_text, "jsonl:{}/out.jsonl"), write_results, lines, numbers, 2 * MANY)
    if kind == "csv":
        return Trial(partial(by_text, "csv:{}/out.csv"), write_events, rows, numbers, 2 * MANY)
    if kind == "sqlite":
        return Trial(partial(by_text, "sqlite:{}/out.db"), write_events, stored, numbers, 2 * MANY)
    if kind == "video":
        return Trial(partial(by_text, "video:{}/out.mp4?most_gb=1"), write_results, frames, numbers, 2 * MANY)
    if kind == "collect":
        return Trial(collecting, write_pictures, kept, list(range(FEW, 2 * FEW)), 2 * FEW)
    write, cut = Played(scratch / "footage.mp4"), CutSettings(pre_s=0.4, post_s=0.2)
    if kind == "clip":
        return Trial(lambda at, told: ClipSink(at, cut, say=told.append), write, partial(recordings, ".mp4"), [1], 2)
    return Trial(lambda at, told: SnapshotSink(at, ShotSettings(), say=told.append), write, partial(recordings, ".jpg"), [1], 2)


def descriptors() -> int:
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def attempt(trial: Trial, disk: Disk, folder: Path, fault: tuple[int, int, int]) -> str:
    """Try one fault. Returns the broken promise, or ""."""
    before, told = descriptors(), []
    disk.fail(*fault)
    try:
        sink = trial.open_it(folder, told)
    except EdgeclsError:  # at the start, it is an error and no run begins
        disk.recover()
        return "" if descriptors() <= before else "a descriptor is left open although the sink was not opened"
    trial.write(sink, 0)
    disk.recover()
    trial.write(sink, 1)
    with suppress(EdgeclsError):
        sink.close()
    backlog = sink.backlog
    lost = backlog.lost + backlog.dropped + getattr(sink, "lost", 0) * (not backlog.lost)
    if backlog.waiting:  # the next run delivers it
        trial.open_it(folder, told).close()
    return broken(trial, folder, lost, told) or ("" if descriptors() <= before else "a descriptor is left open")


def broken(trial: Trial, folder: Path, lost: int, told: list[str]) -> str:
    found = trial.found(folder)
    if missing := set(trial.second) - set(found):
        return f"{sorted(missing)} were written when the disk was well, and are not there; said: {told}"
    if len(set(found)) < len(found):
        return f"written twice: {found}"
    if len(found) + lost < trial.total:
        return f"{len(found)} of {trial.total} are there and {lost} were counted as lost; said: {told}"
    if lost and not told:
        return f"{lost} were lost without a word"
    return f"too much was said: {told}" if len(told) > MOST_LINES else ""


def main(kind: str, scratch: Path, step: int) -> None:
    """Try each call, or every `step`-th after the first 24."""
    spooled.FIRST_WAIT_S, spooled.LONGEST_WAIT_S, video.RETRY_S = 0.001, 0.002, 0.0
    spool.REOPEN_EVERY_S, spool.WELL_S = 0.0, 0.0
    folder = scratch / "disk"
    disk, trial = Disk(folder), trial_of(kind, scratch)
    folder.mkdir()
    problem = attempt(trial, disk, folder, (0, 0, 0))
    assert not problem, problem
    shutil.rmtree(folder)
    folder.mkdir()
    disk.fail(0, 0, 0)
    with trial.open_it(folder, []) as sink:
        trial.write(sink, 0)
    most, tried = disk.calls, 0
    for at in range(1, most + 1):
        if at > 24 and at % step:
            continue
        for count in (1, FOREVER):
            number = ERRORS[(at + (count > 1)) % len(ERRORS)]
            disk.recover()
            shutil.rmtree(folder)
            folder.mkdir()
            tried += 1
            try:
                problem = attempt(trial, disk, folder, (at, count, number))
            except BaseException:  # noqa: BLE001 - it is what is looked for
                problem = traceback.format_exc()
            disk.recover()
            if problem:
                how = f"{'once' if count == 1 else 'from then on'}, {os.strerror(number)}"
                print(f"call {at} of {most}, {how}: {problem}")  # noqa: T201 - it is a program
    print(f"tried {tried}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
