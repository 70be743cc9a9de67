"""The videos of the benchmarks, drawn, and encoded as by an IP camera."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av

ROOT = Path(__file__).parent.parent
KEY_FRAME_EVERY = 50  # frames


class Clips:
    """The videos for the benchmarks, generated on first use."""

    def __init__(self, folder: Path, hd: Path | None) -> None:
        """Generate clips in `folder`; use `hd`, if it is given, as the 1080p clip."""
        self.folder = folder
        self._hd = hd

    @property
    def vga(self) -> Path:
        """The demo's clip, 640x360."""
        clip = self.folder / "gantry.mp4"
        if not clip.exists():
            script = ROOT / "scripts" / "gantry.py"
            subprocess.run([sys.executable, script, "draw", clip, clip.with_suffix(".json")], check=True)
        return clip

    @property
    def vga_camera(self) -> Path:
        """The same clip, encoded as by an IP camera."""
        return self._as_camera("vga.mp4", 640, 360, 600_000)

    @property
    def hd(self) -> Path:
        """The 1080p clip: 4 Mbit/s."""
        return self._hd or self._as_camera("hd.mp4", 1920, 1080, 4_000_000)

    def _as_camera(self, name: str, width: int, height: int, bits: int) -> Path:
        """H.264 main, no B-frames, a key frame every 2 s, one slice a picture."""
        clip = self.folder / name
        if clip.exists():
            return clip
        options = {
            "profile": "main",
            "preset": "veryfast",
            "bf": "0",
            "g": str(KEY_FRAME_EVERY),
            "x264-params": "sliced-threads=0",
        }
        with av.open(str(self.vga)) as source, av.open(str(clip), "w") as target:
            stream = target.add_stream("libx264", rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bits
            for frame in source.decode(video=0):
                target.mux(stream.encode(frame.reformat(width, height)))
            target.mux(stream.encode(None))
        return clip
