"""A source whose frames name another file than the one that is read, such as the address that it was copied from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, StateChange


class Named(Source):
    """Passes the frames of a source on, with another `file`."""

    def __init__(self, source: Source, file: str) -> None:
        """Hold a source, whose frames are to name `file`."""
        self.name = source.name
        self._source = source
        self._file = file

    @property
    def live(self) -> bool:  # type: ignore[override]  # that of the source
        """Whether frames arrive in real time."""
        return self._source.live

    @property
    def skipped(self) -> int:
        """How many frames the source has skipped."""
        return self._source.skipped

    def on_state(self, tell: Callable[[StateChange], None]) -> None:
        """Call `tell` with each state change of the source."""
        self._source.on_state(tell)

    def stop(self) -> None:
        """Interrupt a wait in `read`, if possible."""
        self._source.stop()

    def read(self) -> Frame | None:
        """Return the next frame of the source; None at its end."""
        frame = self._source.read()
        if frame is not None:
            frame.file = self._file
        return frame

    def close(self) -> None:
        """Close the source."""
        self._source.close()
