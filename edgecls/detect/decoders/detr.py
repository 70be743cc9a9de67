"""Detectors with queries instead of a grid (Carion et al. 2020): RT-DETR, D-FINE, RF-DETR.

A query has one box and a score for each class, and needs no suppression. The makers take the best pairs of query and class, so
one box may have two classes. Boxes are in fractions of the input, but for the graphs that contain the maker's own last step.
"""

from __future__ import annotations

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes, from_centers
from edgecls.detect.decoders.kind import Kind, Outputs, Seen, has_corners, in_fractions, pairs, sigmoid

QUERIES = 1000
"""No network of this family has more."""


def _in_pixels(boxes: object, size_hw: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    height, width = size_hw
    return np.asarray(boxes, np.float32).reshape(-1, 4) * np.array([width, height] * 2, np.float32)


def _logits(seen: Seen, boxes: str, logits: str) -> dict[str, str] | None:
    names = seen.named(boxes, logits)
    if names is None:
        return None
    shapes = [seen.outputs[names[name]].shape for name in (boxes, logits)]
    fits = all(len(shape) == 3 for shape in shapes) and shapes[0][1:] == (shapes[1][1], 4)
    return {"boxes": names[boxes], "logits": names[logits]} if fits else None


def _decode_logits(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the best pairs of query and class, as many as there are queries (the makers' `post_process_object_detection`)."""
    boxes, scores = from_centers(outputs["boxes"][0]), sigmoid(outputs["logits"][0])
    queries, class_ids = pairs(scores, low)
    found = as_boxes(_in_pixels(boxes[queries], size_hw), scores[queries, class_ids], class_ids)
    return found.best_first(len(boxes))


def _final(seen: Seen) -> dict[str, str] | None:
    """Recognise labels, boxes and scores, with a dimension for the picture; or without, if the graph takes the frame's size."""
    names = seen.named("boxes", "scores", "labels")
    dims = () if names is None else tuple(seen.outputs[name].ndim for name in names.values())
    return names if dims == (3, 2, 2) or (dims == (2, 1, 1) and seen.sized) else None


def _decode_final(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the boxes of a graph with the maker's own last step, which takes the size of the input for that of the frame."""
    del size_hw
    boxes, scores, labels = (outputs[role].reshape(-1, *end) for role, end in (("boxes", (4,)), ("scores", ()), ("labels", ())))
    kept = scores > low
    return as_boxes(boxes[kept], scores[kept], labels[kept])


def _ultralytics(seen: Seen) -> dict[str, str] | None:
    """Recognise (1, Q, 4 + C), which Ultralytics wrote until 8.3."""
    one = seen.only
    if one is None or one.shape[1] > QUERIES or not seen.agrees(one.shape[2] - 4) or _has_classes(seen):
        return None
    return {"rows": next(iter(seen.outputs))} if in_fractions(seen) and one[..., 4:].min() >= 0 else None


def _ultralytics_top(seen: Seen) -> dict[str, str] | None:
    """Recognise (1, Q, 6), which Ultralytics writes since 8.4."""
    fits = in_fractions(seen) and _has_classes(seen) and not has_corners(seen)
    return {"rows": next(iter(seen.outputs))} if fits else None


def _has_classes(seen: Seen) -> bool:
    """Whether the only output has rows of six, whose last number is that of a class."""
    one = seen.only
    return one is not None and one.shape[2] == 6 and bool((one[..., 5] == np.rint(one[..., 5])).all())


def _decode_ultralytics(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the best class of each query."""
    rows = outputs["rows"][0]
    scores = rows[:, 4:].max(axis=1)
    kept = scores > low
    return as_boxes(_in_pixels(from_centers(rows[kept]), size_hw), scores[kept], rows[kept, 4:].argmax(axis=1))


def _decode_ultralytics_top(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return rows of center, size, score and class."""
    rows = outputs["rows"][0]
    rows = rows[rows[:, 4] > low]
    return as_boxes(_in_pixels(from_centers(rows), size_hw), rows[:, 4], rows[:, 5])


KINDS = (
    Kind(
        name="rt-detr",
        about="RT-DETR, D-FINE and DEIM, exported by their own repositories",
        shapes="labels (1, Q), boxes (1, Q, 4), scores (1, Q)",
        roles=_final,
        decode=_decode_final,
        classes=lambda _outputs: 0,
        fit="stretch",
        interpolation="area",
    ),
    Kind(
        name="detr-logits",
        about="RT-DETR and D-FINE of Hugging Face Transformers",
        shapes="logits (1, Q, C), pred_boxes (1, Q, 4)",
        roles=lambda seen: _logits(seen, "pred_boxes", "logits"),
        decode=_decode_logits,
        classes=lambda outputs: outputs["logits"].shape[2],
        fit="stretch",
        interpolation="area",
    ),
    Kind(
        name="rf-detr",
        about="RF-DETR",
        shapes="dets (1, Q, 4), labels (1, Q, C)",
        roles=lambda seen: _logits(seen, "dets", "labels"),
        decode=_decode_logits,
        classes=lambda outputs: outputs["logits"].shape[2],
        values="imagenet",
        fit="stretch",
        interpolation="area",
        extra_classes=(0, 1),
    ),
    Kind(
        name="rt-detr-rows",
        about="RT-DETR of Ultralytics, until 8.3",
        shapes="(1, Q, 4 + C) in fractions of the input",
        roles=_ultralytics,
        decode=_decode_ultralytics,
        classes=lambda outputs: outputs["rows"].shape[2] - 4,
        fit="stretch",
    ),
    Kind(
        name="rt-detr-top",
        about="RT-DETR of Ultralytics, since 8.4",
        shapes="(1, Q, 6) center, size, score, class in fractions of the input",
        roles=_ultralytics_top,
        decode=_decode_ultralytics_top,
        classes=lambda _outputs: 0,
        fit="stretch",
    ),
)
