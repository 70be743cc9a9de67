"""The makers' post-processing, written again from their code and papers, box by box in plain Python.

It shares nothing with `edgecls.detect`. Each function returns rows of left, top, right, bottom in pixels of the frame, score
and class, for all boxes with a score above `low`.
"""

from __future__ import annotations

import math

import numpy as np


def _iou(a, b):
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    common = wide * high
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def _nms(rows, overlap, most):
    """Greedy, within each class."""
    kept = []
    for row in sorted(rows, key=lambda row: -row[4]):
        if all(row[5] != other[5] or _iou(row, other) <= overlap for other in kept):
            kept.append(row)
    return kept[:most]


def _center(x, y, w, h):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def _moved(rows, frame_hw, x, y):
    """Bring boxes to the frame by two functions of a coordinate, and clip them."""
    height, width = frame_hw
    out = []
    for left, top, right, bottom, score, label in rows:
        box = [
            min(max(x(left), 0), width),
            min(max(y(top), 0), height),
            min(max(x(right), 0), width),
            min(max(y(bottom), 0), height),
        ]
        out.append([*box, score, label])
    return out


def _letterbox(rows, size_hw, frame_hw):
    """Undo a letterbox in the middle (Ultralytics' `scale_boxes`)."""
    gain = min(size_hw[0] / frame_hw[0], size_hw[1] / frame_hw[1])
    inner = [round(side * gain) for side in frame_hw]
    pad = [round((size - one) / 2 - 0.1) for size, one in zip(size_hw, inner, strict=True)]
    gains = [one / side for one, side in zip(inner, frame_hw, strict=True)]
    return _moved(rows, frame_hw, lambda x: (x - pad[1]) / gains[1], lambda y: (y - pad[0]) / gains[0])


def _corner(rows, size_hw, frame_hw):
    """Undo a letterbox in the corner (YOLOX's demo divides by the ratio)."""
    ratio = min(size_hw[0] / frame_hw[0], size_hw[1] / frame_hw[1])
    return _moved(rows, frame_hw, lambda x: x / ratio, lambda y: y / ratio)


def _stretched(rows, size_hw, frame_hw):
    return _moved(rows, frame_hw, lambda x: x * frame_hw[1] / size_hw[1], lambda y: y * frame_hw[0] / size_hw[0])


def _centered(rows, size_hw, frame_hw):
    """Undo a letterbox in the middle that is not rounded (the inverse of NanoDet's `get_resize_matrix`)."""
    ratio = min(size_hw[0] / frame_hw[0], size_hw[1] / frame_hw[1])
    back = [lambda v, i=i: (v - size_hw[i] / 2) / ratio + frame_hw[i] / 2 for i in (1, 0)]
    return _moved(rows, frame_hw, *back)


def _scaled(box, size_hw):
    return [side * size_hw[1 - i % 2] for i, side in enumerate(box)]


def yolo(outputs, size_hw, frame_hw, low):
    """Ultralytics' `non_max_suppression` without `multi_label`."""
    rows = []
    for column in outputs["output0"][0].T.tolist():
        best = max(column[4:])
        if best > low:
            rows.append([*_center(*column[:4]), best, column[4:].index(best)])
    return _letterbox(_nms(rows, 0.7, 300), size_hw, frame_hw)


def yolo_nms(outputs, size_hw, frame_hw, low):
    """Rows as they are."""
    return _letterbox([row for row in outputs["output0"][0].tolist() if row[4] > low], size_hw, frame_hw)


def yolov5(outputs, size_hw, frame_hw, low):
    """YOLOv5's `non_max_suppression`: objectness times class."""
    return _letterbox(_objects(next(iter(outputs.values()))[0], low, 1000), size_hw, frame_hw)


def _objects(candidates, low, most):
    rows = []
    for one in candidates.tolist():
        each = [one[4] * score for score in one[5:]]
        if one[4] > low and max(each) > low:
            rows.append([*_center(*one[:4]), max(each), each.index(max(each))])
    return _nms(rows, 0.45, most)


