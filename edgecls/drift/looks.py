"""Look at a picture as a whole: how bright and how sharp it is, and whether it shows the scene of the reference.

The measures are those of `edgecls.health`, which asks whether a picture can be trusted now. They are compared over days here,
so one look in ten seconds is enough: it costs 1 ms, which at 25 frames per second is 0.004 ms per frame.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.drift.slots import Look
from edgecls.health.scene import Scene, edges_of
from edgecls.health.sharpness import steepness
from edgecls.image.shrink import shrink

if TYPE_CHECKING:
    from edgecls.frame import Frame

WIDTH, GRID = 320, 160
SMALLEST = 32
"""The shortest side, in pixels, of a picture that is looked at."""
FEWEST_PIECES = 20
"""The fewest pieces of a row with an edge from which sharpness is measured."""
NOISE = 1.0
KNOWN = 20
"""The scene is compared after this many looks."""
SLOWEST = 1 / 2000
"""The least weight of a picture while the scene is learned."""


class Looks:
    """Looks at pictures of one camera, whose scene it learns until told otherwise."""

    def __init__(self, saved: str = "") -> None:
        """Start without a scene, or with one that was `saved`. Raises ValueError if it is none."""
        self._scene, self._looks = Scene(), 0
        if saved:
            directions, self._looks = _unpacked(saved), KNOWN
            self._scene = Scene(directions)

    def look(self, frame: Frame, *, learn: bool) -> Look | None:
        """Look at a frame; None if it is too small. With `learn`, its scene becomes part of the usual one."""
        if min(frame.size_hw) < SMALLEST:
            return None
        small = image.overview(frame, WIDTH)
        grid = shrink(small, max(1, round(small.shape[0] * GRID / WIDTH)), max(1, round(small.shape[1] * GRID / WIDTH)))
        edges, steep = edges_of(grid, NOISE), steepness(frame.plane())
        alike = self._scene.match(edges).alike if self._looks >= KNOWN else None
        if learn:
            self._looks += 1
            self._scene.learn(edges, max(SLOWEST, 1 / self._looks))
        judged = steep.steep[steep.judged]
        sharpness = float(judged.mean()) if judged.size >= FEWEST_PIECES else None
        return Look(math.log2(1 + float(small.mean())), sharpness, alike)

    @property
    def saved(self) -> str:
        """The scene as a text of about 80 kB; empty if it is not known yet."""
        usual = self._scene.usual
        if usual is None or self._looks < KNOWN:
            return ""
        height, width = usual.shape[1:]
        return f"{height}x{width}:" + base64.b64encode(usual.astype("<f2").tobytes()).decode("ascii")


def _unpacked(saved: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    size, _, content = saved.partition(":")
    height, _, width = size.partition("x")
    values = np.frombuffer(base64.b64decode(content, validate=True), "<f2").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("a scene with values that are no numbers")
    return values.reshape(2, int(height), int(width))
