"""Solids that are drawn in gray as a camera sees them: limbs and flat faces, far ones first, with shadows on the ground."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Points = NDArray[np.float64]

SIDE = 64
SCALE = 2  # drawn larger by this factor and shrunk, for smooth edges
CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 16, False)), np.sin(np.linspace(0, 2 * np.pi, 16, False))], 1)


class Limb(NamedTuple):
    """A solid around two balls: positions in metres (x, y, height), radii in metres, gray level."""

    start: tuple[float, float, float]
    radius: float
    end: tuple[float, float, float]
    end_radius: float
    level: float


class Face(NamedTuple):
    """A flat polygon, (N, 3) corners in metres, with its gray level. Drawn only if its front, on which the corners run
    counterclockwise, faces the camera. Details are drawn after the faces of bodies.
    """

    corners: Points
    level: float
    rank: int = 0


Part = Limb | Face


class Camera:
    """Looks at the origin from a distance in metres, at an elevation above the ground and an azimuth in radians."""

    def __init__(self, elevation: float, azimuth: float, distance: float, roll: float = 0.0) -> None:
        """Aim it."""
        forward = -np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        down = np.cross(forward, right)
        turned = np.cos(roll) * right + np.sin(roll) * down, np.cos(roll) * down - np.sin(roll) * right
        self._axes = np.stack([*turned, forward])
        self.position = -forward * distance
        self._distance = distance

    def project(self, points: Points) -> Points:
        """Return (N, 3) picture coordinates and depth of (N, 3) points in metres; 1 is about a metre at the origin."""
        seen = (np.asarray(points) - self.position) @ self._axes.T
        depth = np.maximum(seen[:, 2], 0.3)
        return np.column_stack([seen[:, :2] / depth[:, None] * self._distance, depth])


def outer_points(parts: list[Part]) -> Points:
    """Return the corners and the outermost points of all parts, (N, 3)."""
    found = []
    for part in parts:
        if isinstance(part, Face):
            found.append(part.corners)
        else:
            for middle, radius in ((part.start, part.radius), (part.end, part.end_radius)):
                found.append(np.asarray(middle) + radius * np.concatenate([np.eye(3), -np.eye(3)]))
    return np.concatenate(found)


def framed(seen: Points, rng: np.random.Generator) -> Callable[[Points], Points]:
    """Return a function from projected points to pixels of the canvas, so that the object fills it but for its margins."""
    low, high = seen[:, :2].min(axis=0), seen[:, :2].max(axis=0)
    around = rng.uniform() < 0.5
    margins = rng.uniform(0.0, 0.12, (2, 2)) * (high - low) + around * 0.2 * (high - low).max()
    if rng.uniform() < 0.2:  # a part is outside
        margins[rng.integers(2), rng.integers(2)] -= rng.uniform(0.1, 0.45) * (high - low).max()
    low, high = low - margins[0], high + margins[1]
    span = np.maximum(high - low, 0.3 * (high - low).max())

    def to_canvas(points: Points) -> Points:
        placed = (points[:, :2] - low) / span * SIDE * SCALE
        return cast("Points", np.column_stack([placed, points[:, 2], np.broadcast_to(SIDE * SCALE / span, (len(points), 2))]))

    return to_canvas


def paint(
    canvas: NDArray[np.float32], parts: list[Part], camera: Camera, sun: Points, to_canvas: Callable[[Points], Points]
) -> None:
    """Draw the parts, far ones first."""
    shown: list[tuple[int, float, list[Points], list[float]]] = []
    for part in parts:
        if isinstance(part, Face):
            normal = np.cross(part.corners[1] - part.corners[0], part.corners[2] - part.corners[0])
            normal = normal / max(1e-9, float(np.linalg.norm(normal)))
            if normal @ (camera.position - part.corners.mean(axis=0)) > 0:
                at = to_canvas(camera.project(part.corners))
                light = 0.6 + 0.5 * max(0.0, float(normal @ sun))
                shown.append((part.rank, -float(at[:, 2].mean()), [at[:, :2]], [part.level * light]))
            continue
        ends = camera.project(np.array([part.start, part.end]))
        at = to_canvas(ends)
        outlines = []
        for shrunk, shift in ((1.0, 0.0), (0.6, 0.35)):
            balls = [
                at[i, :2] + at[i, 3:] * radius * (CIRCLE * shrunk - [shift * np.sign(sun[0]) * 0.5, shift])
                for i, radius in enumerate((part.radius, part.end_radius))
            ]
            outlines.append(cv2.convexHull(np.concatenate(balls).astype(np.float32))[:, 0].astype(np.float64))
        shown.append((0, -float(at[:, 2].mean()), outlines, [part.level * 0.8, part.level * 1.1]))
    for _, _, outlines, levels in sorted(shown, key=lambda row: row[:2]):
        for outline, level in zip(outlines, levels, strict=True):
            _fill(canvas, outline, level)


def _fill(canvas: NDArray[np.float32], outline: Points, level: float) -> None:
    corners = np.clip(np.round(outline * 16), -30000, 30000).astype(np.int32)
    cv2.fillPoly(canvas, [corners], float(min(255.0, level)), cv2.LINE_8, 4)


def darken(canvas: NDArray[np.float32], parts: list[Part], sun: Points, place: Callable[[Points], Points], dark: float) -> None:
    """Darken the ground where the parts keep the sun away."""
    mask = np.zeros(canvas.shape, np.uint8)
    for part in parts:
        points = outer_points([part])
        ground = points - points[:, 2:] * sun / sun[2]
        hull = cv2.convexHull(place(ground)[:, :2].astype(np.float32))[:, 0]
        cv2.fillConvexPoly(mask, np.clip(np.round(hull), -9999, 9999).astype(np.int32), 255)
    canvas *= 1 - (1 - dark) * cv2.GaussianBlur(mask, (0, 0), 1.5).astype(np.float32) / 255
