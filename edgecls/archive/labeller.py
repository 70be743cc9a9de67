"""Label one recording and write its part: what a worker does, and all that happens on another machine."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls._version import __version__
from edgecls.archive.event_rows import EventRows
from edgecls.archive.joining import join
from edgecls.archive.parts import Part, PartWriter, Stamp, failing, part_of, parts_by_recording, read_stamp, stamp_again
from edgecls.archive.reading import TELL_EVERY_S, Digest, at_hand, facts_of, has_changed
from edgecls.archive.schema import EVENTS, LABELS, as_text, label_rows
from edgecls.archive.task import Job, Outcome, Task, fingerprint_of_rules
from edgecls.errors import ConfigError, EdgeclsError, SinkError, SourceError
from edgecls.events.detector import Events
from edgecls.events.observation import observe
from edgecls.health import Health
from edgecls.run.cameras import demand_of, places
from edgecls.run.detectors import Detectors
from edgecls.run.model import load_classifier
from edgecls.run.pipeline import Pipeline
from edgecls.source import open_each
from edgecls.source.named import Named
from edgecls.source.private import Private
from edgecls.source.spans import Span, SpanError, SpanSource, plan_spans
from edgecls.source.threaded import Threaded
from edgecls.text.redaction import hidden

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.archive.recordings import Recording
    from edgecls.frame import Result
    from edgecls.log import Say
    from edgecls.run.config import Config
    from edgecls.source import Source

CHANGED = "it changed while it was read; if it is still being recorded, run the same command again later"


class Labeller:
    """Labels recordings, one after the other. The model is loaded once."""

    def __init__(self, job: Job, say: Say) -> None:
        """Load the model and the detectors.

        Raises:
            ModelError: One of them cannot be loaded.
            ConfigError: A rule names a label that cannot occur, or the model has become another.
        """
        self._job = job
        self._classifier = load_classifier(job.config, lambda line: None if line.startswith("device ") else say(line))
        if self._classifier is not None and self._classifier.sha256 != job.model:
            raise ConfigError(f"{job.config.model}: is another model than where the archive was begun; use the same one")
        self._detectors = Detectors.load(job.config, say)
        self._detectors.check_labels(job.config, self._classifier)
        self._say = say

    def label(self, task: Task, tell: Callable[[int], None]) -> Outcome:
        """Do a task. Calls `tell` now and then with the number of frames so far.

        Raises:
            SinkError: The archive cannot be written, for example because the disk is full.
        """
        recording = task.recording
        try:
            if task.joins:
                return join(self._job, task, tell)
            with at_hand(recording) as path:
                return self._label_span(task, path, tell) if task.span is not None else self._label(task, path, tell)
        except SinkError:
            raise
        except SpanError:
            return Outcome("whole")
        except OSError as error:  # a SourceError, or one of the disk that the recording is on
            return Outcome("unreadable", fault=_reason(error, recording))

    def _label(self, task: Task, path: str, tell: Callable[[int], None]) -> Outcome:
        """Label a recording as a whole, unless it is to be split or has not changed after all."""
        recording = task.recording
        with contextlib.closing(Digest(path, tell)) as digest:
            if task.known_sha256 and digest.finish() == task.known_sha256:
                return self._same(recording)
            config, facts = self._job.of(recording, path), facts_of(recording, path)
            if not (task.is_whole or recording.is_remote) and 0 < 2 * self._job.split_s <= facts.duration_s:
                spans = self._spans(config, path)
                if spans:
                    return Outcome("split", spans=tuple(spans), sha256=digest.finish(), began_us=facts.began_us)
            part = part_of(Path(self._job.out), recording, facts.began_us)
            with PartWriter(part.labels, LABELS) as labels, PartWriter(part.events, EVENTS) as events:
                rows = _Rows(labels, EventRows(events, facts.began_us), facts.began_us, tell)
                fault = self._read(config, self._open(config, recording), recording, rows)
                stamp = self._stamp(recording, rows, fault, sha256=digest.finish())
                if not recording.is_remote and has_changed(recording, path):
                    return Outcome("unreadable", fault=CHANGED)
                if not rows.frames:
                    return Outcome("unreadable", fault=fault or "it has no frames")
                _finish(part, labels, events, stamp)
        return Outcome("done", rows.frames, events.count, rows.media_s, fault, (str(part.labels),))

    def _label_span(self, task: Task, path: str, tell: Callable[[int], None]) -> Outcome:
        """Label a span. Raises SpanError if it cannot be read by itself."""
        recording, span = task.recording, task.span
        assert span is not None  # noqa: S101 - for the type checker
        if has_changed(recording, path):
            return Outcome("unreadable", fault=CHANGED)
        config = self._job.of(recording, path)
        part = part_of(Path(self._job.out), recording, task.began_us, span.index, span.count)
        with PartWriter(part.labels, LABELS) as labels:
            rows = _Rows(labels, None, task.began_us, tell, first=span.first)
            fault = self._read(config, self._open(config, recording, span), recording, rows)
            if fault:
                raise SpanError(fault)
            if has_changed(recording, path):
                return Outcome("unreadable", fault=CHANGED)
            labels.finish(replace(self._stamp(recording, rows, "", sha256=task.sha256), first=span.first))
        return Outcome("done", rows.frames, 0, rows.media_s, "", (str(part.labels),))

    def _same(self, recording: Recording) -> Outcome:
        """Stamp the parts of a recording with its new time of change."""
        parts = parts_by_recording(Path(self._job.out)).get(recording.id, [])
        paths = [part.labels for part in parts] + [part.events for part in parts[:1] if part.count > 1]
        for path in paths:
            stamp_again(path, replace(read_stamp(path), size=recording.size, modified_ns=recording.modified_ns))
        return Outcome("same", parts=tuple(str(part.labels) for part in parts))

    def _spans(self, config: Config, path: str) -> list[Span]:
        """Return the spans of a long recording, or an empty list if its labels might become others."""
        (camera,) = config.camera
        is_watched = camera.follows or camera.when == "motion" or not camera.health.off
        depends = is_watched or any(zone.every_s for zone in camera.zone)
        if depends and not self._job.warm_up_s:
            return []
        warm_up_s = self._job.warm_up_s if depends else 0.0
        return plan_spans(path, camera.reading, seconds=self._job.split_s, warm_up_s=warm_up_s)

    def _open(self, config: Config, recording: Recording, span: Span | None = None) -> Source:
        """Open a recording, or one of its spans. Its frames name the recording as the archive does, wherever it is."""
        ((name, (where, reading)),) = places(config.camera, demand_of(config, self._classifier)).items()
        if span is None:
            (source,) = open_each({name: (where, reading)}, say=self._say)
        else:
            source = SpanSource.open(str(where), name, reading, span)
            source = Private(source, reading.private) if reading.private else source
        return Named(source, hidden(recording.address) if recording.is_remote else recording.address)

    def _read(self, config: Config, source: Source, recording: Recording, rows: _Rows) -> str:
        """Label all frames. Returns why the recording ends early, or "" if it is whole. Raises SpanError."""
        (camera,) = config.camera
        with Threaded(source) as frames:
            regions, health = self._detectors.regions(config, camera), Health({camera.name: camera.health})
            found = Events({camera.name: camera.rules}, model=self._job.config.model_name)
            try:
                for result in Pipeline(self._classifier, regions=regions, health=health).over(frames):
                    rows.add(result, found)
            except SpanError:
                raise
            except SourceError as error:
                rows.end(found)
                return _reason(error, recording)
        rows.end(found)
        return ""

    def _stamp(self, recording: Recording, rows: _Rows, fault: str, *, sha256: str) -> Stamp:
        return Stamp(
            recording=as_text(hidden(recording.address)) if recording.is_remote else as_text(recording.address),
            size=recording.size, modified_ns=recording.modified_ns, sha256=sha256, camera=recording.camera,
            began_us=rows.began_us, is_named=recording.began_us is not None, model=self._job.model,
            rules=rules_of(self._job, self._detectors, recording.camera), frames=rows.frames,
            media_s=round(rows.media_s, 3), fault=fault, edgecls=__version__,
        )  # fmt: skip


class _Rows:
    """Passes the rows of one recording on to its files, and counts what it passes. `first` is the first frame to write."""

    def __init__(
        self, labels: PartWriter, events: EventRows | None, began_us: int, tell: Callable[[int], None], *, first: int = 0
    ) -> None:  # fmt: skip
        self.began_us = began_us
        self.frames = 0
        self.media_s = 0.0
        self._labels = labels
        self._events = events
        self._tell = tell
        self._first = first
        self._told = time.monotonic()

    def add(self, result: Result, found: Events) -> None:
        frame, now = result.frame, time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._tell(self.frames)
        if frame.index < self._first:
            return
        seen = observe(result)
        self._labels.add(label_rows(seen, frame.size_hw, result.left_out, self.began_us))
        if self._events is not None:
            self._events.add(found.step(seen))
        self.frames += 1
        self.media_s = max(self.media_s, frame.time_s)

    def end(self, found: Events) -> None:
        if self._events is not None:
            self._events.add(found.close())
            self._events.end()


def rules_of(job: Job, detectors: Detectors, camera: str) -> str:
    """Return the fingerprint of the rules of a camera."""
    rules = job.rules_of(camera)
    detector = detectors.of(job.config, rules)
    return fingerprint_of_rules(rules, "" if detector is None else detector.sha256)


def _finish(part: Part, labels: PartWriter, events: PartWriter, stamp: Stamp) -> None:
    """Give both files their names: first the events, because a recording with labels is done."""
    if events.count:
        events.finish(stamp)
    else:
        with failing(part.events):
            part.events.unlink(missing_ok=True)
    labels.finish(stamp)


def _reason(error: Exception, recording: Recording) -> str:
    """Return the reason of an error without the path, which is told beside it."""
    text = str(error) if isinstance(error, EdgeclsError) else str(getattr(error, "strerror", None) or error)
    return text.removeprefix(f"{recording.address}: ")
