"""How fast a run is on this machine, stage by stage, and how many cameras it holds: measured, not computed.

A camera held is one whose frames are all classified in time. For that question a clip is played by as many cameras as are
asked about, each with a decoder of its own, at the clip's own pace, through the same threads, batches and lines as a real
run. What a real camera costs beside (the network, a driver) is not in it.
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
from edgecls.run import ffmpeg
from edgecls.run.pipeline import Pipeline
from edgecls.run.sink import JsonlSink
from edgecls.run.source import SOURCES, Merged, PyAVSource, Reading, Source, Threaded, recognize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecls.classifier import Classifier
    from edgecls.frame import Frame

FPS = 25
KEY_FRAME_EVERY_S = 2.0
WARM_UP_S = 0.5
MOST_SKIPPED = 0.01
LONGEST_AGE_MS = 200.0
"""A camera is held if at most this share of its frames is skipped, and 99 % of the labels are at most so old."""
MOST_CAMERAS = 128


@dataclass(frozen=True, slots=True)
class Speed:
    """One source, as fast as it goes: `stages_ms` has the 50th, 95th and 99th percentile of each stage in milliseconds,
    `cores` how many cores were busy, `rss_mb` the memory of the process.
    """

    frames: int
    fps: float
    cores: float
    rss_mb: float
    stages_ms: Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """Some cameras at their own pace: results a second of each, the share that was skipped, the age of the labels."""

    cameras: int
    fps: float
    skipped: float
    age_p50_ms: float
    age_p99_ms: float
    cores: float
    rss_mb: float

    @property
    def held(self) -> bool:
        """Whether all of them were classified in time."""
        return self.skipped <= MOST_SKIPPED and self.age_p99_ms <= LONGEST_AGE_MS


class Timed(Source):
    """Notes how long each read of `source` took: for a file the decoding, for a camera the wait for its next frame too."""

    def __init__(self, source: Source) -> None:
        """Take an open source."""
        self.name = source.name
        self.read_ms: list[float] = []
        self._source = source

    @property
    def live(self) -> bool:  # type: ignore[override]  # an address tells only when it is open
        """As the source is."""
        return self._source.live

    def read(self) -> Frame | None:
        """Read and note."""
        began = time.perf_counter()
        frame = self._source.read()
        self.read_ms.append((time.perf_counter() - began) * 1e3)
        return frame

    def stop(self) -> None:
        """Break off a wait."""
        self._source.stop()

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class Played(Source):
    """A clip as a camera sends it: in real time, for ever. What it could not decode in time counts as skipped."""

    live = True

    def __init__(self, clip: str, name: str, reading: Reading, *, wait_s: float = 0.0) -> None:
        """Open the clip. The camera's clock starts with the first read, or so much later."""
        self.name = name
        self._open: Callable[[], PyAVSource] = lambda: _as_live(clip, name, reading)
        self._source = self._open()
        self._wait_s = wait_s
        self._began: float | None = None
        self._before_s = 0.0  # what the clip's earlier rounds lasted
        self._last_s = 0.0
        self._missed = 0

    @property
    def skipped(self) -> int:
        """The frames that fell due before the one ahead of them was decoded."""
        return self._missed

    def read(self) -> Frame | None:
        """Wait until the next frame is due, and give it. Its age counts from then."""
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
            except SourceError:  # the end of what is read as a camera
                frame = None
            if frame is not None:
                return frame
            self._source.close()
            self._source = self._open()
            self._before_s += self._last_s + 1 / FPS
        raise SourceError(f"{self.name}: the clip holds no frame that can be decoded")


def speed(classifier: Classifier, where: str, reading: Reading, seconds: float) -> Speed:
    """Classify a source as fast as it goes, to its end or for so long. Raises SourceError for one that gives nothing."""
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


def hold(classifier: Classifier, clip: str, cameras: int, reading: Reading, seconds: float) -> Trial:
    """Play a clip by so many cameras at once and measure for so long, when all of them run.

    Each starts at another moment, as cameras do: else all key frames, which cost most, would come at once.
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
    """Try 1, 2, 4 ... cameras up to the first number that is not held, then between: all trials, in the order of cameras.

    The largest number that is held is the answer; none is held if the first is not.
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
    """Draw a clip as an IP camera sends it: 25 frames a second of H.264 main at 4 Mbit/s, no B-frames, a key frame every 2 s.

    What it shows is a texture that moves behind a camera's noise, because an empty picture would be decoded for nothing.
    """
    av = ffmpeg.load("Drawing a clip")
    chance = np.random.default_rng(0)
    coarse = chance.integers(40, 200, (height // 8 + 64, width // 8 + 64), np.uint8)
    texture = np.repeat(np.repeat(coarse, 8, 0), 8, 1)
    noise = chance.integers(0, 8, (2 * height, 2 * width), np.uint8)
    options = {"profile": "main", "preset": "veryfast", "bf": "0", "g": str(round(KEY_FRAME_EVERY_S * FPS))}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 4_000_000
        for index in range(round(seconds * FPS)):
            x, y = 3 * index % 500, index % 500
            down, right = chance.integers(0, (height, width))
            luma = texture[y : y + height, x : x + width] + noise[down : down + height, right : right + width]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def rss_mb() -> float:
    """The memory of this process, in MB; where the system does not tell, the most that it ever had."""
    if Path("/proc/self/statm").exists():
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file, a question to the kernel
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if platform.system() == "Darwin" else 1e3)


def _as_live(clip: str, name: str, reading: Reading) -> PyAVSource:
    """The clip, decoded as a camera is: with no frame held back for threads."""
    av: Any = ffmpeg.load("Decoding with PyAV")
    try:
        container = av.open(clip)
    except (av.FFmpegError, OSError) as error:
        raise SourceError(f"{clip}: not a video that can be decoded ({error.strerror})") from error
    return PyAVSource(av, container, name, clip, live=True, reading=reading)


def _percentiles(ms: list[float]) -> tuple[float, float, float]:
    return metrics.percentile(ms, 50), metrics.percentile(ms, 95), metrics.percentile(ms, 99)
