"""Tests of tracking moving objects."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.event import Moment
from edgecls.events.tracker import Tracker, TrackSettings
from edgecls.frame import Box, Detection, Prediction

FPS, WIDE = 10, 800
USUAL = TrackSettings()


def seen(x, y, width=40, height=20, label="car", score=0.9):
    """Return a box centered at (x, y)."""
    box = Box(round(x - width / 2), round(y - height / 2), round(x + width / 2), round(y + height / 2))
    return Detection(box, Prediction(label, score, 0, ((label, score),)), "motion")


def follow(frames, rule=USUAL, *, fps=FPS):
    """Return the ids of the boxes of each frame, and all confirmed tracks."""
    tracker, ids, tracks = Tracker(rule), [], []
    for index, boxes in enumerate(frames):
        found, over = tracker.step(Moment(index, index / fps), boxes, wide=WIDE)
        ids.append(found)
        tracks += over
    return ids, sorted(tracks + tracker.close(), key=lambda track: track.id)


def test_a_track_counts_after_some_frames_and_keeps_its_id():
    """After four frames by default; boxes before that have no id."""
    ids, (track,) = follow([[seen(20 + 10 * i, 50)] for i in range(10)])
    assert ids == [[None]] * 3 + [[1]] * 7
    assert (track.first.frame, track.last.frame) == (0, 9)
    assert [step.moment.frame for step in track.take_path()] == list(range(10))
    assert track.take_path() == []


def test_three_frames_are_no_track():
    """They may be a leaf, a lamp or noise."""
    ids, tracks = follow([[seen(50, 50)] if i < 3 else [] for i in range(20)])
    assert tracks == []
    assert all(found in ([None], []) for found in ids)


def test_two_that_pass_each_other_keep_their_ids():
    """In neighbouring lanes, in opposite directions."""
    frames = [[seen(10 + 8 * i, 40), seen(250 - 8 * i, 70)] for i in range(30)]
    ids, tracks = follow(frames)
    assert set(map(tuple, ids[3:])) == {(1, 2)}
    assert len(tracks) == 2


def test_a_fast_object_is_found_where_it_is_predicted():
    """Once its speed is known, it may move by more than its own length per frame."""
    speed = np.minimum(np.arange(30) * 4, 60)
    ids, tracks = follow([[seen(20 + x, 50)] for x in np.cumsum(speed)])
    assert len(tracks) == 1
    assert ids[-1] == [1]


def visible(x, width, pillar):
    """Return the boxes of what is to be seen of an object centered at x, in front of which stands a pillar (left, right)."""
    left, right = x - width / 2, x + width / 2
    parts = [(left, min(right, pillar[0])), (max(left, pillar[1]), right)] if right > pillar[0] and left < pillar[1] else []
    return [seen((a + b) / 2, 50, width=b - a) for a, b in parts or [(left, right)] if b - a >= 3]


@pytest.mark.parametrize("pillar_px", [10, 25, 40, 60])
@pytest.mark.parametrize("speed", [4, 8, 12, -8])
def test_one_that_passes_behind_a_pillar_is_the_same(pillar_px, speed):
    """Its front is hidden first, then its back: it stays one track, is never thought to be slower, and keeps its width."""
    start = 40 if speed > 0 else 400
    xs = [start + speed * i for i in range(90)]
    frames = [visible(x, 50, (220 - pillar_px / 2, 220 + pillar_px / 2)) for x in xs]
    _, tracks = follow(frames, fps=25)
    (track,) = (track for track in tracks if track.is_settled(USUAL.settle, USUAL.travel))
    steps = [step for step in track.take_path() if step.moment.frame > 12]
    assert max(abs(step.place.x - xs[step.moment.frame]) for step in steps) < 12
    assert all(abs(step.place.width - 50) < 12 for step in steps)


@pytest.mark.parametrize("hidden_s", [1.2, 2.0])
@pytest.mark.parametrize("speed", [4, -4])
def test_one_that_is_hidden_behind_a_wall_for_seconds_is_the_same(hidden_s, speed):
    """What comes out where it is predicted takes up the track. Behind a wider wall, it is another one."""

    def ids_behind(wide_px):
        xs = [(60 if speed > 0 else 740) + speed * i for i in range(170)]
        _, tracks = follow([visible(x, 50, (400 - wide_px / 2, 400 + wide_px / 2)) for x in xs], fps=25)
        return [track.id for track in tracks if track.is_settled(USUAL.settle, USUAL.travel)]

    assert len(ids_behind(50 + 100 * hidden_s)) == 1
    assert len(ids_behind(50 + 100 * 4.0)) == 2


def test_one_that_comes_back_out_is_another_one():
    """Somebody disappears to the right behind a wall, and somebody else comes out to the left."""
    frames = [visible(60 + 4 * i, 50, (300, 420)) for i in range(80)]
    frames += [visible(395 - 4 * i, 50, (300, 420)) for i in range(80)]
    _, tracks = follow(frames, fps=25)
    assert len([track for track in tracks if track.is_settled(USUAL.settle, USUAL.travel)]) == 2


def test_two_that_came_as_one_box_and_part_diagonally_are_two():
    """At once: the track goes on as the one ahead, and the other one begins."""
    frames = [[seen(60 + 6 * i, 60, 150, 120)] for i in range(20)]
    frames += [[seen(100 + 6 * i, 30, 70, 56), seen(20 + 6 * i, 90, 70, 56)] for i in range(20, 40)]
    ids, _ = follow(frames, fps=25)
    assert ids[-1] == [1, 2]


def test_one_that_has_become_narrower_is_believed_after_a_second():
    """A car that turns away is not thought to be hidden forever."""
    frames = [[seen(20 + 8 * i, 50, width=60 if i < 30 else 30)] for i in range(90)]
    _, (track,) = follow(frames, fps=25)
    assert track.take_path()[-1].place.width == pytest.approx(30, abs=2)


def test_one_that_is_not_seen_for_a_while_is_the_same_where_its_speed_has_brought_it():
    """Up to four seconds; somewhere else, after a second already, it is a new track."""
    for unseen, aside, tracks in ((6, 0, 1), (15, 0, 1), (45, 0, 2), (15, 180, 2), (15, -80, 2)):
        frames = [[seen(20 + 6 * i + (aside if i >= 20 else 0), 50)] for i in range(90)]
        frames[20 : 20 + unseen] = [[]] * unseen
        assert len(follow(frames)[1]) == tracks, (unseen, aside)


def test_the_parts_of_an_object_are_one_track():
    """A car whose front and back are separate boxes for some frames stays one track with one box."""
    frames = [[seen(20 + 6 * i, 50, 60, 30)] for i in range(30)]
    for i in range(10, 20):
        frames[i] = [seen(20 + 6 * i + side * 22, 50, 14, 28) for side in (-1, 1)]
    ids, (track,) = follow(frames)
    assert ids[15] == [1, 1]
    assert track.last.frame == 29


def test_two_that_share_a_box_stay_two():
    """Meanwhile, each moves as predicted, and the box's label is no vote."""
    frames = [[seen(20 + 6 * i, 45, 30, 30), seen(320 - 6 * i, 65, 30, 30)] for i in range(50)]
    for i in range(22, 29):
        left, right = sorted((20 + 6 * i, 320 - 6 * i))
        frames[i] = [seen((left + right) / 2, 55, right - left + 30, 50, label="truck")]
    ids, tracks = follow(frames)
    assert len(tracks) == 2
    assert ids[-1] == [1, 2]
    assert [track.label() for track in tracks] == ["car", "car"]


