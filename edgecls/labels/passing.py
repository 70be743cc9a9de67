"""How paths pass lines: geometry on whole paths, in fractions of the frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.event import Moment
from edgecls.events.crossings import ObjectWatch
from edgecls.events.rules import CountingLine, Rules
from edgecls.regions.geometry import Line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    """(N, 2) x and y."""

DIGITS = 3
"""Decimal places of suggested coordinates."""


class Reach(NamedTuple):
    """How far a path was from a line before it first crossed it, and after it last did; and where (x, y) it first did."""

    before: float
    after: float
    at: tuple[float, float]


def reach(line: Line, points: Points) -> Reach | None:
    """Return how far a path reaches on both sides of a line; None if it does not cross it."""
    side, place = _seen_from(line, points)
    hits = np.flatnonzero(_hits(side[None], place[None])[0])
    if not len(hits):
        return None
    first, last = int(hits[0]), int(hits[-1])
    step = side[first] / (side[first] - side[first + 1])
    x, y = points[first] + step * (points[first + 1] - points[first])
    return Reach(float(np.abs(side[: first + 1]).max()), float(np.abs(side[last + 1 :]).max()), (float(x), float(y)))


class Passing(NamedTuple):
    """For each place of a line: how many paths pass it from side to side, and how many crossings there are besides."""

    paths: NDArray[np.int64]
    more_crossings: NDArray[np.int64]


def passing(line: Line, offsets: NDArray[np.float64], paths: Sequence[Points], near: float) -> Passing:
    """Count the paths that pass a line from side to side, and reach `near` or farther on both.

    Args:
        line: The line.
        offsets: (D,) how far it is shifted to its left, in fractions of the frame.
        paths: The paths.
        near: In fractions of the frame.

    Returns:
        The counts, (D,) each.
    """
    counts, more = np.zeros(len(offsets), np.int64), np.zeros(len(offsets), np.int64)
    every = np.arange(len(offsets))
    for points in paths:
        side, place = _seen_from(line, points)
        sides = side[None] - offsets[:, None]
        hits = _hits(sides, np.broadcast_to(place, sides.shape))
        first, last = hits.argmax(axis=1), hits.shape[1] - 1 - hits[:, ::-1].argmax(axis=1)
        away = np.abs(sides)
        before = np.maximum.accumulate(away, axis=1)[every, first]
        after = np.maximum.accumulate(away[:, ::-1], axis=1)[:, ::-1][every, last + 1]
        is_odd = hits.sum(axis=1) % 2
        counts += (is_odd == 1) & (before >= near) & (after >= near)
        more += hits.sum(axis=1) - is_odd
    return Passing(counts, more)


def counted_at(line: Line, paths: Sequence[Points], sizes: Sequence[Points]) -> int:
    """Return how many objects a run would count at a line, by the rule of its events.

    Args:
        line: The line.
        paths: The path of each object.
        sizes: The width and height of its box at each point, in fractions of the frame.
    """
    rules, moment, count = Rules(lines=(CountingLine("line", line),)), Moment(0, 0.0), 0
    for points, boxes in zip(paths, sizes, strict=True):
        watch = ObjectWatch(rules, math.inf)
        for (x, y), (width, height) in zip(points.tolist(), boxes.tolist(), strict=True):
            watch.move(moment, (x, y), (width, height))
        count += bool(watch.take_activities())
    return count


def ends_near(line: Line, points: Points, near: float) -> tuple[bool, bool]:
    """Return whether a path begins, and whether it ends, closer than `near` to a line. One along the line does not."""
    side, place = _seen_from(line, points)
    if abs(side[0] - side[-1]) < near:
        return False, False
    is_near = (np.abs(side) < near) & (place >= 0) & (place <= 1)
    return bool(is_near[0]), bool(is_near[-1])


def missed_at(line: Line, paths: Sequence[Points], whole: Sequence[tuple[bool, bool]], near: float) -> int:
    """Return how many paths begin or end near a line and do not pass it. `whole` says of each whether its true begin and end
    are in the recording.
    """
    count = 0
    for points, ends in zip(paths, whole, strict=True):
        is_end = any(end and is_near for end, is_near in zip(ends, ends_near(line, points, near), strict=True))
        count += is_end and not passing(line, np.zeros(1), [points], near).paths[0]
    return count


def angle_deg(line: Line, points: Points, near: float, size_hw: tuple[int, int]) -> float:
    """Return the angle between a line and a path where it crosses it, in a picture of this size: 0 (along it) to 90 degrees."""
    way, size = _way(line, points, near), np.array(size_hw[::-1])
    one, two = np.subtract(line.end, line.start) * size, way * size
    cosine = abs(one @ two) / max(float(np.linalg.norm(one) * np.linalg.norm(two)), 1e-12)
    return math.degrees(math.acos(min(1.0, float(cosine))))


def shifted(line: Line, offset: float) -> Line | None:
    """Return a line moved to its left, with rounded coordinates; None if that is not in the frame."""
    ends = np.round(np.array((line.start, line.end)) + offset * _left(line), DIGITS)
    if (ends < 0).any() or (ends > 1).any():
        return None
    (x1, y1), (x2, y2) = ends.tolist()
    return Line((x1, y1), (x2, y2))


def turned(line: Line, paths: Sequence[Points], near: float, size_hw: tuple[int, int]) -> Line | None:
    """Return a line as long as this one, across the paths that cross it, in the middle of where they do; None without any."""
    size = np.array(size_hw[::-1], np.float64)
    crossing = [(points, found) for points in paths if (found := reach(line, points)) is not None]
    if not crossing:
        return None
    ways = np.array([_way(line, points, near) * size for points, _ in crossing])
    doubled = 2 * np.arctan2(ways[:, 1], ways[:, 0])  # so that there and back are the same way
    angle = math.atan2(float(np.sin(doubled).sum()), float(np.cos(doubled).sum())) / 2
    middle = np.median([found.at for _, found in crossing], axis=0)
    half = math.dist(*(np.array(point) * size for point in (line.start, line.end))) / 2
    across = np.array((-math.sin(angle), math.cos(angle))) * half / size
    ends = [middle + way * min(1.0, _room(middle, way)) for way in (-across, across)]
    (x1, y1), (x2, y2) = np.clip(np.round(ends, DIGITS), 0, 1).tolist()
    return Line((x1, y1), (x2, y2)) if math.dist((x1, y1), (x2, y2)) > near else None


def _seen_from(line: Line, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each point its distance to the left of a line (`Line.side`), and its place along it, 0 to 1."""
    start, way = np.array(line.start), np.subtract(line.end, line.start)
    to = points - start
    length = float(np.linalg.norm(way))
    return (way[1] * to[:, 0] - way[0] * to[:, 1]) / length, (to @ way) / length**2


