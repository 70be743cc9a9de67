"""PyAV, which brings FFmpeg: the decoder of files and streams and the encoder of videos."""

from __future__ import annotations

from typing import Any

from edgecls.errors import MissingExtraError


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
