"""A folder of pictures, or one picture, as a source: one frame per picture, in natural order of the names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls import image
from edgecls.errors import DataError, SourceError
from edgecls.source.sampling import FrameSampler
from edgecls.source.source import ReadingSettings, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame


class FolderSource(Source):
    """The pictures in a folder and its subfolders, or one picture file. `time_s` counts one second per picture.

    A broken picture is reported to `say` and skipped, and its index stays unused. With `reading.strict`, or if the source is a
    single picture, it raises SourceError.
    """

    live = False

    def __init__(
        self, folder: str, name: str, *, say: Callable[[str], None], reading: ReadingSettings = ReadingSettings()
    ) -> None:
        """List the pictures. Raises SourceError if there are none."""
        from edgecls.dataset.listing import pictures_under  # here: a run of cameras starts without it

        self.name = name
        self._root = Path(folder)
        self._is_file = self._root.is_file()
        self._files = [self._root] if self._is_file else pictures_under(self._root)
        self._index = 0
        self._broken = 0
        self._noted = False
        self._say = say
        self._strict = reading.strict or self._is_file
        self._sampler = FrameSampler(reading)
        if not self._files:
            raise SourceError(f"{folder}: the folder contains no picture that OpenCV can read")

    @property
    def skipped(self) -> int:
        """The number of broken pictures so far."""
        return self._broken

    def read(self) -> Frame | None:
        """Decode the next good picture."""
        while self._index < len(self._files):
            index, self._index = self._index, self._index + 1
            if not self._sampler.wants(float(index)):
                continue
            file = self._files[index]
            try:
                bgr = image.load(file, note=self._note)
            except DataError as error:
                if self._strict:
                    raise SourceError(str(error)) from error
                self._broken += 1
                self._say(f"left out: {error}")
                continue
            name = str(file) if self._is_file else file.relative_to(self._root).as_posix()
            frame = image.as_frame(bgr, self.name, index, time_s=float(index), captured_at=time.monotonic(), file=name)
            frame.single = True
            return frame
        return None

    def _note(self, name: str, bits: int) -> None:
        """Report the first picture that is reduced to 8 bits."""
        if not self._noted:
            self._noted = True
            self._say(f"note: {image.few_bits([(name, bits)])}; others like it too")

    def close(self) -> None:
        """Stop returning frames."""
        self._index = len(self._files)