def around(*boxes):
    """Return one box around several."""
    left, top, right, bottom = zip(*(one.box for one in boxes), strict=True)
    return Detection(Box(min(left), min(top), max(right), max(bottom)), boxes[0].prediction, "motion")


def test_two_in_one_box_are_corrected_by_its_sides():
    """One stops and one continues while they share a box: its sides correct their old speeds."""
    first = [20 + 6 * min(i, 26) for i in range(60)]
    second = [260 - 3 * i for i in range(60)]
    frames = [[seen(x, 50, 20, 40, "first"), seen(z, 60, 20, 40, "second")] for x, z in zip(first, second, strict=True)]
    frames = [[around(*boxes)] if i > 22 and abs(first[i] - second[i]) < 24 else boxes for i, boxes in enumerate(frames)]
    assert sum(len(boxes) == 1 for boxes in frames) > 10
    ids, tracks = follow(frames)
    assert ids[-1] == [1, 2]
    assert [track.label() for track in tracks] == ["first", "second"]


def test_a_box_that_is_suddenly_twice_as_large_shows_somebody_else_too():
    """Somebody who stood, and was learned as background, starts to move as another one passes: the latter keeps its size and
    path.
    """
    frames = [[seen(20 + 6 * i, 50, 20, 40)] for i in range(40)]
    for i in range(20, 27):
        frames[i] = [around(*frames[i], seen(20 + 6 * 23, 70, 40, 60))]
    ids, (track,) = follow(frames)
    assert ids[-1] == [1]
    path = {moment.frame: place for moment, place, *_ in track.path}
    assert max(abs(path[i].x - (20 + 6 * i)) for i in range(20, 40)) < 20
    assert max(path[i].height for i in range(20, 40)) < 55


