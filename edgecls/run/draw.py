"""Draw a result on a copy of its frame: each region's box with its label and score."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, cast

import cv2

if TYPE_CHECKING:
    from edgecls.frame import Detection, Picture, Result

FONT = cv2.FONT_HERSHEY_SIMPLEX
INK = (255, 255, 255)
SURE, UNSURE = (60, 140, 20), (30, 90, 220)
UNSURE_BELOW = 0.5


def draw(result: Result) -> Picture:
    """Return the annotated picture, (H, W, 3) uint8 blue-green-red; the frame itself is left as it is."""
    picture = cast("Picture", result.frame.bgr().copy())
    scale = max(0.4, picture.shape[0] / 900)
    for detection in result.detections:
        _draw_detection(picture, detection, scale)
    stamp = f"{result.frame.camera}  {result.frame.time_s:.2f} s"
    cv2.putText(picture, _drawable(stamp), (6, picture.shape[0] - 8), FONT, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, _drawable(stamp), (6, picture.shape[0] - 8), FONT, scale, INK, 1, cv2.LINE_AA)
    return picture


def _draw_detection(picture: Picture, detection: Detection, scale: float) -> None:
    height, width = picture.shape[:2]
    left, top, right, bottom = detection.box
    prediction = detection.prediction
    color = SURE if prediction.score >= UNSURE_BELOW else UNSURE
    whole = (left, top, right, bottom) == (0, 0, width, height)
    if not whole:
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), color, 2)
    text = _drawable(f"{prediction.label} {prediction.score:.0%}" if whole else f"{detection.region}: {prediction.label} {prediction.score:.0%}")
    (text_w, text_h), below = cv2.getTextSize(text, FONT, scale, 1)
    plate_h = text_h + below + 6
    x = max(0, min(left, width - text_w - 8))
    y = top if whole else (top - plate_h if top >= plate_h else min(bottom, height - plate_h))
    cv2.rectangle(picture, (x, y), (x + text_w + 8, y + plate_h), color, -1)
    cv2.putText(picture, text, (x + 4, y + plate_h - below - 2), FONT, scale, INK, 1, cv2.LINE_AA)


def _drawable(text: str) -> str:
    """OpenCV's font has ASCII only: accents are dropped, what is left becomes a question mark."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).encode("ascii", "replace").decode()
