"""YOLO: the detectors of Ultralytics, YOLOv5 to YOLO26, and YOLOv6, YOLOv7, YOLOX.

- Ultralytics v5u to 26: each candidate is a box and the score of each class. The score of the best class is that of the box.
- YOLOv5 and YOLOv7 (their own repositories): three candidates per cell, and a fifth number, whether there is an object at all.
- YOLOX (Ge et al. 2021): one candidate per cell, relative to the cell; the exported graph leaves that to its user.
- With suppression in the graph (v10 and 26, or `nms=True`): rows of box, score and class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes, from_centers
from edgecls.detect.decoders.kind import Kind, Seen, Suppression, cells, grid, has_corners, in_fractions

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edgecls.detect.decoders.kind import Outputs

STRIDES = ((8, 16, 32), (8, 16, 32, 64))
"""Of the usual networks, and of those with a fourth grid (P6)."""
ANCHORS = 3
"""The candidates per cell of YOLOv5 and YOLOv7."""
NEAR = 2.0
"""The centers of candidates in pixels are this close to those of their cells, in cells, if not by chance."""


def _is_grid(count: int, size_hw: tuple[int, int], per_cell: int = 1) -> bool:
    return any(count == per_cell * cells(size_hw, strides) for strides in STRIDES)


def _raw(seen: Seen) -> dict[str, str] | None:
    one = seen.only
    fits = one is not None and _is_grid(one.shape[2], seen.size_hw) and seen.agrees(one.shape[1] - 4)
    return {"candidates": next(iter(seen.outputs))} if fits else None


def _decode_raw(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the candidates of (1, 4 + C, A)."""
    del size_hw
    one = outputs["candidates"][0]
    scores = one[4:].max(axis=0)
    kept = np.flatnonzero(scores > low)
    return as_boxes(from_centers(one[:4, kept].T), scores[kept], one[4:, kept].argmax(axis=0))


def _with_objectness(seen: Seen, per_cell: int) -> NDArray[Any] | None:
    """Return (A, 5 + C), if the outputs have this shape with this many candidates per cell."""
    one = seen.only
    fits = one is not None and _is_grid(one.shape[1], seen.size_hw, per_cell) and seen.agrees(one.shape[2] - 5)
    return one[0] if fits and one is not None else None


def _anchors(seen: Seen) -> dict[str, str] | None:
    return None if _with_objectness(seen, ANCHORS) is None else {"candidates": next(iter(seen.outputs))}


def _decode_objects(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the candidates of (1, A, 5 + C) with boxes in pixels."""
    del size_hw
    one = outputs["candidates"][0]
    one = one[one[:, 4] > low]
    scores = one[:, 4:5] * one[:, 5:]
    best = scores.max(axis=1)
    kept = best > low
    return as_boxes(from_centers(one[kept, :4]), best[kept], scores[kept].argmax(axis=1))


def _yolox(seen: Seen) -> dict[str, str] | None:
    one = _with_objectness(seen, 1)
    return None if one is None or _in_pixels(one, seen.size_hw) else {"candidates": next(iter(seen.outputs))}


def _yolox_decoded(seen: Seen) -> dict[str, str] | None:
    one = _with_objectness(seen, 1)
    fits = one is not None and _in_pixels(one, seen.size_hw) and not (one[:, 4] == 1).all()
    return {"candidates": next(iter(seen.outputs))} if fits else None


def _yolov6(seen: Seen) -> dict[str, str] | None:
    one = _with_objectness(seen, 1)
    fits = one is not None and _in_pixels(one, seen.size_hw) and (one[:, 4] == 1).all()
    return {"candidates": next(iter(seen.outputs))} if fits else None


def _in_pixels(one: NDArray[Any], size_hw: tuple[int, int]) -> bool:
    """Whether the centers are in pixels, so near those of the cells, and not relative to the cells."""
    points, strides = _cells_of(len(one), size_hw)
    return float(np.median(np.abs(one[:, :2] / strides - points - 0.5))) < NEAR


def _cells_of(count: int, size_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return grid(size_hw, next(strides for strides in STRIDES if count == cells(size_hw, strides)))


def _decode_yolox(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the candidates of (1, A, 5 + C) with centers relative to the cell and logarithms of width and height."""
    one = np.array(outputs["candidates"][0], np.float32)
    points, strides = _cells_of(len(one), size_hw)
    one[:, :2] = (one[:, :2] + points) * strides
    one[:, 2:4] = np.exp(np.minimum(one[:, 2:4], 20)) * strides
    return _decode_objects({"candidates": one[None]}, size_hw, low)


def _rows(seen: Seen) -> dict[str, str] | None:
    one = seen.only
    fits = one is not None and one.shape[2] == 6 and not _is_grid(one.shape[1], seen.size_hw)
    return {"rows": next(iter(seen.outputs))} if fits and (not in_fractions(seen) or has_corners(seen)) else None


def _decode_rows(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the rows of (1, K, 6): left, top, right, bottom, score, class."""
    del size_hw
    rows = outputs["rows"][0]
    rows = rows[rows[:, 4] > low]
    return as_boxes(rows[:, :4], rows[:, 4], rows[:, 5])


def _classes_after(numbers: int, axis: int) -> Any:
    return lambda outputs: outputs["candidates"].shape[axis] - numbers


_SUPPRESSION = Suppression(overlap=0.7)
"""The default of Ultralytics for prediction."""
KINDS = (
    Kind(
        name="yolo",
        about="Ultralytics YOLOv5u, v8, v9, 11, 12, and v10 and 26 without their own suppression",
        shapes="(1, 4 + C, A)",
        roles=_raw,
        decode=_decode_raw,
        classes=_classes_after(4, 1),
        suppression=_SUPPRESSION,
        box_axis=1,
    ),
    Kind(
        name="yolo-nms",
        about="Ultralytics with suppression in the graph: v10, 26, or any with nms=True",
        shapes="(1, K, 6) left, top, right, bottom, score, class",
        roles=_rows,
        decode=_decode_rows,
        classes=lambda _outputs: 0,
        box_axis=2,
    ),
    Kind(
        name="yolov5",
        about="YOLOv5 and YOLOv7, from their own repositories",
        shapes="(1, 3 A, 5 + C)",
        roles=_anchors,
        decode=_decode_objects,
        classes=_classes_after(5, 2),
        suppression=Suppression(overlap=0.45, most=1000),
        box_axis=2,
    ),
    Kind(
        name="yolov6",
        about="YOLOv6",
        shapes="(1, A, 5 + C), the fifth number always 1",
        roles=_yolov6,
        decode=_decode_objects,
        classes=_classes_after(5, 2),
        suppression=Suppression(overlap=0.45, most=1000),
    ),
    Kind(
        name="yolox",
        about="YOLOX",
        shapes="(1, A, 5 + C), relative to the cells",
        roles=_yolox,
        decode=_decode_yolox,
        classes=_classes_after(5, 2),
        color="bgr",
        values="0..255",
        fit="letterbox-corner",
        suppression=Suppression(overlap=0.45, most=1000),
    ),
    Kind(
        name="yolox-decoded",
        about="YOLOX, exported with decode_in_inference",
        shapes="(1, A, 5 + C), in pixels",
        roles=_yolox_decoded,
        decode=_decode_objects,
        classes=_classes_after(5, 2),
        color="bgr",
        values="0..255",
        fit="letterbox-corner",
        suppression=Suppression(overlap=0.45, most=1000),
    ),
)
