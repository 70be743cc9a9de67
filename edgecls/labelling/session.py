"""Label the pictures of a store group by group. The terminal, the page and programs use the same object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from edgecls.labelling.groups import FEWEST, SURE, Proposals, densest, propose, spread, unfamiliar
from edgecls.labelling.positions import positions
from edgecls.learn.backbone import DEFAULT
from edgecls.log import log_progress
from edgecls.model.confidence import UNKNOWN
from edgecls.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from edgecls.log import Say
    from edgecls.store import Entry

MOST_AGREE = 0.5
"""A group without a proposal gets what a model said of more than this share of it when the pictures were collected."""
UNSURE_SHARE = 4
"""A group of pictures of which the head is not sure has at most this part of the pictures of a sure one."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Pictures that probably belong together.

    Attributes:
        entries: The pictures, the most typical first.
        proposal: The label that they probably have, from the labels so far or from the model that saw them; "" if nothing is
            known yet.
        why: Why they are shown now, in words.
    """

    entries: tuple[Entry, ...]
    proposal: str
    why: str


class Labelling:
    """Shows groups of similar pictures without a label, and gives each a label with one stroke.

    Example:
        with edgecls.Labelling("gate-pictures", author="anna") as labelling:
            while (group := labelling.next()) is not None:
                answer = input(f"{len(group.entries)} pictures, {group.proposal or 'no idea'}: ")
                labelling.label(group, answer or group.proposal)
    """

    def __init__(
        self, store: str | Path, *, author: str = "", most: int = 36, backbone: str = DEFAULT, say: Say = log_progress
    ) -> None:
        """Open a store, and find out where its pictures lie. The first time this takes some hundredths of a second for each.

        Args:
            store: The folder of the store.
            author: Who gives the labels.
            most: The most pictures of a group.
            backbone: The network that tells which pictures are alike. Where its package is not installed, thumbnails do.
            say: Called with a line about missing packages, and about each picture that cannot be read.

        Raises:
            DataError: It is no store, or cannot be read.
        """
        self.store = Store(store, create=False)
        self._author = author
        self._most = most
        self._backbone = backbone
        self._say = say
        self._looked_at: set[int] = set()
        self._index: dict[int, int] = {}
        self._labels: list[str] = []
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)
        self._positions: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._aside: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._out: NDArray[np.bool_] = np.zeros(0, np.bool_)
        try:
            self.renew()
        except BaseException:
            self.store.close()
            raise

    def renew(self) -> None:
        """Take in what a run and other people have done to the store since: pictures, labels, undone strokes."""
        entries = list(self.store.entries())
        fresh = [entry for entry in entries if entry.id not in self._looked_at and not entry.is_unusable]
        if fresh:
            readable, found = positions(self.store, fresh, backbone=self._backbone, say=self._say)
            if readable and self._index and found.shape[1] != self._positions.shape[1]:  # a backbone was installed meanwhile
                self._forget()
                self.renew()
                return
            self._index |= {entry.id: len(self._index) + i for i, entry in enumerate(readable)}
            self._looked_at |= {entry.id for entry in fresh}
            self._positions = np.concatenate([self._positions, found]) if len(self._positions) else found
            self._numbers = np.array(list(self._index), np.int64)
            self._labels += [""] * len(readable)
            self._aside = np.concatenate([self._aside, np.zeros(len(readable), np.bool_)])
        self._out = np.ones(len(self._index), np.bool_)
        for entry in entries:
            if (i := self._index.get(entry.id)) is not None:
                self._labels[i] = entry.label
                self._out[i] = entry.is_unusable

    @property
    def left(self) -> int:
        """How many pictures have no label yet."""
        return len(self._open())

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels so far, in alphabetical order."""
        return tuple(sorted({label for label in self._labels if label}))

    def next(self) -> Group | None:
        """Return the group to label next, or None if every picture has a label or was skipped.

        Pictures that may be of a class that nobody has named yet come first, then the largest group of which a head learned
        from the labels so far is sure, then smaller ones of which it is not. Pictures that a run has removed from the store
        since are left out.
        """
        return self._first_present(self._next)

    def _next(self) -> Group | None:
        rest = self._open()
        if not len(rest):
            return None
        labels = self.labels
        if len(labels) < 2:
            return self._group(rest[densest(self._positions[rest], self._most)], "", "they look alike")
        strange = rest[unfamiliar(self._positions[self._known()], self._positions[rest])]
        if len(strange) >= FEWEST:
            chosen = densest(self._positions[strange], self._most)
            if len(chosen) >= FEWEST:
                return self._group(strange[chosen], "", "nothing like them has a label yet")
        return self._proposed(rest, self._proposals(rest), labels)

    def useful(self, count: int = 36) -> Group | None:
        """Return the pictures whose labels would teach most: those of which the labels so far say least, and unlike each other.

        Args:
            count: The most pictures.
        """
        return self._first_present(lambda: self._useful(count))

    def _useful(self, count: int) -> Group | None:
        rest = self._open()
        labels = self.labels
        if not len(rest):
            return None
        doubt = np.ones(len(rest), np.float32)
        if len(labels) >= 2:
            doubt = 1 - self._proposals(rest).scores
        chosen = spread(self._positions[rest], doubt, count)
        return self._group(rest[chosen], "", "their labels would teach most")

    def label(self, group: Group, label: str, *, without: Sequence[int] = ()) -> int:
        """Give the pictures of a group a label, with one stroke.

        Args:
            group: What `next` returned.
            label: The label; a new one is a new class.
            without: The numbers (`Entry.id`) of pictures that are something else. They come again in another group.

        Returns:
            The number of the stroke, for `undo`.

        Raises:
            DataError: The label is not a text on one line, or the disk fails. Then no picture has got it.
        """
        numbers = self._chosen(group, without)
        stroke = self.store.label(numbers, label, author=self._author)
        for number in numbers:
            self._labels[self._index[number]] = label
        return stroke

    def reject(self, group: Group, *, without: Sequence[int] = ()) -> int:
        """Say that the pictures of a group show nothing to learn from. Returns the number of the stroke, for `undo`."""
        numbers = self._chosen(group, without)
        stroke = self.store.reject(numbers, author=self._author)
        self._out[[self._index[number] for number in numbers]] = True
        return stroke

    def skip(self, group: Group) -> None:
        """Leave the pictures of a group for later: they come again with `bring_back`, or with the next `Labelling`."""
        self._aside[[self._index[entry.id] for entry in group.entries if entry.id in self._index]] = True

    def bring_back(self) -> None:
        """Offer the skipped pictures again."""
        self._aside[:] = False

    def undo(self) -> int:
        """Take back the last stroke of the store. Returns how many pictures have their former label again."""
        restored = self.store.undo()
        self.renew()
        return restored

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def __enter__(self) -> Self:
        """Return this object, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the store."""
        self.close()

    def _forget(self) -> None:
        """Begin as if no picture had been looked at."""
        self._looked_at, self._index, self._labels = set(), {}, []
        self._aside = np.zeros(0, np.bool_)
        self._positions = np.zeros((0, 0), np.float32)

    def _open(self) -> NDArray[np.int64]:
        """Return the indices of the pictures without a label that are usable and were not skipped."""
        closed = self._aside | self._out
        return np.array([i for i, label in enumerate(self._labels) if not label and not closed[i]], np.int64)

    def _known(self) -> NDArray[np.int64]:
        """Return the indices of the pictures with a label."""
        return np.array([i for i, label in enumerate(self._labels) if label], np.int64)

    def _proposals(self, rest: NDArray[np.int64]) -> Proposals:
        """Return what the labels so far, two or more, say of the pictures at the indices `rest`."""
        known, labels = self._known(), self.labels
        class_ids = np.array([labels.index(self._labels[i]) for i in known.tolist()], np.int64)
        return propose(self._positions[known], class_ids, self._positions[rest], len(labels))

    def _proposed(self, rest: NDArray[np.int64], found: Proposals, labels: Sequence[str]) -> Group:
        """Return the largest group of which the head is sure; without one, a small one of which it is not."""
        sure = [np.flatnonzero((found.class_ids == c) & (found.scores >= SURE)) for c in range(len(labels))]
        class_id = max(range(len(labels)), key=lambda c: len(sure[c]))
        most, why = self._most, "they look like those that have this label"
        members = sure[class_id]
        if len(members) < FEWEST:
            class_id = int(np.bincount(found.class_ids).argmax())
            members = np.flatnonzero(found.class_ids == class_id)
            most, why = max(FEWEST, self._most // UNSURE_SHARE), "it is not certain what they are"
        order = members[np.argsort(-found.scores[members], kind="stable")][:most]
        return self._group(rest[order], labels[class_id], why)

    def _group(self, indices: NDArray[np.int64], proposal: str, why: str) -> Group:
        """Return a group of the pictures that are still there; the others are not offered again."""
        entries = self.store.present(self._numbers[indices].tolist())
        here = {entry.id for entry in entries}
        self._out[[i for i in indices.tolist() if self._numbers[i] not in here]] = True
        if not proposal and (proposal := _predicted(entries)):
            why += ", and the proposal is the model's"
        return Group(tuple(entries), proposal, why)

    def _chosen(self, group: Group, without: Sequence[int]) -> list[int]:
        """Return the numbers of the pictures of a group that are still there, apart from `without`."""
        return [entry.id for entry in self.store.present([one.id for one in group.entries if one.id not in set(without)])]

    def _first_present(self, groups: Callable[[], Group | None]) -> Group | None:
        """Return the first group of which a picture is still there."""
        while (group := groups()) is not None and not group.entries:
            pass
        return group


def _predicted(entries: Sequence[Entry]) -> str:
    """Return the label that a model gave most of some pictures; "" if there is none."""
    said = Counter(entry.origin.prediction for entry in entries)
    label, count = said.most_common(1)[0] if said else ("", 0)
    return label if count > MOST_AGREE * len(entries) and label != UNKNOWN else ""
