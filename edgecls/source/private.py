"""A source whose private areas are black. Whatever reads it, no pixel of them can be had from its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls import image
from edgecls.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.frame import Frame, StateChange
    from edgecls.regions.geometry import Polygon


class Private(Source):
    """Blacks out areas of the frames of another source. Their packets stay as the camera sent them (`Frame.paint` says so)."""

    def __init__(self, source: Source, areas: Sequence[Polygon]) -> None:
        """Wrap a source, which is closed with this one.

        Args:
            source: The source.
            areas: What is black.
        """
        self.name = source.name
        self._source = source
        self._paint = image.BlackedOut([area.corners for area in areas])

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether frames arrive in real time."""
        return self._source.live

    @property
    def skipped(self) -> int:
        """The number of frames that the source skipped."""
        return self._source.skipped

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of the source."""
        self._source.on_state(tell)

    def stop(self) -> None:
        """Interrupt the source."""
        self._source.stop()

    def read(self) -> Frame | None:
        """Wait for the next frame, which makes its pictures without the areas."""
        frame = self._source.read()
        return None if frame is None else frame.painted(self._paint)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
