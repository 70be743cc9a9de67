"""A sink that keeps pictures worth a label in a store (`edgecls.store`): crops of zones and objects, or whole frames.

The run only decides, from scores and times, whether a picture may be worth a label. A thread of the sink cuts it out, compares
it with what is kept, encodes and stores it (`edgecls.sink.keeper`). So neither that work nor a slow disk delays a frame:
pictures that come too fast are dropped, which is no loss, because there will be others.

An object is kept as it was seen best: when it has left or, if it stays, after some time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from edgecls.collect import BestViews, Candidate, SelectionSettings
from edgecls.frame import MOTION
from edgecls.log import Say, log_warning
from edgecls.model.confidence import UNKNOWN
from edgecls.settings import check_limits, limited
from edgecls.sink.keeper import Keeper, Offer
from edgecls.sink.keeper_thread import KeeperThread
from edgecls.sink.recordings.quota import QuotaSettings  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.sink.sink import Backlog, Sink, SinkKind
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import Detection, Frame, Result

LONGEST_S = 30.0
"""An object that stays for longer, in seconds of media time, is kept as it was seen best until then."""


@dataclass(frozen=True, slots=True)
class CollectSettings:
    """Pictures worth a label in the store `path`, which is created if it does not exist.

    Attributes:
        path: The folder of the store.
        margin: Crops are larger than their box by this share of its longer side on all sides.
        choice: Which pictures are kept of each camera.
        quota: How much disk space the store may take. The oldest pictures without a label make room.
        embed: Compare pictures by the network of `edgecls learn`, if it is in the cache of this machine, instead of perceptual
            hashes. It takes some hundredths of a second for each picture that is looked at.
    """

    path: str
    kind: Literal["collect"] = "collect"
    margin: float = limited(0.2, at_least=0, at_most=2, unit="times the longer side")
    choice: SelectionSettings = field(default_factory=SelectionSettings)
    quota: QuotaSettings | None = None
    embed: bool = True

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)


class CollectSink(Sink):
    """Keeps pictures worth a label: of each zone, of each tracked object (its best view), or of the whole frame.

    Pictures are kept at the camera's resolution. What a person must know about them is in the store: camera, region, time,
    event, track, why it was kept, and what the model said. Of an object that is the label at its end.
    """

    def __init__(self, settings: CollectSettings, *, say: Say = log_warning, seed: int | None = None) -> None:
        """Open the store, or create it.

        Args:
            settings: Where pictures are kept, and which.
            say: Called with a one-line message when pictures cannot be written, and when they are written again.
            seed: Seeds the times of random pictures; None: other ones in each run.

        Raises:
            SinkError: The store cannot be created, is damaged, or was written by a newer edgecls. One that cannot be written at
                the moment is tried again with each picture.
        """
        keeper = Keeper(
            settings.path, settings.choice, margin=settings.margin, quota=settings.quota, embed=settings.embed,
            rng=np.random.default_rng(seed),
        )  # fmt: skip
        self._views = BestViews()
        self._staying: dict[str, Event] = {}  # events of objects in sight that were not offered yet
        self._offered: set[str] = set()  # events of objects in sight that were offered
        self._thread = KeeperThread(keeper, settings.path, say)

    @property
    def kept(self) -> int:
        """How many pictures were kept so far, those that were replaced since among them."""
        return self._thread.kept

    @property
    def backlog(self) -> Backlog:
        """The number of pictures that wait for the thread, and of those that came too fast or could not be written."""
        return self._thread.backlog

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present."""
        return self._thread.trouble

    def write(self, result: Result) -> None:
        """Cut out what may be worth a label, of zones or the whole frame. Objects come with their events."""
        if result.unfit is not None:
            return
        self._views.see(result)
        for event in [one for one in self._staying.values() if one.camera == result.frame.camera]:
            if result.frame.time_s - event.start.time_s > LONGEST_S:
                self._offer_object(event)
        for detection in result.detections:
            if detection.region != MOTION:
                self._offer_region(result.frame, detection, result.model)

    def write_event(self, event: Event) -> None:
        """Offer the best view of an object that has left. Its label is final."""
        if event.kind != "object":
            return
        if event.end is None:
            self._staying[event.id] = event
        elif event.id in self._staying or event.id not in self._offered:
            self._offer_object(event)
        else:
            self._thread.put(event)
        if event.end is not None:
            self._offered.discard(event.id)
            self._views.drop(event.camera, event.track_id)

    def close(self) -> None:
        """Store what waits, and close the store."""
        self._thread.close()

    def _offer_region(self, frame: Frame, detection: Detection, model: str) -> None:
        """Offer what a region shows."""
        prediction = detection.prediction
        score = prediction.score if prediction.label else None
        candidate = Candidate(
            f"region {detection.region}", _time_of(frame), score=score, is_unknown=prediction.label == UNKNOWN
        )
        origin = _origin(frame, detection.region, model=model, prediction=prediction.label, score=score)
        self._thread.offer(Offer(frame, detection.box, candidate, origin))

    def _offer_object(self, event: Event) -> None:
        """Offer the best view of an object so far."""
        self._staying.pop(event.id, None)
        self._offered.add(event.id)
        view = self._views.best(event.camera, event.track_id)
        if view is None:
            return
        candidate = Candidate(
            f"event {event.id}", _time_of(view.frame), score=event.score, is_unknown=event.label == UNKNOWN, is_event=True
        )
        about = {"event": event.id, "track": event.track_id, "model": event.model}
        origin = _origin(view.frame, view.region, prediction=event.label, score=event.score, **about)
        self._thread.offer(Offer(view.frame, view.box, candidate, origin, goes_on=event.end is None))


def _time_of(frame: Frame) -> float:
    return frame.time_s if frame.at_s is None else frame.at_s


def _origin(frame: Frame, region: str, **fields: Any) -> Origin:
    """Return where a picture comes from: a region of a frame, and what is known besides."""
    return Origin(camera=frame.camera, region=region, at_s=frame.at_s, time_s=frame.time_s, file=frame.file, **fields)


def _check(out: CollectSettings, _say: Say) -> None:
    """Open the store if there is one. Creates nothing. Raises DataError."""
    if Path(out.path).exists():
        Store(out.path, create=False).close()


KIND = SinkKind(
    CollectSettings,
    lambda out, say: CollectSink(out, say=say),
    "path",
    "a folder after the colon, such as {kind}:pictures",
    is_folder=True,
    draws=True,
    check=_check,
)
