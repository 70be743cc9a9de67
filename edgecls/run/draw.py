"""Draw a result on a copy of its frame: each region's box with its label and score, or what is wrong with the camera."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from edgecls.frame import Detection, Picture, Result

FONT = cv2.FONT_HERSHEY_SIMPLEX
INK = (255, 255, 255)
SURE, UNSURE, STAMP, FAULT = (60, 140, 20), (30, 90, 220), (40, 40, 40), (20, 20, 190)
UNSURE_BELOW = 0.5


def draw(result: Result) -> Picture:
    """Return the annotated picture, (H, W, 3) uint8 blue-green-red; the frame itself is left as it is."""
    picture = result.frame.bgr().copy()
    scale = text_scale(picture)
    for detection in result.detections:
        _draw_detection(picture, detection, scale)
    if result.unfit is not None:
        plate(picture, f"camera unfit: {result.unfit.fault}", picture.shape[1], 0, FAULT, scale)
    stamp = f"{result.frame.camera}  {result.frame.time_s:.2f} s"
    plate(picture, stamp, 0, picture.shape[0], STAMP, scale)
    return picture


def _draw_detection(picture: Picture, detection: Detection, scale: float) -> None:
    height, width = picture.shape[:2]
    box, prediction = detection.box, detection.prediction
    color = SURE if prediction.score >= UNSURE_BELOW else UNSURE
    said = f"{prediction.label} {prediction.score:.0%}"
    if tuple(box) == (0, 0, width, height):
        plate(picture, said, 0, 0, color, scale)
        return
    cv2.rectangle(picture, (box.left, box.top), (box.right - 1, box.bottom - 1), color, 2)
    plate(picture, f"{detection.region}: {said}", box.left, box.top, color, scale)


def text_scale(picture: Picture) -> float:
    """How large texts are drawn on a picture of this size."""
    return max(0.4, float(picture.shape[0]) / 900)


def plate(picture: Picture, text: str, x: int, bottom: int, color: tuple[int, int, int], scale: float) -> None:
    """Draw a text, of which the font has ASCII alone, on a plate that stands on `bottom`, moved into the picture where it would
    reach out of it.
    """
    text = _drawable(text)
    height, width = picture.shape[:2]
    (text_w, text_h), below = cv2.getTextSize(text, FONT, scale, 1)
    plate_h = text_h + below + 6
    x = max(0, min(x, width - text_w - 8))
    y = max(0, min(bottom, height) - plate_h)
    cv2.rectangle(picture, (x, y), (x + text_w + 8, y + plate_h), color, -1)
    cv2.putText(picture, text, (x + 4, y + plate_h - below - 2), FONT, scale, INK, 1, cv2.LINE_AA)


def _drawable(text: str) -> str:
    """OpenCV's font has ASCII only: accents are dropped, what is left becomes a question mark."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()
