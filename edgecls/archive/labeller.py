"""Label one recording and write its part: what a worker does, and all that happens on another machine."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.archive.parts import Part, PartWriter, Stamp, failing, part_of, parts_by_recording, read_stamp, stamp_again
from edgecls.archive.reading import TELL_EVERY_S, Digest, at_hand, began_at, has_changed
from edgecls.archive.schema import EVENTS, LABELS, as_text, event_row, label_rows
from edgecls.archive.task import Job, Outcome, Task, fingerprint_of_rules
from edgecls.errors import EdgeclsError, SinkError, SourceError
from edgecls.events.detector import Events
from edgecls.events.observation import observe
from edgecls.health import Health
from edgecls.run.cameras import demand_of, places
from edgecls.run.detectors import Detectors
from edgecls.run.model import load_classifier
from edgecls.run.pipeline import Pipeline
from edgecls.source import open_each
from edgecls.source.named import Named
from edgecls.source.threaded import Threaded
from edgecls.text.redaction import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.archive.recordings import Recording
    from edgecls.event import Event
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
            ConfigError: A rule names a label that cannot occur.
        """
        self._job = job
        self._classifier = load_classifier(job.config, lambda line: None if line.startswith("device ") else say(line))
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
            with at_hand(recording) as path:
                if task.known_sha256:
                    digest = Digest(path, tell)
                    if digest.finish() == task.known_sha256:
                        return self._same(recording)
                return self._label(recording, path, tell)
        except SinkError:
            raise
        except OSError as error:  # a SourceError, or one of the disk that the recording is on
            return Outcome("unreadable", fault=_reason(error, recording))

    def _same(self, recording: Recording) -> Outcome:
        """Stamp the parts of a recording with its new time of change."""
        parts = parts_by_recording(Path(self._job.out)).get(recording.id, [])
        for part in parts:
            stamp = read_stamp(part.labels)
            stamp_again(part.labels, replace(stamp, size=recording.size, modified_ns=recording.modified_ns))
        return Outcome("same", parts=tuple(str(part.labels) for part in parts))

    def _label(self, recording: Recording, path: str, tell: Callable[[int], None]) -> Outcome:
        digest = Digest(path, tell)
        with contextlib.closing(digest):
            config = self._job.of(recording, path)
            began_us = began_at(recording, path)
            part = part_of(Path(self._job.out), recording, began_us)
            with PartWriter(part.labels, LABELS) as labels, PartWriter(part.events, EVENTS) as events:
                writer = _Rows(labels, events, began_us, tell)
                fault = self._read(config, recording, writer)
                stamp = Stamp(
                    recording=as_text(hidden(recording.address)), size=recording.size, modified_ns=recording.modified_ns,
                    sha256=digest.finish(), camera=recording.camera, began_us=began_us,
                    is_named=recording.began_us is not None, model=self._job.model,
                    rules=rules_of(self._job, self._detectors, recording.camera), frames=writer.frames,
                    media_s=round(writer.media_s, 3), fault=fault, edgecls=__version__,
                )  # fmt: skip
                if not recording.is_remote and has_changed(recording, path):
                    return Outcome("unreadable", fault=CHANGED)
                if not writer.frames:
                    return Outcome("unreadable", fault=fault or "it has no frames")
                _finish(part, labels, events, stamp)
        return Outcome("done", writer.frames, events.count, writer.media_s, fault, (str(part.labels),))

    def _read(self, config: Config, recording: Recording, rows: _Rows) -> str:
        """Label all frames. Returns why the recording ends early, or "" if it is whole."""
        (camera,) = config.camera
        regions, health = self._detectors.regions(config, camera), Health({camera.name: camera.health})
        found = Events({camera.name: camera.rules}, model=self._job.config.model_name)
        pipeline = Pipeline(self._classifier, regions=regions, health=health)
        fault = ""
        with _opened(config, recording, self._classifier, self._say) as source:
            try:
                for result in pipeline.over(source):
                    seen = observe(result)
                    rows.add(label_rows(seen, result.frame.size_hw, result.left_out, rows.began_us), result.frame.time_s)
                    rows.tell_of(found.step(seen))
            except SourceError as error:
                fault = _reason(error, recording)
        rows.tell_of(found.close())
        rows.end()
        return fault


class _Rows:
    """Passes the rows of one recording on to its two files, and counts what it passes."""

    def __init__(self, labels: PartWriter, events: PartWriter, began_us: int, tell: Callable[[int], None]) -> None:
        self.began_us = began_us
        self.frames = 0
        self.media_s = 0.0
        self._labels = labels
        self._events = events
        self._tell = tell
        self._told = time.monotonic()
        self._open: dict[str, Event] = {}

    def add(self, rows: Iterator[tuple[Any, ...]], time_s: float) -> None:
        self._labels.add(rows)
        self.frames += 1
        self.media_s = max(self.media_s, time_s)
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            self._tell(self.frames)

    def tell_of(self, events: list[Event]) -> None:
        """Write the events that have ended, each once."""
        for event in events:
            self._open.pop(event.id, None)
            if event.end is None:
                self._open[event.id] = event
            else:
                self._events.add([event_row(event, self.began_us)])

    def end(self) -> None:
        """Write the events that never ended."""
        self._events.add([event_row(event, self.began_us) for event in self._open.values()])


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


@contextlib.contextmanager
def _opened(config: Config, recording: Recording, classifier: Any, say: Say) -> Iterator[Source]:
    """Open a recording. Its frames name the recording as the archive does, wherever it lies for now."""
    (source,) = open_each(places(config.camera, demand_of(config, classifier)), say=say)
    file = hidden(recording.address) if recording.is_remote else recording.address
    with Threaded(Named(source, file)) as threaded:
        yield threaded


def _reason(error: Exception, recording: Recording) -> str:
    """Return the reason of an error without the path, which is told beside it."""
    text = str(error) if isinstance(error, EdgeclsError) else str(getattr(error, "strerror", None) or error)
    return text.removeprefix(f"{recording.address}: ")
