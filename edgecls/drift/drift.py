"""Detect drift at the cameras of a run, from what it computes anyway: results and events."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from edgecls.drift.camera_drift import CameraDrift
from edgecls.drift.looks import Looks
from edgecls.drift.saving import State, StateFile
from edgecls.drift.settings import DriftSettings
from edgecls.drift.slots import Seen
from edgecls.event import Event, Moment
from edgecls.frame import LEFT, MOTION, REMOVED, WHOLE_FRAME
from edgecls.log import Say, log_warning
from edgecls.model.confidence import UNKNOWN
from edgecls.settings.per_camera import PerCamera

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from edgecls.drift.history import DriftState
    from edgecls.drift.reference import Change
    from edgecls.frame import Detection, Result
    from edgecls.model.card import ModelCard

LOOK_EVERY_S = 10.0
ZONE_EVERY_S = 60.0
"""A zone, or the whole frame, is observed once a minute: its labels of one minute are hardly independent."""


class Drift:
    """Detects drift at any number of cameras, independently of each other. Pass it the results of each camera in order.

    What it has learned of a live camera is saved at the end of each quarter of an hour, for the next run.

    Example:
        drift = edgecls.Drift(card=classifier.card, model="street")
        for result in pipeline.over(source):
            found = events.step(edgecls.observe(result))
            for event in drift.step(result, found):
                print(event.camera, event.phase, event.label, f"{event.score:.2f}")
    """

    def __init__(
        self, settings: DriftSettings | Mapping[str, DriftSettings] | None = None, *, card: ModelCard | None = None,
        model: str = "", folder: Path | None = None, say: Say = log_warning,
    ) -> None:  # fmt: skip
        """Start, or continue what was saved in `folder`.

        Args:
            settings: The settings for all cameras, or by camera name. None: the defaults.
            card: The card of the model. Another model is another reference.
            model: The name of the model file, stored with each event.
            folder: Where to save what was learned of live cameras, for the next run. None: it is not saved.
            say: Called with a one-line message if that fails.
        """
        self._settings = PerCamera(settings or {}, DriftSettings())
        self._card, self._model, self._folder, self._say = card, model, folder, say
        self._cameras: dict[str, _Camera] = {}

    def step(self, result: Result, events: Sequence[Event] = ()) -> list[Event]:
        """Process a result of any camera.

        Args:
            result: The result.
            events: The events that begin or end with it, as `Events.step` returns them. Objects are observed when they end.

        Returns:
            The events of the kind "drift" that begin or end with it.
        """
        frame = result.frame
        if frame.single or self._settings[frame.camera].off:
            return []
        camera = self._cameras.get(frame.camera)
        moment = Moment(frame.index, round(frame.time_s, 3), None if frame.at_s is None else round(frame.at_s, 3), frame.file)
        ended: list[Event] = []
        if camera is not None and moment.begins_anew(camera.last):
            ended, camera = self._end(frame.camera), None
        if camera is None:
            camera = self._cameras[frame.camera] = self._camera(moment, frame.camera)
        return ended + camera.step(moment, result, events)

    def changes(self, camera: str) -> list[Change]:
        """Return the last comparison of a camera with its reference: regions, what was compared, distances and limits."""
        return list(self._cameras[camera].drift.changes) if camera in self._cameras else []

    def states(self) -> list[DriftState]:
        """Return what is known of each camera that has sent pictures and whose drift is detected. Any thread may call this."""
        return [camera.drift.state for camera in list(self._cameras.values())]

    def use(
        self, settings: DriftSettings | Mapping[str, DriftSettings], *, card: ModelCard | None, model: str,
        anew: Collection[str] = (),
    ) -> list[Event]:  # fmt: skip
        """Switch to other settings, and perhaps another model. Returns the events that end with the switch.

        Cameras whose settings have changed, and those in `anew`, start again from what was saved for their settings and model.
        Another model starts all of them again.
        """
        now, is_other = PerCamera(settings, DriftSettings()), (card, model) != (self._card, self._model)
        over = self._settings.others(self._cameras, now, anew=self._cameras if is_other else anew)
        ended = [event for name in over for event in self._end(name)]
        self._settings, self._card, self._model = now, card, model
        return ended

    def close(self) -> list[Event]:
        """Finish all cameras. Returns the events that end."""
        return [event for name in list(self._cameras) for event in self._end(name)]

    def _end(self, name: str) -> list[Event]:
        return self._cameras.pop(name).drift.close()

    def _camera(self, moment: Moment, name: str) -> _Camera:
        card = self._card
        key = hashlib.sha256(f"{self._settings[name]!r} {'' if card is None else card.to_json()}".encode()).hexdigest()
        is_saved = self._folder is not None and moment.at_s is not None
        file = StateFile(self._folder, name, self._say) if self._folder is not None and is_saved else None
        training = () if card is None or card.novelty is None else card.novelty.quantiles
        blank = Event("drift", name, WHOLE_FRAME, "", 0.0, moment, model=self._model)
        return _Camera(self._settings[name], blank, training, file=file, key=key)


class _Camera:
    """What is known of one camera."""

    def __init__(
        self, settings: DriftSettings, blank: Event, training: Sequence[float], *, file: StateFile | None, key: str
    ) -> None:  # fmt: skip
        state = None if file is None else file.read(key)
        try:
            self._looks = Looks("" if state is None else state.scene)
        except ValueError:
            self._looks, state = Looks(), None
        self.drift = CameraDrift(settings, blank, training=training, saved=None if state is None else state.saved)
        self.last = blank.start
        self._file, self._key = file, key
        self._next_look_s = self._next_zone_s = -1.0
        self._novelties: list[float] = []  # of what moved since the object before
        self._was_learning = self.drift.is_learning

    def step(self, moment: Moment, result: Result, events: Sequence[Event]) -> list[Event]:
        """Process a result, and the events that begin or end with it."""
        self.last, done = moment, self.drift.slots_done
        found = self.drift.step(moment)
        if self.drift.slots_done > done:
            self._save()
        if result.unfit is None:
            self._observe(moment.time_s, result)
        for event in events:
            if event.kind == "object" and event.end is not None:
                self.drift.seen(Seen(MOTION, event.label, event.score, event.label == UNKNOWN, self._novelty()))
        return found

    def _observe(self, now_s: float, result: Result) -> None:
        self._novelties += [
            d.prediction.novelty for d in result.detections if d.region == MOTION and d.prediction.novelty is not None
        ]
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            look = self._looks.look(result.frame, learn=self.drift.is_learning)
            if look is not None:
                self.drift.look(look)
        still = [d for d in result.detections if d.region not in (MOTION, LEFT, REMOVED)]
        if still and now_s >= self._next_zone_s:
            self._next_zone_s = now_s + ZONE_EVERY_S
            for detection in still:
                self.drift.seen(_seen(detection))

    def _novelty(self) -> float | None:
        mean = sum(self._novelties) / len(self._novelties) if self._novelties else None
        self._novelties.clear()
        return mean

    def _save(self) -> None:
        if self.drift.is_learning and not self._was_learning:
            self._looks = Looks()
        self._was_learning = self.drift.is_learning
        if self._file is not None:
            self._file.write(State(self.drift.saved, self._looks.saved, self._key))


def _seen(detection: Detection) -> Seen:
    prediction = detection.prediction
    return Seen(detection.region, prediction.label, prediction.score, prediction.label == UNKNOWN, prediction.novelty)
