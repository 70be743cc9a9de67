"""Ask the makers' own packages for the boxes in the drawn outputs, and write them to makers.json beside this file.

Needs their packages, which edgecls does not: pip install torch torchvision ultralytics transformers, and
pip install --no-deps rfdetr. Then: python -m tests.detect.ask_makers
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from torchvision.models.detection.transform import resize_boxes
from transformers import RTDetrImageProcessor
from ultralytics.models.rtdetr import RTDETRPredictor
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import scale_boxes

from tests.detect.drawn_outputs import FRAMES_HW, LOW, SIZE_HW, drawn


def ultralytics(outputs, frame_hw):
    """`non_max_suppression` as the predictor calls it, and `scale_boxes`."""
    (rows,) = non_max_suppression(torch.tensor(outputs["output0"]), LOW, 0.7, max_det=300)
    rows[:, :4] = scale_boxes(SIZE_HW, rows[:, :4], frame_hw)
    return rows


def rt_detr(outputs, frame_hw):
    """`RTDETRPredictor.postprocess`, whose boxes are not clipped to the frame."""
    predictor = SimpleNamespace(
        args=SimpleNamespace(conf=LOW, classes=None, max_det=300),
        batch=[[""]],
        model=SimpleNamespace(names=dict(enumerate(map(str, range(9))))),
    )
    picture = torch.zeros(*frame_hw, 3, dtype=torch.uint8).numpy()
    (result,) = RTDETRPredictor.postprocess(predictor, torch.tensor(outputs["output0"]), None, [picture])
    return clipped(result.boxes.data.clone(), frame_hw)


def transformers(outputs, frame_hw):
    """`post_process_object_detection`."""
    given = SimpleNamespace(logits=torch.tensor(outputs["logits"]), pred_boxes=torch.tensor(outputs["pred_boxes"]))
    (found,) = RTDetrImageProcessor().post_process_object_detection(given, LOW, target_sizes=[frame_hw])
    return clipped(torch.cat([found["boxes"], found["scores"][:, None], found["labels"][:, None]], 1), frame_hw)


def rf_detr(outputs, frame_hw):
    """`PostProcess`, without the rest of the package, which imports all that training needs."""
    home = Path(str(importlib.metadata.distribution("rfdetr").locate_file("rfdetr")))
    for name, folder in (("rfdetr", home), ("rfdetr.models", home / "models")):
        sys.modules.setdefault(name, ModuleType(name)).__path__ = [str(folder)]
    module = importlib.import_module("rfdetr.models.postprocess")
    given = {"pred_logits": torch.tensor(outputs["labels"]), "pred_boxes": torch.tensor(outputs["dets"])}
    (found,) = module.PostProcess(num_select=outputs["dets"].shape[1])(given, torch.tensor([frame_hw]))
    rows = torch.cat([found["boxes"], found["scores"][:, None], found["labels"][:, None]], 1)
    return clipped(rows[rows[:, 4] > LOW], frame_hw)


def torchvision(outputs, frame_hw):
    """`GeneralizedRCNNTransform.postprocess`, which resizes the boxes."""
    boxes, scores, labels = (torch.tensor(value) for value in outputs.values())
    boxes = resize_boxes(boxes, SIZE_HW, frame_hw)
    rows = torch.cat([boxes, scores[:, None], labels[:, None] - 1], 1)
    return clipped(rows[scores > LOW], frame_hw)


def clipped(rows, frame_hw):
    """Clip the boxes to the frame, as edgecls does with all."""
    rows[:, 0:4:2] = rows[:, 0:4:2].clamp(0, frame_hw[1])
    rows[:, 1:4:2] = rows[:, 1:4:2].clamp(0, frame_hw[0])
    return rows


MAKERS = {
    "yolo": ultralytics,
    "yolo-nms": ultralytics,
    "rt-detr-top": rt_detr,
    "detr-logits": transformers,
    "rf-detr": rf_detr,
    "torchvision": torchvision,
}


def main() -> None:
    """Write makers.json."""
    packages = {name: importlib.metadata.version(name) for name in ("ultralytics", "transformers", "rfdetr", "torchvision")}
    boxes = {
        f"{kind} {frame_hw[0]}x{frame_hw[1]}": [
            [round(number, 4) for number in row] for row in ask(drawn(kind), frame_hw).tolist()
        ]
        for kind, ask in MAKERS.items()
        for frame_hw in FRAMES_HW
    }
    lines = [f"  {json.dumps(name)}: {json.dumps(rows, separators=(',', ':'))}" for name, rows in boxes.items()]
    text = ",\n".join(lines)
    out = Path(__file__).parent / "makers.json"
    out.write_text(f'{{\n "packages": {json.dumps(packages)},\n "boxes": {{\n{text}\n }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
