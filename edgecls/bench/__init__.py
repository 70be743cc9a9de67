"""Measure how fast a run is on this machine, stage by stage, how near that is to what its parts allow, and how many cameras it
can handle.
"""

from edgecls.bench.cameras import Played, Trial, hold, most_held
from edgecls.bench.clip import write_clip
from edgecls.bench.parts import Parts, decode_fps, infer_ms, parts
from edgecls.bench.process import rss_mb
from edgecls.bench.speed import Speed, speed

__all__ = [
    "Parts",
    "Played",
    "Speed",
    "Trial",
    "decode_fps",
    "hold",
    "infer_ms",
    "most_held",
    "parts",
    "rss_mb",
    "speed",
    "write_clip",
]
