"""Whether the pictures of a camera can be trusted: frozen, black, overexposed, covered, defocused, moved.

Five times a second a frame is looked at, shrunk to 320 pixels and in a few of its rows; the frames between share its verdict.
Each fault has a sign of its own, which a picture shows or not, or which cannot be told (a black picture is not out of focus).
A sign that lasts is a fault. What is usual of a camera is learned only while it shows no sign at all.

A look at a frame of 1080p takes 1.3 ms on one core of an AMD EPYC, 0.6 of them for the small picture, which `Motion` takes
over: a quarter of a millisecond a frame at 25 frames a second.

That a camera is lost is no matter of pictures: its source says so (`edgecls.frame.StateChange`), and `edgecls.run.events`
tells of it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, get_args

from edgecls import image
from edgecls.event import Moment
from edgecls.frame import PictureFault, Unfit
from edgecls.image.shrink import shrink
from edgecls.run.health.repeats import Repeats
from edgecls.run.health.rule import HealthRule as HealthRule
from edgecls.run.health.scene import PARTS, Edges, Match, Scene, edges_of
from edgecls.run.health.sharpness import Sharpness, Steepness, steepness
from edgecls.run.health.sign import Sign
from edgecls.run.health.tone import (
    BLACK,
    NEVER_SEEN,
    NO_LONGER_BLACK,
    NO_LONGER_NEVER_SEEN,
    NO_LONGER_OVEREXPOSED,
    NO_LONGER_PLAIN,
    OVEREXPOSED,
    PLAIN,
    grid_noise,
    tone,
)
from edgecls.run.per_camera import PerCamera

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import TypeAlias

    from edgecls.frame import Frame, Picture
    from edgecls.run.health.tone import Tone

    Shown: TypeAlias = "dict[PictureFault, bool | None]"

LOOK_EVERY_S = 0.2
ROUNDING = 1e-6
LONGEST_STEP_S = 5.0
"""From one look to the next, as far as it proves anything: an outage of a minute in which nobody looked is no minute of
black."""
SMALLEST = 32
"""Pixels of a side: in a smaller picture nothing can be told."""
WIDTH, GRID = 320, 160
NOISES = 5
DEFOCUSED, NO_LONGER_DEFOCUSED = 0.7, 0.45
"""Shares of the picture that are softer than usual: see `sharpness`."""
MOVED, NO_LONGER_MOVED = 0.2, 0.35
"""Shares of the picture that are as usual: see `scene`."""
SHIFTED, NO_LONGER_SHIFTED = 0.4, 0.5
"""How much is left of the usual edges of a scene that was moved: 0.45 to 0.87 after a shift by 1 %, as wind gives it, 0.06 to
0.6 by 2 %, 0.27 at most by 3 %; 0.45 at least in pictures of car-detection.mp4."""
GONE, BACK = 0.15, 0.3
"""How much is left of the usual edges of a scene that is covered: 0.1 at most behind a drawn hand, 0.26 and more in fog that
leaves 15 % of the contrast. In a twentieth of the light it may be 0.14, but such a picture is black."""


class Health:
    """Says of each frame of several cameras whether its camera is fit. Give it the frames of each in order."""

    def __init__(self, rules: HealthRule | Mapping[str, HealthRule] | None = None) -> None:
        """Take the rule of all cameras, or those of each by its name; one without has the usual."""
        self._rules = PerCamera(rules or {}, HealthRule())
        self._cameras: dict[str, CameraHealth] = {}

    def __call__(self, frame: Frame) -> Unfit | None:
        """Return what is wrong with the frame's camera, or None."""
        camera = self._cameras.get(frame.camera)
        if camera is None:
            camera = self._cameras[frame.camera] = CameraHealth(self._rules[frame.camera])
        return camera.step(frame)

    def use(self, rules: HealthRule | Mapping[str, HealthRule], *, anew: Collection[str] = ()) -> None:
        """Go on with these rules. Cameras whose rule is another one now, and those in `anew`, are learned anew."""
        was, self._rules = self._rules, PerCamera(rules, HealthRule())
        for name in was.others(self._cameras, self._rules, anew=anew):
            del self._cameras[name]


