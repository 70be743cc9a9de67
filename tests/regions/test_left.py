"""Tests of what was left behind and what was removed, in drawn scenes."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.frame import LEFT, REMOVED, Box
from edgecls.regions.geometry import Polygon
from edgecls.regions.left import LeftObjects, LeftSettings
from edgecls.regions.motion import Motion, MotionSettings
from tests.regions.test_motion import FPS, ROAD, frame, overlap, with_car

BAG = Box(150, 90, 176, 110)
AFTER_S = 8.0
RULE = LeftSettings(after_s=AFTER_S)


def with_bag(picture, level=225.0):
    """Return a scene with a bag."""
    picture = picture.copy()
    picture[BAG.top : BAG.bottom, BAG.left : BAG.right] = level
    return picture


def watch(scenes, rule=RULE, **areas):
    """Show scenes for some seconds each: (picture, seconds). Returns when each region was there: kind, box, first_s, last_s."""
    motion = Motion(MotionSettings(history_s=20.0))
    left = LeftObjects(lambda: motion.background, rule, **areas)
    shown, index = {}, 0
    for picture, seconds in scenes:
        for _ in range(int(seconds * FPS)):
            now = frame(index, picture)
            motion(now)
            for region in left(now):
                first_s, _ = shown.get(region, (now.time_s, 0.0))
                shown[region] = first_s, now.time_s
            index += 1
    return [(region.name, region.box, *times) for region, times in shown.items()]


def test_a_bag_that_is_put_down_is_left_until_it_is_taken_away():
    """Long after it has become background for motion."""
    ((kind, box, first_s, last_s),) = watch([(ROAD, 5), (with_bag(ROAD), 40), (ROAD, 10)])
    assert kind == LEFT
    assert overlap(box, BAG) > 0.7
    assert first_s == pytest.approx(5 + AFTER_S, abs=1.0)
    assert last_s == pytest.approx(45, abs=0.5)


def test_a_bag_that_was_there_and_is_gone_is_removed_until_it_is_back():
    """The edges across its outline are in the background."""
    ((kind, box, first_s, last_s),) = watch([(with_bag(ROAD), 10), (ROAD, 30), (with_bag(ROAD), 10)])
    assert kind == REMOVED
    assert overlap(box, BAG) > 0.7
    assert first_s == pytest.approx(10 + AFTER_S, abs=1.0)
    assert last_s == pytest.approx(40, abs=0.5)


def test_who_passes_neither_interrupts_nor_ends_it():
    """A car hides the bag for two seconds, before it is reported and after."""
    bag = with_bag(ROAD)
    hidden = with_car(130, top=80, level=60.0)
    ((kind, _, first_s, last_s),) = watch([(ROAD, 5), (bag, 4), (hidden, 2), (bag, 10), (hidden, 2), (bag, 5)])
    assert kind == LEFT
    assert first_s < 5 + AFTER_S + 3.5
    assert last_s > 27.5


def test_light_and_passers_by_leave_nothing():
    """A shadow that stays, lamps that are switched on, and cars that stop for less than `after_s`."""
    shadow = ROAD.copy()
    shadow[50:120, 80:200] *= 0.6
    lit = np.clip(ROAD * np.linspace(0.5, 1.6, ROAD.shape[1])[None], 0, 255)
    assert watch([(ROAD, 5), (shadow, 20), (ROAD, 15)]) == []
    assert watch([(ROAD, 5), (lit, 20), (ROAD, 15)]) == []
    assert watch([(ROAD, 5), (with_car(100), 6), (ROAD, 15)]) == []


def test_sizes_areas_and_kinds_are_limited():
    """Too small, elsewhere, in an ignored area, or of the other kind."""
    corner, middle = Polygon.rectangle(0.0, 0.0, 0.2, 0.2), Polygon.rectangle(0.4, 0.4, 0.3, 0.4)
    scenes = [(ROAD, 5), (with_bag(ROAD), 12)]
    for rule, areas in (
        (LeftSettings(after_s=AFTER_S, smallest=0.05), {}),
        (LeftSettings(after_s=AFTER_S, area=(corner,)), {}),
        (RULE, {"outside": [middle]}),
        (LeftSettings(after_s=AFTER_S, kinds=("removed",)), {}),
    ):
        assert watch(scenes, rule, **areas) == []
    assert len(watch(scenes, LeftSettings(after_s=AFTER_S, area=(middle,)))) == 1


def test_invalid_settings_are_rejected():
    """In one line."""
    with pytest.raises(ConfigError, match=r"after_s must be from 1 to 3600 seconds, not 0\.5"):
        LeftSettings(after_s=0.5)
