"""A real RTSP camera on loopback, in a process of its own that can be killed, stopped and started again."""

from __future__ import annotations

import signal
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.live.port import own_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecls.frame import Picture

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"
"""The system's: GStreamer's bindings are packages of the system."""
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad"
)


def write_units(
    path: Path, pictures: Sequence[Picture], *, fps: int = 20, gop: int = 10, b_frames: int = 0, bits: int = 0
) -> Path:  # fmt: skip
    """Write pictures (H, W, 3) as an IP camera would send them: H.264 main, usually without B-frames, a key frame every `gop`
    with its headers before it; with so many `bits` per second, if not 0.
    """
    with av.open(str(path.with_suffix(".h264")), "w", format="h264") as container:
        options = {
            "profile": "main",
            "preset": "ultrafast",
            "bf": str(b_frames),
            "x264-params": "repeat-headers=1:slices=1:sliced-threads=0:b-adapt=0",
        }
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.gop_size = "yuv420p", gop
        if bits:
            stream.bit_rate = bits
        units = []
        for picture in pictures:
            units += stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24"))
        units += stream.encode(None)
        for unit in units:  # the container only lent its encoder
            container.mux(unit)
        return _write(path, [bytes(unit) for unit in units])


def write_units_of(path: Path, video: Path, *, most: int | None = None) -> Path:
    """Write the access units of an H.264 file as they are, all or the first few."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        units = [bytes(unit) for packet in container.demux(stream) if packet.size for unit in to_annex_b.filter(packet)]
    return _write(path, units[:most])


def spoil(path: Path, units: Path) -> Path:
    """Write the access units of a file with noise in place of their slices; the headers before key frames stay."""
    rng = np.random.default_rng(0)
    spoilt, data, at = [], units.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        unit = data[at + 4 : at + 4 + length]
        at += 4 + length
        slice_at = max(unit.find(b"\x00\x00\x01\x65"), unit.find(b"\x00\x00\x01\x41"), unit.find(b"\x00\x00\x01\x61"))
        noise = bytes(rng.integers(1, 255, max(8, len(unit) - slice_at - 4), np.uint8))
        spoilt.append(unit[: slice_at + 4] + noise)
    return _write(path, spoilt)


def _write(path: Path, units: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(struct.pack(">I", len(unit)) + unit for unit in units))
    return path


class RtspServer:
    """The server's process. `url` stays the same when it is started again."""

    def __init__(self, *units: Path, fps: int, user: str = "", password: str = "", more: Sequence[str] = ()) -> None:
        """Start it, with `more` arguments."""
        self._command = [PYTHON, str(SERVER), *map(str, units), "--fps", str(fps), "--port", str(own_port()), *more]
        if user:
            self._command += ["--user", user, "--password", password]
        self.start()

    def start(self) -> None:
        """Start it, always on the same port."""
        self.process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.sub_url = self.url.replace("/cam", "/sub")
        assert self.url.startswith("rtsp://"), "the RTSP server did not start"

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> None:
        """Have it keep its connections and say nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it speak again."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def rtsp_server(
    *units: Path, fps: int = 20, user: str = "", password: str = "", more: Sequence[str] = ()
) -> Iterator[RtspServer]:  # fmt: skip
    """Serve files of access units, one after the other, for ever. Skips the test where the server cannot be had."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode:
        pytest.skip(f"GStreamer's RTSP server is not installed: apt install {PACKAGES}")
    server = RtspServer(*units, fps=fps, user=user, password=password, more=more)
    try:
        yield server
    finally:
        server.kill()
