"""A source made of pictures at hand, for tests and for programs that bring their own frames."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.run.source.contract import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.frame import Frame, Picture


class FakeSource(Source):
    """Gives `pictures`, (H, W, 3) blue-green-red uint8, at `fps`; then ends, or raises `error`."""

    def __init__(
        self, pictures: Iterable[Picture], *, name: str = "fake", fps: float = 25.0, live: bool = False,
        error: Exception | None = None,
    ) -> None:  # fmt: skip
        """Keep the pictures; a live source waits between them as a camera does."""
        self.name = name
        self.live = live
        self.closed = 0
        self._pictures = iter(pictures)
        self._fps = fps
        self._error = error
        self._index = 0

    def read(self) -> Frame | None:
        """Give the next picture."""
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
        """Count how often it was closed."""
        self.closed += 1
