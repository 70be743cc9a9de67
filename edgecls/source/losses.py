"""Find out which pictures of a file could not be shown and why: it is cut off, damaged, or starts between key frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.errors import SourceError
from edgecls.source.source import check_end
from edgecls.video.completeness import missing_bytes
from edgecls.video.structure import Structure
from edgecls.video.transport import is_joint

if TYPE_CHECKING:
    from collections.abc import Callable

MARKS_DAMAGE = "mpegts"
"""In this format, a packet is marked as corrupt after a lost one. In others, it is the packet at which the file was cut off."""
UNSURE_SHARE = 0.1
"""A file over HTTP may be this share of its duration plus a second too short: durations are rounded or estimated."""
GUESSES_DURATION = frozenset({MARKS_DAMAGE, "mpeg"})
"""Formats that do not store a duration."""


class Losses:
    """Counts the packets and frames of one file, and decides at its end whether anything was lost."""

    def __init__(self, container: Any, stream: Any, where: str, file: str, say: Callable[[str], None]) -> None:
        """Start counting.

        Args:
            container: PyAV's open container.
            stream: The video stream in it.
            where: The name for messages.
            file: The path, or "" for a file behind an address, whose bytes cannot be checked.
            say: Called with one line about pictures that could not be decoded.
        """
        self._where = where
        self._file = file
        self._say = say
        self._announced = int(stream.frames)
        self._pid = int(stream.id)
        self._structure = Structure(file) if file else None
        self._gaps = 0
        self._format = container.format.name
        is_alone = len(container.streams) == 1 and self._format not in GUESSES_DURATION
        self._length_s = (container.duration or 0) / 1e6 if is_alone and not file else 0.0
        self._first_s: float | None = None
        self._last_s = 0.0
        self._damage_s: float | None = None  # when the first damaged picture is shown
        self._seen = 0
        self._hidden = 0  # by an edit list
        self._refused = 0
        self._good = 0
        self._broken = 0
        self._late = 0
        self._ends_inside = False
        self.begins_late = False
        """Whether no key frame has come yet, without which pictures cannot be decoded."""

    @property
    def broken(self) -> int:
        """The number of pictures that could not be shown."""
        return self._damaged + self._late

    @property
    def expected(self) -> int:
        """The number of pictures to be shown so far, without those hidden by an edit list or before the first key frame."""
        return self._seen - self._hidden - self._late

    @property
    def has_gaps(self) -> bool:
        """Whether data is missing so far."""
        return self._gaps > 0

    @property
    def _damaged(self) -> int:
        return self._broken + self._refused

    def see(self, packet: Any) -> None:
        """Count a packet with data, before it is decoded."""
        self._seen += 1
        self._hidden += packet.is_discard
        self._ends_inside = packet.is_corrupt and self._format != MARKS_DAMAGE
        if self._seen == 1:
            self.begins_late = not packet.is_keyframe
        elif packet.is_keyframe:
            self.begins_late = False
        self._late += self.begins_late
        time_s = _time_s(packet)
        if time_s is not None:
            self._first_s = time_s if self._first_s is None else min(time_s, self._first_s)
            self._last_s = max(time_s, self._last_s)

    def has_gap(self, packet: Any) -> bool:
        """Whether pictures are missing before a packet, according to the container. Must be called for each packet."""
        if self._structure is None or not self._structure.has_gap(packet.pos):
            return False
        self._gaps += 1
        self._note_damage(_time_s(packet))
        return True

    def ends_in_gap(self) -> bool:
        """Whether pictures are missing after the last packet."""
        return self._structure is not None and self._structure.ends_in_gap()

    def close(self) -> None:
        """Close the file."""
        if self._structure is not None:
            self._structure.close()

    def is_torn(self, packet: Any) -> bool:
        """Whether transport stream packets are missing at a packet marked as corrupt."""
        if self._format != MARKS_DAMAGE:
            return False
        is_torn = packet.pos is None or not self._file
        try:
            is_torn = is_torn or not is_joint(self._file, packet.pos, self._pid)
        except OSError:
            is_torn = True
        self._gaps += is_torn
        return is_torn

    def refuse(self, packet: Any) -> bool:
        """Count a picture that the decoder rejected. Returns False, and does not count it, before the first key frame."""
        if not self._good and (self.begins_late or self._late > 0 or not self._seen):
            return False
        self._refused += 1
        self._note_damage(_time_s(packet))
        return True

    def count(self, time_s: float | None, *, good: bool) -> None:
        """Count a decoded frame. The first good one ends the wait for a key frame."""
        if good and not self._good:
            self._begin()
        self._good += good
        self._broken += not good
        if not good:
            self._note_damage(time_s)

    def check_end(self) -> None:
        """Raise SourceError if the file gave no picture, is cut off or damaged."""
        if not self._good and self.begins_late:
            raise SourceError(f"{self._none_of_all()}, because no key frame is among them")
        if self.ends_in_gap():
            self._gaps += 1
            self._note_damage(self._last_s)
        whole = self._announced and self._seen - self._ends_inside >= self._announced
        announced = self._announced - self._hidden if self._announced else 0
        is_cut_off = not whole and self._is_cut_off()
        damaged = self._damaged - (is_cut_off and self._ends_inside and self._damaged > 0)  # the last one is cut, not damaged
        is_damaged = damaged > 0 or self._gaps > 0
        if is_damaged and is_cut_off and self._good:
            self._say(self._damage(damaged))
        if not self._good and self._seen and not is_cut_off:
            raise SourceError(self._none_of_all())
        check_end(self._where, self._good, announced, is_cut_off=is_cut_off)
        if is_damaged:
            raise SourceError(self._damage(damaged))

    def _none_of_all(self) -> str:
        return f"{self._where}: none of its {self._seen} pictures can be decoded"

    def _damage(self, pictures: int) -> str:
        at = "" if self._damage_s is None else f" at {max(0.0, self._damage_s - (self._first_s or 0.0)):.2f} s"
        if not pictures:
            return f"{self._where}: data is missing or damaged{at}, perhaps with pictures; the file is damaged"
        were, they, depend = ("was", "it", "depends") if pictures == 1 else ("were", "they", "depend")
        more = "; data is missing too, perhaps with more pictures" if self._gaps else ""
        return (
            f"{self._where}: {pictures} of {self._seen} pictures {were} skipped, the first{at}, because {they} or what {they} "
            f"{depend} on cannot be decoded{more}; the file is damaged"
        )

    def _note_damage(self, time_s: float | None) -> None:
        if time_s is not None and (self._damage_s is None or time_s < self._damage_s):
            self._damage_s = time_s

    def _begin(self) -> None:
        if self.begins_late:  # the container marks no key frames; only the decoder knows
            self._late, self.begins_late = self._broken, False
        if self._late:
            self._broken, self._damage_s = 0, None
            those = "picture" if self._late == 1 else f"{self._late} pictures"
            self._say(f"{self._where}: the first {those} cannot be decoded, because no key frame comes before")

    def _is_cut_off(self) -> bool:
        if self._file:
            return self._ends_inside or missing_bytes(self._file) > 0
        shown_s = self._last_s - (self._first_s or 0.0)
        return self._ends_inside or shown_s < (1 - UNSURE_SHARE) * self._length_s - 1


def _time_s(packet: Any) -> float | None:
    if packet.pts is None or packet.time_base is None:
        return None
    return float(packet.pts * packet.time_base)
