"""Outputs of detectors, drawn at random: boxes in heaps, as a network gives them, with scores of which few are high.

The script that asks the makers' packages draws them too, so this needs numpy only.
"""

from __future__ import annotations

import numpy as np

SIZE_HW = (64, 96)
"""Of the input."""
CLASSES = 5
FRAMES_HW = ((1080, 1920), (333, 250), (64, 96))
"""Frames to which the boxes are brought back: wide, high, and as large as the input."""
LOW = 0.2
STRIDES = (8, 16, 32)


def cells(strides=STRIDES) -> int:
    """The number of cells of the grids."""
    return sum((SIZE_HW[0] // stride) * (SIZE_HW[1] // stride) for stride in strides)


def heaps(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes (count, 4), center and size in pixels: a few objects, and around each of them many boxes that nearly agree."""
    height, width = SIZE_HW
    objects = np.stack(
        [rng.uniform(5, width - 5, 9), rng.uniform(5, height - 5, 9), rng.uniform(6, 40, 9), rng.uniform(6, 40, 9)], axis=1
    )
    boxes = objects[rng.integers(0, 9, count)] + rng.normal(0, 1.5, (count, 4))
    return np.maximum(boxes, [0, 0, 2, 2]).astype(np.float32)


def scores(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Scores of which few are high."""
    return (rng.uniform(0, 1, shape) ** 4).astype(np.float32)


def fractions(boxes: np.ndarray) -> np.ndarray:
    """Boxes in fractions of the input."""
    height, width = SIZE_HW
    return (boxes / np.array([width, height, width, height])).astype(np.float32)


def corners(boxes: np.ndarray) -> np.ndarray:
    """Left, top, right, bottom of boxes with center and size."""
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def yolo(rng):
    """(1, 4 + C, A)."""
    rows = np.concatenate([heaps(rng, cells()), scores(rng, cells(), CLASSES)], axis=1)
    return {"output0": rows.T[None].copy()}


def yolo_nms(rng):
    """(1, K, 6), the best first, filled up with zeros."""
    rows = np.zeros((40, 6), np.float32)
    rows[:25, :4], rows[:25, 4] = corners(heaps(rng, 25)), np.sort(scores(rng, 25))[::-1]
    rows[:25, 5] = rng.integers(0, CLASSES, 25)
    return {"output0": rows[None]}


def yolov5(rng):
    """(1, 3 A, 5 + C)."""
    count = 3 * cells()
    parts = [heaps(rng, count), scores(rng, count, 1) ** 0.5, scores(rng, count, CLASSES) ** 0.3]
    return {"output0": np.concatenate(parts, axis=1)[None].astype(np.float32)}


def yolov6(rng):
    """(1, A, 5 + C) in pixels near the cells, with a fifth number of 1."""
    centers, strides = _grid(STRIDES)
    size = rng.uniform(1, 4, (len(centers), 2)) * strides
    parts = [(centers + 0.5 + rng.normal(0, 0.4, centers.shape)) * strides, size, np.ones((len(centers), 1))]
    return {"outputs": np.concatenate([*parts, scores(rng, len(centers), CLASSES)], axis=1)[None].astype(np.float32)}


def yolox_decoded(rng):
    """(1, A, 5 + C) in pixels near the cells."""
    found = yolov6(rng)["outputs"]
    found[..., 4] = scores(rng, found.shape[1]) ** 0.3
    found[..., 5:] **= 0.3
    return {"output": found}


def yolox(rng):
    """(1, A, 5 + C) relative to the cells."""
    count = cells()
    parts = [rng.normal(0.5, 0.5, (count, 2)), rng.normal(0.7, 0.4, (count, 2))]
    parts += [scores(rng, count, 1) ** 0.3, scores(rng, count, CLASSES) ** 0.3]
    return {"output": np.concatenate(parts, axis=1)[None].astype(np.float32)}


def rt_detr(rng):
    """Labels, boxes in pixels and scores, as the makers' own last step gives them."""
    boxes = corners(heaps(rng, 30))[None]
    return {"labels": rng.integers(0, CLASSES, (1, 30)), "boxes": boxes, "scores": scores(rng, 1, 30)}


def detr_logits(rng):
    """Logits and boxes in fractions."""
    boxes = fractions(heaps(rng, 30))[None]
    return {"logits": rng.normal(-2, 1.5, (1, 30, CLASSES)).astype(np.float32), "pred_boxes": boxes}


def rf_detr(rng):
    """The same by other names."""
    found = detr_logits(rng)
    return {"dets": found["pred_boxes"], "labels": found["logits"]}


def rt_detr_rows(rng):
    """(1, Q, 4 + C) in fractions."""
    return {"output0": np.concatenate([fractions(heaps(rng, 30)), scores(rng, 30, CLASSES)], axis=1)[None]}


def rt_detr_top(rng):
    """(1, Q, 6) in fractions, with a class each."""
    parts = [fractions(heaps(rng, 30)), scores(rng, 30, 1), rng.integers(0, CLASSES, (30, 1)).astype(np.float32)]
    return {"output0": np.concatenate(parts, axis=1)[None].astype(np.float32)}


def ssd_tensorflow(rng):
    """Top, left, bottom, right in fractions; classes from 1."""
    return {
        "detection_boxes:0": fractions(corners(heaps(rng, 20)))[None][..., [1, 0, 3, 2]],
        "detection_classes:0": rng.integers(1, CLASSES + 1, (1, 20)).astype(np.float32),
        "detection_scores:0": np.sort(scores(rng, 1, 20))[:, ::-1].copy(),
        "num_detections:0": np.array([20], np.float32),
    }


def ssd_tflite(rng):
    """The same in the order of TensorFlow Lite; classes from 0."""
    found = list(ssd_tensorflow(rng).values())
    found[1] -= 1
    return {f"TFLite_Detection_PostProcess:{i}" if i else "TFLite_Detection_PostProcess": v for i, v in enumerate(found)}


def torchvision(rng):
    """Boxes in pixels, scores, and labels from 1."""
    labels = rng.integers(1, CLASSES + 1, 20)
    return {"2196": corners(heaps(rng, 20)).astype(np.float32), "2165": scores(rng, 20), "2166": labels}


def nanodet(rng, strides=STRIDES):
    """(1, A, C + 32)."""
    count = sum(-(-SIZE_HW[0] // stride) * -(-SIZE_HW[1] // stride) for stride in strides)
    return {"output": np.concatenate([scores(rng, count, CLASSES), rng.normal(0, 2, (count, 32))], axis=1)[None].astype("f4")}


def nanodet_plus(rng):
    """The same with a fourth grid."""
    return nanodet(rng, (8, 16, 32, 64))


def by_grid(outputs: dict[str, np.ndarray], *, batched: bool = True) -> dict[str, np.ndarray]:
    """The outputs of `nanodet` as NanoDet before 1.0 gives them: the scores of each grid, then the distances of each."""
    (one,) = outputs["output"]
    counts = [(SIZE_HW[0] // stride) * (SIZE_HW[1] // stride) for stride in STRIDES]
    grids = np.split(one, np.cumsum(counts)[:-1])
    scores = {f"cls_pred_stride_{stride}": grid[:, :-32] for stride, grid in zip(STRIDES, grids, strict=True)}
    distances = {f"dis_pred_stride_{stride}": grid[:, -32:] for stride, grid in zip(STRIDES, grids, strict=True)}
    return {name: part[None] if batched else part for name, part in (scores | distances).items()}


def centernet(rng):
    """Heat map after the sigmoid, sizes and offsets."""
    rows, columns = SIZE_HW[0] // 4, SIZE_HW[1] // 4
    return {
        "hm": scores(rng, 1, CLASSES, rows, columns),
        "wh": rng.uniform(1, 12, (1, 2, rows, columns)).astype(np.float32),
        "reg": rng.uniform(0, 1, (1, 2, rows, columns)).astype(np.float32),
    }


DRAWN = {
    "yolo": yolo, "yolo-nms": yolo_nms, "yolov5": yolov5, "yolov6": yolov6, "yolox": yolox, "yolox-decoded": yolox_decoded,
    "rt-detr": rt_detr, "detr-logits": detr_logits, "rf-detr": rf_detr, "rt-detr-rows": rt_detr_rows,
    "rt-detr-top": rt_detr_top, "ssd-tensorflow": ssd_tensorflow, "ssd-tflite": ssd_tflite, "torchvision": torchvision,
    "nanodet": nanodet, "nanodet-plus": nanodet_plus, "centernet": centernet,
}  # fmt: skip
"""By kind: the outputs, by the names that the makers give them."""


def drawn(kind: str, seed: int = 0) -> dict[str, np.ndarray]:
    """The outputs of a kind of detector."""
    return DRAWN[kind](np.random.default_rng(seed))


def _grid(strides):
    points, sizes = [], []
    for stride in strides:
        for row in range(SIZE_HW[0] // stride):
            for column in range(SIZE_HW[1] // stride):
                points.append([column, row])
                sizes.append([stride])
    return np.array(points, float), np.array(sizes, float)
