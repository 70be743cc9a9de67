"""How many cameras this machine can handle.

A machine can handle a number of cameras if all their frames are classified in time. To find out, a clip is played by that many
simulated cameras, each with its own decoder, in real time, through the same threads, batches and lines of labels as in a real
run. The extra cost of real cameras (network, drivers) is not included.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls import metrics
from edgecls.bench.clip import FPS, KEY_FRAME_EVERY_S
from edgecls.bench.process import rss_mb
from edgecls.errors import SourceError
from edgecls.run.pipeline import Pipeline
from edgecls.sink import JsonlSink
from edgecls.source import Merged, PyAVSource, ReadingSettings, Source
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Frame
    from edgecls.model.classifier import Classifier

WARM_UP_S = 0.5
MOST_SKIPPED = 0.01
LONGEST_AGE_MS = 200.0
"""Cameras are handled in time if at most `MOST_SKIPPED` of their frames are skipped and 99 % of the labels are at most this
old."""
MOST_CAMERAS = 128


@dataclass(frozen=True, slots=True)
class Trial:
    """A number of cameras in real time: frames per second of each, the share of skipped frames, the age of the labels."""

    cameras: int
    fps: float
    skipped: float
    age_p50_ms: float
    age_p99_ms: float
    cores: float
    rss_mb: float

    @property
    def held(self) -> bool:
        """Whether the frames of all cameras were classified in time."""
        return self.skipped <= MOST_SKIPPED and self.age_p99_ms <= LONGEST_AGE_MS


class Played(Source):
    """A simulated camera that plays a clip in real time, forever. Frames that cannot be decoded in time count as skipped."""

    live = True

    def __init__(self, clip: str, name: str, reading: ReadingSettings, *, wait_s: float = 0.0) -> None:
        """Open the clip. The camera's clock starts `wait_s` seconds after the first read."""
        self.name = name
        self._open: Callable[[], PyAVSource] = lambda: _as_live(clip, name, reading)
        self._source = self._open()
        self._wait_s = wait_s
        self._began: float | None = None
        self._before_s = 0.0  # the duration of the earlier rounds of the clip
        self._last_s = 0.0
        self._missed = 0

    @property
    def skipped(self) -> int:
        """The number of frames that were due before the previous one was decoded."""
        return self._missed

    def read(self) -> Frame | None:
        """Wait until the next frame is due and return it. Its age counts from then."""
        frame = self._next()
        now = time.monotonic()
        if self._began is None:
            self._began = now + self._wait_s
        due = self._began + self._before_s + frame.time_s
        if now < due:
            time.sleep(due - now)
        elif now - due > 2 / FPS:
            self._missed += int((now - due) * FPS)
            self._began += now - due
            due = now
        self._last_s = frame.time_s
        moved = frame.at(frame.index, self._before_s + frame.time_s)
        moved.captured_at = due
        return moved

    def close(self) -> None:
        """Close the clip."""
        self._source.close()

    def _next(self) -> Frame:
        for _ in range(2):
            try:
                frame = self._source.read()
            except SourceError:  # the clip ended; as a live source that is an error
                frame = None
            if frame is not None:
                return frame
            self._source.close()
            self._source = self._open()
            self._before_s += self._last_s + 1 / FPS
        raise SourceError(f"{self.name}: the clip holds no frame that can be decoded")


def hold(classifier: Classifier, clip: str, cameras: int, reading: ReadingSettings, seconds: float) -> Trial:
    """Play a clip with several simulated cameras at once. After all of them have started, measure for `seconds`.

    They start at different times, like real cameras. Otherwise all key frames, which take longest, would come at once.
    """
    played: list[Source] = []
    ages: list[float] = []
    with JsonlSink(os.devnull) as sink:
        try:
            step_s = KEY_FRAME_EVERY_S / cameras
            played.extend(Played(clip, f"camera{n}", reading, wait_s=n * step_s) for n in range(cameras))
            source = Merged(played, say=lambda _: None)
        except BaseException:
            for each in played:
                each.close()
            raise
        with source:
            began, cpu, skipped = time.perf_counter() + KEY_FRAME_EVERY_S + WARM_UP_S, 0.0, 0
            for result in Pipeline(classifier).over(source):
                sink.write(result)
                now = time.perf_counter()
                if not ages:
                    if now < began:
                        continue
                    began, cpu, skipped = now, time.process_time(), source.skipped
                ages.append(result.timing.age_ms)
                if now - began > seconds:
                    break
            spent, used, lost = time.perf_counter() - began, time.process_time() - cpu, source.skipped - skipped
            memory = rss_mb()
    return Trial(
        cameras,
        fps=len(ages) / spent / cameras,
        skipped=lost / (len(ages) + lost),
        age_p50_ms=metrics.percentile(ages, 50),
        age_p99_ms=metrics.percentile(ages, 99),
        cores=used / spent,
        rss_mb=memory,
    )


def most_held(try_so_many: Callable[[int], Trial], most: int = MOST_CAMERAS) -> list[Trial]:
    """Find the largest number of cameras that are handled in time: double it until it fails, then bisect.

    Args:
        try_so_many: Runs one trial with a number of cameras.
        most: Try at most this many.

    Returns:
        All trials, sorted by the number of cameras.
    """
    trials = {1: try_so_many(1)}
    good, bad = 0, most + 1
    count = 1
    while trials[count].held and count < most:
        good, count = count, min(2 * count, most)
        trials[count] = try_so_many(count)
    good, bad = (count, bad) if trials[count].held else (good, count)
    while bad - good > 1 and good:
        count = (good + bad) // 2
        if count > most:
            break
        trials[count] = try_so_many(count)
        good, bad = (count, bad) if trials[count].held else (good, count)
    return [trials[count] for count in sorted(trials)]


def _as_live(clip: str, name: str, reading: ReadingSettings) -> PyAVSource:
    """Open the clip like a live source, so that no frames are held back for decoder threads."""
    av: Any = ffmpeg.load("Decoding with PyAV")
    try:
        container = av.open(clip)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{clip}: not a video that can be decoded ({error.strerror})") from error
    return PyAVSource(av, container, name, clip, live=True, reading=reading)
