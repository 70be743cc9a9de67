"""Draw worlds in front of a fixed camera, frame by frame, in which everything is known: who is to be seen where, and when.

Persons, cars and lorries move over a plane in metres, seen in perspective by a camera above it. They have textures and
shadows, hide each other, and are hidden by poles and pillars. Each world adds something that makes motion hard: a queue at a
signal, cars that park, a camera that sways, rain, insects in front of a lamp, headlights at dusk, exposure, noise, interlacing.
`scripts/worlds.py` measures with them.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from scripts.drawn_sprites import PX_PER_M, Sprite, car, lorry, person, pillar, vehicle_front

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH, HEIGHT = 640, 360
HORIZON, FOCAL = 60, 500.0
LONGEST_STAND_S = 60.0
"""What has stood for longer than this is part of the background: when it moves again, it is another object."""
LEAST_SHOWN, LEAST_AREA = 0.35, 0.0015
"""An object is to be seen if this share of it is, and its box has this share of the frame."""
SPEED_UP, BRAKE, HEADWAY_S, STAND_GAP_M = 2.0, 6.0, 1.2, 2.0
"""How vehicles drive: metres per second squared, seconds and metres to the one ahead."""


@dataclass(frozen=True)
class Kind:
    """What a world is like. Levels are gray levels, pixels those of a frame that is 640 wide.

    Attributes:
        is_along: Whether the road leads away from the camera, instead of across its view.
        light: The brightness of the scene, 1 for day.
        noise: The standard deviation of the camera's noise.
        shadow: The brightness in a shadow, 1 for none.
        sway: How far the camera sways, in pixels.
        signal_s: For how long a signal is red, and then green. 0: no signal.
        parks: The share of the cars that park, when the road has bays.
        stands: The share of the persons who stop for a while.
        rain: Streaks of rain per frame.
        insects: Insects per minute.
        headlights: The brightness of the road in front of a car, in levels.
        exposure: By how much the exposure varies, as a factor above 1.
        is_interlaced: Whether even and odd rows are of two moments.
    """

    is_along: bool = False
    light: float = 1.0
    noise: float = 2.0
    shadow: float = 0.62
    sway: float = 0.0
    signal_s: float = 0.0
    parks: float = 0.0
    stands: float = 0.15
    rain: int = 0
    insects: float = 0.0
    headlights: float = 0.0
    exposure: float = 1.0
    is_interlaced: bool = False


WORLDS = {
    "street": Kind(),
    "avenue": Kind(is_along=True),
    "queue": Kind(signal_s=20.0),
    "parking": Kind(parks=0.6),
    "sway": Kind(sway=3.0),
    "rain": Kind(light=0.75, noise=3.0, shadow=0.9, rain=160),
    "insects": Kind(light=0.6, noise=5.0, shadow=1.0, insects=20.0),
    "dusk": Kind(light=0.6, noise=4.0, shadow=1.0, headlights=70.0),
    "exposure": Kind(exposure=1.5),
    "noise": Kind(light=0.8, noise=9.0),
    "interlaced": Kind(is_interlaced=True),
}


class Lane(NamedTuple):
    """A straight way over the ground, from (x, z) to (x, z) in metres: to the right of the camera, and away from it."""

    of: str
    start: tuple[float, float]
    end: tuple[float, float]
    speed: tuple[float, float]
    stop_at: float = math.inf
    bays: tuple[float, ...] = ()

    @property
    def length(self) -> float:
        """In metres."""
        return math.dist(self.start, self.end)

    @property
    def is_along(self) -> bool:
        """Whether it leads away from the camera or towards it."""
        return abs(self.end[1] - self.start[1]) > abs(self.end[0] - self.start[0])

    def at(self, way: float) -> tuple[float, float]:
        """Return the point after `way` metres."""
        share = way / self.length
        return (
            self.start[0] + (self.end[0] - self.start[0]) * share,
            self.start[1] + (self.end[1] - self.start[1]) * share,
        )


def _across(of: str, z: float, way: int, speed: tuple[float, float], **more: float | tuple[float, ...]) -> Lane:
    half = WIDTH / 2 / FOCAL * z + (7 if of == "vehicle" else 1)
    return Lane(of, (-way * half, z), (way * half, z), speed, **more)  # type: ignore[arg-type]


def lanes_of(kind: Kind) -> tuple[Lane, ...]:
    """Return the ways of a world."""
    if kind.is_along:
        return (
            Lane("vehicle", (1.9, 9.5), (1.9, 80.0), (7, 12)),
            Lane("vehicle", (-1.9, 80.0), (-1.9, 9.5), (7, 12)),
            Lane("person", (6.2, 9.0), (6.2, 60.0), (0.9, 1.8)),
            Lane("person", (-6.2, 60.0), (-6.2, 9.0), (0.9, 1.8)),
        )
    stop = {"stop_at": 14.0} if kind.signal_s else {}
    bays = {"bays": (11.0, 17.0, 23.0)} if kind.parks else {}
    return (
        _across("vehicle", 19.0, -1, (5, 10), **stop, **bays),
        _across("vehicle", 14.5, 1, (5, 10), **stop),
        _across("person", 24.6, 1, (0.9, 1.8)),
        _across("person", 24.0, -1, (0.9, 1.8)),
        _across("person", 10.2, 1, (0.9, 1.8)),
        _across("person", 9.4, -1, (0.9, 1.8)),
    )


class Seen(NamedTuple):
    """An object in a frame: its number; left, top, right, bottom of its box within the frame; the middle of its whole box."""

    number: int
    box: tuple[float, float, float, float]
    middle: tuple[float, float]
    is_shown: bool


@dataclass
class Mover:
    """A person or a vehicle."""

    number: int
    lane: Lane
    sprites: tuple[Sprite, ...]
    length_m: float
    speed: float
    aside: float = 0.0
    way: float = 0.0
    now: float = 0.0
    """Its speed at this moment."""
    stop_way: float = math.inf
    stop_s: float = 0.0
    bay: float = 0.0
    """How far it has left its lane for a bay, in metres."""
    stood_s: float = 0.0
    is_over: bool = False

    def ground(self) -> tuple[float, float]:
        """Return where it is on the ground."""
        x, z = self.lane.at(self.way)
        return (x + self.aside, z) if self.lane.is_along else (x, z + self.aside + self.bay)

    def step(self, dt: float, free_m: float) -> None:
        """Move for `dt` seconds, with this many metres free ahead."""
        ahead = free_m if self.lane.of == "vehicle" else math.inf
        if self.stop_s > 0 and self.way >= self.stop_way - 0.05:
            self._stop(dt)
            return
        if self.stop_s > 0 and self.lane.of == "vehicle":
            ahead = min(ahead, self.stop_way - self.way + STAND_GAP_M)
        wanted = min(self.speed, max(0.0, (ahead - STAND_GAP_M) / HEADWAY_S))
        self.now += min(max(wanted - self.now, -BRAKE * dt), SPEED_UP * dt if self.lane.of == "vehicle" else self.speed)
        self.way += max(0.0, self.now) * dt
        if self.lane.bays:
            self._turn(dt)
        self.stood_s = self.stood_s + dt if self.now < 0.05 else 0.0
        self.is_over = self.way >= self.lane.length

    def _turn(self, dt: float) -> None:
        near = self.stop_s > 0 and self.stop_way - self.way < 8.0
        wanted = 2.8 if near else 0.0
        self.bay += min(max(wanted - self.bay, -1.0 * self.now * 0.4 * dt), self.now * 0.4 * dt)

    def _stop(self, dt: float) -> None:
        self.now = 0.0
        self.stood_s += dt
        self.stop_s -= dt


@dataclass
class World:
    """A world, and what happens in it. `frames` draws it."""

    kind: Kind
    seconds: float
    objects: int
    seed: int
    _: KW_ONLY
    fps: float = 12.5
    lanes: tuple[Lane, ...] = ()
    history_s: float = LONGEST_STAND_S
    has_pillars: bool = True
    _movers: list[Mover] = field(default_factory=list)
    _numbers: int = 0
    _now_s: float = 0.0

    def __post_init__(self) -> None:
        """Draw what does not move, and the plan of who comes when."""
        self.lanes = self.lanes or lanes_of(self.kind)
        self._rng = np.random.default_rng(self.seed)
        self._height_m = 8.0 if self.kind.is_along else 5.0
        self._empty = self._ground()
        self._occluders = self._standing()
        self._comes_s = np.sort(self._rng.uniform(3.0, max(4.0, self.seconds - 12.0), self.objects)).tolist()
        self._waiting: list[Mover] = []
        grain = self._rng.normal(0, self.kind.noise, (HEIGHT * 2, WIDTH * 2))
        self._grain = cv2.GaussianBlur(grain, (3, 3), 0.6) * 1.5  # of a camera that smooths its noise
        self._grain = np.rint(self._grain).astype(np.int16)
        self._insects: list[_Insect] = []

    def frames(self) -> Iterator[tuple[float, np.ndarray, list[Seen]]]:
        """Yield for each frame its time in seconds; the picture, (360, 640) uint8 gray; and the objects, shown or not."""
        count, steps = int(self.seconds * self.fps), 2 if self.kind.is_interlaced else 1
        for index in range(count):
            fields = []
            for n in range(steps):
                now_s = (index + n / steps) / self.fps
                self._move(now_s, 1 / self.fps / steps)
                fields.append(self._draw())
            picture, seen = fields[0]
            if steps == 2:
                picture = picture.copy()
                picture[1::2] = fields[1][0][1::2]
            yield index / self.fps, self._camera(picture), seen

    # What happens

    def _move(self, now_s: float, dt: float) -> None:
        while self._comes_s and self._comes_s[0] <= now_s:
            self._comes_s.pop(0)
            self._waiting.append(self._new())
        for mover in list(self._waiting):
            others = [one for one in self._movers if one.lane is mover.lane]
            room = 9.0 if mover.lane.of == "vehicle" else 1.5
            if all(one.way - one.length_m > room for one in others):
                self._waiting.remove(mover)
                self._movers.append(mover)
        is_red = self.kind.signal_s and now_s % (2 * self.kind.signal_s) < self.kind.signal_s
        for mover in self._movers:
            was_long = mover.stood_s > self.history_s
            mover.step(dt, self._free(mover, is_red=bool(is_red)))
            if was_long and mover.now > 0.05:
                mover.number = self._number()
        self._movers = [mover for mover in self._movers if not mover.is_over]

    def _free(self, mover: Mover, *, is_red: bool) -> float:
        ahead = [
            one.way - one.length_m - mover.way
            for one in self._movers
            if one.lane is mover.lane and one.way > mover.way and (one.bay < 1.8 or mover.stop_way == one.stop_way)
        ]
        if is_red and mover.way < mover.lane.stop_at:
            ahead.append(mover.lane.stop_at - mover.way + STAND_GAP_M)
        return min(ahead, default=math.inf)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _new(self) -> Mover:
        rng = self._rng
        of = "vehicle" if rng.random() < 0.5 else "person"
        lanes = [lane for lane in self.lanes if lane.of == of] or list(self.lanes)
        lane = lanes[rng.integers(len(lanes))]
        speed = float(rng.uniform(*lane.speed))
        if lane.of == "person":
            mover = Mover(self._number(), lane, person(rng), 0.5, speed, float(rng.uniform(-0.3, 0.3)), now=speed)
            if rng.random() < self.kind.stands:
                mover.stop_way, mover.stop_s = float(rng.uniform(0.2, 0.8)) * lane.length, float(rng.uniform(3, 40))
            return mover
        is_lorry = rng.random() < 0.2
        length = 9.0 if is_lorry else 4.2
        goes_right = lane.end[0] > lane.start[0]
        if lane.is_along:
            sprites = (vehicle_front(rng, is_lorry=is_lorry),)
        else:
            sprites = (lorry if is_lorry else car)(rng, goes_right=goes_right)
        mover = Mover(self._number(), lane, sprites, length, speed, now=speed)
        taken = {one.stop_way for one in (*self._movers, *self._waiting) if one.stop_s > 0 or one.bay > 0}
        bays = [bay for bay in lane.bays if bay not in taken]
        if bays and not is_lorry and rng.random() < self.kind.parks:
            mover.stop_way = bays[rng.integers(len(bays))]
            mover.stop_s = float(rng.uniform(10, 40) if rng.random() < 0.6 else rng.uniform(80, 120))
        return mover

    # What is seen

    def _project(self, x: float, z: float) -> tuple[float, float, float]:
        scale = FOCAL / z
        return WIDTH / 2 + x * scale, HORIZON + self._height_m * scale, scale

    def _draw(self) -> tuple[np.ndarray, list[Seen]]:
        picture = self._empty.copy()
        owner = np.zeros((HEIGHT, WIDTH), np.uint8)
        things = [(z, None, sprite, x) for sprite, x, z in self._occluders]
        placed = []
        for n, mover in enumerate(self._movers, 1):
            x, z = mover.ground()
            sprite = mover.sprites[int(mover.way * 3.2) % len(mover.sprites)]
            things.append((z, n, sprite, x))
            if self.kind.shadow < 1:
                self._shade(picture, sprite, x, z)
            if self.kind.headlights and mover.lane.of == "vehicle":
                self._beam(picture, mover, x, z)
        for z, n, sprite, x in sorted(things, key=lambda thing: -thing[0]):
            box, area = self._put(picture, owner, sprite, (x, z), n or 0)
            if n is not None:
                placed.append((n, box, area))
        shown = np.bincount(owner.ravel(), minlength=256)
        seen = []
        for n, (left, top, right, bottom), area in placed:
            mover = self._movers[n - 1]
            clipped = max(0.0, left), max(0.0, top), min(float(WIDTH), right), min(float(HEIGHT), bottom)
            inside = max(0.0, clipped[2] - clipped[0]) * max(0.0, clipped[3] - clipped[1])
            is_shown = shown[n] >= LEAST_SHOWN * area and inside >= LEAST_AREA * WIDTH * HEIGHT
            is_shown = is_shown and mover.stood_s <= self.history_s
            seen.append(Seen(mover.number, clipped, ((left + right) / 2, (top + bottom) / 2), bool(is_shown)))
        return picture, seen

    def _put(
        self, picture: np.ndarray, owner: np.ndarray, sprite: Sprite, at: tuple[float, float], n: int
    ) -> tuple[tuple[float, float, float, float], float]:
        """Draw a sprite that stands at (x, z). Returns its box and how many pixels it has."""
        x, y, scale = self._project(*at)
        levels, alpha, area = sprite.scaled(scale / PX_PER_M)
        high, wide = levels.shape
        left, top = round(x - wide / 2), round(y - high)
        rows = slice(max(0, -top), max(0, min(high, HEIGHT - top)))
        columns = slice(max(0, -left), max(0, min(wide, WIDTH - left)))
        box = (float(left), float(top), float(left + wide), float(top + high))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return box, area
        here = slice(top + rows.start, top + rows.stop), slice(left + columns.start, left + columns.stop)
        share, own = alpha[rows, columns], picture[here].astype(np.float32)
        picture[here] = np.clip(own + (levels[rows, columns] * self.kind.light - own) * share, 0, 255)
        owner[here][share > 0.5] = n
        return box, area

    def _shade(self, picture: np.ndarray, sprite: Sprite, x: float, z: float) -> None:
        """Darken the ground beside what stands at (x, z)."""
        at_x, at_y, scale = self._project(x, z)
        wide, high = (side * scale / PX_PER_M for side in (sprite.levels.shape[1], sprite.levels.shape[0]))
        long = 0.45 * high
        corners = [(-wide / 2, 0), (wide / 2, 0), (wide / 2 + long, -0.1 * high), (-wide / 2 + long, -0.1 * high)]
        points = np.rint([(at_x + dx, at_y + dy) for dx, dy in corners]).astype(np.int32)
        left, top = np.maximum(points.min(axis=0) - 1, 0)
        right, bottom = np.minimum(points.max(axis=0) + 2, (WIDTH, HEIGHT))
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.float32)
        cv2.fillPoly(mask, [points - (left, top)], 1.0 - self.kind.shadow)
        picture[top:bottom, left:right] = (picture[top:bottom, left:right] * (1 - mask)).astype(np.uint8)

    def _beam(self, picture: np.ndarray, mover: Mover, x: float, z: float) -> None:
        """Light the road in front of a vehicle."""
        away = np.subtract(mover.lane.end, mover.lane.start) / mover.lane.length
        reach = mover.length_m / 2 + 1.0
        at_x, at_y, scale = self._project(x + away[0] * reach, max(4.0, z + away[1] * reach))
        half = 2.4 * scale, 0.35 * scale
        left, right = (int(min(max(at_x + side * half[0], 0), WIDTH)) for side in (-1, 1))
        top, bottom = (int(min(max(at_y + side * half[1], 0), HEIGHT)) for side in (-1, 1))
        if right <= left or bottom <= top:
            return
        off_x = (np.arange(left, right) - at_x) / half[0]
        off_y = (np.arange(top, bottom) - at_y) / half[1]
        glow = self.kind.headlights * np.exp(-3 * (off_x[None] ** 2 + off_y[:, None] ** 2))
        picture[top:bottom, left:right] = np.clip(picture[top:bottom, left:right] + glow, 0, 255)

    def _camera(self, picture: np.ndarray) -> np.ndarray:
        """Return the picture as the camera delivers it: with weather, sway, exposure and noise."""
        rng, kind = self._rng, self.kind
        now_s = self._now_s = self._now_s + 1 / self.fps
        if kind.rain:
            picture = _rained(picture, rng, kind.rain)
        if kind.insects:
            picture = self._with_insects(picture)
        if kind.sway:
            x = kind.sway * (0.6 * math.sin(now_s * 2.9) + 0.4 * math.sin(now_s * 7.3 + 1)) * (0.5 + 0.5 * math.sin(now_s / 9))
            y = 0.5 * kind.sway * math.sin(now_s * 3.7 + 2) * (0.5 + 0.5 * math.sin(now_s / 9))
            move = np.float32([[1, 0, x], [0, 1, y]])
            picture = cv2.warpAffine(picture, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        picture = cv2.GaussianBlur(picture, (3, 3), 0.7)
        if kind.exposure > 1:
            slow = math.sin(now_s / 23)
            step = 1.0 if int(now_s / 37) % 2 else -1.0
            into = min(1.0, (now_s % 37) / 0.6)
            gain = kind.exposure ** (0.5 * slow + 0.5 * (step * (2 * into - 1)))
            picture = cv2.LUT(picture, np.clip(np.arange(256) * gain, 0, 255).astype(np.uint8))
        top, left = rng.integers(HEIGHT), rng.integers(WIDTH)
        return cv2.add(picture, self._grain[top : top + HEIGHT, left : left + WIDTH], dtype=cv2.CV_8U)

    def _with_insects(self, picture: np.ndarray) -> np.ndarray:
        rng = self._rng
        if rng.random() < self.kind.insects / 60 / self.fps:
            self._insects.append(_Insect(rng.uniform((380, 40), (620, 220)), rng.normal(0, 150, 2), float(rng.uniform(3, 11))))
        for insect in self._insects:
            insect.left_s -= 1 / self.fps
            insect.speed = insect.speed * 0.8 + rng.normal(0, 130, 2)
            insect.place = insect.place + insect.speed / self.fps
        self._insects = [one for one in self._insects if one.left_s > 0]
        if not self._insects:
            return picture
        light = np.zeros((HEIGHT, WIDTH), np.uint8)
        for insect in self._insects:
            start = np.rint(insect.place).astype(int).tolist()
            end = np.rint(insect.place - insect.speed * 0.02).astype(int).tolist()
            cv2.line(light, start, end, 110, max(2, round(insect.size)))
        return cv2.add(picture, cv2.GaussianBlur(light, (9, 9), 0))

    def _ground(self) -> np.ndarray:
        """Return the scene without objects."""
        rng = self._rng
        picture = np.full((HEIGHT, WIDTH), 205.0, np.float32)
        picture[HORIZON - 8 :] = 120
        for left in range(0, WIDTH, 90):
            level, top = rng.uniform(90, 190), int(rng.uniform(2, 50))
            picture[top:172, left : left + int(rng.uniform(60, 92))] = level
            for row in range(top + 10, 150, 26):
                for column in range(left + 10, left + 56, 22):
                    picture[row : row + 14, column : column + 10] = level * rng.uniform(0.4, 0.75)
        if self.kind.is_along:
            self._along_road(picture)
        else:
            self._across_road(picture)
        for cells, strength in (((9, 16), 9), ((45, 80), 6), ((180, 320), 5), ((360, 640), 4)):
            noise = rng.normal(0, strength, cells).astype(np.float32)
            picture += cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        return np.clip(picture * self.kind.light, 0, 255).astype(np.uint8)

    def _across_road(self, picture: np.ndarray) -> None:
        for z, level in ((27.0, 150), (22.6, 95), (12.3, 158)):
            picture[round(self._project(0, z)[1]) :] = level
        for z, wide in ((22.6, 2), (12.3, 4)):
            y = round(self._project(0, z)[1])
            picture[y : y + wide] = 205
        y, _ = (round(v) for v in self._project(0, 16.7)[1:])
        for left in range(-20, WIDTH, 80):
            picture[y : y + 3, max(0, left) : left + 42] = 215

    def _along_road(self, picture: np.ndarray) -> None:
        picture[HORIZON + 40 :] = 120
        for x, level in ((9.0, 155), (4.0, 95)):
            corners = [self._project(side * x, z)[:2] for side, z in ((-1, 90.0), (1, 90.0), (1, 8.0), (-1, 8.0))]
            cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], level)
        for z in np.arange(10, 90, 6.0):
            corners = [self._project(x, z + dz)[:2] for x, dz in ((-0.1, 0), (0.1, 0), (0.1, 3), (-0.1, 3))]
            cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], 215)

    def _standing(self) -> list[tuple[Sprite, float, float]]:
        """Return what stands in front of others: a sprite, and where it stands."""
        rng = self._rng
        if not self.has_pillars:
            return []
        if self.kind.is_along:
            return [(pillar(rng, 0.25, 6.0), 4.6, 16.0), (pillar(rng, 0.25, 6.0), -4.6, 22.0)]
        return [
            (pillar(rng, 0.2, 6.0), -4.0, 11.9),
            (pillar(rng, 0.9, 3.2), 3.2, 11.6),
            (pillar(rng, 0.2, 6.0), 7.4, 12.0),
        ]


@dataclass
class _Insect:
    place: np.ndarray
    speed: np.ndarray
    size: float
    left_s: float = 1.5


def _rained(picture: np.ndarray, rng: np.random.Generator, streaks: int) -> np.ndarray:
    light = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = rng.uniform(0, WIDTH, streaks), rng.uniform(-20, HEIGHT, streaks)
    long = rng.uniform(6, 22, streaks)
    for i in range(streaks):
        is_near = i < streaks // 40
        end = int(x[i] + long[i] * 0.15), int(y[i] + long[i] * (3 if is_near else 1))
        cv2.line(light, (int(x[i]), int(y[i])), end, 55 if is_near else 35, 3 if is_near else 1)
    return cv2.add(picture, light)
