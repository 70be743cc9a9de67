"""Tests of objects that stand still, park, or are left, from drawn pictures to events."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import Classifier, Events, Pipeline, observe
from edgecls.regions.left import LeftSettings
from edgecls.regions.motion import MotionSettings
from edgecls.run.camera import Camera
from tests.regions.test_motion import FPS, ROAD, frame
from tests.tiny import light_model

CAMERA = Camera("c", 0, motion=MotionSettings())
LEFT = Camera("c", 0, motion=MotionSettings(), left=LeftSettings(after_s=10.0))
PERSON, CAR = (14, 44), (70, 36)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Return a model of three levels of light."""
    path = tmp_path_factory.mktemp("model") / "light.onnx"
    path.write_bytes(light_model())
    return Classifier.load(path, device="cpu", threads=1)


def path(*points):
    """Return where an object is at a time: (second, left) points of its way, with straight lines between them; None before the
    first and after the last.
    """
    times, lefts = zip(*points, strict=True)
    return lambda now_s: None if not times[0] <= now_s < times[-1] else float(np.interp(now_s, times, lefts))


def happens(classifier, things, seconds, camera=CAMERA):
    """Return the events of objects (size, top, level, path), the last ones in front."""
    pipeline, events = Pipeline(classifier, regions=camera.regions()), Events({"c": camera.rules})
    rng, told = np.random.default_rng(5), []
    for index in range(int(seconds * FPS)):
        picture = ROAD.copy()
        for (wide, high), top, level, way in things:
            at = way(index / FPS)
            if at is not None:
                left = round(at + rng.uniform(-0.6, 0.6))
                part = picture[top : top + high, max(0, left) : max(0, left + wide)]
                part[:] = level
                part[high // 3 : high // 2] = level * 0.7
        (result,) = pipeline.step([frame(index, picture)])
        told += events.step(observe(result))
    told += events.close()
    return [event for event in told if event.end is not None and event.kind != "state"]


def assert_times(event, start_s, end_s, by_s=1.0):
    """Check when an event began and ended."""
    assert event.start.time_s == pytest.approx(start_s, abs=by_s)
    assert event.end.time_s == pytest.approx(end_s, abs=by_s)


def test_somebody_who_stands_for_a_minute_is_one_object(classifier):
    """From when he comes to when he leaves."""
    way = path((4, -14), (9, 150), (69, 150), (74, 320))
    (event,) = happens(classifier, [(PERSON, 60, 225.0, way)], 78)
    assert_times(event, 4, 74)


def test_a_group_that_stands_is_as_many_objects_as_came(classifier):
    """Three come one after the other, stand side by side for 20 s, and leave."""
    ways = [path((4 + 2 * i, -14), (9 + 2 * i, 200 - 40 * i), (30, 200 - 40 * i), (36, 400 - 40 * i)) for i in range(3)]
    told = happens(classifier, [(PERSON, 60, level, way) for level, way in zip((225.0, 20.0, 235.0), ways, strict=True)], 42)
    assert len(told) == 3
    for i, event in enumerate(sorted(told, key=lambda event: event.start.time_s)):
        assert_times(event, 4 + 2 * i, 30 + 6 * (120 + 40 * i) / 200)


def test_a_car_that_parks_and_leaves_is_one_object_and_the_next_one_another(classifier):
    """It stands for 30 s. The place that it leaves is no object."""
    first = path((4, -70), (7, 120), (37, 120), (40, 320))
    second = path((50, -70), (53, 120), (63, 120), (66, 320))
    told = happens(classifier, [(CAR, 70, 225.0, first), (CAR, 70, 20.0, second)], 70)
    assert len(told) == 2
    assert_times(told[0], 4, 40)
    assert_times(told[1], 50, 66)


def test_a_parked_car_that_was_there_at_the_start_leaves_no_ghost(classifier):
    """It is an object from when it starts to move."""
    way = path((-1, 120), (20, 120), (24, 320))
    (event,) = happens(classifier, [(CAR, 70, 225.0, way)], 34)
    assert_times(event, 20, 24)


def test_a_car_that_stays_is_left_with_its_track(classifier):
    """Since it came to rest, until it drives away again; what it is, is what its track is."""
    way = path((4, -70), (7, 120), (47, 120), (50, 320))
    told = happens(classifier, [(CAR, 70, 225.0, way)], 54, LEFT)
    (left,) = [event for event in told if event.kind == "left"]
    (seen,) = [event for event in told if event.kind == "object"]
    assert_times(left, 7, 47)
    assert (left.track_id, left.label) == (seen.track_id, seen.label)
    assert left.view is not None


def test_a_thing_that_is_gone_is_removed(classifier):
    """It belonged to the background, and has no track."""
    (removed,) = happens(classifier, [((30, 24), 90, 225.0, path((-1, 150), (12, 150)))], 40, LEFT)
    assert removed.kind == "removed"
    assert removed.track_id is None
    assert removed.start.time_s == pytest.approx(12, abs=1.0)


def test_two_things_left_at_once_are_two_events(classifier):
    """With ids of their own, and the same ids each time."""
    things = [((30, 24), 90, 225.0, path((10, at), (90, at))) for at in (80, 200)]
    told = happens(classifier, things, 40, LEFT)
    ids = {event.id for event in told if event.kind == "left"}
    assert len(ids) == 2
    assert ids == {event.id for event in happens(classifier, things, 40, LEFT) if event.kind == "left"}


def test_nothing_is_left_unless_it_is_asked_for(classifier):
    """By default a car that stays is an object and no more."""
    way = path((4, -70), (7, 120), (47, 120), (50, 320))
    assert {event.kind for event in happens(classifier, [(CAR, 70, 225.0, way)], 54)} == {"object"}
