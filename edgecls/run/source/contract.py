"""What a source of frames is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from edgecls.frame import Frame


class Source(ABC):
    """Frames of one camera, video or folder, in order. Open from its making until `close`.

    `name` is the camera's name on every frame; a `live` source goes on whether it is read or not, so a slow reader must
    skip.
    """

    name: str
    live: bool

    @property
    def skipped(self) -> int:
        """The frames that were captured and given to nobody."""
        return 0

    @abstractmethod
    def read(self) -> Frame | None:
        """Wait for the next frame and return it; None is the end. Raises SourceError when frames are lost or broken."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the device. May be called twice."""

    def take(self, most: int) -> list[Frame]:
        """Wait for a frame, and return it with those that are ready too, `most` at most; none is the end."""
        frame = self.read() if most > 0 else None
        return [] if frame is None else [frame]

    def __iter__(self) -> Iterator[Frame]:
        """Give frame after frame until the end."""
        while (frame := self.read()) is not None:
            yield frame

    def __enter__(self) -> Self:
        """Return the source, which is open already."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the source."""
        self.close()
