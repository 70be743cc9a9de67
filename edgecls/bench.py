"""Measure how fast a run is on this machine, stage by stage, and how many cameras it can handle.

A machine can handle a number of cameras if all their frames are classified in time. To find out, a clip is played by that many
simulated cameras, each with its own decoder, in real time, through the same threads, batches and lines of labels as in a real
run. The extra cost of real cameras (network, drivers) is not included.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import metrics
from edgecls.errors import SourceError
from edgecls.run.pipeline import Pipeline
from edgecls.sink import JsonlSink
from edgecls.source import SOURCES, Merged, PyAVSource, ReadingSettings, Source, Threaded, recognize
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecls.frame import Frame
    from edgecls.model.classifier import Classifier

FPS = 25
KEY_FRAME_EVERY_S = 2.0
WARM_UP_S = 0.5
MOST_SKIPPED = 0.01
LONGEST_AGE_MS = 200.0
"""Cameras are handled in time if at most `MOST_SKIPPED` of their frames are skipped and 99 % of the labels are at most this
old."""
MOST_CAMERAS = 128


@dataclass(frozen=True, slots=True)
class Speed:
    """One source at full speed: the frames that were classified, frames per second, busy cores on average, memory of the
    process in MB, and the 50th, 95th and 99th percentile of each stage in milliseconds.
    """

    frames: int
    fps: float
    cores: float
    rss_mb: float
    stages_ms: Mapping[str, tuple[float, float, float]]


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


class Timed(Source):
    """Measures how long each read of a source takes: decoding for a file; for a camera also the wait for its next frame."""

    def __init__(self, source: Source) -> None:
        """Wrap an open source."""
        self.name = source.name
        self.read_ms: list[float] = []
        self._source = source

    @property
    def live(self) -> bool:  # type: ignore[override]  # only known once the source is open
        """Whether the source is live."""
        return self._source.live

    def read(self) -> Frame | None:
        """Read a frame, and store how long it took."""
        began = time.perf_counter()
        frame = self._source.read()
        self.read_ms.append((time.perf_counter() - began) * 1e3)
        return frame

    def stop(self) -> None:
        """Interrupt a wait."""
        self._source.stop()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


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


def speed(classifier: Classifier, where: str, reading: ReadingSettings, seconds: float) -> Speed:
    """Classify a source at full speed, to its end or for `seconds`. Raises SourceError if it gave no frame."""
    kind, target, name = recognize(where)
    timed = Timed(SOURCES[kind](target, name, reading, lambda _: None))
    stages: dict[str, list[float]] = {"decode": timed.read_ms, "shrink": [], "infer": [], "sink": [], "age": []}
    with Threaded(timed) as source, JsonlSink(os.devnull) as sink:
        frames, began, cpu = 0, time.perf_counter(), time.process_time()
        for result in Pipeline(classifier).over(source):
            wrote = time.perf_counter()
            sink.write(result)
            now = time.perf_counter()
            stages["sink"].append((now - wrote) * 1e3)
            stages["shrink"].append(result.timing.fit_ms)
            stages["infer"].append(result.timing.infer_ms)
            stages["age"].append(result.timing.age_ms)
            frames += 1
            if now - began > seconds:
                break
        spent, used = time.perf_counter() - began, time.process_time() - cpu
        memory = rss_mb()
    if not frames:
        raise SourceError(f"{where}: gave no frame within {seconds:g} s")
    return Speed(frames, frames / spent, used / spent, memory, {name: _percentiles(ms) for name, ms in stages.items()})


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


def write_clip(path: Path, *, width: int = 1920, height: int = 1080, seconds: float = 4.0) -> Path:
    """Draw a clip like that of an IP camera: 25 frames/s, H.264 main at 4 Mbit/s, no B-frames, a key frame every 2 s.

    It shows a moving texture with noise, because an empty picture would be decoded much faster.
    """
    av = ffmpeg.load("Drawing a clip")
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 200, (height // 8 + 64, width // 8 + 64), np.uint8)
    texture = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    noise = rng.integers(0, 8, (2 * height, 2 * width), np.uint8)
    options = {"profile": "main", "preset": "veryfast", "bf": "0", "g": str(round(KEY_FRAME_EVERY_S * FPS))}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for index in range(round(seconds * FPS)):
            x, y = 3 * index % 500, index % 500
            down, right = rng.integers(0, (height, width))
            luma = texture[y : y + height, x : x + width] + noise[down : down + height, right : right + width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rss_mb() -> float:
    """Return the memory of this process in MB; its peak if the system does not tell the current value."""
    if Path("/proc/self/statm").exists():
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file, a question to the kernel
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if platform.system() == "Darwin" else 1e3)


def _as_live(clip: str, name: str, reading: ReadingSettings) -> PyAVSource:
    """Open the clip like a live source, so that no frames are held back for decoder threads."""
    av: Any = ffmpeg.load("Decoding with PyAV")
    try:
        container = av.open(clip)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{clip}: not a video that can be decoded ({error.strerror})") from error
    return PyAVSource(av, container, name, clip, live=True, reading=reading)


def _percentiles(ms: list[float]) -> tuple[float, float, float]:
    return metrics.percentile(ms, 50), metrics.percentile(ms, 95), metrics.percentile(ms, 99)
