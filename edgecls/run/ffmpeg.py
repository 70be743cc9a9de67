"""PyAV, which brings FFmpeg: the decoder of files and streams and the encoder of videos."""

from __future__ import annotations

from typing import Any

from edgecls.errors import MissingExtraError


def load(purpose: str) -> Any:
    """Import av, with FFmpeg's own words silenced: they can show a password, and what matters comes as an exception.

    Raises MissingExtraError where it is not installed. Call it when something is opened, not for each frame.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "cpu", purpose) from error
    av.logging.set_level(av.logging.PANIC)
    return av
