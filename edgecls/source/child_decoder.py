"""Decoding by the ffmpeg program of the system, for hardware that FFmpeg's Python packages do not contain.

The program gets the packets of a stream on its standard input and returns pictures, made smaller on the device, on its standard
output, both in NUT, FFmpeg's own container, which holds any codec and exact times. It never gets an address: reading the stream
stays here, with its password, its clock, and the packets for clips.

A reader thread takes the pictures, since a program whose output nobody reads does not read its input either. So a picture may
come one packet later than its own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import select
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.source import container as opening
from edgecls.source.decoder import Decoder, DecoderFailedError
from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact
from edgecls.video import remux

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = "ffmpeg"
LEAD_TICKS = 1 << 24
"""Added to all times, as FFmpeg moves those of a stream that begins before 0."""
END_WAIT_S = 10.0
HANGS = "it hangs"
MOST_HELD = 32
"""How many packets may wait for their pictures before the next one is sent; more than any codec reorders."""
HELD_WAIT_S = 2.0
TIME_S = 0.002
"""How far the time of a picture may be from that of its packet, as times are rounded."""
QUICK = ("-probesize", "32", "-analyzeduration", "0", "-flags", "+low_delay-output_corrupt", "-err_detect", "explode")
"""Begin with the first packet, hold no picture back, and give none that it knows to be damaged. It does not tell of all."""
AS_THEY_COME = ("-fps_mode", "passthrough", "-enc_time_base", "-1", "-copyts", "-c:v", "rawvideo", "-flush_packets", "1")


class Child(NamedTuple):
    """How the program decodes on a device.

    Attributes:
        before: Options before the input; {codec} is the codec.
        filters: The filters that make pictures smaller and fetch them; {width} and {height} are their size. "": none.
    """

    before: Sequence[str]
    filters: str


CHILDREN = {
    "vaapi": Child(
        ("-hwaccel", "vaapi", "-hwaccel_output_format", "vaapi"),
        "scale_vaapi=w={width}:h={height}:format=nv12,hwdownload,format=nv12",
    ),
    "rkmpp": Child(
        ("-hwaccel", "rkmpp", "-hwaccel_output_format", "drm_prime"),
        "scale_rkrga=w={width}:h={height}:format=nv12,hwdownload,format=nv12",
    ),
    "jetson": Child(("-c:v", "{codec}_nvmpi", "-resize", "{width}x{height}"), ""),
}
"""Those that `decode = "ffmpeg"` tries, in this order."""


class ChildDecoder(Decoder):
    """A decoder in a child process."""

    def __init__(self, av: Any, stream: Any, name: str, *, width: int = 0) -> None:
        """Start the program.

        Args:
            av: The module PyAV.
            stream: The open stream.
            name: A key of `CHILDREN`.
            width: The width of the pictures that come back, in pixels; never larger than they are. 0: as they are.

        Raises:
            DecoderFailedError: The program is not installed, or the stream cannot be passed to it.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise DecoderFailedError(f"the program {PROGRAM} is not installed")
        context, child = stream.codec_context, CHILDREN[name]
        if not (context.width and context.height):
            raise DecoderFailedError("the size of its pictures is not known")
        ratio = min(1.0, width / context.width) if width else 1.0
        size = {"width": _even(context.width * ratio), "height": _even(context.height * ratio)}
        before = [option.format(codec=context.name, **size) for option in child.before]
        filters = ["-vf", child.filters.format(**size)] if child.filters else []
        limits = [option for name, value in opening.limits().items() for option in (f"-{name}", value)]
        command = [program, "-hide_banner", "-loglevel", "error", "-nostdin", *QUICK, *limits, *before]
        try:
            self._process: Any = subprocess.Popen(  # noqa: S603 - options from the table above
                [*command, "-f", "nut", "-i", "pipe:0", *filters, *AS_THEY_COME, "-f", "nut", "pipe:1"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                start_new_session=True,  # Ctrl-C is for the run, which then ends this program
            )  # fmt: skip
        except OSError as error:
            raise DecoderFailedError(opening.reason(error)) from None
        self._av = av
        self._faults: tuple[type[Exception], ...] = (*opening.faults(av), TimeoutError)
        self._color_range = context.color_range
        self._frames: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._sent: dict[int, tuple[int, bool]] = {}  # time and whether it is a key frame, by the time that was sent
        self._last_dts = 0
        self._input: Any = None
        self._why = ""
        self._threads = [
            threading.Thread(target=work, name=f"decode {name}", daemon=True) for work in (self._read, self._listen)
        ]
        for thread in self._threads:
            thread.start()
        try:
            self._pipe = _Pipe(self._process.stdin)
            self._input = av.open(self._pipe, "w", format="nut", options={"flush_packets": "1"})
            self._stream = remux.Template(av, stream).add_to(self._input)
        except self._faults as error:
            self.close()
            raise DecoderFailedError(opening.reason(error)) from None

    def decode(self, packet: Any) -> list[Any]:
        """Return the pictures that have come back so far; at the end, wait for all."""
        try:
            if packet.size:
                self._give(packet)
            else:
                self._input.close()
                self._process.stdin.close()
                self._threads[0].join(END_WAIT_S)
                if self._threads[0].is_alive():
                    raise TimeoutError(errno.ETIMEDOUT, HANGS)
        except self._faults as error:
            raise DecoderFailedError(self._failure(opening.reason(error))) from None
        return self._ready(is_end=not packet.size)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(Exception):  # nobody reads the end of its input any more
            self._input.close()
        for thread in self._threads:
            thread.join(END_WAIT_S)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _give(self, packet: Any) -> None:
        copied = self._av.Packet(packet)  # shares the data, but has its own times
        dts = packet.pts if packet.dts is None else packet.dts
        self._last_dts = max(dts + LEAD_TICKS, self._last_dts + 1)
        copied.stream, copied.time_base, copied.is_keyframe = self._stream, packet.time_base, packet.is_keyframe
        copied.dts, copied.pts = self._last_dts, max(packet.pts + LEAD_TICKS, self._last_dts)
        self._tick = packet.time_base
        self._sent[copied.pts] = packet.pts, packet.is_keyframe
        self._input.mux(copied)

    def _ready(self, *, is_end: bool) -> list[Any]:
        """Return the pictures that have come back. If too many packets wait for theirs, wait for the next one."""
        frames = []
        with contextlib.suppress(queue.Empty):
            while (frame := self._frames.get(len(self._sent) > MOST_HELD, HELD_WAIT_S)) is not None:
                frames.append(self._named(frame))
            with contextlib.suppress(subprocess.TimeoutExpired):
                if is_end and self._process.wait(END_WAIT_S) == 0:
                    return frames
            raise DecoderFailedError(self._failure("it ended"))
        return frames

    def _named(self, frame: Any) -> Any:
        """Return a picture with the time of its packet."""
        ticks = round(frame.pts * frame.time_base / self._tick)
        sent = min(self._sent, key=lambda one: abs(one - ticks), default=0)
        if abs(sent - ticks) * self._tick > TIME_S:
            raise DecoderFailedError("it gave a picture with a time that no packet has")
        frame.pts, frame.key_frame = self._sent[sent]
        frame.time_base, frame.color_range = self._tick, self._color_range
        self._sent = {one: value for one, value in self._sent.items() if one > sent}  # those before it gave no picture
        return frame

    def _read(self) -> None:
        """Read pictures, in a thread of its own."""
        options = {"probesize": "32", "analyzeduration": "0"}
        with contextlib.suppress(Exception):  # it has ended, and says why itself
            output = self._av.open(self._process.stdout, format="nut", options=options)
            with output:
                for frame in output.decode(video=0):
                    self._frames.put(frame)
        self._frames.put(None)

    def _listen(self) -> None:
        """Remember the first thing that the program says, in a thread of its own."""
        for line in self._process.stderr:
            self._why = self._why or in_one_line(line.decode("utf-8", "replace").strip())

    def _failure(self, otherwise: str) -> str:
        """Return why the program does not work, which it has said before it ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
            self._threads[1].join(1.0)
        return redact(self._why or otherwise)


class _Pipe:
    """A pipe to a program that may hang."""

    def __init__(self, file: Any) -> None:
        self._fd = file.fileno()
        os.set_blocking(self._fd, False)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """Write everything. Raises TimeoutError if the program reads nothing for `END_WAIT_S`."""
        left = memoryview(data)
        while left:
            if not self._poll.poll(END_WAIT_S * 1e3):
                raise TimeoutError(errno.ETIMEDOUT, HANGS)
            left = left[os.write(self._fd, left) :]
        return len(data)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)