def _hits(side: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which steps cross a line, by (D, N) sides and places: (D, N - 1)."""
    one, two = side[:, :-1], side[:, 1:]
    changes = (one >= 0) != (two >= 0)
    step = one / np.where(changes, one - two, 1.0)
    at = place[:, :-1] + step * (place[:, 1:] - place[:, :-1])
    hits: NDArray[np.bool_] = changes & (at >= 0) & (at <= 1)
    return hits


def _way(line: Line, points: Points, near: float) -> NDArray[np.float64]:
    """Return the way of a path where it first crosses a line, from about `near` before to about `near` after that."""
    found = reach(line, points)
    if found is None:
        whole: Points = points[-1] - points[0]
        return whole
    side, place = _seen_from(line, points)
    first = int(_hits(side[None], place[None])[0].argmax())
    away = np.linalg.norm(points - found.at, axis=1) >= near
    begin = int(np.flatnonzero(away[: first + 1]).max(initial=0))
    ends = np.flatnonzero(away[first + 1 :])
    end = first + 1 + int(ends[0]) if len(ends) else len(points) - 1
    way: Points = points[end] - points[begin]
    return way


def _left(line: Line) -> NDArray[np.float64]:
    """Return the direction to the left of a line, of length 1."""
    x, y = np.subtract(line.end, line.start)
    left: NDArray[np.float64] = np.array((y, -x)) / math.hypot(x, y)
    return left


def _room(point: NDArray[np.float64], way: NDArray[np.float64]) -> float:
    """Return how many times this way leads from a point to the edge of the frame."""
    edges = [((0.0 if step < 0 else 1.0) - at) / step for at, step in zip(point.tolist(), way.tolist(), strict=True) if step]
    return max(0.0, min(edges, default=1.0))
