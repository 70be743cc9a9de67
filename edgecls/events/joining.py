"""Which young tracks are objects that were hidden, and come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls.events.hidden import Hiding, hiding, off_place, off_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgecls.events.track import Track


class Joint(NamedTuple):
    """A track, the young one as which it goes on, and where it disappeared; None if it has shared a box."""

    track: Track
    young: Track
    where: Hiding | None


def joints(tracks: Iterable[Track], young: Sequence[Track], wide: float) -> list[Joint]:
    """Return which tracks go on as which young ones, in a frame `wide` pixels wide. Each is in one joint, the best one left.

    What disappears behind something that stands was last seen in a box of its own; what passes behind something that moves was
    not.
    """
    found: list[tuple[float, Joint]] = []
    for track in tracks if young else ():
        where = hiding(track.seen_as, wide) if track.is_alone else None
        for one in young:
            if one is track or (track.is_alone and where is None):
                continue
            off = off_place(one.seen_as, track.seen_as) if where is None else off_time(one.seen_as, track.seen_as, where, wide)
            found += [] if off is None else [(off, Joint(track, one, where))]
    best: list[Joint] = []
    for _, joint in sorted(found, key=lambda pair: pair[0]):
        taken = [one for other in best for one in other[:2]]
        if joint.track not in taken and joint.young not in taken:
            best.append(joint)
    return best
