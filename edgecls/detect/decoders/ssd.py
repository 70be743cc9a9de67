"""SSD and other detectors with the post-processing of TensorFlow or torchvision in the graph (Liu et al. 2016)."""

from __future__ import annotations

import numpy as np

from edgecls.detect.boxes import Boxes, as_boxes
from edgecls.detect.decoders.kind import Kind, Outputs, Seen

_TENSORFLOW = ("detection_boxes", "detection_scores", "detection_classes")


def _tensorflow(seen: Seen) -> dict[str, str] | None:
    names = seen.named(*_TENSORFLOW)
    return None if names is None else dict(zip(("boxes", "scores", "classes"), names.values(), strict=True))


def _tflite(seen: Seen) -> dict[str, str] | None:
    """Recognise the outputs of TFLite_Detection_PostProcess: boxes, classes, scores, and their number, in this order."""
    shapes = [value.shape for value in seen.outputs.values()]
    names = list(seen.outputs)
    if len(shapes) < 3 or len(shapes[0]) != 3 or shapes[0][2] != 4 or shapes[1:3] != [shapes[0][:2]] * 2:
        return None
    if seen.named(*_TENSORFLOW) or any(value.dtype.kind != "f" for value in seen.outputs.values()):
        return None
    return dict(zip(("boxes", "classes", "scores"), names, strict=False))


def _decode_tensorflow(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the boxes, which are top, left, bottom and right in fractions of the input."""
    height, width = size_hw
    kept = outputs["scores"][0] > low
    boxes = outputs["boxes"][0][kept][:, [1, 0, 3, 2]] * np.array([width, height] * 2, np.float32)
    return as_boxes(boxes, outputs["scores"][0][kept], outputs["classes"][0][kept])


def _torchvision(seen: Seen) -> dict[str, str] | None:
    """Recognise boxes (K, 4), scores (K,) of floats and labels (K,) of whole numbers, in any order and by any name.

    A graph that takes the size of the frame is not torchvision's: its labels begin with 0.
    """
    roles: dict[str, str] = {}
    for name, value in seen.outputs.items():
        whole = value.dtype.kind in "iu"
        role = {(2, False): "boxes", (1, False): "scores", (1, True): "classes"}.get((value.ndim, whole), "")
        if not role or role in roles or (role == "boxes" and value.shape[1] != 4):
            return None
        roles[role] = name
    return roles if len(roles) == 3 and not seen.sized else None


def _decode_torchvision(outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the boxes, which are left, top, right and bottom in pixels of the input."""
    del size_hw
    kept = outputs["scores"] > low
    return as_boxes(outputs["boxes"][kept], outputs["scores"][kept], outputs["classes"][kept])


KINDS = (
    Kind(
        name="ssd-tensorflow",
        about="SSD and others of TensorFlow's Object Detection API",
        shapes="detection_boxes (1, K, 4), detection_scores (1, K), detection_classes (1, K)",
        roles=_tensorflow,
        decode=_decode_tensorflow,
        classes=lambda _outputs: 0,
        values="0..255",
        fit="stretch",
        first_class=1,
    ),
    Kind(
        name="ssd-tflite",
        about="SSD of TensorFlow Lite, with TFLite_Detection_PostProcess",
        shapes="boxes (1, K, 4), classes (1, K), scores (1, K), number (1)",
        roles=_tflite,
        decode=_decode_tensorflow,
        classes=lambda _outputs: 0,
        values="-1..1",
        fit="stretch",
    ),
    Kind(
        name="torchvision",
        about="SSD, SSDlite, RetinaNet, FCOS and Faster R-CNN of torchvision",
        shapes="boxes (K, 4), scores (K), labels (K) of whole numbers",
        roles=_torchvision,
        decode=_decode_torchvision,
        classes=lambda _outputs: 0,
        fit="stretch",
        first_class=1,
    ),
)
