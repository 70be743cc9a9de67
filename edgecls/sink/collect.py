"""A sink that keeps pictures worth a label in a store (`edgecls.store`): crops of zones and objects, or whole frames.

The run only decides, from scores and times, whether a picture may be worth a label, and cuts it out. A thread of the sink
compares it with what is kept, encodes and stores it. So a slow disk never delays a frame: pictures that come too fast are
dropped, which is no loss, because there will be others.
"""

from __future__ import annotations

import queue
import shutil
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from edgecls import image
from edgecls.collect import Candidate, Selection, SelectionSettings
from edgecls.errors import DataError, SinkError
from edgecls.frame import MOTION
from edgecls.log import Say, log_warning
from edgecls.model.confidence import UNKNOWN
from edgecls.regions.regions import grown
from edgecls.settings import check_limits, limited
from edgecls.sink.delivery.losses import LossCounter
from edgecls.sink.recordings.quota import GB, QuotaSettings
from edgecls.sink.sink import Backlog, Sink, SinkKind
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Box, Detection, Frame, Picture, Result

WRITER = "collect "
"""Prefix of the name of the thread."""
MOST_WAITING = 16
CLOSE_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """Pictures worth a label in the store `path`, which is created if it does not exist.

    Attributes:
        path: The folder of the store.
        margin: Crops are larger than their box by this share of its longer side on all sides.
        choice: Which pictures are kept of each camera.
        quota: How much disk space the store may take. The oldest pictures without a label make room.
    """

    path: str
    kind: Literal["collect"] = "collect"
    margin: float = limited(0.2, at_least=0, at_most=2, unit="times the longer side")
    choice: SelectionSettings = field(default_factory=SelectionSettings)
    quota: QuotaSettings | None = None

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)


class _Picture(NamedTuple):
    """A cut-out picture on its way to the store."""

    camera: str
    candidate: Candidate
    picture: Picture
    origin: Origin


class _Ended(NamedTuple):
    """An object whose label is final."""

    event: Event


