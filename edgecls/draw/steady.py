"""Keep labels in place from frame to frame: each keeps its spot as long as it can."""

from __future__ import annotations

from dataclasses import dataclass

Key = int | str
HIDDEN = 1 << 20
"""The spot number of a label that is not shown."""
PATIENCE_S = 0.6
"""How long a better spot must be free before a label moves there; otherwise labels would jump in a crowd."""
FORGET_S = 2.0


@dataclass(slots=True)
class _Kept:
    spot: int
    seen_s: float
    better_since_s: float | None = None


class Steady:
    """Remembers the spots of one camera's labels by key, such as a track id. Its frames must be drawn in order."""

    def __init__(self) -> None:
        """Start without any labels."""
        self._kept: dict[Key, _Kept] = {}

    def spot(self, key: Key | None) -> int | None:
        """Return the number of the spot that a label had in the previous frame; None if it is not known."""
        kept = None if key is None else self._kept.get(key)
        return None if kept is None else kept.spot

    def choose(self, key: Key | None, best: int, *, still_free: bool, time_s: float) -> int:
        """Return the spot to use: the one of the previous frame, or the best one if that has been better for a while."""
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
        """Forget labels that have not been drawn for a while."""
        self._kept = {key: kept for key, kept in self._kept.items() if abs(time_s - kept.seen_s) < FORGET_S}
