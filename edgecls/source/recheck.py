"""Check a file for damage after OpenCV has read it, because OpenCV silently patches up or skips damaged pictures."""

from __future__ import annotations

from typing import Any

from edgecls.errors import MissingExtraError, SourceError
from edgecls.source import container as opening
from edgecls.source.losses import Losses
from edgecls.source.pyav import PyAVSource
from edgecls.source.source import ReadingSettings
from edgecls.video import ffmpeg


def pictures_of_damaged(path: str, shown: int) -> int:
    """Return how many pictures a damaged file contains; 0 if it is not damaged.

    The packets are read again, and decoded again if their number does not match. Without PyAV the result is always 0.

    Args:
        path: The video file.
        shown: How many pictures OpenCV returned.
    """
    try:
        av = ffmpeg.load("Looking for damage")
    except MissingExtraError:
        return 0
    try:
        expected, has_gaps = _packets(av, path)
    except opening.faults(av):  # SourceError is one of them, an OSError
        return 0
    return expected if (has_gaps or shown < expected) and _is_damaged(path) else 0


def _packets(av: Any, path: str) -> tuple[int, bool]:
    """Return how many pictures of a file can be shown, and whether data is missing between them."""
    with opening.open_file(av, path) as container:
        stream = opening.video_stream(container, path, live=False)
        losses = Losses(container, stream, path, path, lambda _: None)
        try:
            for packet in container.demux(stream):
                if packet.size:
                    losses.see(packet)
                    losses.has_gap(packet)
                    if packet.is_corrupt:
                        losses.is_torn(packet)
            return losses.expected, losses.has_gaps or losses.ends_in_gap()
        finally:
            losses.close()


def _is_damaged(path: str) -> bool:
    try:
        with PyAVSource.video(path, "recheck", ReadingSettings()) as source:
            for _ in source:
                pass
    except SourceError:
        return True
    return False
