"""Whether sinks may write where they are told to: not over what the run reads, and not two to one place."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.run.sink.kinds import SINKS, Out
from edgecls.run.sink.texts import place_of
from edgecls.run.sink.video import CAMERA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def check_places(outs: Sequence[Out]) -> None:
    """Raise ConfigError where two write to one place."""
    twice = [name for name, count in Counter(map(place_of, outs)).items() if count > 1]
    if twice:
        raise ConfigError(f"sink {twice[0]!r} is named twice")


def check_use(out: Out, *, reads: Iterable[str | Path], cameras: Sequence[str]) -> None:
    """Raise ConfigError where a sink would write to one of the files that are `read`, or several of the cameras to one of its
    files. It opens nothing.
    """
    files = SINKS[out.kind].files(out, cameras)
    if len(set(files)) < len(files):
        several = Path(out.path).with_stem(f"{Path(out.path).stem}-{CAMERA}").name  # type: ignore[union-attr]  # it has files
        raise ConfigError(f"sink {place_of(out)!r}: several cameras need {CAMERA} in the name of the video, such as {several}")
    for read in map(Path, reads):
        if any(_is_one(read, file) for file in files):
            raise ConfigError(f"sink {place_of(out)!r} would write to {read}, which is read; name another file")


def _is_one(one: Path, other: Path) -> bool:
    """Whether both are the same file, there or not. What is no file, such as a terminal, may be read and written."""
    try:
        return one.samefile(other) and one.is_file()
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
