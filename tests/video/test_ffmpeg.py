"""FFmpeg's threads and the interpreter do not deadlock."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np

DROPPED = """
import sys
from edgecls.video import ffmpeg
av = ffmpeg.load("a test")
with av.open(sys.argv[1]) as container:
    container.streams.video[0].codec_context.thread_type = "FRAME"
    for count, packet in enumerate(container.demux(video=0)):
        try:
            packet.decode()
        except av.InvalidDataError:
            pass
        if count == 20:
            break
print("over")
"""


def test_a_decoder_that_meets_errors_lets_the_program_end(tmp_path):
    """Its threads, which are still decoding later packets, do not wait for the GIL while the interpreter waits for them."""
    rng = np.random.default_rng(0)
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "10", "preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = 720, 1280, "yuv420p"
        for _ in range(30):
            noise = rng.integers(0, 256, (90, 160, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    for i in range(len(content) // 10, len(content) * 9 // 10, 300):
        content[i] ^= 0x55
    path.write_bytes(content)
    for _ in range(3):  # with FFmpeg's log enabled, most runs hang
        done = subprocess.run([sys.executable, "-c", DROPPED, path], capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.returncode) == ("over\n", 0)
