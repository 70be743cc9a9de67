"""Events of real videos: EDGECLS_DATA names the folder with video/car-detection.mp4; skipped elsewhere.

What happened there was taken by eye, frame by frame. The settings are the usual ones and a line.
"""

from __future__ import annotations

import cv2
import pytest

from edgecls import Classifier, Events, Gate, Health, Line, Motion, MotionRule, Pipeline, Rules, image, observe, open_source
from tests.conftest import ROOT

ACROSS = Gate("middle", Line((0.0, 0.5), (1.0, 0.5)), left="up", right="down")
FPS = 12.5
VEHICLES = ((79, "up"), (206, "down"), (211, "up"), (332, "down"))
"""The frame in which the middle of each vehicle of car-detection.mp4 is on the line: white, silver, red, white. The camera
closes its iris by half when the white ones come."""


def test_every_vehicle_is_counted_once(real_videos):
    """In its direction, as a vehicle, within 0.3 s, and nothing else is."""
    street = Classifier.load(ROOT / "models" / "street.onnx", device="cpu")
    events, told = Events({"road": Rules(gates=(ACROSS,))}), []
    with open_source(f"road={real_videos / 'car-detection.mp4'}") as frames:
        for result in Pipeline(street, regions=Motion(MotionRule())).over(frames):
            told += events.step(observe(result))
    told += events.close()
    crossings = [event for event in told if event.kind == "crossing"]
    assert [(event.label, event.direction) for event in crossings] == [("vehicle", direction) for _, direction in VEHICLES]
    for event, (frame, _) in zip(crossings, VEHICLES, strict=True):
        assert event.start.time_s == pytest.approx(frame / FPS, abs=0.3)
    assert len([event for event in told if event.kind == "object" and event.end is None]) == len(VEHICLES)


@pytest.mark.parametrize("video", ["car-detection.mp4", "vtest.avi"])
def test_nothing_is_wrong_with_a_good_camera(real_videos, video):
    """Not while it changes its exposure at once, nor before a crowd; and black is found in the same pictures."""
    health, dark = Health(), Health()
    with open_source(f"road={real_videos / video}") as frames:
        for frame in frames:
            assert health(frame) is None
            small = cv2.resize(frame.luma(), (320, 180), interpolation=cv2.INTER_AREA)
            seen = small // 40 if frame.time_s > 15 else small
            found = dark(image.as_frame(cv2.merge([seen] * 3), "road", frame.index, time_s=frame.time_s, captured_at=0.0))
            assert found is None or frame.time_s > 15 + 2
    assert found is not None
    assert found.fault == "black"
    assert found.since.time_s == pytest.approx(15, abs=0.3)
