"""Keep pictures in a store: which of them, with what is known, under a quota, and through disks that fail for a while."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgecls import image
from edgecls.collect import Embedder, Look, Selection
from edgecls.errors import DataError, EdgeclsError, SinkError
from edgecls.regions.regions import grown
from edgecls.sink.recordings.quota import GB
from edgecls.store import Store, is_store, sweep

if TYPE_CHECKING:
    import numpy as np

    from edgecls.collect import Candidate, SelectionSettings
    from edgecls.event import Event
    from edgecls.frame import Box, Frame
    from edgecls.sink.recordings.quota import QuotaSettings
    from edgecls.store import Origin


class Offer(NamedTuple):
    """A part of a frame that may be worth a label. If `goes_on`, its event has not ended, and its label may change.

    The reason of the choice becomes the reason of the `origin` unless that has one.
    """

    frame: Frame
    box: Box
    candidate: Candidate
    origin: Origin
    goes_on: bool = False


class Keeper:
    """Decides which pictures are kept, and stores them. `may_be_worth` may be asked by another thread than the other methods.

    `kept` counts the pictures that were kept so far, those that were replaced since among them.
    """

    def __init__(
        self, path: str, choice: SelectionSettings, *, margin: float, quota: QuotaSettings | None, embed: bool,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Start with a closed store.

        Args:
            path: The folder of the store.
            choice: Which pictures are kept of each camera.
            margin: Crops are larger than their box by this share of its longer side on all sides.
            quota: How much disk space the store may take; None: no limit.
            embed: Whether the network in the cache compares pictures.
            rng: Draws the times of random pictures.
        """
        self._path = path
        self._choice = choice
        self._margin = margin
        self._quota = quota
        self._embed = embed
        self._rng = rng
        self._store: Store | None = None
        self._embedder: Embedder | None = None
        self._selections: dict[str, Selection] = {}
        self._numbers: dict[str, int] = {}  # of the picture of each event that goes on
        self.kept = 0

    def open(self) -> Store:
        """Open the store unless it is open, and learn what it has already.

        Raises:
            DataError: It cannot be used, maybe only at the moment (`may_pass`).
        """
        if self._store is not None:
            return self._store
        store = Store(self._path)
        try:
            known = [(entry.id, entry.origin) for entry in store.entries()]
        except DataError:
            store.close()
            raise
        for number, origin in known:
            if origin.hash is not None:
                look = Look(origin.hash, origin.embedding if origin.embedded_by == Embedder.name else None)
                self._selection(origin.camera).remember(number, look, origin.at_s)
        self._store = store
        return store

    def may_pass(self, error: DataError) -> bool:
        """Whether a store that cannot be used may be usable later: a full or read-only disk, or a program that locks it."""
        try:
            is_there = is_store(Path(self._path))
        except OSError:
            return False
        return is_there and isinstance(error.__cause__, sqlite3.OperationalError | OSError)

    def tidy(self) -> None:
        """Remove what a killed program has left in the store. If it cannot be used now, the next run does it."""
        with contextlib.suppress(EdgeclsError, OSError):
            sweep(self.open())

    def load_network(self) -> None:
        """Use the network that tells which pictures are alike, if it is in the cache."""
        if self._embed:
            self._embedder = Embedder.from_cache()

    def may_be_worth(self, offer: Offer) -> bool:
        """Whether to look at the pixels of an offer."""
        return self._selection(offer.frame.camera).may_be_worth(offer.candidate)

    def keep(self, offer: Offer) -> bool:
        """Store a picture, if it is better than what is there. Returns whether it is stored.

        Raises:
            EdgeclsError: It cannot be stored.
        """
        frame, whole = image.sharpest(offer.frame, offer.box)
        crop = grown(whole, self._margin, frame.size_hw)
        picture = image.cut_out(frame, crop)
        look = Look(image.perceptual_hash(picture), None if self._embedder is None else self._embedder(picture))
        selection = self._selection(offer.frame.camera)
        choice = selection.choose(offer.candidate, look)
        if choice is None:
            return False
        store = self.open()
        self._make_room(store, picture.nbytes // 4)
        by = "" if self._embedder is None else self._embedder.name
        box = None if crop == whole else _within(whole, crop)
        origin = replace(
            offer.origin, reason=offer.origin.reason or choice.reason, hash=look.hash_bits, embedding=look.embedding,
            embedded_by=by, box=box,
        )  # fmt: skip
        number = store.add(picture, origin)
        selection.keep(offer.candidate, number, look, choice)
        self.kept += 1
        if choice.replaces is not None:
            store.remove([choice.replaces], labelled=False)
        if offer.goes_on:
            self._numbers[offer.origin.event] = number
        return True

    def end(self, event: Event) -> None:
        """Note the final label of an event that went on when its picture was kept. Raises DataError."""
        number = self._numbers.pop(event.id, None)
        if number is not None:
            self.open().update(number, prediction=event.label, score=event.score)

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()

    def _selection(self, camera: str) -> Selection:
        if camera not in self._selections:
            self._selections[camera] = Selection(self._choice, self._rng)
        return self._selections[camera]

    def _make_room(self, store: Store, more: int) -> None:
        """Remove old pictures without a label until the quota is met. Raises SinkError if that is not enough."""
        quota = self._quota
        if quota is None:
            return
        missing = 0 if quota.most_gb is None else store.make_room(more, round(quota.most_gb * GB))
        free = shutil.disk_usage(store.folder).free - more
        if missing or free < quota.keep_free_gb * GB:
            raise SinkError(f"{self._path}: the quota is reached, and no picture without a label is left to remove")


def _within(box: Box, crop: Box) -> tuple[int, int, int, int]:
    """Return a box in pixels of a crop, clipped to it."""
    left, top = crop.left, crop.top
    right, bottom = crop.right - left, crop.bottom - top
    return max(0, box.left - left), max(0, box.top - top), min(right, box.right - left), min(bottom, box.bottom - top)
