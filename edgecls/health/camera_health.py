"""Detect pictures that cannot be trusted: frozen, black, overexposed, covered, defocused or moved cameras.

Five times a second one frame is checked, at 320 pixels width and in a few of its full rows; the frames between share its
result. Each fault has its own symptom, which a picture shows, does not show, or cannot tell (a black picture cannot tell
whether it is in focus). A symptom that lasts is a fault. The camera's normal appearance is learned only while there is no
symptom at all.

Checking a 1080p frame takes 1.3 ms on one core of an AMD EPYC. 0.6 ms of this is for the small picture, which `Motion` reuses.
At 25 frames per second this averages to a quarter of a millisecond per frame.

Whether a camera is connected is not decided here: its source reports that (`edgecls.frame.StateChange`), and
`edgecls.events.detector` makes it an event.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, get_args

from edgecls import image
from edgecls.event import Moment
from edgecls.frame import PictureFault, Unfit
from edgecls.health.exposure import (
    BLACK,
    NEVER_SEEN,
    NO_LONGER_BLACK,
    NO_LONGER_NEVER_SEEN,
    NO_LONGER_OVEREXPOSED,
    NO_LONGER_PLAIN,
    OVEREXPOSED,
    PLAIN,
    exposure,
    grid_noise,
)
from edgecls.health.repeats import Repeats
from edgecls.health.scene import PARTS, Edges, Match, Scene, edges_of
from edgecls.health.settings import HealthSettings as HealthSettings
from edgecls.health.sharpness import Sharpness, Steepness, steepness
from edgecls.health.symptom import Symptom
from edgecls.image.shrink import shrink
from edgecls.settings.per_camera import PerCamera

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import TypeAlias

    from edgecls.frame import Frame, Picture
    from edgecls.health.exposure import Exposure

    Shown: TypeAlias = "dict[PictureFault, bool | None]"

CHECK_EVERY_S = 0.2
ROUNDING = 1e-6
LONGEST_STEP_S = 5.0
"""The longest time between two checks that counts. An outage of a minute is not a minute of black pictures."""
SMALLEST = 32
"""The shortest side, in pixels, of a picture that can be judged."""
WIDTH, GRID = 320, 160
NOISES = 5
DEFOCUSED, NO_LONGER_DEFOCUSED = 0.7, 0.45
"""Bounds for the share of the picture that is softer than usual, see `sharpness`."""
MOVED, NO_LONGER_MOVED = 0.2, 0.35
"""Bounds for the share of the picture that looks as usual, see `scene`."""
SHIFTED, NO_LONGER_SHIFTED = 0.4, 0.5
"""Bounds for how much of the usual edges is left after the camera was moved. Measured: 0.45 to 0.87 after a shift by 1 %, as
caused by wind; 0.06 to 0.6 after 2 %; at most 0.27 after 3 %. At least 0.45 in frames of car-detection.mp4."""
GONE, BACK = 0.15, 0.3
"""Bounds for how much of the usual edges is left when the lens is covered. Measured: at most 0.1 behind a drawn hand, at least
0.26 in fog that leaves 15 % of the contrast. In a twentieth of the light it may be 0.14, but such a picture is black."""


class Health:
    """Checks for each frame whether its camera can be trusted. Pass it the frames of each camera in order.

    Example:
        health = edgecls.Health(edgecls.HealthSettings(ignore=("moved",)))
        unfit = health(frame)
        if unfit is not None:
            print(frame.camera, unfit.fault)
    """

    def __init__(self, rules: HealthSettings | Mapping[str, HealthSettings] | None = None) -> None:
        """Start without knowing any camera.

        Args:
            rules: The settings for all cameras, or a mapping from camera names to settings. Cameras without an entry, and None,
                get the defaults.
        """
        self._rules = PerCamera(rules or {}, HealthSettings())
        self._cameras: dict[str, CameraHealth] = {}

    def __call__(self, frame: Frame) -> Unfit | None:
        """Return the camera's current fault, or None if its pictures can be trusted."""
        camera = self._cameras.get(frame.camera)
        if camera is None:
            camera = self._cameras[frame.camera] = CameraHealth(self._rules[frame.camera])
        return camera.step(frame)

    def use(self, rules: HealthSettings | Mapping[str, HealthSettings], *, anew: Collection[str] = ()) -> None:
        """Switch to other settings. Cameras whose settings have changed, and those named in `anew`, are learned again."""
        was, self._rules = self._rules, PerCamera(rules, HealthSettings())
        for name in was.others(self._cameras, self._rules, anew=anew):
            del self._cameras[name]


