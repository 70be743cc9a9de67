"""NanoDet and NanoDet-Plus: distances to the four sides as distributions (generalized focal loss, Li et al. 2020).

Each candidate has a score per class, then for each side of its box the logits of the distances 0 to 7 strides. The distance is
their expected value. NanoDet measures from the middle of the cell, NanoDet-Plus from its corner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes
from edgecls.detect.decoders.kind import Kind, Seen, Suppression, cells, grid, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.detect.decoders.kind import Decode, Outputs

BINS = 8
STRIDES, PLUS_STRIDES = (8, 16, 32), (8, 16, 32, 64)


def _roles(strides: tuple[int, ...]) -> Callable[[Seen], dict[str, str] | None]:
    def roles(seen: Seen) -> dict[str, str] | None:
        one = seen.only
        fits = one is not None and one.shape[1] == cells(seen.size_hw, strides) and seen.agrees(one.shape[2] - 4 * BINS)
        return {"candidates": next(iter(seen.outputs))} if fits else None

    return roles


def _decode(strides: tuple[int, ...], middle: float) -> Decode:
    def decode(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
        one = np.asarray(outputs["candidates"][0], np.float32)
        scores, logits = one[:, : -4 * BINS], one[:, -4 * BINS :].reshape(-1, 4, BINS)
        rows, class_ids = pairs(scores, low)
        points, sizes = grid(size_hw, strides)
        powers = np.exp(logits[rows] - logits[rows].max(axis=2, keepdims=True))
        far = (powers / powers.sum(axis=2, keepdims=True)) @ np.arange(BINS, dtype=np.float32) * sizes[rows]
        centers = (points[rows] + np.float32(middle)) * sizes[rows]
        corners = np.concatenate([centers - far[:, :2], centers + far[:, 2:]], axis=1)
        limits = np.array([size_hw[1], size_hw[0]] * 2, np.float32)
        return as_boxes(np.clip(corners, 0, limits), scores[rows, class_ids], class_ids)

    return decode


def _kind(name: str, about: str, strides: tuple[int, ...], middle: float) -> Kind:
    return Kind(
        name=name,
        about=about,
        shapes=f"(1, A, C + {4 * BINS}), A cells of {len(strides)} grids",
        roles=_roles(strides),
        decode=_decode(strides, middle),
        classes=lambda outputs: outputs["candidates"].shape[2] - 4 * BINS,
        color="bgr",
        values="0..255",
        mean=(103.53, 116.28, 123.675),
        std=(57.375, 57.12, 58.395),
        fit="stretch",
        suppression=Suppression(overlap=0.6, most=100),
    )


KINDS = (
    _kind("nanodet-plus", "NanoDet-Plus", PLUS_STRIDES, 0.0),
    _kind("nanodet", "NanoDet", STRIDES, 0.5),
)
