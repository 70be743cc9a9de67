"""Compute the embeddings of pictures and their views, and keep them in the user's cache.

An embedding depends on the file's content, the region of interest, how the picture is fitted, its views, the backbone, and the
version of ONNX Runtime; its name in the cache is the hash of all of these. So adding ten pictures costs ten pictures, in
whatever folder and under whatever name the others are now.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import image
from edgecls.errors import DataError
from edgecls.files import whole_file
from edgecls.files.cache import user_cache
from edgecls.learn import views
from edgecls.model import providers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.dataset import Item
    from edgecls.input_spec import InputSpec
    from edgecls.learn.backbone import Backbone

FOLDER = "embeddings"
MOST_BYTES = 1_000_000_000
"""How much the cache may hold; the embeddings that were not used for longest are removed. A picture takes 15 kB."""
AT_ONCE = 32
"""Pictures that are decoded, then embedded, at a time."""
SIDES = 2
"""The numbers at the end of a file in the cache: the height and the width of the picture in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Embeddings of the pictures that could be read.

    Attributes:
        views: (N, views, dimensions) float32; the first view is the picture itself.
        items: The N pictures.
        size_hw: Their sizes in pixels, (N, 2).
        broken: One line for each picture that could not be read.
        notes: Lines about pictures that were read in an unexpected way.
        computed: How many of them were not in the cache.
    """

    views: NDArray[np.float32]
    items: tuple[Item, ...]
    size_hw: NDArray[np.int64]
    broken: tuple[str, ...]
    notes: tuple[str, ...]
    computed: int


class _Task(NamedTuple):
    item: Item
    digest: str
    key: str
    mirror: bool


def embed(
    items: Sequence[Item], hashes: Sequence[str], spec: InputSpec, backbone: Backbone, *, mirror: Sequence[bool], strict: bool,
    progress: Callable[[float], None] = lambda _share: None,
) -> Embedded:  # fmt: skip
    """Return the embeddings of pictures, from the cache if they are there.

    Args:
        items: The pictures.
        hashes: The content hash of each.
        spec: How they are fitted to the input of the backbone.
        backbone: Computes the embeddings.
        mirror: Of each picture, whether mirrored views of it are of the same class.
        strict: Raise for the first broken picture instead of listing it.
        progress: Called with the share of the pictures that are embedded, 0..1.

    Raises:
        DataError: No picture can be read.
    """
    made = f"{backbone.sha256} {providers.version()} {spec} views {views.VERSION}"
    tasks = [
        _Task(item, digest, hashlib.sha256(f"{made} {digest} {item.roi} {flip}".encode()).hexdigest(), flip)
        for item, digest, flip in zip(items, hashes, mirror, strict=True)
    ]
    cache = _Cache(user_cache() / FOLDER, (1 + views.CROPS, backbone.dimensions))
    found = [cache.read(task.key) for task in tasks]
    missing = [i for i, one in enumerate(found) if one is None]
    notes: list[tuple[str, int]] = []
    broken: list[str] = []
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="decode") as pool:
        for first in range(0, len(missing), AT_ONCE):
            progress(1 - (len(missing) - first) / len(tasks))
            part = missing[first : first + AT_ONCE]
            decoded = list(pool.map(lambda i: _decode(tasks[i], spec, notes, strict=strict), part))
            broken += [one for one in decoded if isinstance(one, str)]
            for i, kept in _embedded(part, decoded, backbone):
                cache.write(tasks[i].key, kept)
                found[i] = kept
    cache.prune()
    readable = [(task.item, one) for task, one in zip(tasks, found, strict=True) if one is not None]
    if not readable:
        raise DataError(f"none of {len(items)} pictures could be read; the first: {broken[0] if broken else 'there is none'}")
    return Embedded(
        views=np.stack([one.rows for _, one in readable]),
        items=tuple(item for item, _ in readable),
        size_hw=np.array([one.size_hw for _, one in readable], np.int64),
        broken=tuple(broken),
        notes=(image.few_bits(sorted(notes)),) if notes else (),
        computed=len(missing) - len(broken),
    )


class _Kept(NamedTuple):
    rows: NDArray[np.float32]
    size_hw: tuple[int, int]


class _Decoded(NamedTuple):
    views: NDArray[np.uint8]
    size_hw: tuple[int, int]


def _decode(task: _Task, spec: InputSpec, notes: list[tuple[str, int]], *, strict: bool) -> _Decoded | str:
    """Return the fitted views of a picture, or why it cannot be read."""
    try:
        picture = task.item.picture(lambda name, bits: notes.append((name, bits)))
    except DataError as error:
        if strict:
            raise
        return str(error)
    rng = np.random.default_rng(int(task.digest[:16], 16))
    several = views.views(picture, rng, mirror=task.mirror)
    return _Decoded(np.stack([image.fit(view, spec) for view in several]), (picture.shape[0], picture.shape[1]))


def _embedded(part: Sequence[int], decoded: Sequence[_Decoded | str], backbone: Backbone) -> Iterator[tuple[int, _Kept]]:
    """Yield the index and the embeddings of each picture that could be decoded."""
    good = [(i, one) for i, one in zip(part, decoded, strict=True) if not isinstance(one, str)]
    if good:
        rows = backbone.embed(np.concatenate([one.views for _, one in good]))
        rows = rows.reshape(len(good), -1, backbone.dimensions)
        yield from ((i, _Kept(of, one.size_hw)) for (i, one), of in zip(good, rows, strict=True))


class _Cache:
    """Files of float32, one per picture. A cache that cannot be used is no error: everything is computed again."""

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self._folder = folder
        self._shape = shape
        self._written = 0

    def read(self, key: str) -> _Kept | None:
        path = self._folder / key[:2] / key
        try:
            values = np.frombuffer(path.read_bytes(), "<f4")
        except (OSError, ValueError):
            return None
        with contextlib.suppress(OSError):  # a cache that is read-only, or another user's
            os.utime(path)
        rows = values[:-SIDES]
        if rows.size != self._shape[0] * self._shape[1] or not np.isfinite(values).all():
            return None
        return _Kept(rows.reshape(self._shape).astype(np.float32), (int(values[-2]), int(values[-1])))

    def write(self, key: str, kept: _Kept) -> None:
        path = self._folder / key[:2] / key
        content = np.concatenate([kept.rows.ravel(), np.array(kept.size_hw)]).astype("<f4").tobytes()
        with contextlib.suppress(OSError):  # SinkError is one
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as beside:
                beside.write_bytes(content)
        self._written += len(content)

    def prune(self) -> None:
        """Remove the files that were not used for longest, if something was written and there are too many."""
        if not self._written:
            return
        with contextlib.suppress(OSError):
            files = sorted(((path, path.stat()) for path in self._folder.glob("??/*")), key=lambda one: -one[1].st_mtime)
            total = 0
            for path, status in files:
                total += status.st_size
                if total > MOST_BYTES:
                    path.unlink(missing_ok=True)
