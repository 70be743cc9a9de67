"""Where pictures lie relative to each other: vectors of unit length, whose inner product says how alike two pictures are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.errors import DataError, MissingExtraError
from edgecls.input_spec import InputSpec
from edgecls.learn.backbone import DEFAULT, open_backbone
from edgecls.learn.head import normalized
from edgecls.log import log_progress
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.learn.backbone import Backbone
    from edgecls.log import Say
    from edgecls.store import Entry, Store

THUMBNAIL = "thumbnail"
"""What stands for an embedding where no backbone is installed."""
SIDE = 12
AT_ONCE = 32


def positions(
    store: Store, entries: Sequence[Entry], *, backbone: str = DEFAULT, say: Say = log_progress
) -> tuple[list[Entry], NDArray[np.float32]]:
    """Return where pictures lie. Embeddings that the store does not have yet are computed and kept there.

    Args:
        store: The store of the pictures.
        entries: The pictures.
        backbone: The network that embeds them. Where its package is not installed, thumbnails are compared instead, which tells
            scenes and light apart but hardly objects.
        say: Called with a line about missing packages, deleted files, and each picture that cannot be read.

    Returns:
        The N pictures that could be read, and their positions, (N, dimensions) float32 of unit length.
    """
    entries = _with_files(entries, say)
    try:
        network = open_backbone(backbone)
    except MissingExtraError as error:
        say(f"note: pictures are compared by their thumbnails, which is coarse ({error})")
        return _of_thumbnails(entries, say)
    missing = [entry for entry in entries if entry.origin.embedded_by != network.name or entry.origin.embedding is None]
    computed: dict[int, NDArray[np.float32]] = {}
    for first in range(0, len(missing), AT_ONCE):
        computed |= _embedded(store, missing[first : first + AT_ONCE], network, say)
    known = {
        entry.id: entry.origin.embedding
        for entry in entries
        if entry.origin.embedded_by == network.name and entry.origin.embedding is not None
    }
    rows = known | computed
    readable = [entry for entry in entries if entry.id in rows]
    if not readable:
        return [], np.zeros((0, network.dimensions), np.float32)
    return readable, normalized(np.stack([rows[entry.id] for entry in readable]).astype(np.float32))


def _with_files(entries: Sequence[Entry], say: Say) -> list[Entry]:
    """Return the pictures whose files are there."""
    here = [entry for entry in entries if entry.path.is_file()]
    if len(here) < len(entries):
        first = next(entry.path.name for entry in entries if not entry.path.is_file())
        say(f"left out: {counted(len(entries) - len(here), 'picture')} whose files were deleted by hand, such as {first}")
    return here


def _embedded(store: Store, entries: Sequence[Entry], network: Backbone, say: Say) -> dict[int, NDArray[np.float32]]:
    """Embed pictures, and keep the embeddings in the store. Returns them by number."""
    spec = InputSpec(network.size, network.size, "rgb")
    decoded = {}
    for entry in entries:
        try:
            decoded[entry.id] = image.fit(image.load(entry.path), spec)
        except DataError as error:
            say(f"left out: {error}")
    if not decoded:
        return {}
    rows = network.embed(np.stack(list(decoded.values())))
    found = dict(zip(decoded, rows, strict=True))
    for number, row in found.items():
        store.update(number, embedding=row, embedded_by=network.name)
    return found


def _of_thumbnails(entries: Sequence[Entry], say: Say) -> tuple[list[Entry], NDArray[np.float32]]:
    """Return the pictures with their thumbnails as vectors: without the mean brightness, of unit length."""
    spec = replace(InputSpec(SIDE, SIDE, "rgb"), interpolation="area")
    readable, rows = [], []
    for entry in entries:
        try:
            small = image.fit(image.load(entry.path), spec).astype(np.float32)
        except DataError as error:
            say(f"left out: {error}")
            continue
        row = (small - small.mean()).ravel()
        readable.append(entry)
        rows.append(row / max(float(np.linalg.norm(row)), 1e-6))
    return readable, np.stack(rows) if rows else np.zeros((0, SIDE * SIDE * 3), np.float32)
