"""A source whose frames name another file than the one that is read, such as the address that it was copied from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.source.changed import Changed

if TYPE_CHECKING:
    from edgecls.frame import Frame
    from edgecls.source.source import Source


class Named(Changed):
    """Passes the frames of a source on, with another `file`."""

    def __init__(self, source: Source, file: str) -> None:
        """Wrap a source, whose frames are to name `file`."""
        super().__init__(source)
        self._file = file

    def change(self, frame: Frame) -> Frame:
        """Return the frame, which names the other file."""
        frame.file = self._file
        return frame