class CameraHealth:
    """The health of one camera. It has one fault at a time; another one that it shows as well is told of afterwards."""

    def __init__(self, rule: HealthRule) -> None:
        """Know nothing of its pictures."""
        self._rule = rule
        self._signs = {
            fault: Sign(rule.begin_s(fault), rule.clear_s) for fault in get_args(PictureFault) if fault not in rule.ignore
        }
        self._unfit: Unfit | None = None
        self._looked: Moment | None = None  # the frame that was last looked at
        self._size_hw = (0, 0)
        self._repeats = Repeats()
        self._forget()

    def step(self, frame: Frame) -> Unfit | None:
        """Take one frame. Returns what is wrong with the camera, or None. A picture of a folder belongs to no camera."""
        if self._rule.off or frame.single or min(frame.size_hw) < SMALLEST:
            return None
        step_s = 0.0 if self._looked is None else frame.time_s - self._looked.time_s
        if self._looked is not None and 0 <= step_s < LOOK_EVERY_S - ROUNDING:
            return self._unfit
        if frame.size_hw != self._size_hw:
            self._size_hw = frame.size_hw
            self._forget()
        self._look(frame, min(max(step_s, 0.0), LONGEST_STEP_S))
        return self._unfit

    def _forget(self) -> None:
        """Learn anew what is usual."""
        self._scene, self._next = Scene(), Scene()
        self._sharpness = Sharpness()
        self._known_s = self._stayed_s = 0.0
        self._before: Picture | None = None
        self._noises: deque[float] = deque(maxlen=NOISES)

    def _look(self, frame: Frame, step_s: float) -> None:
        small = image.overview(frame, WIDTH)
        grid = shrink(small, max(1, round(small.shape[0] * GRID / WIDTH)), max(1, round(small.shape[1] * GRID / WIDTH)))
        noise = self._noise(grid)
        edges, steep = edges_of(grid, noise), steepness(frame.plane())
        shown = self._shown(tone(grid, noise), edges, steep)
        shown["frozen"] = self._repeats.again(small, frame.time_s)
        moment = Moment(frame.index, frame.time_s, frame.at_s, frame.file)
        for fault, sign in self._signs.items():
            sign.step(moment, step_s, shown[fault], first=self._looked if fault == "frozen" else None)  # again: it was before
        self._looked = moment
        if not any(sign.since for sign in self._signs.values()):
            self._learn(edges, steep, step_s)
        elif "moved" not in self._signs or self._signs["moved"].since is None or shown["moved"] is False:
            self._stayed_s = 0.0
        else:
            self._watch(edges if shown["moved"] else None, step_s)
        self._settle(moment)

    def _noise(self, grid: Picture) -> float:
        """The deviation of the noise, from picture to picture: the middle one of some, as a cut is no noise."""
        if self._before is not None:
            self._noises.append(grid_noise(self._before, grid, PARTS))
        self._before = grid
        return sorted(self._noises)[len(self._noises) // 2] if self._noises else 0.0

    def _shown(self, light: Tone, edges: Edges, steep: Steepness) -> Shown:
        """Which signs the picture shows; None where that cannot be told."""
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

    def _is_covered(self, light: Tone, left: float | None) -> bool:
        if left is None:
            return light.contrast < self._bound("covered", NEVER_SEEN, NO_LONGER_NEVER_SEEN)
        plain = light.contrast < self._bound("covered", PLAIN, NO_LONGER_PLAIN)
        return plain and left < self._bound("covered", GONE, BACK)

    def _bound(self, fault: PictureFault, enter: float, leave: float) -> float:
        """The bound for a sign: another one as long as it is shown, so that what wavers about one does not flicker."""
        sign = self._signs.get(fault)
        return leave if sign is not None and sign.since is not None else enter

    def _learn(self, edges: Edges, steep: Steepness, step_s: float) -> None:
        rate = step_s / max(step_s, min(self._known_s, self._rule.learn_s)) if self._known_s else 1.0
        self._known_s += step_s
        self._scene.learn(edges, rate)
        self._sharpness.learn(steep, rate)

    def _watch(self, edges: Edges | None, step_s: float) -> None:
        """See whether the other scene stays: then it is the usual one. Where it cannot be told (None) it is taken to stay, or a
        camera that was moved before the night would be moved all night.
        """
        if edges is not None:
            alike = self._next.match(edges).alike if self._stayed_s else 0.0
            if alike is not None and alike < NO_LONGER_MOVED:
                self._next, self._stayed_s = Scene(), 0.0
            self._next.learn(edges, step_s / (step_s + self._stayed_s) if step_s else 1.0)
        self._stayed_s += step_s
        if self._stayed_s >= self._rule.stays_s - ROUNDING:
            self._signs["moved"].clear()
            self._forget()

    def _settle(self, moment: Moment) -> None:
        """Say which fault it is: the one that it was, or the first that holds now."""
        before = self._unfit
        faults = [fault for fault, sign in self._signs.items() if sign.holds]
        if before is not None and before.fault in faults:
            fault, since = before.fault, before.since
        elif faults:
            fault = faults[0]
            since = self._signs[fault].since or moment
            if before is not None and since.time_s <= before.last.time_s:
                since = moment
        else:
            self._unfit = None
            return
        last = self._signs[fault].last or moment
        self._unfit = Unfit(fault, since, max(since, last), classified=self._rule.classify_anyway)