def test_a_box_that_stays_larger_is_believed_after_a_second():
    """Then the object itself has grown."""
    _, (track,) = follow([[seen(20 + 3 * i, 50, 20, 20) if i < 20 else seen(20 + 3 * i, 50, 30, 40)] for i in range(50)])
    assert track.place.area > 0.9 * 30 * 40


def test_parts_that_stay_apart_are_several():
    """Two people who came as one box and stand apart for more than a second are two."""
    frames = [[seen(20 + 6 * min(i, 10), 50, 44, 40)] for i in range(20)]
    frames += [[seen(67, 50, 18, 40), seen(93, 50, 18, 40)] for _ in range(30)]
    ids, tracks = follow(frames)
    assert ids[22] == [1, 1]
    assert ids[-1] == [1, 2]
    assert len(tracks) == 2


def test_an_object_hidden_for_long_is_gone():
    """Two people go the same way: from the 25th frame on there is one box, and only one track."""
    frames = [[seen(20 + 6 * i, 50, 24, 44), *([seen(24 + 6 * i, 48, 20, 40)] if i < 25 else [])] for i in range(50)]
    _, tracks = follow(frames)
    assert sorted(track.last.frame for track in tracks) == [24, 49]


def test_legs_that_come_and_go_do_not_change_the_size_at_once():
    """Nor the center by much, which is tested against lines."""
    frames = [[seen(20 + 6 * i, 50, 20, 40) if i % 8 < 6 else seen(20 + 6 * i, 43, 20, 26)] for i in range(60)]
    _, (track,) = follow(frames)
    heights = [place.height for moment, place, *_ in track.path if moment.frame > 8]
    assert min(heights) > 32


def test_the_label_is_a_vote_weighed_by_score():
    """Many uncertain frames do not outvote a few certain ones, and a few wrong ones change nothing."""
    said = [("bus", 0.2)] * 8 + [("truck", 0.95)] * 3
    _, (track,) = follow([[seen(20 + 5 * i, 50, label=label, score=score)] for i, (label, score) in enumerate(said)])
    assert track.label() == "truck"
    assert track.score("truck") == pytest.approx(0.95)
    assert track.label(leaving_out=("truck",)) == "bus"


def test_a_known_label_needs_a_fair_share_of_the_frames():
    """A quarter of the frames suffices, whatever the others say; with less, the object is unknown. What is left out does not
    count.
    """
    for rest in (["unknown"] * 9, ["bus"] * 2 + ["unknown"] * 7):
        for trucks, label in ((3, "truck"), (2, "unknown")):
            said = [*rest, *["truck"] * trucks]
            _, (track,) = follow([[seen(20 + 5 * i, 50, label=one)] for i, one in enumerate(said)])
            assert track.label() == label
    assert track.label(leaving_out=("unknown",)) in ("bus", "truck")
    _, (track,) = follow([[seen(20 + 5 * i, 50, label="unknown")] for i in range(8)])
    assert track.label() == "unknown"


def test_the_same_boxes_give_the_same_tracks():
    """In any order of the boxes of a frame."""
    rng = np.random.default_rng(0)
    frames = [[seen(20 + 6 * i, 40 + 60 * lane + rng.uniform(-2, 2)) for lane in range(4)] for i in range(40)]
    _, one = follow(frames)
    _, two = follow([list(reversed(boxes)) for boxes in frames])
    assert [(t.first, t.last, t.votes) for t in one] == [(t.first, t.last, t.votes) for t in two]


def test_uneven_times_are_no_jumps():
    """If a camera drops frames, speed is per second, not per frame."""
    rng = np.random.default_rng(0)
    tracker, over = Tracker(TrackSettings()), []
    kept = [i for i in range(100) if rng.uniform() < 0.5]
    for index in kept:
        over += tracker.step(Moment(index, index / 25), [seen(10 + 5 * index, 50)], wide=WIDE)[1]
    assert len(over + tracker.close()) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"overlap": 0.0}, "overlap must be between 0 and 1, not 0.0"),
        ({"frames": 0}, "frames must be 1 or more, not 0"),
        ({"settle": 2}, "settle must be 4 (frames) or more, not 2"),
        ({"lost_s": 0.0}, "lost_s must be above 0 seconds, not 0.0"),
    ],
)
def test_invalid_settings_are_rejected(wrong, said):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        TrackSettings(**wrong)
    assert str(error.value) == said
