"""A source whose private areas are black. Whatever reads it, no pixel of them can be had from its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls import image
from edgecls.source.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Frame
    from edgecls.regions.geometry import Polygon
    from edgecls.source.source import Source


class Private(Changed):
    """Blacks out areas of the frames of another source. Their packets stay as the camera sent them (`Frame.paint` says so)."""

    def __init__(self, source: Source, areas: Sequence[Polygon]) -> None:
        """Wrap a source, which is closed with this one.

        Args:
            source: The source.
            areas: What is black.
        """
        super().__init__(source)
        self._paint = image.BlackedOut([area.corners for area in areas])

    def change(self, frame: Frame) -> Frame:
        """Return the frame, which makes its pictures without the areas."""
        return frame.painted(self._paint)
