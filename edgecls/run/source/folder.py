"""A folder of pictures as a source: one frame for each, in natural order of their names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.dataset.scan import pictures_under
from edgecls.errors import DataError, SourceError
from edgecls.run.source.choice import Choice
from edgecls.run.source.contract import Reading, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame


class FolderSource(Source):
    """The pictures below a folder. Pictures have no clock: `time_s` counts one second for each.

    A broken picture keeps its index, is told to `say` and left out; with `reading.strict` it raises SourceError.
    """

    live = False

    def __init__(self, folder: str, name: str, *, say: Callable[[str], None], reading: Reading = Reading()) -> None:
        """List the pictures. Raises SourceError when there is none."""
        self.name = name
        self._root = Path(folder)
        self._files = pictures_under(self._root)
        self._index = 0
        self._broken = 0
        self._say = say
        self._strict = reading.strict
        self._choice = Choice(reading)
        if not self._files:
            raise SourceError(f"{folder}: the folder holds no picture that OpenCV reads")

    @property
    def skipped(self) -> int:
        """The broken pictures so far."""
        return self._broken

    def read(self) -> Frame | None:
        """Decode the next good picture."""
        while self._index < len(self._files):
            index, self._index = self._index, self._index + 1
            if not self._choice.wants(float(index)):
                continue
            file = self._files[index]
            try:
                bgr = image.load(file)
            except DataError as error:
                if self._strict:
                    raise SourceError(str(error)) from error
                self._broken += 1
                self._say(f"left out: {error}")
                continue
            name = file.relative_to(self._root).as_posix()
            frame = image.as_frame(bgr, self.name, index, time_s=float(index), captured_at=time.monotonic(), file=name)
            frame.single = True
            return frame
        return None

    def close(self) -> None:
        """Give no more frames."""
        self._index = len(self._files)
