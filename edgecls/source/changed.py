"""A source that changes each frame of another one, and passes everything else on."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from edgecls.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame, StateChange


class Changed(Source):
    """Gives the frames of another source as `change` returns them."""

    def __init__(self, source: Source) -> None:
        """Wrap a source, which is closed with this one."""
        self.name = source.name
        self._source = source

    @abstractmethod
    def change(self, frame: Frame) -> Frame:
        """Return what to give instead of a frame."""

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
        """Wait for the next frame, and change it."""
        frame = self._source.read()
        return None if frame is None else self.change(frame)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
