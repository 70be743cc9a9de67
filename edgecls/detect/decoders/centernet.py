"""CenterNet: an object is a peak in the heat map of its class (Zhou et al. 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes
from edgecls.detect.decoders.kind import Kind, Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgecls.detect.decoders.kind import Outputs

MOST = 100
"""The number of peaks that the maker reads."""
_NAMES = (("hm", "wh", "reg"), ("hm", "wh", "offset"), ("heatmap", "wh", "reg"), ("heatmap", "wh", "offset"))


def _roles(seen: Seen) -> dict[str, str] | None:
    values = list(seen.outputs.values())
    if len(values) != 3 or any(value.ndim != 4 or len(value) != 1 or value.dtype.kind != "f" for value in values):
        return None
    named = next((found for names in _NAMES if (found := seen.named(*names))), None)
    names = tuple(named.values()) if named else tuple(seen.outputs)
    heat, sizes, offsets = (seen.outputs[name] for name in names)
    fits = sizes.shape == offsets.shape == (1, 2, *heat.shape[2:]) and seen.agrees(heat.shape[1])
    return dict(zip(("heat", "sizes", "offsets"), names, strict=True)) if fits else None


def _decode(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the peaks: cells that are the largest among their neighbours.

    The width, the height and the offset of a peak are in cells.
    """
    heat, sizes, offsets = (np.asarray(outputs[role][0], np.float32) for role in ("heat", "sizes", "offsets"))
    class_ids, rows, columns = np.nonzero(_peaks(heat) & (heat > low))
    scores = heat[class_ids, rows, columns]
    centers = np.stack([columns, rows], axis=1) + offsets[:, rows, columns].T
    half = sizes[:, rows, columns].T / 2
    cell = np.array([size_hw[1] / heat.shape[2], size_hw[0] / heat.shape[1]] * 2, np.float32)
    return as_boxes(np.concatenate([centers - half, centers + half], axis=1) * cell, scores, class_ids).best_first(MOST)


def _peaks(heat: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a cell is at least as large as its eight neighbours, (C, rows, columns)."""
    wide = np.pad(heat, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    across = np.maximum(np.maximum(wide[:, :, :-2], wide[:, :, 1:-1]), wide[:, :, 2:])
    peaks: NDArray[np.bool_] = heat >= np.maximum(np.maximum(across[:, :-2], across[:, 1:-1]), across[:, 2:])
    return peaks


KINDS = (
    Kind(
        name="centernet",
        about="CenterNet",
        shapes="heat map (1, C, H/4, W/4), sizes and offsets (1, 2, H/4, W/4)",
        roles=_roles,
        decode=_decode,
        classes=lambda outputs: outputs["heat"].shape[1],
        color="bgr",
        mean=(0.408, 0.447, 0.470),
        std=(0.289, 0.274, 0.278),
        fit="letterbox-exact",
        sigmoid="heat",
    ),
)