class CollectSink(Sink):
    """Keeps pictures worth a label: of each zone, of each tracked object (one, when it is reported), or of the whole frame.

    Pictures are kept at the camera's resolution. What a person must know about them is in the store: camera, region, time,
    event, track, why it was kept, and what the model said. When an object has left, its final label replaces the first one.

    `kept` counts the pictures that were kept so far, those that were replaced since among them.
    """

    def __init__(self, settings: CollectSettings, *, say: Say = log_warning, seed: int | None = None) -> None:
        """Open the store, or create it.

        Args:
            settings: Where pictures are kept, and which.
            say: Called with a one-line message when pictures cannot be written, and when they are written again.
            seed: Seeds the times of random pictures; None: other ones in each run.

        Raises:
            SinkError: The store cannot be used.
        """
        self._settings = settings
        try:
            self._store = Store(settings.path)
        except DataError as error:
            raise SinkError(str(error)) from error
        self._rng = np.random.default_rng(seed)
        self._selections: dict[str, Selection] = {}
        self._shown: dict[str, Result] = {}
        self._numbers: dict[str, int] = {}  # of the picture of each event that goes on
        self._losses = LossCounter(settings.path, "pictures", say)
        self._dropped = 0
        self.kept = 0
        self._is_closed = False
        self._queue: queue.Queue[_Picture | _Ended | None] = queue.Queue(MOST_WAITING)
        self._remember()
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{settings.path}", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> Backlog:
        """The number of pictures that came too fast or could not be written."""
        return Backlog(dropped=self._dropped + self._losses.lost)

    def write(self, result: Result) -> None:
        """Cut out what may be worth a label, of zones or the whole frame. Objects come with their events."""
        if result.unfit is not None:
            return
        self._shown[result.frame.camera] = result
        for detection in result.detections:
            if detection.region != MOTION:
                self._offer(result.frame, detection, subject=f"region {detection.region}")

    def write_event(self, event: Event) -> None:
        """Cut out an object when it is reported. When it has left, its label is final."""
        if event.kind != "object":
            return
        if event.end is not None:
            self._put(_Ended(event))
            return
        result = self._shown.get(event.camera)
        detection = None if result is None else _of_track(result, event.track_id)
        if result is not None and detection is not None:
            self._offer(result.frame, detection, subject=f"event {event.id}", event=event)

    def close(self) -> None:
        """Store what waits, and close the store."""
        if self._is_closed:
            return
        self._is_closed = True
        self._queue.put(None)
        self._thread.join(CLOSE_WAIT_S)
        self._losses.close()

    def _offer(self, frame: Frame, detection: Detection, *, subject: str, event: Event | None = None) -> None:
        """Pass a picture on to the thread if it may be worth a label."""
        prediction = detection.prediction
        at_s = frame.time_s if frame.at_s is None else frame.at_s
        candidate = Candidate(
            subject,
            at_s,
            score=prediction.score if prediction.label else None,
            is_unknown=prediction.label == UNKNOWN,
            is_event=event is not None,
        )
        if not self._selection(frame.camera).may_be_worth(candidate):
            return
        origin = Origin(
            camera=frame.camera,
            region=detection.region,
            at_s=frame.at_s,
            time_s=frame.time_s,
            file=frame.file,
            event="" if event is None else event.id,
            track=None if event is None else event.track_id,
            model="" if event is None else event.model,
            prediction=prediction.label,
            score=prediction.score if prediction.label else None,
        )
        self._put(_Picture(frame.camera, candidate, self._cut(frame, detection.box), origin))

    def _cut(self, frame: Frame, box: Box) -> Picture:
        """Return a copy of a part of a frame, with the margin."""
        return image.crop(frame.bgr(), grown(box, self._settings.margin, frame.size_hw)).copy()

    def _put(self, item: _Picture | _Ended) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._dropped += isinstance(item, _Picture)

    def _selection(self, camera: str) -> Selection:
        if camera not in self._selections:
            self._selections[camera] = Selection(self._settings.choice, self._rng)
        return self._selections[camera]

    def _remember(self) -> None:
        """Tell the choice what the store has already."""
        for entry in self._store.entries():
            if entry.origin.hash is not None:
                self._selection(entry.origin.camera).remember(entry.id, entry.origin.hash)

    def _work(self) -> None:
        """Store pictures until the sink is closed. Runs in the thread of the sink."""
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, _Ended):
                    self._end(item.event)
                else:
                    self._keep(item)
            except (DataError, SinkError, OSError) as error:
                self._losses.lose(error, lost=isinstance(item, _Picture))
        self._store.close()

    def _keep(self, item: _Picture) -> None:
        """Store a picture, if it is better than what is there."""
        hash_bits = image.perceptual_hash(item.picture)
        selection = self._selections[item.camera]
        choice = selection.choose(item.candidate, hash_bits)
        if choice is None:
            return
        self._make_room(item.picture.nbytes // 4)
        number = self._store.add(item.picture, replace(item.origin, reason=choice.reason, hash=hash_bits))
        selection.keep(item.candidate, number, hash_bits, choice)
        self.kept += 1
        if choice.replaces is not None and self._is_unlabelled(choice.replaces):
            self._store.remove([choice.replaces])
        if item.origin.event:
            self._numbers[item.origin.event] = number
        self._losses.over()

    def _end(self, event: Event) -> None:
        number = self._numbers.pop(event.id, None)
        if number is not None:
            self._store.update(number, prediction=event.label, score=event.score)

    def _is_unlabelled(self, number: int) -> bool:
        """Whether a picture is still there and has no label: a person may have labelled it meanwhile."""
        try:
            entry = self._store.entry(number)
        except DataError:
            return False
        return not entry.label and not entry.is_unusable

    def _make_room(self, more: int) -> None:
        """Remove old pictures without a label until the quota is met. Raises SinkError if that is not enough."""
        quota = self._settings.quota
        if quota is None:
            return
        missing = 0 if quota.most_gb is None else self._store.make_room(more, round(quota.most_gb * GB))
        free = shutil.disk_usage(self._store.folder).free - more
        if missing or free < quota.keep_free_gb * GB:
            raise SinkError(f"{self._settings.path}: the quota is reached, and no picture without a label is left to remove")


def _of_track(result: Result, track_id: int | None) -> Detection | None:
    """Return the detection of a track in a frame, or None if the frame does not show it."""
    marks = () if result.overlay is None else result.overlay.marks
    for detection, mark in zip(result.detections, marks, strict=False):
        if mark is not None and mark.track_id == track_id:
            return detection
    return None


def _check(out: CollectSettings, _say: Say) -> None:
    """Open the store if there is one. Creates nothing. Raises DataError."""
    if Path(out.path).exists():
        Store(out.path, create=False).close()


KIND = SinkKind(
    CollectSettings,
    lambda out, say: CollectSink(out, say=say),
    "path",
    "a folder after the colon, such as {kind}:pictures",
    draws=True,
    check=_check,
)
