"""One camera of a cameras.toml: its source, where to look, and its rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from edgecls.detect.naming import is_classified
from edgecls.detect.objects import Objects
from edgecls.detect.settings import DetectorSettings  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.drift.settings import DriftSettings
from edgecls.errors import ConfigError
from edgecls.events.rules import NO_COUNTS_OR_SECONDS, CountingLine, Rules, Zone
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.health.settings import HealthSettings
from edgecls.regions.geometry import MOST_IGNORED, MOST_PRIVATE, Polygon
from edgecls.regions.left import LeftObjects, LeftSettings
from edgecls.regions.motion import Motion, MotionSettings
from edgecls.regions.regions import Regions, combine, when_moving, whole_frame, zones
from edgecls.regions.sharp import Timely
from edgecls.settings import check, check_limits, limited
from edgecls.settings.build import check_count
from edgecls.source.open import LARGEST_NUMBER, check_substream
from edgecls.source.source import ReadingSettings

if TYPE_CHECKING:
    from edgecls.detect.detector import Detector

When = Literal["always", "motion"]


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera. `source` is a camera number, a device, a file, a folder or a URL. With `substream`, the address of a smaller
    stream of the same camera, that one is watched, and `source` is decoded only when something is to be classified.

    Zones with look = "state" are classified; without them the whole frame is. With lines, zones of objects or a table `motion`,
    moving objects are classified and tracked, except in the areas `ignore`. The areas `private` are black for models and in
    whatever is written of the camera. With a table `detector` the objects are those that
    the detector finds, moving or not. With `when` = "motion" nothing is classified while nothing moves. For the other fields
    see `ReadingSettings`, `StateSettings` (of the whole frame), `TrackSettings`, `MotionSettings`, `DetectorSettings`,
    `HealthSettings`, `DriftSettings` and `Rules`.
    """

    name: str
    source: str | int
    substream: str = ""
    when: When = "always"
    zone: tuple[Zone, ...] = ()
    line: tuple[CountingLine, ...] = ()
    ignore: tuple[Polygon, ...] = ()
    private: tuple[Polygon, ...] = ()
    count_every_s: float = limited(0.0, at_least=0, expected=NO_COUNTS_OR_SECONDS)
    state: StateSettings = field(default_factory=StateSettings)
    track: TrackSettings = field(default_factory=TrackSettings)
    motion: MotionSettings | None = None
    left: LeftSettings | None = None
    detector: DetectorSettings | None = None
    health: HealthSettings = field(default_factory=HealthSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    reading: ReadingSettings = field(default_factory=ReadingSettings)

    def __post_init__(self) -> None:
        """Validate the name, the rules and their combination."""
        self.check_name()
        is_good = isinstance(self.source, str) or 0 <= self.source <= LARGEST_NUMBER
        check("source", self.source, is_good, f"a number of a camera from 0 to {LARGEST_NUMBER}, or a text")
        check_substream(self.source, self.substream)
        _ = self.private_reading
        check_limits(self)
        check_count("areas to ignore", len(self.ignore), MOST_IGNORED)
        check_count("private areas", len(self.private), MOST_PRIVATE)
        _ = self.rules
        is_shown = any(zone.look == "state" for zone in self.zone)
        if self.state != StateSettings() and (is_shown or self.follows):
            place = "for a zone use [camera.zone.state]" if is_shown else "for moving objects use [camera.track]"
            raise ConfigError(f"state has no effect, because the whole frame is not classified; {place}")
        if self.track != TrackSettings() and not self.follows:
            raise ConfigError(
                "track has no effect, because nothing is tracked: there is no line, zone of objects, "
                "[camera.motion] or [camera.detector]"
            )

        if (self.motion is not None or self.left is not None) and not self._sees_motion:
            raise ConfigError(
                f"{'left' if self.motion is None else 'motion'} has no effect, because [camera.detector] finds the objects; "
                'to run it only while something moves, set gate = "motion" there'
            )

    def check_name(self) -> None:
        """Raise ConfigError for a name that cannot be part of file names and MQTT topics."""
        good = bool(re.fullmatch(r"[\w-]+", self.name))
        fit = re.sub(r"[^\w-]+", "-", self.name).strip("-") or "gate"
        check(
            "name", self.name, good, f"letters, digits, _ and - only, such as {fit!r}, because file names and topics contain it"
        )

    @property
    def rules(self) -> Rules:
        """The rules for events."""
        return Rules(self.zone, self.line, self.state, self.track, self.count_every_s, not self.health.off, self.left)

    def regions(self, detector: Detector | None = None) -> Regions:
        """Return the function that selects the regions of a frame. It learns the background, so call this once per camera.

        Args:
            detector: The loaded detector of `self.detector`.

        Raises:
            ConfigError: The settings of the detector name a class that it does not have.
        """
        shown = self.classified_zones
        rectangles = {name: (left, top, right - left, bottom - top) for name, (left, top, right, bottom) in shown.items()}
        still = zones(rectangles) if rectangles or self.follows else whole_frame
        every_s = {zone.name: zone.every_s for zone in self.zone if zone.every_s}
        if not (self.follows or self.when == "motion"):
            return Timely(still, every_s) if self.substream or every_s else still
        motion = Motion(self.motion or MotionSettings(), outside=self.ignore)
        found = self._found(still, motion, detector)
        if self.left is not None:
            found = combine(found, LeftObjects(lambda: motion.background, self.left, outside=self.ignore))
        return Timely(found, every_s, is_classified) if self.substream or every_s else found

    def _found(self, still: Regions, motion: Motion, detector: Detector | None) -> Regions:
        """Return the function that finds zones and objects."""
        if self.detector is not None and detector is not None:
            gate = motion if self.detector.gate == "motion" and self.when == "always" else None
            objects = combine(still, Objects(detector, self.detector, gate=gate, lost_s=self.track.lost_s, outside=self.ignore))
            return when_moving(objects, motion, follow=False) if self.when == "motion" else objects
        return when_moving(still, motion, follow=self.follows) if self.when == "motion" else combine(still, motion)

    @property
    def classified_zones(self) -> dict[str, tuple[float, float, float, float]]:
        """The rectangles around the zones that are classified: left, top, right, bottom, in fractions of the frame."""
        return {zone.name: zone.area.bounds for zone in self.zone if zone.look == "state"}

    @property
    def follows(self) -> bool:
        """Whether objects are classified and tracked."""
        is_asked = any(one is not None for one in (self.motion, self.left, self.detector))
        return is_asked or bool(self.line) or bool(self.rules.object_zones)

    @property
    def private_reading(self) -> ReadingSettings:
        """How its source is read, so that private areas are black, and its substream is watched."""
        private = (*self.reading.private, *self.private)
        return replace(self.reading, private=private, substream=self.substream or self.reading.substream)

    def looks_like(self, other: Camera) -> bool:
        """Return whether both look at the same regions, so that a learned background can be kept."""
        rules = {name: getattr(self, name) for name in ("zone", "line", "state", "track", "count_every_s", "health", "drift")}
        looks = [(camera.follows, camera.classified_zones) for camera in (self, other)]
        return looks[0] == looks[1] and replace(other, **rules) == self

    @property
    def is_named_by_detector(self) -> bool:
        """Whether no region of it needs a classifier."""
        is_shown = any(zone.look == "state" for zone in self.zone)
        return self.detector is not None and self.detector.names == "detector" and not is_shown

    @property
    def _sees_motion(self) -> bool:
        return self.when == "motion" or self.detector is None or self.detector.gate == "motion"
