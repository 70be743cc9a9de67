"""Tests of events from frames of drawn worlds in which everything is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.event import Event, Moment
from edgecls.events.detector import CameraEvents, Events
from edgecls.events.observation import Observation
from edgecls.events.rules import CountingLine, Rules, Zone
from edgecls.events.states import StateSettings
from edgecls.events.tracker import TrackSettings
from edgecls.frame import Box, Detection, Prediction, StateChange, Unfit
from edgecls.labels.json_lines import event_line
from edgecls.regions.geometry import Line, Polygon

FPS = 25
WIDE, HIGH = 400, 200
DOWN = CountingLine("stop line", Line((0.5, 0.0), (0.5, 1.0)), left="out", right="in")
"""From the top to the bottom: the left half of the picture is to its right, `in`."""
BAY = Zone("bay", Polygon.rectangle(0.6, 0.0, 0.3, 1.0), look="objects")


def says(label, score=0.9):
    """Return a prediction."""
    return Prediction(label, score, 0, ((label, score),))


def thing(x, y, label="car", score=0.9, width=40, height=20):
    """Return a moving box centered at (x, y)."""
    return Detection(
        Box(round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2)),
        says(label, score),
        "motion",
    )


def zone(label, score=0.9, region="frame"):
    """Return a detection in a zone."""
    return Detection(Box(0, 0, WIDE, HIGH), says(label, score), region)


def happens(frames, rules, *, fps=FPS, live_from=None):
    """Return all events of frames; each is a list of detections, or None for a missing frame."""
    camera, events = CameraEvents("gate", rules, model="street"), []
    for index, detections in enumerate(frames):
        if detections is not None:
            at_s = None if live_from is None else live_from + index / fps
            events += camera.step(Moment(index, round(index / fps, 3), at_s), (HIGH, WIDE), detections)
    return events + camera.close()


def of_kind(events, kind):
    """Return the ended events of one kind."""
    return [event for event in events if event.kind == kind and event.end is not None]


def drive(start, stop, y, frames, label="car"):
    """Return frames of an object that moves from x to x."""
    return [[thing(x, y, label)] for x in np.linspace(start, stop, frames)]


def together(*paths):
    """Combine the frames of several objects."""
    return [[d for path in paths if i < len(path) for d in path[i]] for i in range(max(map(len, paths)))]


def test_a_zone_gives_states():
    """Each begins with an event without an end, and has the same id when it ends."""
    frames = [[zone("shut")]] * 50 + [[zone("open")]] * 50
    begin, end, _, last = happens(frames, Rules())
    assert (begin.kind, begin.camera, begin.region, begin.label, begin.model) == ("state", "gate", "frame", "shut", "street")
    assert (begin.start.frame, begin.end) == (0, None)
    assert begin.id == end.id != last.id
    assert (end.end.frame, end.duration_s) == (49, pytest.approx(1.96))
    assert last.label == "open"


def test_each_zone_has_a_state_and_a_rule_of_its_own():
    """One that flickers does not affect the other."""
    calm = StateSettings(seconds=0.4)
    rules = Rules(zones=(Zone("a", BAY.area, state=calm), Zone("b", BAY.area, state=replace(calm, dwell_s=100.0))))
    frames = [[zone("on", region="a"), zone("on", region="b")]] * 100
    assert [(e.region, e.label) for e in of_kind(happens(frames, rules), "state")] == [("a", "on")]


def test_an_object_crosses_a_line_once_with_its_label_and_direction():
    """A car from left to right, and a truck from right to left."""
    frames = together(drive(20, 380, 50, 60), drive(380, 20, 150, 80, "truck"))
    crossings = of_kind(happens(frames, Rules(lines=(DOWN,))), "crossing")
    assert [(e.label, e.direction, e.region, e.duration_s) for e in crossings] == [
        ("car", "out", "stop line", 0.0),
        ("truck", "in", "stop line", 0.0),
    ]
    assert [abs(e.start.frame - middle) <= 2 for e, middle in zip(crossings, (30, 40), strict=True)] == [True, True]


def test_an_object_that_jitters_on_a_line_crosses_it_once():
    """It arrives, stands on the line for two seconds, and continues."""
    rng = np.random.default_rng(0)
    stand = [[thing(200 + rng.uniform(-3, 3), 50)] for _ in range(50)]
    frames = drive(20, 198, 50, 40) + stand + drive(202, 380, 50, 40)
    assert len(of_kind(happens(frames, Rules(lines=(DOWN,))), "crossing")) == 1


def test_an_object_that_turns_back_crosses_both_ways():
    """Two crossings of one object."""
    frames = drive(100, 300, 50, 40) + drive(300, 100, 50, 40)
    out, back = of_kind(happens(frames, Rules(lines=(DOWN,))), "crossing")
    assert (out.direction, back.direction) == ("out", "in")
    assert out.track_id == back.track_id
    assert out.id != back.id


def test_background_is_no_object():
    """The model labels a shadow that moves over the line as background."""
    assert happens(drive(20, 380, 50, 60, "background"), Rules(lines=(DOWN,))) == []


def test_one_frame_in_three_may_say_background():
    """The vote decides."""
    frames = drive(20, 380, 50, 60)
    frames[::3] = [[thing(d[0].box.left + 20, 50, "background")] for d in frames[::3]]
    events = happens(frames, Rules(lines=(DOWN,)))
    assert [e.label for e in of_kind(events, "crossing")] == ["car"]


def test_lines_may_count_some_labels_only():
    """As for a bus lane."""
    buses = replace(DOWN, labels=("bus",))
    frames = together(drive(20, 380, 50, 60, "bus"), drive(20, 380, 150, 60, "car"))
    assert [e.label for e in of_kind(happens(frames, Rules(lines=(buses,))), "crossing")] == ["bus"]


def test_an_object_lasts_from_its_first_frame_to_its_last():
    """Also if it crossed the line before it was confirmed. Beginning and end have the same id."""
    frames = [[]] * 10 + drive(20, 380, 50, 60) + [[]] * 40
    events = happens(frames, Rules(lines=(DOWN,)))
    begin, end = (e for e in events if e.kind == "object")
    assert begin.id == end.id
    assert begin.end is None
    assert (end.start.frame, end.end.frame, end.track_id, end.region) == (10, 69, 1, "motion")
    assert events.index(begin) < events.index(of_kind(events, "crossing")[0]) < events.index(end)


def test_an_object_has_its_best_view():
    """It enters on the left, grows, and leaves on the right. When it is reported, the view is its largest box so far that does
    not touch the border; at its end, the largest of all such. Frames with another label are no views of a car.
    """
    rights = [20, 30, 40, 50, *range(62, 500, 12)]
    boxes = [Box(max(0, right - 40 - i), 50, min(right, WIDE), 90) for i, right in enumerate(rights) if right < 430]
    largest = max(i for i, box in enumerate(boxes) if box.right < WIDE)
    frames = [[Detection(box, says("bus" if i == largest else "car"), "motion")] for i, box in enumerate(boxes)]
    begin, end = (e for e in happens(frames, Rules()) if e.kind == "object")
    assert begin.view == (7, 0.28, boxes[7], (HIGH, WIDE))
    best = max(range(4, largest), key=lambda i: boxes[i].right - boxes[i].left)
    assert end.view == (best, round(best / FPS, 3), boxes[best], (HIGH, WIDE))
    assert boxes[0].left == 0
    assert boxes[-1].right == WIDE
    assert (begin.start.frame, begin.id) == (0, end.id)


def test_a_crossing_and_a_presence_have_the_box_of_their_object():
    """In the frame in which they began, both when they begin and when they end."""
    events = happens(drive(20, 380, 50, 60), Rules(lines=(DOWN,), zones=(BAY,)))
    found = [e for e in events if e.kind in ("presence", "crossing")]
    assert {e.kind for e in found} == {"presence", "crossing"}
    frames = drive(20, 380, 50, 60)
    for event in found:
        assert event.view.frame == event.start.frame
        assert tuple(event.view.box) == tuple(frames[event.start.frame][0].box)


def test_presence_in_a_zone_has_a_dwell():
    """A truck that stops in the bay for three seconds is reported; a car that passes is not."""
    rules = Rules(zones=(replace(BAY, dwell_s=2.0),))
    stops = drive(20, 300, 50, 40, "truck") + [[thing(300, 50, "truck")]] * 75 + drive(300, 380, 50, 15, "truck")
    frames = together(stops, drive(20, 380, 150, 60))
    (presence,) = of_kind(happens(frames, rules), "presence")
    assert (presence.label, presence.region) == ("truck", "bay")
    assert presence.duration_s == pytest.approx(75 / FPS + 20 / FPS, abs=0.4)
    assert len(of_kind(happens(frames, Rules(zones=(BAY,))), "presence")) == 2


def test_a_presence_is_reported_as_soon_as_it_has_lasted():
    """Not only when it is over."""
    rules = Rules(zones=(replace(BAY, dwell_s=1.0),))
    camera, told = CameraEvents("gate", rules), None
    for index, (one,) in enumerate(drive(20, 300, 50, 40) + [[thing(300, 50)]] * 100):
        for event in camera.step(Moment(index, index / FPS), (HIGH, WIDE), [one]):
            told = index if event.kind == "presence" and told is None else told
    assert 50 <= told <= 70


def test_counts_by_interval():
    """Two seconds each: one crossing in the first, none in the second; and who is in the zone, and how many on average."""
    rules = Rules(zones=(BAY,), lines=(DOWN,), count_every_s=4.0)
    frames = drive(20, 300, 50, 40) + [[thing(300, 50)]] * 160
    counts = of_kind(happens(frames, rules), "count")
    lines = [(e.direction, dict(e.counts), e.start.frame, e.end.frame) for e in counts if e.region == "stop line"]
    assert lines == [("out", {"car": 1}, 0, 99), ("in", {}, 0, 99), ("out", {}, 100, 199), ("in", {}, 100, 199)]
    zones = [(dict(e.counts), e.occupancy) for e in counts if e.region == "bay"]
    assert zones == [({"car": 1}, pytest.approx(0.65, abs=0.05)), ({"car": 1}, 1.0)]
    assert len({e.id for e in counts}) == len(counts)


def test_an_interval_without_a_frame_has_no_counts():
    """Nothing is known about an outage."""
    rules = Rules(lines=(DOWN,), count_every_s=1.0)
    counts = of_kind(happens([[]] * 25 + [None] * 50 + [[]] * 25, rules), "count")
    assert sorted({e.start.frame for e in counts}) == [0, 75]


def test_the_anchor_may_be_the_bottom():
    """The middle of a tall object stays above the line, and its bottom edge crosses it."""
    across = CountingLine("kerb", Line((0.0, 0.5), (1.0, 0.5)))
    frames = [[thing(200, y, "person", width=20, height=80)] for y in np.linspace(40, 80, 60)]
    assert of_kind(happens(frames, Rules(lines=(across,))), "crossing") == []
    feet = Rules(lines=(across,), track=TrackSettings(anchor="bottom"))
    assert [e.label for e in of_kind(happens(frames, feet), "crossing")] == ["person"]


def test_the_same_frames_give_the_same_events_and_ids():
    """Ids of a live camera differ from run to run."""
    frames = together(drive(20, 380, 50, 60), [[zone("on")]] * 100)
    rules = Rules(zones=(BAY,), lines=(DOWN,))
    one, two = happens(frames, rules), happens(frames, rules)
    assert one == two
    assert [e.id for e in one] == [e.id for e in two]
    live = [happens(frames, rules, live_from=start) for start in (1.7e9, 1.8e9)]
    assert not {e.id for e in live[0]} & {e.id for e in live[1]}
    assert live[0][0].start.at_s == 1.7e9


def test_two_films_of_one_camera_have_events_of_their_own():
    """Events at the same frame of different files have different ids; of the same file, the same id."""
    evening, again, night = (
        Event("state", "gate", "frame", "open", 0.9, Moment(7, 0.28, file=film)) for film in ("1.mp4", "1.mp4", "2.mp4")
    )
    assert evening.id == again.id != night.id


def test_ids_are_unique_except_for_beginning_and_end():
    """Over many objects and states."""
    frames = together(
        *(drive(20, 380, 20 + 30 * lane, 40 + 10 * lane) for lane in range(5)), [[zone("on")], [zone("off")]] * 60
    )
    events = happens(frames, Rules(zones=(BAY,), lines=(DOWN,), state=StateSettings(seconds=0, frames=1)))
    ended = [e.id for e in events if e.end is not None]
    assert len(set(ended)) == len(ended)
    assert {e.id for e in events if e.end is None} <= set(ended)


def test_an_event_is_a_line_of_json():
    """With the fields of its kind."""
    (event,) = of_kind(happens(drive(20, 380, 50, 60), Rules(lines=(DOWN,))), "crossing")
    line = json.loads(event_line(event))
    assert line["event"] == event.id
    assert line["start"] == {"frame": event.start.frame, "time_s": event.start.time_s, "at_s": None}
    assert (line["kind"], line["label"], line["direction"], line["track_id"]) == ("crossing", "car", "out", 1)
    assert "counts" not in line
    assert json.loads(event_line(Event("state", "c", "frame", "x", 0.5, Moment(3, 0.1))))["duration_s"] is None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rules(zones=(BAY, BAY)), "zone[1].name: duplicate name 'bay'; give each zone and line its own name"),
        (
            lambda: Rules(zones=(BAY,), lines=(replace(DOWN, name="bay"),)),
            "line[0].name: duplicate name 'bay'; give each zone and line its own name",
        ),
        (lambda: replace(DOWN, left="in"), "line \"stop line\": left and right are both 'in'; expected two names"),
        (
            lambda: replace(BAY, name="motion"),
            "zone: name must be a text other than 'frame', 'motion', 'left object' and 'removed object', which edgecls uses "
            "itself, not 'motion'",
        ),
        (lambda: replace(BAY, dwell_s=-1.0), 'zone "bay": dwell_s must be 0 or more seconds, not -1.0'),
        (lambda: Rules(count_every_s=-1.0), "count_every_s must be 0 (no counts) or more seconds, not -1.0"),
    ],
)
def test_rules_that_contradict_themselves(make, said):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        make()
    assert str(error.value) == said


BLACK = Unfit("black", Moment(20, 0.8), Moment(49, 1.96))


def goes_dark(frames, first, last, *, classified=False, close=True):
    """Return all events of frames of which some are black; these have no detections unless they are classified anyway."""
    camera, events = CameraEvents("gate", Rules(zones=(BAY,), lines=(DOWN,), count_every_s=100.0)), []
    for index, detections in enumerate(frames):
        now = Moment(index, round(index / FPS, 3))
        unfit = Unfit("black", Moment(first, first / FPS), now, classified=classified) if first <= index < last else None
        seen = () if unfit and not classified else detections
        events += [(index, event) for event in camera.step(now, (HIGH, WIDE), seen, unfit=unfit)]
    return events + [(None, event) for event in camera.close() if close]


def test_a_fault_is_an_event_and_nothing_else_happens_in_it():
    """It begins and ends once. The state before it ends when the gap exceeds `hold_s`, with the last frame that showed it."""
    frames = [[zone("open")]] * 1000
    told = goes_dark(frames, 100, 800)
    faults = [(i, e.label, e.region, e.start.frame, e.end and e.end.frame) for i, e in told if e.kind == "health"]
    assert faults == [(100, "black", "frame", 100, None), (800, "black", "frame", 100, 799)]
    states = [(i, e.start.frame, e.end and e.end.frame) for i, e in told if e.kind == "state"]
    assert [s[1:] for s in states] == [(0, None), (0, 99), (800, None), (800, 999)]
    assert states[1][0] == pytest.approx(100 + 10 * FPS, abs=1)


def test_an_object_is_lost_in_black_frames_and_not_counted_twice():
    """A crossing during black frames does not count; an object that continues after a short fault is the same object."""
    car = drive(20, 380, 50, 100)
    told = goes_dark(car + [[]] * 100, 45, 90)
    assert [e for _, e in told if e.kind == "crossing" and e.end] == []
    assert len([e for _, e in told if e.kind == "object" and e.end]) == 2
    (first, *_) = [i for i, e in told if e.kind == "object" and e.end]
    assert 45 + FPS <= first <= 47 + FPS  # a second after it was last seen, in the dark
    told = goes_dark(car + [[]] * 100, 20, 30)
    assert [len([e for _, e in told if e.kind == kind and e.end]) for kind in ("object", "crossing")] == [1, 1]
    (out, _) = [e for _, e in told if e.kind == "count" and e.region == "stop line"]
    assert dict(out.counts) == {"car": 1}


def test_frames_that_are_classified_anyway_count():
    """The same states and objects as without the fault, and the fault itself."""
    frames = together(drive(20, 380, 50, 100), [[zone("on")]] * 150)
    plain, anyway = goes_dark(frames, 0, 0), goes_dark(frames, 30, 90, classified=True)
    assert [e for _, e in anyway if e.kind != "health"] == [e for _, e in plain]
    assert len([e for _, e in anyway if e.kind == "health"]) == 2


def test_a_fault_may_follow_another():
    """The first ends before the second begins; one that lasts at the close ends with the last frame that showed it."""
    camera, events = CameraEvents("gate", Rules()), []
    for index in range(40):
        since, fault = (Moment(10, 0.4), "black") if index < 20 else (Moment(20, 0.8), "moved")
        unfit = Unfit(fault, since, Moment(min(index, 30), 0.0)) if index >= 10 else None
        events += camera.step(Moment(index, index / FPS), (HIGH, WIDE), (), unfit=unfit)
    told = [(e.label, e.start.frame, e.end and e.end.frame) for e in events + camera.close()]
    assert told == [("black", 10, None), ("black", 10, 19), ("moved", 20, None), ("moved", 20, 30)]


def test_a_camera_is_lost_until_its_next_frame():
    """Reported once, however many attempts fail. One that never returns was lost until its last state change."""
    events = Events({"gate": Rules()})
    told = events.change(StateChange("gate", "connecting", "", 100.0))
    told += events.step(Observation("gate", Moment(7, 0.28, 100.28), (HIGH, WIDE), ()))
    for state, at_s in (("lost", 101.0004), ("lost", 103.0), ("stalled", 105.0), ("live", 106.0)):
        told += events.change(StateChange("gate", state, "why", at_s))
    (lost,) = told
    assert (lost.kind, lost.label, lost.start, lost.end) == ("health", "lost", Moment(7, 0.28, 101.0), None)
    (found,) = events.step(Observation("gate", Moment(8, 6.1, 106.2), (HIGH, WIDE), ()))
    assert (found.id, found.end) == (lost.id, Moment(8, 6.1, 106.2))
    (begin,) = events.change(StateChange("gate", "stalled", "", 110.0))
    assert events.change(StateChange("gate", "ended", "given up", 115.5)) == []
    (end,) = events.close()
    assert (end.id, end.duration_s) == (begin.id, pytest.approx(5.5))
    assert begin.id != lost.id


def test_a_camera_whose_health_is_off_has_no_such_events():
    """Even if its recording says that it was unfit or lost."""
    events = Events({"gate": Rules(health=False)})
    told = events.change(StateChange("gate", "lost", "", 1.0))
    told += events.step(Observation("gate", Moment(50, 2.0), (HIGH, WIDE), (), BLACK))
    assert told + events.close() == []


def test_rules_may_be_those_of_all_cameras():
    """Each camera is watched independently by the same rules; new rules for all end all ongoing events."""

    def lit(camera, frame):
        detections = (Detection(Box(0, 0, WIDE, HIGH), says("lit"), "frame"),)
        return Observation(camera, Moment(frame, frame / FPS), (HIGH, WIDE), detections)

    events = Events(Rules(state=StateSettings(seconds=0.0)))
    begun = [event for frame in range(10) for camera in "ab" for event in events.step(lit(camera, frame))]
    assert [(event.camera, event.start.frame) for event in begun] == [("a", 0), ("b", 0)]
    assert events.use({"a": Rules(state=StateSettings(seconds=0.0)), "b": Rules(state=StateSettings(seconds=0.0))}) == []
    assert [event.camera for event in events.use(Rules())] == ["a", "b"]


def test_other_rules_and_models_end_ongoing_events():
    """Of cameras with other rules or another source, or of all with another model; other cameras are unaffected."""
    rule, model = Rules(state=StateSettings(seconds=0.0)), "street"

    def lit(camera, frame):
        detections = (Detection(Box(0, 0, WIDE, HIGH), says("lit"), "frame"),)
        return Observation(camera, Moment(frame, frame / FPS), (HIGH, WIDE), detections)

    events = Events(dict.fromkeys("abc", rule), model=model)
    for frame in range(10):
        for camera in "abc":
            events.step(lit(camera, frame))
    assert events.use(dict.fromkeys("abc", rule), model=model) == []
    (b,) = events.use({"a": rule, "b": Rules(), "c": rule})
    assert (b.camera, b.label, b.end.frame, b.model) == ("b", "lit", 9, "street")
    (c,) = events.use({"a": rule}, anew=["c"])
    assert c.camera == "c"
    assert events.step(lit("a", 10)) == []  # it continues
    (a,) = events.use({"a": rule}, model="other")
    assert (a.camera, a.start.frame, a.end.frame, a.model) == ("a", 0, 10, "street")
    begun = [event for frame in range(11, 20) for event in events.step(lit("a", frame))]
    assert [(event.start.frame, event.model) for event in begun] == [(11, "other")]
