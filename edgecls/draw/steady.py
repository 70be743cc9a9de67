"""Labels that stay where they are from frame to frame: each keeps its spot while it can."""

from __future__ import annotations

from dataclasses import dataclass

Key = int | str
HIDDEN = 1 << 20
"""In place of the number of a spot: there is none."""
PATIENCE_S = 0.6
"""A better spot must have been free for so long: what comes and goes in a crowd would make labels jump."""
FORGET_S = 2.0


@dataclass(slots=True)
class _Kept:
    spot: int
    seen_s: float
    better_since_s: float | None = None


class Steady:
    """The spots of the labels of one camera's frames, by what they name, such as a track's id. Give it the frames in order."""

    def __init__(self) -> None:
        """Nothing has been drawn yet."""
        self._kept: dict[Key, _Kept] = {}

    def spot(self, key: Key | None) -> int | None:
        """The number of the spot that a label had in the frame before; None where that is not known."""
        kept = None if key is None else self._kept.get(key)
        return None if kept is None else kept.spot

    def choose(self, key: Key | None, best: int, *, still_free: bool, time_s: float) -> int:
        """Return the spot to take: the one of the frame before, or the best one, where that has been better for a while."""
        if key is None:
            return best
        kept = self._kept.get(key)
        if kept is None or not (still_free or kept.spot == HIDDEN):
            self._kept[key] = _Kept(best, time_s)
            return best
        kept.seen_s = time_s
        if best >= kept.spot:
            kept.better_since_s = None
        elif kept.better_since_s is None:
            kept.better_since_s = time_s
        elif not 0 <= time_s - kept.better_since_s < PATIENCE_S:
            kept.spot, kept.better_since_s = best, None
        return kept.spot

    def forget(self, time_s: float) -> None:
        """Drop what has not been drawn for a while."""
        self._kept = {key: kept for key, kept in self._kept.items() if abs(time_s - kept.seen_s) < FORGET_S}
