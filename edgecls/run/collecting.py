"""Collect pictures without a model, for the first model of a camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from edgecls.collect import SelectionSettings
from edgecls.frame import Detection, Prediction, Result, Timing
from edgecls.health import Health
from edgecls.log import Say, log_warning
from edgecls.regions.motion import Motion, MotionSettings
from edgecls.regions.regions import by_camera, when_moving, whole_frame, zones
from edgecls.sink import CollectSettings, CollectSink
from edgecls.source import ReadingSettings, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.regions.regions import Regions
    from edgecls.sink import QuotaSettings

NOTHING_SAID = Prediction("", 0.0, -1, ())
"""There is no model that would say something of a picture."""
MOST_FRAMES = 8


UNAIDED = SelectionSettings(unlike=8)
"""Without a model there is no doubt to go by, so pictures that differ a little less are kept too."""


class Collecting:
    """Keeps pictures of cameras in a store, without a model. Call `step` until it returns 0.

    Example:
        with edgecls.Collecting([0], "gate-pictures", zones={"gate": (0.4, 0.2, 0.1, 0.3)}) as collecting:
            while collecting.step() and collecting.kept < 100:
                pass
    """

    def __init__(
        self, sources: Sequence[int | str | Path], out: str | Path, *, zones: Mapping[str, Sequence[float]] | None = None,
        choice: SelectionSettings = UNAIDED, only_moving: bool = False, quota: QuotaSettings | None = None,
        reading: ReadingSettings | None = None, say: Say = log_warning,
    ) -> None:  # fmt: skip
        """Open the store and the sources.

        Args:
            sources: Camera numbers or devices, videos, folders and URLs, each with an optional name: "gate=0".
            out: The folder of the store; it is created if it does not exist.
            zones: Parts of the frame to keep, by name: (x, y, width, height) as fractions of the frame. None: the whole frame.
            choice: Which pictures are kept, and how often one is looked at.
            only_moving: Whether pictures are kept only while something moves.
            quota: How much disk space the store may take; the oldest pictures without a label make room. None: no limit.
            reading: How to read the sources; None for the defaults.
            say: Called with a one-line message for problems that do not end the run.

        Raises:
            ConfigError: There is no source, or a zone is outside the frame.
            SourceError: A file or folder cannot be opened.
            SinkError: The store cannot be used.
        """
        shown = _zones(zones)
        self._health = Health()
        self._frames = open_source(*sources, reading=reading or ReadingSettings(), say=say)
        names = [source.name for source in self._frames.sources]
        self._regions = by_camera({name: _regions(shown, only_moving=only_moving) for name in names})
        try:
            settings = CollectSettings(str(out), margin=0.0, choice=choice, quota=quota)
            self._sink = CollectSink(settings, say=say)
        except BaseException:
            self._frames.close()
            raise

    @property
    def kept(self) -> int:
        """How many pictures were kept so far."""
        return self._sink.kept

    def step(self) -> int:
        """Wait for frames, and keep what is worth it. Returns how many frames came; 0: the sources have ended."""
        frames = self._frames.take(MOST_FRAMES)
        for frame in frames:
            unfit = self._health(frame)
            regions = () if unfit else self._regions(frame)
            detections = tuple(Detection(region.box, NOTHING_SAID, region.name) for region in regions)
            self._sink.write(Result(frame, detections, Timing(0.0, 0.0, 0.0), unfit))
        return len(frames)

    def close(self) -> None:
        """Store what waits, and close the store and the sources."""
        self._sink.close()
        self._frames.close()

    def __enter__(self) -> Self:
        """Return this object, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close everything."""
        self.close()


def _regions(shown: Regions, *, only_moving: bool) -> Regions:
    """Return where to look, with a background of its own if only moving scenes count."""
    return shown if not only_moving else when_moving(shown, Motion(MotionSettings()), follow=False)


def _zones(rectangles: Mapping[str, Sequence[float]] | None) -> Regions:
    return zones({name: tuple(numbers) for name, numbers in rectangles.items()}) if rectangles else whole_frame  # type: ignore[misc]
