"""Which drawn cameras suit motion: those that stand still, and whose videos are longer than the warm-up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edgecls import Moment, image
from edgecls.frame import Unfit
from edgecls.regions.motion import Motion, MotionSettings
from edgecls.regions.suitability import MotionChecks, has_moved

FPS = 5
HIGH, WIDE, FULL = 144, 256, 1200
TOWN = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (HIGH, FULL)).astype(np.float32), (0, 0), 4)
TOWN = np.clip((TOWN - TOWN.mean()) * 6 + 120, 0, 255)
"""A textured scene, wider than the picture."""


def view(left=0):
    """What a camera that looks at this part of the town sees."""
    return TOWN[:, left : left + WIDE].copy()


def seen_by(index, picture, file="pan.mp4"):
    """A frame with noise."""
    levels = np.clip(picture + np.random.default_rng(index).normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
    return image.as_frame(np.dstack([levels] * 3), "roof", index, time_s=index / FPS, captured_at=0.0, file=file)


def told_of(pictures, file="pan.mp4", motion=True):
    """What is said of these pictures until their end."""
    told = []
    checks, find = MotionChecks(told.append), Motion(MotionSettings())
    for index, picture in enumerate(pictures):
        frame = seen_by(index, picture, file)
        if motion:
            find(frame)
        checks.step(frame)
    checks.close()
    return told


@pytest.mark.parametrize("speed", [2, 8, 24])
def test_a_camera_that_turns_all_the_time_is_reported_once(speed):
    """There and back, at 4 to 47 % of the picture's width per second, for 25 s."""
    lefts = [abs((i * speed) % (2 * (FULL - WIDE)) - (FULL - WIDE)) for i in range(25 * FPS)]
    (line,) = told_of(map(view, lefts))
    assert line.startswith("camera roof: its whole picture moves most of the time")
    assert "fix the camera at one position (a preset)" in line


def test_a_camera_that_turns_now_and_then_is_not():
    """A tour with three positions: it turns for 3 s and stands for 12 s."""
    lefts = [left for stop in (0, 300, 600) for left in ([*range(stop, stop + 300, 20)] + [stop + 300] * 60)]
    assert told_of(map(view, lefts)) == []


def test_what_moves_in_the_picture_is_no_turn():
    """A belt across half of the picture that never stands still, and light that changes all the time."""

    def belt(index):
        picture = view()
        picture[50:120] = TOWN[50:120, 4 * index : 4 * index + WIDE]
        return picture * (0.7 + 0.3 * np.sin(index / 9))

    assert told_of(map(belt, range(30 * FPS))) == []


def test_only_motion_needs_a_camera_that_stands_still():
    """Nothing is said where nobody looks for motion, of a turning camera or of a short clip."""
    assert told_of((view(4 * i) for i in range(25 * FPS)), motion=False) == []
    assert told_of([view()], motion=False) == []


@pytest.mark.parametrize(("frames", "length"), [(1, "1 frame (0.0 s)"), (8, "8 frames (1.4 s)")])
def test_a_clip_shorter_than_the_warm_up_is_reported(frames, length):
    """Also one of a single frame. A live camera that was stopped early is not a clip."""
    pictures = [view()] * frames
    (line,) = told_of(pictures)
    assert line.startswith(f"camera roof: it ended after {length}, while motion still learned the background")
    assert told_of(pictures, file="") == []
    assert told_of([view()] * 15) == []


def test_a_clip_that_turns_black_is_not_too_short():
    """What is wrong are its pictures, of which motion does not see those that cannot be trusted."""
    said = []
    checks = MotionChecks(said.append)
    for index in range(60):
        at, frame = Moment(index, index / FPS), seen_by(index, view())
        frame.foreground, frame.unwatched = (None if index >= 10 else np.zeros((2, 2), bool)), "learning"
        checks.step(frame, Unfit("black", at, at) if index >= 10 else None)
    checks.close()
    assert said == [
        "camera roof: 50 of 60 pictures cannot be trusted (black), so motion did not learn the background, and no object was "
        "looked for"
    ]


def test_a_shift_is_seen_in_any_direction_and_not_in_plain_pictures():
    """By two pixels and more; a plain picture tells nothing, and one of another size is another camera's."""
    now = view(100).astype(np.uint8)
    assert not has_moved(now, now)
    for down, right in ((0, 2), (3, 0), (-4, 5), (0, -15)):
        assert has_moved(now, np.roll(now, (down, right), axis=(0, 1)))
    plain = np.full_like(now, 90)
    assert not has_moved(plain, plain)
    assert not has_moved(now, now[::2, ::2])
