"""The debug video of each camera, for those who want to know why something was counted or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecls.draw.explain import Explainer
from edgecls.errors import SinkError
from edgecls.files import part_of
from edgecls.log import Say, log_warning
from edgecls.settings import check
from edgecls.sink.recordings.video import CAMERA, VideoSink
from edgecls.sink.sink import Backlog, Sink, SinkKind
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.frame import Result

NAME = f"{CAMERA}.mp4"


@dataclass(frozen=True, slots=True)
class ExplainSettings:
    """The folder `path`, created if it does not exist, for a video of each camera that shows what moves, boxes, tracks with
    their votes, and crossings.
    """

    path: str
    kind: Literal["explain"] = "explain"

    def __post_init__(self) -> None:
        """Check the name, in which `VideoSink` would take braces for a placeholder. Raises ConfigError."""
        check("path", self.path, bool(self.path) and "{" not in self.path, "the name of a folder, without braces")


class ExplainSink(Sink):
    """Writes FOLDER/CAMERA.mp4 for each camera: the dimmed picture with what moves in colour, the boxes of the frame, each
    track with its id, age, votes and path, lines with totals, and a flash when a crossing is counted (`edgecls.draw.explain`).

    Files behave as those of `VideoSink`. A video that cannot be written does not end the run: this is reported, and the frames
    count as lost.
    """

    def __init__(self, folder: str | Path, *, say: Say = log_warning) -> None:
        """Create the folder, and check that it is writable and that no other run writes there.

        `say` is called with one line when a video cannot be written.

        Raises:
            SinkError: The folder cannot be created or is not writable, or another run writes there.
            MissingExtraError: PyAV is not installed.
        """
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{folder}: the folder for the debug videos cannot be created ({error.strerror})") from error
        self._say = say
        self._given_up: set[str] = set()
        self._lost = 0
        self._video = VideoSink(Path(folder) / NAME, painter=lambda: Explainer().draw, say=say)

    @property
    def explains(self) -> bool:
        """Whether it shows how objects are followed: yes."""
        return True

    @property
    def backlog(self) -> Backlog:
        """The number of lost results."""
        return Backlog(dropped=self._lost + self._video.backlog.dropped)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present."""
        return self._video.trouble

    def write(self, result: Result) -> None:
        """Draw the result and append it, or count it as lost."""
        camera = result.frame.camera
        if camera in self._given_up:
            self._lost += 1
            return
        try:
            self._video.write(result)
        except SinkError as error:  # not a full disk, which may have room again, but an encoder or a size that does not work
            self._given_up.add(camera)
            self._lost += 1
            self._say(f"{error}; the run goes on without the debug video of {camera}")

    def close(self) -> None:
        """Complete all videos."""
        self._video.close()


def _check(out: ExplainSettings, _say: Say) -> None:
    """Check that the folder could be created. Raises SinkError or MissingExtraError."""
    ffmpeg.load("Writing a video")
    folder = Path(out.path)
    there = next(parent for parent in (folder, *folder.absolute().parents) if os.path.lexists(parent))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise SinkError(f"{out.path}: the folder for the debug videos cannot be created or written to, because of {there}")


def _files(out: ExplainSettings, cameras: Sequence[str]) -> list[Path]:
    """Return the complete and the unfinished video of each camera."""
    paths = [Path(out.path) / NAME.replace(CAMERA, camera) for camera in cameras]
    return [*paths, *map(part_of, paths)]


def _open(out: ExplainSettings, say: Say) -> ExplainSink:
    return ExplainSink(out.path, say=say)


KIND = SinkKind(
    ExplainSettings,
    _open,
    "path",
    "a folder after the colon, such as {kind}:why",
    is_folder=True,
    draws=True,
    files=_files,
    check=_check,
)
