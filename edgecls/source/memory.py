"""A source of pictures in memory, for tests and for programs that supply their own frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.source.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Frame, Picture


class FakeSource(Source):
    """Returns pictures as frames, then ends or raises an error.

    Example:
        source = FakeSource([np.zeros((480, 640, 3), np.uint8)] * 10, fps=5)
    """

    def __init__(
        self, pictures: Iterable[Picture], *, name: str = "fake", fps: float = 25.0, live: bool = False,
        error: Exception | None = None,
    ) -> None:  # fmt: skip
        """Take the pictures.

        Args:
            pictures: (H, W, 3) uint8, blue-green-red.
            name: The camera's name.
            fps: Frames per second of media time.
            live: Wait between pictures like a camera.
            error: Raised at the end. None: it just ends.
        """
        self.name = name
        self.live = live
        self.closed = 0
        self._pictures = iter(pictures)
        self._fps = fps
        self._error = error
        self._index = 0

    def read(self) -> Frame | None:
        """Return the next picture as a frame."""
        bgr = None if self.closed else next(self._pictures, None)
        if bgr is None:
            if self._error is not None and not self.closed:
                raise self._error
            return None
        if self.live:
            time.sleep(1 / self._fps)
        index, self._index = self._index, self._index + 1
        return image.as_frame(bgr, self.name, index, time_s=index / self._fps, captured_at=time.monotonic())

    def close(self) -> None:
        """Close, and count how often that was called."""
        self.closed += 1
