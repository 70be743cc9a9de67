"""What passes behind something: where it disappears, and whether a new track is what comes out.

A moving box stops growing forward where something hides it, while its back still follows. What comes out on the other side
begins there as a narrow box, at the time that the speed of the hidden object makes likely. Tracks are joined by this afterwards
(as tracklets by Huang et al. 2008), once the new one has been seen in some frames, not by a guess where a lost box would be.
Both may be seen at once: a car behind a pole is two boxes for a while.

What passes behind another moving object shares its box for a while. It comes out where its speed has brought it meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.events.center_box import CenterBox

LONGEST_HIDDEN_S = 4.0
"""What comes out later than this is another object."""
FEWEST = 6
"""With fewer boxes it is not known how an object moves."""
FRESH_S, APPROACH_S = 0.3, 1.0
"""Its front is where it was in the last `FRESH_S` seconds; its speed is that of the last second before it stopped."""
STILL, STILL_WIDTHS = 0.005, 0.06
"""A front that moves less than this share of the frame's width, or so many widths of the object, stands."""
SLOWEST = 0.15
"""What moves fewer widths a second does not pass behind anything: it stands, and its box varies."""
BORDER = 0.02
"""What comes this near to the border of the frame, as a share of its width, leaves the frame."""
WIDER = 2.0
"""What comes out is at most this many times as wide as what was seen of it before."""
LONGER = 1.2
"""What is seen on both sides, together with the gap, is at most this many times as wide as the object."""
ALIKE, LEVEL = 1.7, 0.3
"""What comes out is at most this many times as high or low, and this share of its height above or below."""
EARLY_S, EARLY_SHARE = 0.3, 0.4
"""It comes out at most so many seconds, plus this share of the time that it should take, too early or too late."""
NARROWER, ASIDE, ASTRAY = 0.5, 0.6, 0.35
"""What comes out of a shared box is at least this many times as wide as before, and at most so many widths, plus this share of
its way, away from where it is expected."""
KEPT_WAY = 0.25
"""It may seem to move this many widths back, because its box varies."""
KNOWN_S = 0.3
"""How long an object must have been seen by itself, in seconds, before its speed is known."""
RECENT = 12
"""So many of the last boxes tell how high an object is, and where."""


class Seen(NamedTuple):
    """The box of a track at a time in seconds."""

    time_s: float
    box: CenterBox


class Hiding(NamedTuple):
    """Where the front of an object has come to something that hides it.

    Attributes:
        sign: 1 for an object that moves to the right, -1 to the left.
        at: How far its front reaches to that side, in pixels.
        since_s: When it came there.
        speed: How fast it came, in pixels per second.
    """

    sign: int
    at: float
    since_s: float
    speed: float


def hiding(seen: Sequence[Seen], wide: float) -> Hiding | None:
    """Return where an object with these boxes disappears in a frame `wide` pixels wide; None if it does not."""
    ways = [] if len(seen) < FEWEST else [way for sign in (-1, 1) if (way := _hiding(seen, sign, wide))]
    return max(ways, key=lambda way: way.speed, default=None)


def _hiding(seen: Sequence[Seen], sign: int, wide: float) -> Hiding | None:
    """Return where it disappears if it moves to this side."""
    last = seen[-1]
    front = [one.box.reach(0, sign) for one in seen]
    at = max(reach for one, reach in zip(seen, front, strict=True) if last.time_s - one.time_s < FRESH_S)
    near = max(STILL * wide, STILL_WIDTHS * last.box.width)
    if front[-1] < at - near or not _is_within(sign * at, wide):
        return None
    stop = next(n for n, reach in enumerate(front) if reach >= at - near)
    start = next(n for n, one in enumerate(seen) if one.time_s >= seen[stop].time_s - APPROACH_S)
    if stop - start < 2:
        return None
    speed = (front[stop] - front[start]) / (seen[stop].time_s - seen[start].time_s)
    if speed < SLOWEST * max(one.box.width for one in seen):
        return None
    back = [-one.box.reach(0, -sign) for one in seen]
    is_entering = not all(_is_within(sign * reach, wide) for reach in back[start : stop + 1])
    follows = back[stop] >= back[start] and back[-1] >= back[stop] - near
    return Hiding(sign, at, seen[stop].time_s, speed) if follows or is_entering else None


