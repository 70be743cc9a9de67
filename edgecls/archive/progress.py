"""How far an archive is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an archive is.

    Attributes:
        recordings: How many recordings there are.
        done: How many of them are done, those `before` and those `unreadable` included.
        before: How many had been done, or found unreadable, before this call.
        unreadable: How many this call could not read, or not to their end.
        frames: How many frames this call has labelled.
        events: How many events they gave.
        media_s: How many seconds of recordings that were, of those that are done.
        passed_s: How many seconds have passed.
        share: The share of the bytes that are done, from 0 to 1.
    """

    recordings: int
    done: int
    before: int
    unreadable: int
    frames: int
    events: int
    media_s: float
    passed_s: float
    share: float
