"""Label a folder of recordings into tables of Parquet: what is to be done, who does it, and what has become of it.

    with Archive("street.onnx", ["/nas/recordings"], out="labels") as archive:
        while (progress := archive.step()) is not None:
            print(progress.done, "of", progress.recordings)

The parts that are there are the memory of an archive: whatever was killed when, the same call does what is missing.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgecls.archive.executor import Done, Executor, Lost, Working
from edgecls.archive.manifest import agree
from edgecls.archive.naming import Naming
from edgecls.archive.parts import (
    Part,
    are_complete,
    check_out,
    load_parquet,
    part_at,
    parts_by_recording,
    read_stamp,
    remove,
    remove_leftovers,
)  # fmt: skip
from edgecls.archive.processes import Processes
from edgecls.archive.progress import Progress
from edgecls.archive.recordings import Recording, cameras_of, find_recordings
from edgecls.archive.rules import make_job, manifest_of
from edgecls.archive.splits import Split
from edgecls.archive.task import Job, Outcome, Task
from edgecls.archive.unreadable import Unreadable, UnreadableList, name_of
from edgecls.errors import ConfigError, SinkError
from edgecls.files.locks import Claim
from edgecls.log import Say, log_warning
from edgecls.model.cpu import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from edgecls.archive.parts import Stamp
    from edgecls.run.config import Config

LOCK = ".archive.lock"
SPLIT_S = 600.0
MOST_WORKERS = 256


class Archive:
    """Labels recordings into a folder of Parquet files, and continues one that is there.

    Example:
        with edgecls.Archive("street.onnx", ["/nas/recordings"], out="labels", config="cameras.toml") as archive:
            while archive.step() is not None:
                pass
            print(archive.progress)
    """

    def __init__(  # noqa: PLR0913 - each is an option of the command
        self, model: str | Path, places: Sequence[str | Path], *, out: str | Path, config: Config | str | Path | None = None,
        naming: Naming | None = None, workers: int | None = None, retry: bool = False, split_s: float = SPLIT_S,
        warm_up_s: float = 0.0, say: Say = log_warning,
        executor: Callable[[Job, int, Say], Executor] = Processes,
    ) -> None:  # fmt: skip
        """Find the recordings and what is missing of them. No worker is started yet.

        Args:
            model: The .onnx file.
            places: Folders, files, patterns, lists and addresses, see `find_recordings`.
            out: The folder of the archive. It may be there already.
            config: The rules: a cameras.toml whose cameras are called like those of the recordings, whose sinks are not used;
                or the `Config` of `plain_config`, which is for all cameras. None: the whole frame is classified.
            naming: How the names of the recordings say camera and time. None: the folder is the camera.
            workers: How many processes there are. None: one per core.
            retry: Try recordings again that are listed as unreadable.
            split_s: Recordings at least twice as long are cut at key frames into spans of about this many seconds, for
                several workers; 0: never.
            warm_up_s: Also split recordings whose labels depend on what was seen before, as with motion: each span begins to
                watch this many seconds earlier. With 60 s about 99 of 100 frames have the same labels. 0: no.
            say: Called with one line for problems that do not end the work.
            executor: What does the tasks, made of what they share, the number of workers and `say`.

        Raises:
            DataError: There is no recording, or a part is of another version.
            ConfigError: The archive was made by another model or other rules, or a camera has no rules.
            SinkError: The folder cannot be written, or another process is working on it.
        """
        load_parquet()
        self._began = time.monotonic()
        self._say = say
        self._out = Path(out)
        workers = usable_cores() if workers is None else workers
        if not 1 <= workers <= MOST_WORKERS:
            raise ConfigError(f"`workers={workers}` is not possible; expected 1 to {MOST_WORKERS}")
        self._recordings, missing = find_recordings(places, naming or Naming())
        job = make_job(model, config, self._out, cameras_of(self._recordings), workers)
        job = replace(job, split_s=split_s, warm_up_s=warm_up_s)
        check_out(self._out)
        with ExitStack() as stack:
            self._lock(stack)
            agree(self._out, manifest_of(job, self._recordings))
            remove_leftovers(self._out)
            self._unreadable = UnreadableList(self._out)
            self._progress = Progress(len(self._recordings) + len(missing), 0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
            self._queue: deque[Task] = deque()
            self._suspects: deque[Task] = deque()
            self._alone: set[Task] = set()
            self._frames: dict[Task, int] = {}
            self._splits: dict[str, Split] = {}
            self._bytes = self._bytes_done = 0
            self._replaced: dict[str, list[Part]] = {}
            for one in missing:
                self._miss(Recording(one.address, 0, 0), one.why)
            self._plan(retry)
            self._executor = stack.enter_context(executor(job, workers, say))
            self._stack = stack.pop_all()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        passed_s = time.monotonic() - self._began
        frames = self._progress.frames + sum(self._frames.values())
        share = self._bytes_done / self._bytes if self._bytes else 1.0
        return replace(self._progress, frames=frames, passed_s=passed_s, share=share)

    @property
    def unreadable(self) -> Path:
        """The list of what could not be read, which is there unless it is empty."""
        return self._unreadable.path

    def step(self, timeout_s: float = 0.25) -> Progress | None:
        """Go on until something has happened, or for `timeout_s`. Returns how far it is, or None when all is done.

        Raises:
            ModelError: The model cannot be loaded.
            SinkError: The archive cannot be written, for example because the disk is full. A later call goes on.
        """
        self._hand_out()
        if not self._frames:
            return None
        report = self._executor.wait(timeout_s)
        if isinstance(report, Working):
            self._frames[report.task] = max(report.frames, self._frames.get(report.task, 0))
        elif isinstance(report, Done):
            del self._frames[report.task]
            self._done(report.task, report.outcome)
        elif isinstance(report, Lost):
            del self._frames[report.task]
            self._lost(report.task, report.why)
        return self.progress

    def close(self) -> None:
        """End all workers. What is done stays done, and the next call goes on. Calling it twice is fine."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Return the archive itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all workers."""
        self.close()

    def _lock(self, stack: ExitStack) -> None:
        try:
            claim = Claim.of_lock_file(self._out / LOCK, self._out, say=self._say)
        except SinkError as error:
            raise SinkError(f"{self._out}: another edgecls archive is working on it; wait for its end, or stop it") from error
        if claim is not None:
            stack.callback(claim.release)

    def _plan(self, retry: bool) -> None:
        """Queue what is missing, and remove parts that others have replaced."""
        there = parts_by_recording(self._out)
        for recording in self._recordings:
            parts = there.get(recording.id, [])
            stamps = [(part, read_stamp(part.labels)) for part in parts]
            good = _complete(recording, stamps)
            listed = self._unreadable.get(recording)
            is_tried = listed is not None and not listed.frames
            if (good or is_tried) and not (listed is not None and retry):
                remove((part for part in parts if good and part not in good), keep=good)
                self._count(before=1)
                continue
            self._bytes += recording.size
            self._replaced[recording.id] = parts
            same = {stamp.sha256 for _, stamp in stamps if stamp.is_placed_as(recording)}
            is_known = len(same) == 1 and bool(_complete(recording, stamps, changed=True))
            self._queue.append(Task(recording, same.pop() if is_known else ""))

    def _hand_out(self) -> None:
        while self._queue and len(self._frames) < self._executor.workers:
            self._begin(self._queue.popleft())
        if self._suspects and not self._frames:
            self._begin(self._suspects.popleft())

    def _begin(self, task: Task) -> None:
        self._frames[task] = 0
        self._executor.submit(task)

    def _done(self, task: Task, outcome: Outcome) -> None:
        now = [part for part in map(part_at, map(Path, outcome.parts)) if part is not None]
        self._progress = replace(
            self._progress,
            frames=self._progress.frames + outcome.frames,
            events=self._progress.events + outcome.events,
            media_s=self._progress.media_s + (0.0 if task.span is not None else outcome.media_s),
        )
        if outcome.kind == "split":
            self._split(task.recording, outcome)
        elif outcome.kind == "whole" or (task.span is not None and outcome.kind == "unreadable"):
            self._give_up_spans(task.recording)
        elif task.span is not None:
            self._span_done(task, now)
        else:
            self._finished(task.recording, outcome, now)

    def _finished(self, recording: Recording, outcome: Outcome, now: list[Part]) -> None:
        """Count a recording that is done, or that cannot be read, and remove the parts that its new ones replace."""
        self._splits.pop(recording.id, None)
        self._bytes_done += recording.size
        if now:
            remove((part for part in self._replaced.pop(recording.id, ()) if part not in now), keep=now)
        if outcome.fault:
            self._list(recording, outcome.fault, outcome.frames)
        else:
            self._unreadable.drop(recording)
            self._count()

    def _split(self, recording: Recording, outcome: Outcome) -> None:
        """Queue the spans of a long recording that are not in the archive yet."""
        there = [(part, read_stamp(part.labels)) for part in self._replaced.get(recording.id, ())]
        split = self._splits[recording.id] = Split.of(recording, outcome, there)
        self._queue.extendleft(reversed(split.next_tasks()))

    def _span_done(self, task: Task, now: list[Part]) -> None:
        """Queue the last task of a recording when all its spans are labelled."""
        split = self._splits.get(task.recording.id)
        if split is None:  # it has been given up meanwhile
            remove(now)
            return
        split.missing.discard(task)
        split.parts += now
        if not split.missing:
            self._queue.extendleft(split.next_tasks())

    def _give_up_spans(self, recording: Recording) -> None:
        """Label a recording as a whole, because one of its spans cannot be labelled by itself."""
        split = self._splits.pop(recording.id, None)
        if split is not None:
            remove(split.parts)
            for tasks in (self._queue, self._suspects):
                left = [task for task in tasks if task.recording != recording]
                tasks.clear()
                tasks.extend(left)
            self._queue.appendleft(Task(recording, is_whole=True))

    def _lost(self, task: Task, why: str) -> None:
        """Try a task once more, alone, in case that others took the memory that it needed; then give it up."""
        if task not in self._alone:
            self._alone.add(task)
            self._suspects.append(task)
        elif task.span is not None or task.joins:
            self._give_up_spans(task.recording)
        else:
            self._bytes_done += task.recording.size
            self._list(task.recording, why, 0)

    def _miss(self, recording: Recording, why: str) -> None:
        """Count a recording that is not there, and list it unless it is listed already."""
        if self._unreadable.get(recording) is None:
            self._list(recording, why, 0)
        else:
            self._count(before=1)

    def _list(self, recording: Recording, why: str, frames: int) -> None:
        self._unreadable.add(Unreadable.of(recording, why, frames))
        self._say(f"{name_of(recording)}: {why}")
        self._count(unreadable=1)

    def _count(self, *, before: int = 0, unreadable: int = 0) -> None:
        self._progress = replace(
            self._progress,
            done=self._progress.done + 1,
            before=self._progress.before + before,
            unreadable=self._progress.unreadable + unreadable,
        )


def _complete(recording: Recording, stamps: Sequence[tuple[Part, Stamp]], *, changed: bool = False) -> list[Part]:
    """Return parts that together hold a recording as it is now; an empty list if there are none.

    With `changed` size and time of the file may be others: only its content can tell.
    """
    groups: dict[tuple[Path, int, str], list[tuple[Part, Stamp]]] = {}
    for part, stamp in stamps:
        if stamp.is_placed_as(recording) if changed else stamp.is_of(recording):
            groups.setdefault((part.labels.parent, part.count, stamp.sha256), []).append((part, stamp))
    good = next((group for group in groups.values() if are_complete(group)), [])
    return [part for part, _ in good]
