"""States of regions with several labels: each label begins and ends by itself."""

from __future__ import annotations

from edgecls.event import Moment
from edgecls.events.detector import CameraEvents
from edgecls.events.rules import Rules, Zone
from edgecls.events.states import StateSettings
from edgecls.frame import Box, Detection, Prediction
from edgecls.regions.geometry import Polygon

QUICK = StateSettings(seconds=0, frames=2, share=1.0)
SIZE = (10, 10)


def seen(region="frame", **scores):
    """A region with these scores of its labels, of which 0.5 is the threshold."""
    top = tuple(sorted(scores.items(), key=lambda one: -one[1]))
    labels = tuple(one for one in top if one[1] >= 0.5)
    label, score = labels[0] if labels else ("none", 1 - max(scores.values(), default=0))
    return Detection(Box(0, 0, 10, 10), Prediction(label, score, -1, top, labels), region)


def events_of(frames, rules=None):
    """(kind, region, label, phase, frame where it begins, frame where it ends) of all events of a camera."""
    camera = CameraEvents("gate", rules or Rules(state=QUICK), model="m")
    found = [event for i, frame in enumerate(frames) for event in camera.step(Moment(i, i / 10), SIZE, frame)]
    return [*found, *camera.close()]


def told(events):
    """What a reader wants to know of events."""
    return [(e.region, e.label, e.phase, e.start.frame, e.end and e.end.frame) for e in events]


def test_labels_overlap_and_end_by_themselves():
    """A car stays for the whole time, a person for a part of it."""
    alone, both = [seen(car=0.9, person=0.1)], [seen(car=0.9, person=0.8)]
    found = events_of([alone] * 3 + [both] * 4 + [alone] * 3)
    assert told(found) == [
        ("frame", "car", "begin", 0, None),
        ("frame", "person", "begin", 3, None),
        ("frame", "person", "end", 3, 6),
        ("frame", "car", "end", 0, 9),
    ]
    assert {event.kind for event in found} == {"label"}


def test_labels_that_begin_with_the_same_frame_have_ids_of_their_own():
    """And the end of an event has the id of its beginning."""
    found = events_of([[seen(car=0.9, person=0.9)]] * 3)
    assert len({event.id for event in found if event.phase == "begin"}) == 2
    assert {event.id for event in found if event.phase == "begin"} == {event.id for event in found if event.phase == "end"}


def test_a_score_between_the_two_thresholds_changes_nothing():
    """A label begins at `enter` (0.6) and ends below `leave` (0.4): neither is reached in between."""
    between, clear = [seen(car=0.52)], [seen(car=0.9)]
    assert events_of([between] * 5) == []
    assert told(events_of([clear] * 2 + [between] * 5)) == [("frame", "car", "begin", 0, None), ("frame", "car", "end", 0, 6)]


def test_a_label_that_is_not_listed_has_a_score_of_0():
    """So it ends, though later frames do not mention it."""
    found = events_of([[seen(car=0.9)]] * 3 + [[seen(person=0.2)]] * 3)
    assert told(found) == [("frame", "car", "begin", 0, None), ("frame", "car", "end", 0, 2)]


def test_a_zone_has_its_own_states_and_labels():
    """Only the labels that a zone names become states there."""
    zone = Zone("bay", Polygon.rectangle(0, 0, 1, 1), state=StateSettings(seconds=0, frames=2, share=1.0, labels=("car",)))
    frames = [[seen("bay", car=0.9, person=0.9)]] * 3
    assert told(events_of(frames, Rules(zones=(zone,)))) == [("bay", "car", "begin", 0, None), ("bay", "car", "end", 0, 2)]