def yolox(outputs, size_hw, frame_hw, low):
    """YOLOX's `demo_postprocess` and `postprocess`."""
    rows = []
    candidates = iter(outputs["output"][0].tolist())
    for stride in (8, 16, 32):
        for y in range(size_hw[0] // stride):
            for x in range(size_hw[1] // stride):
                one = next(candidates)
                box = [(one[0] + x) * stride, (one[1] + y) * stride, math.exp(one[2]) * stride, math.exp(one[3]) * stride]
                rows.append([*box, *one[4:]])
    return _corner(_objects(np.array(rows), low, 1000), size_hw, frame_hw)


def yolox_decoded(outputs, size_hw, frame_hw, low):
    """YOLOX with `decode_in_inference`."""
    return _corner(_objects(outputs["output"][0], low, 1000), size_hw, frame_hw)


def rt_detr(outputs, size_hw, frame_hw, low):
    """The last step is in the graph, which was told the size of the input."""
    labels, boxes, scores = (outputs[name][0].tolist() for name in ("labels", "boxes", "scores"))
    rows = [[*box, score, label] for box, score, label in zip(boxes, scores, labels, strict=True) if score > low]
    return _stretched(rows, size_hw, frame_hw)


def detr_logits(outputs, size_hw, frame_hw, low):
    """Transformers' `post_process_object_detection` with focal loss: the best pairs of query and class."""
    return _queries(outputs["logits"][0], outputs["pred_boxes"][0], size_hw, frame_hw, low)


def rf_detr(outputs, size_hw, frame_hw, low):
    """RF-DETR's `PostProcess`."""
    return _queries(outputs["labels"][0], outputs["dets"][0], size_hw, frame_hw, low)


def _queries(logits, boxes, size_hw, frame_hw, low):
    pairs = []
    for box, row in zip(boxes.tolist(), logits.tolist(), strict=True):
        for label, logit in enumerate(row):
            pairs.append([*_scaled(_center(*box), size_hw), 1 / (1 + math.exp(-logit)), label])
    best = sorted(pairs, key=lambda pair: -pair[4])[: len(boxes)]
    return _stretched([pair for pair in best if pair[4] > low], size_hw, frame_hw)


def rt_detr_rows(outputs, size_hw, frame_hw, low):
    """Ultralytics' `RTDETRPredictor.postprocess` until 8.3: the best class of each query."""
    rows = []
    for one in outputs["output0"][0].tolist():
        best = max(one[4:])
        if best > low:
            rows.append([*_scaled(_center(*one[:4]), size_hw), best, one[4:].index(best)])
    return _stretched(rows, size_hw, frame_hw)


def rt_detr_top(outputs, size_hw, frame_hw, low):
    """The same since 8.4: the class is in the row."""
    rows = outputs["output0"][0].tolist()
    found = [[*_scaled(_center(*row[:4]), size_hw), row[4], row[5]] for row in rows if row[4] > low]
    return _stretched(found, size_hw, frame_hw)


def ssd_tensorflow(outputs, size_hw, frame_hw, low):
    """TensorFlow's boxes are top, left, bottom, right; class 1 is the first."""
    values = [outputs[f"detection_{name}:0"][0].tolist() for name in ("boxes", "classes", "scores")]
    return _tensorflow(*values, 1, size_hw, frame_hw, low)


def ssd_tflite(outputs, size_hw, frame_hw, low):
    """Boxes, classes, scores, number; class 0 is the first."""
    boxes, classes, scores, _ = outputs.values()
    return _tensorflow(boxes[0].tolist(), classes[0].tolist(), scores[0].tolist(), 0, size_hw, frame_hw, low)


def _tensorflow(boxes, classes, scores, first, size_hw, frame_hw, low):
    rows = []
    for (top, left, bottom, right), label, score in zip(boxes, classes, scores, strict=True):
        if score > low:
            rows.append([*_scaled([left, top, right, bottom], size_hw), score, label - first])
    return _stretched(rows, size_hw, frame_hw)


def torchvision(outputs, size_hw, frame_hw, low):
    """Label 0 is the background."""
    boxes, scores, labels = (value.tolist() for value in outputs.values())
    rows = [[*box, score, label - 1] for box, score, label in zip(boxes, scores, labels, strict=True) if score > low]
    return _stretched(rows, size_hw, frame_hw)


def nanodet(outputs, size_hw, frame_hw, low):
    """NanoDet's `get_bboxes`: the integral of four distributions, from the middle of the cell."""
    return _centered(_integrals(outputs, size_hw, low, (8, 16, 32), 0.5), size_hw, frame_hw)


def _integrals(outputs, size_hw, low, strides, middle):
    rows = []
    candidates = iter(outputs["output"][0].tolist())
    for stride in strides:
        for y in range(math.ceil(size_hw[0] / stride)):
            for x in range(math.ceil(size_hw[1] / stride)):
                one = next(candidates)
                far = []
                for side in range(4):
                    logits = one[len(one) - 32 + 8 * side :][:8]
                    powers = [math.exp(logit) for logit in logits]
                    far.append(stride * sum(i * power for i, power in enumerate(powers)) / sum(powers))
                cx, cy = (x + middle) * stride, (y + middle) * stride
                box = [cx - far[0], cy - far[1], cx + far[2], cy + far[3]]
                box = [min(max(side, 0), size_hw[1 - i % 2]) for i, side in enumerate(box)]
                rows += [[*box, score, label] for label, score in enumerate(one[:-32]) if score > low]
    return _nms(rows, 0.6, 100)


def nanodet_plus(outputs, size_hw, frame_hw, low):
    """NanoDet-Plus measures from the corner of the cell, on four grids."""
    return _stretched(_integrals(outputs, size_hw, low, (8, 16, 32, 64), 0.0), size_hw, frame_hw)


def centernet(outputs, size_hw, frame_hw, low):
    """CenterNet's `ctdet_decode`, and the inverse of its affine map."""
    heat, sizes, offsets = (outputs[name][0] for name in ("hm", "wh", "reg"))
    rows = []
    for label, y, x in np.ndindex(heat.shape):
        score = float(heat[label, y, x])
        around = heat[label, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        if score > low and score == around.max():
            cx, cy = x + float(offsets[0, y, x]), y + float(offsets[1, y, x])
            rows.append([*(4 * v for v in _center(cx, cy, float(sizes[0, y, x]), float(sizes[1, y, x]))), score, label])
    rows = sorted(rows, key=lambda row: -row[4])[:100]
    scale = max(frame_hw) / size_hw[1]
    return _moved(
        rows,
        frame_hw,
        lambda x: (x - size_hw[1] / 2) * scale + frame_hw[1] / 2,
        lambda y: (y - size_hw[0] / 2) * scale + frame_hw[0] / 2,
    )


ORACLES = {
    "yolo": yolo, "yolo-nms": yolo_nms, "yolov5": yolov5, "yolov6": yolov5, "yolox": yolox, "yolox-decoded": yolox_decoded,
    "rt-detr": rt_detr, "detr-logits": detr_logits, "rf-detr": rf_detr, "rt-detr-rows": rt_detr_rows,
    "rt-detr-top": rt_detr_top, "ssd-tensorflow": ssd_tensorflow, "ssd-tflite": ssd_tflite, "torchvision": torchvision,
    "nanodet": nanodet, "nanodet-plus": nanodet_plus, "centernet": centernet,
}  # fmt: skip
"""By kind."""
