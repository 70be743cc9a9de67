"""Find the pictures that cannot be trusted: damaged ones, and those predicted from a lost picture."""

from __future__ import annotations

import heapq


class Dependents:
    """Separates intact pictures from those that depend on a lost one: all that are decoded after it, up to a key frame.

    Pictures are identified by their packet's number in decoding order. Frames come in presentation order, so a frame that was
    decoded before the loss may come after it and is still intact.
    """

    def __init__(self) -> None:
        """Start without losses."""
        self._lost: list[int] = []  # places, a heap

    def lose(self, place: int) -> None:
        """Record that the picture with this number is lost or damaged."""
        heapq.heappush(self._lost, place)

    def is_whole(self, place: int, *, is_corrupt: bool, is_key: bool) -> bool:
        """Whether the decoded picture with this number is intact. Must be called for each picture, in the order they come."""
        if is_corrupt:
            self.lose(place)
            return False
        while is_key and self._lost and self._lost[0] < place:
            heapq.heappop(self._lost)
        return is_key or not self._lost or self._lost[0] > place