def _is_within(x: float, wide: float) -> bool:
    return BORDER * wide < x < (1 - BORDER) * wide


def off_time(young: Sequence[Seen], old: Sequence[Seen], hidden: Hiding, wide: float) -> float | None:
    """Return how badly the time at which a young track came out fits a hidden one; None if it is another object.

    Args:
        young: The boxes of the young track.
        old: Those of the one that is hidden.
        hidden: Where it disappeared.
        wide: The width of the frame, in pixels.

    Returns:
        By how many seconds it came out too early or too late.
    """
    first, now, usual = young[0], young[-1], max(one.box.width for one in old)
    gap = -first.box.reach(0, -hidden.sign) - hidden.at
    if gap < -STILL * wide or not _is_alike(young, old, usual):
        return None
    is_back = now.box.reach(0, hidden.sign) < first.box.reach(0, hidden.sign)
    is_longer = old[-1].time_s == now.time_s and gap + old[-1].box.width > LONGER * usual
    if is_back or is_longer:
        return None
    soonest = max(0.0, gap) / hidden.speed
    latest = soonest + usual / hidden.speed  # by then all of it is out
    waited = first.time_s - hidden.since_s
    off = max(0.0, soonest - waited, waited - latest)
    return off if off <= EARLY_S + EARLY_SHARE * soonest else None


def off_place(young: Sequence[Seen], old: Sequence[Seen]) -> float | None:
    """Return how far a young track is from where one that has shared a box is expected, in widths; None if that is another one.

    Args:
        young: The boxes of the young track.
        old: Those of the other one, until it came to share a box.
    """
    first, now, last = young[0], young[-1], old[-1]
    before = next(one for one in old if one.time_s >= last.time_s - APPROACH_S)
    known_s, passed_s = last.time_s - before.time_s, now.time_s - last.time_s
    if len(old) < FEWEST or known_s < KNOWN_S or not 0 <= first.time_s - last.time_s <= LONGEST_HIDDEN_S:
        return None
    usual = sorted(one.box.width for one in old)[len(old) // 2]
    ways = [(last.box[axis] - before.box[axis]) / known_s * passed_s for axis in (0, 1)]
    off = [abs(now.box[axis] - last.box[axis] - ways[axis]) for axis in (0, 1)]
    is_near = off[0] <= ASIDE * max(usual, now.box.width) + ASTRAY * abs(ways[0])
    is_level = off[1] <= LEVEL * _usual_height(old) + ASTRAY * abs(ways[1])
    is_back = (now.box.x - first.box.x) * ways[0] < 0 and abs(now.box.x - first.box.x) > KEPT_WAY * usual
    is_alike = 1 / ALIKE <= _usual_height(young) / _usual_height(old) <= ALIKE and NARROWER <= now.box.width / usual <= WIDER
    return off[0] / usual if is_near and is_level and is_alike and not is_back else None


def _is_alike(young: Sequence[Seen], old: Sequence[Seen], usual: float) -> bool:
    """Whether what came out may be the hidden object by its size and height above the ground."""
    box, high = young[-1].box, _usual_height(old)
    is_alike = 1 / ALIKE <= _usual_height(young) / high <= ALIKE and box.width <= WIDER * usual
    return is_alike and abs(box.y - old[-min(len(old), RECENT)].box.y) <= LEVEL * high


def _usual_height(seen: Sequence[Seen]) -> float:
    """Return the height of an object in its last boxes, of which some show only a part."""
    heights = sorted(one.box.height for one in seen[-RECENT:])
    return heights[-1 - len(heights) // 4]
