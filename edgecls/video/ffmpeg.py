"""Import PyAV, which bundles FFmpeg: it decodes files and streams, and encodes videos."""

from __future__ import annotations

from typing import Any

from edgecls.errors import MissingExtraError

FRAGMENT_S = 1.0


def load(purpose: str) -> Any:
    """Import av and silence FFmpeg's log, which can show passwords; errors that matter are raised as exceptions.

    The log level is None, not just a low level: with any level, a decoder thread that meets an error waits for the GIL to log
    it, while the thread that holds the GIL may be waiting for the decoder to finish. A damaged video then causes a deadlock.

    Raises MissingExtraError if av is not installed. Call it when something is opened, not for each frame.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "cpu", purpose) from error
    av.logging.set_level(None)
    return av


def growing(kind: str) -> dict[str, str]:
    """Return the options that make a file of FFmpeg's format `kind` playable while it grows, except for its last second, so
    that a killed run leaves a usable file. The writer must also flush it.

    An MP4 is written in fragments, and becomes a regular MP4 when it is closed. By default, FFmpeg begins a fragment at each
    key frame, which x264 writes up to 250 frames apart, and a Matroska cluster every five seconds.
    """
    by_kind = {
        "mp4": {"movflags": "+hybrid_fragmented", "frag_duration": str(round(FRAGMENT_S * 1_000_000))},
        "matroska": {"cluster_time_limit": str(round(FRAGMENT_S * 1000))},
    }
    return {"flush_packets": "1", **by_kind.get(kind, {})}
