"""PyAV, which brings FFmpeg: the decoder of files and streams and the encoder of videos."""

from __future__ import annotations

from typing import Any

from edgecls.errors import MissingExtraError

FRAGMENT_S = 1.0


def load(purpose: str) -> Any:
    """Import av, with FFmpeg's own words silenced: they can show a password, and what matters comes as an exception.

    None and not a level, however low: with any level a decoder's thread that meets an error waits for the interpreter's lock to
    tell of it, while the thread that has the lock may wait for the decoder to end: with a damaged video for good.

    Raises MissingExtraError where it is not installed. Call it when something is opened, not for each frame.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "cpu", purpose) from error
    av.logging.set_level(None)
    return av


def growing(kind: str) -> dict[str, str]:
    """The options with which a file of FFmpeg's format `kind` can be played while it grows, but for its last second: what a
    killed run leaves is of use. Whoever writes it must flush it too.

    An MP4 is written in fragments, and becomes an ordinary one when it is closed. Left to itself FFmpeg would begin a fragment
    at each key frame, for which x264 takes up to 250 frames, and a cluster of Matroska every five seconds.
    """
    own = {
        "mp4": {"movflags": "+hybrid_fragmented", "frag_duration": str(round(FRAGMENT_S * 1_000_000))},
        "matroska": {"cluster_time_limit": str(round(FRAGMENT_S * 1000))},
    }
    return {"flush_packets": "1", **own.get(kind, {})}
