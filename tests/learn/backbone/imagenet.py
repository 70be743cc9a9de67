"""Drawn pictures of things that are classes of ImageNet."""

from __future__ import annotations

import cv2
import numpy as np

SIZE = 224
CLOCK, HONEYCOMB, CROSSWORD, STREET_SIGN = 409, 599, 918, 919
"""Their class ids."""


def clock() -> np.ndarray:
    """A dial with numbers and two hands, (SIZE, SIZE, 3) uint8, red first."""
    picture = np.full((SIZE, SIZE, 3), (180, 200, 200), np.uint8)
    for radius, color in ((95, (40, 40, 40)), (86, (250, 250, 245))):
        cv2.circle(picture, (112, 112), radius, color, -1, cv2.LINE_AA)
    for hour in range(1, 13):
        angle, text = hour * np.pi / 6, str(hour)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 2)
        place = int(112 + 70 * np.sin(angle) - width / 2), int(112 - 70 * np.cos(angle) + height / 2)
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (20, 20, 20), 2, cv2.LINE_AA)
    cv2.line(picture, (112, 112), (82, 92), (10, 10, 10), 5, cv2.LINE_AA)
    cv2.line(picture, (112, 112), (132, 52), (10, 10, 10), 3, cv2.LINE_AA)
    return picture


def honeycomb() -> np.ndarray:
    """Rows of golden hexagons."""
    picture = np.full((SIZE, SIZE, 3), (120, 70, 10), np.uint8)
    corners = np.arange(6) * np.pi / 3
    for row in range(-1, 14):
        for column in range(-1, 14):
            x, y = column * 20 + row % 2 * 10, row * 17
            cell = [np.stack([x + 11 * np.sin(corners), y + 11 * np.cos(corners)], 1).astype(int)]
            cv2.fillPoly(picture, cell, (230, 160, 40))
            cv2.polylines(picture, cell, True, (120, 70, 10), 2, cv2.LINE_AA)
    return picture


def crossword() -> np.ndarray:
    """White and black squares with letters."""
    rng = np.random.default_rng(3)
    black = rng.random((14, 14)) < 0.3
    picture = np.where(black, 0, 255).astype(np.uint8).repeat(16, 0).repeat(16, 1)[..., None].repeat(3, 2)
    picture[::16], picture[:, ::16] = 0, 0
    for row, column in np.argwhere(~black).tolist():
        letter, place = chr(65 + int(rng.integers(26))), (column * 16 + 4, row * 16 + 13)
        cv2.putText(picture, letter, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def street_sign() -> np.ndarray:
    """A stop sign before the sky."""
    picture = np.full((SIZE, SIZE, 3), (130, 180, 230), np.uint8)
    cv2.rectangle(picture, (106, 120), (118, 224), (120, 120, 120), -1)
    corners = np.arange(8) * np.pi / 4 + np.pi / 8
    octagon = np.stack([112 + 80 * np.cos(corners), 90 + 80 * np.sin(corners)], 1).astype(int)
    cv2.fillPoly(picture, [octagon], (200, 20, 30), cv2.LINE_AA)
    cv2.putText(picture, "STOP", (48, 106), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255, 255, 255), 5, cv2.LINE_AA)
    return picture


DRAWN = {CLOCK: clock, HONEYCOMB: honeycomb, CROSSWORD: crossword, STREET_SIGN: street_sign}
"""By class id."""
