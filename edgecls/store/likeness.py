"""Which pictures of a store belong together, and must not be on two sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls import image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.store.entry import Entry


def copies_among(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Return the pairs of near copies among pictures, by their positions in `entries`."""
    hashed = [(i, entry.origin.hash) for i, entry in enumerate(entries) if entry.origin.hash is not None]
    return [(hashed[i][0], hashed[j][0]) for i, j in image.near_copies([bits for _, bits in hashed])]


def merged_groups(entries: Sequence[Entry], copies: Sequence[tuple[int, int]]) -> list[str]:
    """Return the group of each picture: that of its event or minute, merged with those of its near copies.

    Args:
        entries: The pictures.
        copies: What `copies_among` returned for them.
    """
    parent: dict[str, str] = {}

    def root_of(group: str) -> str:
        while parent.setdefault(group, group) != group:
            group = parent[group]
        return group

    for i, j in copies:
        one, other = root_of(entries[i].group), root_of(entries[j].group)
        parent[max(one, other)] = min(one, other)
    return [root_of(entry.group) for entry in entries]
