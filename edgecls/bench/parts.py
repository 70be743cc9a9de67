"""The rate that the parts of a run alone allow: decoding, and the model. Everything else is the price of the run itself.

Decoding alone keeps all cores busy, and so would a run that did nothing but decode and infer. A frame then takes the time of
decoding it plus the CPU time of one inference, spread over the cores:

    fps = 1 / (1 / fps of decoding alone + CPU seconds of one inference / cores)
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.bench.process import cores
from edgecls.errors import SourceError
from edgecls.source import ReadingSettings, recognize
from edgecls.source import container as opening
from edgecls.source.decoder import DecoderFailedError
from edgecls.source.hardware import open_decoder
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from edgecls.model.classifier import Classifier

LEAST_INFERENCES = 20
INFER_S = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What decoding and the model take by themselves, with the threads and options of a run.

    Attributes:
        decode_fps: Frames per second of decoding alone.
        decode_cores: Busy cores on average meanwhile.
        decode_ms: CPU milliseconds per frame of the decoder's own threads.
        read_ms: CPU milliseconds per frame of the thread that reads the packets.
        infer_ms: CPU milliseconds of one inference, of all threads of the model.
        cores: The number of cores.
    """

    decode_fps: float
    decode_cores: float
    decode_ms: float
    read_ms: float
    infer_ms: float
    cores: int

    @property
    def fps(self) -> float:
        """The sum of the parts: frames per second of a run that does nothing else."""
        return 1 / (1 / self.decode_fps + self.infer_ms / 1e3 / self.cores)

    @property
    def cpu_ms(self) -> dict[str, float]:
        """CPU milliseconds per frame by stage, as `Speed.cpu_ms` has them."""
        return {"decode": self.decode_ms, "read": self.read_ms, "infer": self.infer_ms}


def parts(
    classifier: Classifier, where: str, reading: ReadingSettings, seconds: float = math.inf, *, frames: int | None = None
) -> Parts | None:  # fmt: skip
    """Measure decoding alone and inference alone, one after the other.

    Args:
        classifier: The model.
        where: A video file.
        reading: How a run would read it.
        seconds: The longest duration of decoding.
        frames: The most frames to decode.

    Returns:
        The parts; None where they do not share the processor: the model is on another device, or `where` is no video file
        that FFmpeg decodes.

    Raises:
        SourceError: It cannot be decoded.
    """
    kind, target, _ = recognize(where)
    if classifier.device != "cpu" or kind != "video" or reading.decoder == "opencv":
        return None
    count, spent, used, here = _decoded(target, reading, seconds, frames)
    return Parts(
        decode_fps=count / spent,
        decode_cores=used / spent,
        decode_ms=1e3 * (used - here) / count,
        read_ms=1e3 * here / count,
        infer_ms=infer_ms(classifier),
        cores=cores(),
    )


def decode_fps(where: str, reading: ReadingSettings, *, frames: int | None = None) -> float:
    """Return the frames per second of decoding a video file and doing nothing else. Raises SourceError if that fails."""
    count, spent, _, _ = _decoded(recognize(where)[1], reading, math.inf, frames)
    return count / spent


def infer_ms(classifier: Classifier, seconds: float = INFER_S) -> float:
    """Return the CPU milliseconds of one inference, of all threads of the model."""
    noise = np.random.default_rng(0).integers(0, 256, (1, *classifier.card.input.shape)).astype(np.uint8)
    classifier.answers(noise)
    count, end, cpu = 0, time.perf_counter() + seconds, time.process_time()
    while count < LEAST_INFERENCES or time.perf_counter() < end:
        classifier.answers(noise)
        count += 1
    return 1e3 * (time.process_time() - cpu) / count


def _decoded(path: str, reading: ReadingSettings, seconds: float, frames: int | None) -> tuple[int, float, float, float]:
    """Decode a file and do nothing else. Returns the number of frames, seconds, and CPU seconds of all and of this thread."""
    av: Any = ffmpeg.load("Decoding with PyAV")
    count = 0
    with opening.open_file(av, path) as container:
        stream = opening.video_stream(container, path, live=False)
        opening.prepare(stream, reading, live=False)
        try:
            decoder = open_decoder(av, stream, reading, where=path)
        except DecoderFailedError as error:
            raise SourceError(f"{path}: cannot be decoded with {reading.decode} ({error})") from None
        began, cpu, here = time.perf_counter(), time.process_time(), time.thread_time()
        for packet in container.demux(stream):
            if packet.size and reading.keyframes and not packet.is_keyframe:
                continue
            with contextlib.suppress(*opening.faults(av)):  # of a damaged packet, which gives no picture
                count += len(decoder.decode(packet))
            if count >= (frames or math.inf) or time.perf_counter() - began > seconds:
                break
        spent, used, here = time.perf_counter() - began, time.process_time() - cpu, time.thread_time() - here
        decoder.close()
    if not count:
        raise SourceError(f"{path}: gave no frame")
    return count, spent, used, here