class CameraHealth:
    """The health of one camera. It has one fault at a time; a second one is reported when the first has ended."""

    def __init__(self, rule: HealthSettings) -> None:
        """Start without knowing the camera's normal appearance."""
        self._rule = rule
        self._symptoms = {
            fault: Symptom(rule.begin_s(fault), rule.clear_s) for fault in get_args(PictureFault) if fault not in rule.ignore
        }
        self._unfit: Unfit | None = None
        self._checked: Moment | None = None  # the frame that was last checked
        self._size_hw = (0, 0)
        self._repeats = Repeats()
        self._forget()

    def step(self, frame: Frame) -> Unfit | None:
        """Process one frame. Returns the camera's fault, or None. Single pictures of a folder have no faults."""
        if self._rule.off or frame.single or min(frame.size_hw) < SMALLEST:
            return None
        step_s = 0.0 if self._checked is None else frame.time_s - self._checked.time_s
        if self._checked is not None and 0 <= step_s < CHECK_EVERY_S - ROUNDING:
            return self._unfit
        if frame.size_hw != self._size_hw:
            self._size_hw = frame.size_hw
            self._forget()
        self._check(frame, min(max(step_s, 0.0), LONGEST_STEP_S))
        return self._unfit

    def _forget(self) -> None:
        """Forget the camera's normal appearance."""
        self._scene, self._next = Scene(), Scene()
        self._sharpness = Sharpness()
        self._known_s = self._stayed_s = 0.0
        self._before: Picture | None = None
        self._noises: deque[float] = deque(maxlen=NOISES)

    def _check(self, frame: Frame, step_s: float) -> None:
        small = image.overview(frame, WIDTH)
        grid = shrink(small, max(1, round(small.shape[0] * GRID / WIDTH)), max(1, round(small.shape[1] * GRID / WIDTH)))
        noise = self._noise(grid)
        edges, steep = edges_of(grid, noise), steepness(frame.plane())
        shown = self._shown(exposure(grid, noise), edges, steep)
        shown["frozen"] = self._repeats.again(small, frame.time_s)
        moment = Moment(frame.index, frame.time_s, frame.at_s, frame.file)
        for fault, symptom in self._symptoms.items():
            first = self._checked if fault == "frozen" else None  # a repeated picture was there in the previous check
            symptom.step(moment, step_s, shown[fault], first=first)
        self._checked = moment
        if not any(symptom.since for symptom in self._symptoms.values()):
            self._learn(edges, steep, step_s)
        elif "moved" not in self._symptoms or self._symptoms["moved"].since is None or shown["moved"] is False:
            self._stayed_s = 0.0
        else:
            self._watch(edges if shown["moved"] else None, step_s)
        self._settle(moment)

    def _noise(self, grid: Picture) -> float:
        """Return the standard deviation of the noise between pictures: a median, because a cut is not noise."""
        if self._before is not None:
            self._noises.append(grid_noise(self._before, grid, PARTS))
        self._before = grid
        return sorted(self._noises)[len(self._noises) // 2] if self._noises else 0.0

    def _shown(self, light: Exposure, edges: Edges, steep: Steepness) -> Shown:
        """Return which symptoms the picture shows; None for one that cannot be told."""
        match = self._scene.match(edges)
        warm = self._known_s >= self._rule.warm_up_s
        black = light.level < self._bound("black", BLACK, NO_LONGER_BLACK)
        white = light.white > self._bound("overexposed", OVEREXPOSED, NO_LONGER_OVEREXPOSED)
        covered = self._is_covered(light, match.left if warm else None) and not black and not white
        hidden = black or white or covered
        softer = self._sharpness.softer(steep) if warm and not hidden else None
        defocused = None if softer is None else softer > self._bound("defocused", DEFOCUSED, NO_LONGER_DEFOCUSED)
        moved = self._is_moved(match) if warm and not hidden and not defocused else None
        return {
            "black": black,
            "overexposed": white,
            "covered": covered,
            "defocused": defocused,
            "moved": moved,
        }

    def _is_moved(self, match: Match) -> bool | None:
        if match.alike is None or match.left is None:
            return None
        other = match.alike < self._bound("moved", MOVED, NO_LONGER_MOVED)
        return other and match.left < self._bound("moved", SHIFTED, NO_LONGER_SHIFTED)

    def _is_covered(self, light: Exposure, left: float | None) -> bool:
        if left is None:
            return light.contrast < self._bound("covered", NEVER_SEEN, NO_LONGER_NEVER_SEEN)
        plain = light.contrast < self._bound("covered", PLAIN, NO_LONGER_PLAIN)
        return plain and left < self._bound("covered", GONE, BACK)

    def _bound(self, fault: PictureFault, enter: float, leave: float) -> float:
        """Return the bound for a symptom, with hysteresis: `leave` while it is shown, otherwise `enter`."""
        symptom = self._symptoms.get(fault)
        return leave if symptom is not None and symptom.since is not None else enter

    def _learn(self, edges: Edges, steep: Steepness, step_s: float) -> None:
        rate = step_s / max(step_s, min(self._known_s, self._rule.learn_s)) if self._known_s else 1.0
        self._known_s += step_s
        self._scene.learn(edges, rate)
        self._sharpness.learn(steep, rate)

    def _watch(self, edges: Edges | None, step_s: float) -> None:
        """Check whether the new scene stays; if so, it becomes the usual one.

        A frame that cannot tell (None) counts as staying. Otherwise a camera that was moved at dusk would stay "moved" all
        night.
        """
        if edges is not None:
            alike = self._next.match(edges).alike if self._stayed_s else 0.0
            if alike is not None and alike < NO_LONGER_MOVED:
                self._next, self._stayed_s = Scene(), 0.0
            self._next.learn(edges, step_s / (step_s + self._stayed_s) if step_s else 1.0)
        self._stayed_s += step_s
        if self._stayed_s >= self._rule.stays_s - ROUNDING:
            self._symptoms["moved"].clear()
            self._forget()

    def _settle(self, moment: Moment) -> None:
        """Choose the fault: the previous one if it still holds, otherwise the first that holds now."""
        before = self._unfit
        faults = [fault for fault, symptom in self._symptoms.items() if symptom.holds]
        if before is not None and before.fault in faults:
            fault, since = before.fault, before.since
        elif faults:
            fault = faults[0]
            since = self._symptoms[fault].since or moment
            if before is not None and since.time_s <= before.last.time_s:
                since = moment
        else:
            self._unfit = None
            return
        last = self._symptoms[fault].last or moment
        self._unfit = Unfit(fault, since, max(since, last), classified=self._rule.classify_anyway)
