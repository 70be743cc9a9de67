"""NanoDet and NanoDet-Plus: distances to the four sides as distributions (generalized focal loss, Li et al. 2020).

Each candidate has a score per class, then for each side of its box the logits of the distances 0 to 7 strides. The distance is
their expected value. NanoDet measures from the middle of the cell, NanoDet-Plus from its corner.

NanoDet before 1.0 exported two outputs for each grid, the scores and the distances, later versions one for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes
from edgecls.detect.decoders.kind import Kind, Seen, Suppression, cells, grid, pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgecls.detect.decoders.kind import Decode, Outputs
    from edgecls.detect.input import DetectorFit

BINS = 8
PARTS = ("scores", "distances")
"""The two outputs of a grid, if each grid has its own."""
STRIDES, PLUS_STRIDES = (8, 16, 32), (8, 16, 32, 64)


def _roles(strides: tuple[int, ...]) -> Callable[[Seen], dict[str, str] | None]:
    def roles(seen: Seen) -> dict[str, str] | None:
        one = seen.only
        if one is None:
            return _by_grid(seen, strides)
        fits = one.shape[1] == cells(seen.size_hw, strides) and seen.agrees(one.shape[2] - 4 * BINS)
        return {"candidates": next(iter(seen.outputs))} if fits else None

    return roles


def _by_grid(seen: Seen, strides: tuple[int, ...]) -> dict[str, str] | None:
    """Recognise two outputs for each grid: scores, (1, A, C) or (A, C), and logits of distances, (1, A, 32) or (A, 32)."""
    roles: dict[str, str] = {}
    for name, value in seen.outputs.items():
        count, width = value.shape[-2:] if value.ndim in (2, 3) else (0, 0)
        stride = next((stride for stride in strides if count == cells(seen.size_hw, (stride,))), 0)
        is_scores = value.dtype.kind == "f" and 0 <= value.min(initial=0) <= value.max(initial=0) <= 1
        fits = seen.agrees(width) if is_scores else width == 4 * BINS
        role = f"{'scores' if is_scores else 'distances'}_{stride}"
        if value.size != count * width or not (stride and fits) or role in roles:
            return None
        roles[role] = name
    wanted = [f"{part}_{stride}" for part in PARTS for stride in strides]
    is_whole = set(roles) == set(wanted)
    widths = {seen.outputs[name].shape[-1] for role, name in roles.items() if role.startswith(PARTS[0])}
    return {role: roles[role] for role in wanted} if is_whole and len(widths) == 1 else None


def _candidates(outputs: Outputs, strides: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores, (A, C), and the logits of the distances, (A, 4, 8)."""
    if "candidates" in outputs:
        one = np.asarray(outputs["candidates"][0], np.float32)
        return one[:, : -4 * BINS], one[:, -4 * BINS :].reshape(-1, 4, BINS)
    scores, logits = (
        np.concatenate([rows.reshape(-1, rows.shape[-1]) for rows in (outputs[f"{part}_{stride}"] for stride in strides)])
        for part in PARTS
    )
    return np.asarray(scores, np.float32), np.asarray(logits, np.float32).reshape(-1, 4, BINS)


def _decode(strides: tuple[int, ...], middle: float) -> Decode:
    def decode(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
        scores, logits = _candidates(outputs, strides)
        rows, class_ids = pairs(scores, low)
        points, sizes = grid(size_hw, strides)
        powers = np.exp(logits[rows] - logits[rows].max(axis=2, keepdims=True))
        far = (powers / powers.sum(axis=2, keepdims=True)) @ np.arange(BINS, dtype=np.float32) * sizes[rows]
        centers = (points[rows] + np.float32(middle)) * sizes[rows]
        corners = np.concatenate([centers - far[:, :2], centers + far[:, 2:]], axis=1)
        limits = np.array([size_hw[1], size_hw[0]] * 2, np.float32)
        return as_boxes(np.clip(corners, 0, limits), scores[rows, class_ids], class_ids)

    return decode


def _classes(outputs: Outputs) -> int:
    if "candidates" in outputs:
        return int(outputs["candidates"].shape[2]) - 4 * BINS
    return int(next(value for role, value in outputs.items() if role.startswith(PARTS[0])).shape[-1])


def _kind(name: str, about: str, strides: tuple[int, ...], middle: float, fit: DetectorFit) -> Kind:
    return Kind(
        name=name,
        about=about,
        shapes=f"(1, A, C + {4 * BINS}), A cells of {len(strides)} grids; or (1, A, C) and (1, A, {4 * BINS}) of each grid",
        roles=_roles(strides),
        decode=_decode(strides, middle),
        classes=_classes,
        color="bgr",
        values="0..255",
        mean=(103.53, 116.28, 123.675),
        std=(57.375, 57.12, 58.395),
        fit=fit,
        suppression=Suppression(overlap=0.6, most=100),
    )


KINDS = (
    _kind("nanodet-plus", "NanoDet-Plus", PLUS_STRIDES, 0.0, "stretch-warp"),
    _kind("nanodet", "NanoDet", STRIDES, 0.5, "letterbox-warp"),
)
