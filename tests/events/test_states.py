"""Tests of states from the labels of single frames."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecls.errors import ConfigError
from edgecls.event import Moment
from edgecls.events.states import StateMachine, StateSettings

FPS = 10
THREE_OF_FIVE = StateSettings(seconds=0, frames=5, share=0.6)
USUAL = StateSettings()


def watch(frames, rule=THREE_OF_FIVE, *, fps=FPS, first=0):
    """Return the changes for `frames`, each a label, (label, score), or None for a missing frame: (label, start, end) with
    frame indices; `end` is None for a beginning.
    """
    machine, told = StateMachine(rule), []
    for index, seen in enumerate(frames, first):
        if seen is None:
            continue
        label, score = (seen, 0.9) if isinstance(seen, str) else seen
        told += machine.step(Moment(index, index / fps), label, score)
    told += machine.close()
    return [(c.label, c.start.frame, None if c.end is None else c.end.frame) for c in told]


def states(frames, rule=THREE_OF_FIVE, **how):
    """Return only the ends: one for each state."""
    return [told for told in watch(frames, rule, **how) if told[2] is not None]


def letters(text):
    """Return a frame for each letter."""
    return list(text)


def test_a_state_begins_with_its_first_frame_and_ends_with_its_last():
    """Although it is reported later, when it is certain."""
    assert watch(letters("aaaaaaabbbbbbb")) == [("a", 0, None), ("a", 0, 6), ("b", 7, None), ("b", 7, 13)]


def test_an_end_comes_before_the_next_beginning():
    """A region has one state at a time."""
    told = watch(letters("aaaaabbbbbccccc"))
    open_now = 0
    for _, _, end in told:
        open_now += 1 if end is None else -1
        assert open_now in (0, 1)


def test_flicker_makes_no_states_and_ends_none():
    """One or two frames of five are not enough."""
    assert states(letters("aaaaaaxaaaayyaaaaaza")) == [("a", 0, 19)]
    assert watch(letters("axbycz")) == []


def test_three_of_the_last_five_are_needed():
    """Not consecutive ones. The state begins where most frames begin to show it."""
    rule = replace(THREE_OF_FIVE, labels=("a",))
    assert states(letters("xxxxxaxaxaaaaaaa"), rule) == [("a", 9, 15)]
    assert states(letters("xxxxxaaxaaxaaxaa"), rule) == [("a", 5, 15)]


def test_scores_between_the_thresholds_keep_a_state_and_begin_none():
    """Hysteresis: 0.5 is too little to enter at 0.6, and enough to stay above 0.4."""
    doubtful = [("a", 0.5)] * 20
    assert states(doubtful) == []
    assert states(letters("aaaaa") + doubtful) == [("a", 0, 24)]
    assert states(letters("aaaaa") + doubtful + [("a", 0.3)] * 10) == [("a", 0, 24)]


def test_low_scores_count_against_a_state():
    """Frames below the threshold are votes against it, not gaps."""
    assert states([("a", 0.9), ("a", 0.1)] * 20, StateSettings(frames=4, share=0.75)) == []


@pytest.mark.parametrize("fps", [5, 25, 60])
def test_seconds_hold_at_any_frame_rate(fps):
    """With `seconds`, a state needs this time, however many frames that is."""
    rule = StateSettings(seconds=1.0, share=0.8, labels=("a",))
    around = ["x"] * 2 * fps
    assert states([*around, *["a"] * (fps // 2), *around], rule, fps=fps) == []
    assert states([*around, *["a"] * 3 * fps, *around], rule, fps=fps) == [("a", 2 * fps, 5 * fps - 1)]
    assert watch(["a"] * fps, rule, fps=fps) == []


def test_a_slow_camera_needs_some_frames_too():
    """With a frame every two seconds, one frame is not enough: it takes two of three."""
    assert watch(letters("axxxaxxx"), replace(USUAL, labels=("a",)), fps=0.5) == []
    assert watch(letters("axa"), replace(USUAL, labels=("a",)), fps=0.5) == [("a", 2, None), ("a", 2, 2)]


def test_a_state_shorter_than_the_dwell_is_not_reported():
    """With a dwell of 2 s, 1.9 s are not reported and 2 s are, with the true beginning."""
    rule = replace(THREE_OF_FIVE, dwell_s=2.0, labels=("a",))
    assert watch(["x"] * 5 + ["a"] * 20 + ["x"] * 9, rule) == []
    assert watch(["x"] * 5 + ["a"] * 21 + ["x"] * 9, rule) == [("a", 5, None), ("a", 5, 25)]


def test_the_cooldown_keeps_the_same_label_quiet():
    """A state that ends within it is not reported; a longer one is reported afterwards, with its true beginning."""
    rule = replace(THREE_OF_FIVE, cooldown_s=3.0, labels=("a",))
    again = ["a"] * 10 + ["x"] * 10
    assert watch(again * 2, rule) == [("a", 0, None), ("a", 0, 9)]
    assert states(again + ["a"] * 40, rule) == [("a", 0, 9), ("a", 20, 59)]
    assert states(letters("aaaaaaaaaa") + letters("bbbbbbbbbb"), replace(THREE_OF_FIVE, cooldown_s=3.0)) == [
        ("a", 0, 9),
        ("b", 10, 19),
    ]


def test_a_gap_ends_a_state():
    """After ten seconds without a frame, the state is unknown; after one second, it is assumed to last."""
    frames = ["a"] * 20
    assert states([*frames, *[None] * 10, *frames]) == [("a", 0, 49)]
    assert states([*frames, *[None] * 110, *frames]) == [("a", 0, 19), ("a", 130, 149)]


@pytest.mark.parametrize("skipped", [50, 110])
def test_untrusted_frames_count_as_missing(skipped):
    """A state neither begins nor continues in them; but if the gap becomes too long, its end is reported at once."""
    frames = ["a"] * 20
    machine, told = StateMachine(THREE_OF_FIVE), []
    for index, label in enumerate([*frames, *[None] * skipped, *frames]):
        moment = Moment(index, index / FPS)
        changes = machine.skip(moment) if label is None else machine.step(moment, label, 0.9)
        told += [(index, c.label, c.start.frame, None if c.end is None else c.end.frame) for c in changes]
    told += [(None, c.label, c.start.frame, c.end.frame) for c in machine.close()]
    assert [t[1:] for t in told] == watch([*frames, *[None] * skipped, *frames])
    assert [t[0] for t in told] == ([2, None] if skipped == 50 else [2, 120, 132, None])
    assert StateMachine(THREE_OF_FIVE).skip(Moment(0, 0.0)) == []


def test_unknown_is_a_state_of_its_own_or_none():
    """Its score, which is that of another label, does not matter."""
    frames = [*["a"] * 10, *[("unknown", 0.1)] * 10]
    assert states(frames) == [("a", 0, 9), ("unknown", 10, 19)]
    assert states(frames, replace(THREE_OF_FIVE, unknown="ignore")) == [("a", 0, 9)]


def test_labels_that_do_not_count_are_no_states():
    """They still end other states."""
    assert states(letters("aaaaaaaabbbbbbbb"), replace(THREE_OF_FIVE, labels=("b",))) == [("b", 8, 15)]
    assert states(letters("aaaaaaaabbbbbbbb"), replace(THREE_OF_FIVE, labels=("a",))) == [("a", 0, 7)]


def test_the_score_is_the_mean_of_the_frames_that_showed_it():
    """Other frames in between do not count."""
    machine = StateMachine(THREE_OF_FIVE)
    seen = [("a", 0.8)] * 6 + [("x", 1.0)] + [("a", 1.0)] * 6
    for index, (label, score) in enumerate(seen):
        machine.step(Moment(index, index / FPS), label, score)
    (end,) = machine.close()
    assert end.score == pytest.approx(0.9)


def test_a_wall_clock_that_jumps_changes_nothing():
    """Durations are media time; the wall clock is only recorded."""
    machine = StateMachine(THREE_OF_FIVE)
    told = [c for i in range(20) for c in machine.step(Moment(i, i / FPS, 1e9 - 3600 * (i > 10)), "a", 0.9)]
    (begin,) = told
    (end,) = machine.close()
    assert (begin.start.at_s, end.end.at_s) == (1e9, 1e9 - 3600)
    assert end.end.time_s - end.start.time_s == pytest.approx(1.9)


LABELS = st.lists(st.tuples(st.sampled_from("abx"), st.floats(0, 1), st.integers(1, 30)), max_size=60)
RULES = st.builds(
    StateSettings,
    frames=st.integers(1, 9),
    seconds=st.sampled_from([0.0, 0.0, 0.5, 2.0]),
    share=st.floats(0.51, 1),
    dwell_s=st.sampled_from([0.0, 1.0]),
    cooldown_s=st.sampled_from([0.0, 2.0]),
    hold_s=st.sampled_from([1.0, 10.0]),
    unknown=st.sampled_from(["state", "ignore"]),
)


@settings(deadline=None)
@given(LABELS, RULES)
def test_states_of_any_frames_are_in_order(seen, rule):
    """Each beginning is followed by its end with the same start, before the next beginning. No state overlaps another, ends
    before it starts, is shorter than its dwell, or comes within its cooldown.
    """
    machine, told, at = StateMachine(rule), [], 0
    for label, score, gap in seen:
        at += gap
        told += machine.step(Moment(at, at / FPS), label, score)
    told += machine.close()
    begins, ends = told[::2], told[1::2]
    assert len(begins) == len(ends)
    for begin, end in zip(begins, ends, strict=True):
        assert begin.end is None
        assert (begin.label, begin.start) == (end.label, end.start)
        assert end.end.time_s - end.start.time_s >= rule.dwell_s - 1e-6
        assert 0 <= end.score <= 1
    for one, two in itertools.pairwise(ends):
        assert one.end.frame < two.start.frame
    assert machine.label is None


def test_noise_moves_no_state():
    """A gate opens and closes 50 times at 25 fps, and a tenth of the labels are wrong at random: each change is found within
    0.3 s, and none is invented.
    """
    rng = np.random.default_rng(0)
    truth, frames = [], []
    for i in range(100):
        label, length = ("open", "shut")[i % 2], int(rng.integers(40, 200))
        truth.append((label, len(frames), len(frames) + length - 1))
        frames += [label] * length
    noisy = [(rng.choice(["open", "shut", "unknown"]), 0.7) if rng.uniform() < 0.1 else (f, 0.9) for f in frames]
    found = states(noisy, USUAL, fps=25)
    assert [label for label, _, _ in found] == [label for label, _, _ in truth]
    assert (
        max(abs(a - b) / 25 for got, true in zip(found, truth, strict=True) for a, b in zip(got[1:], true[1:], strict=True))
        <= 0.3
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"enter": 0.3, "leave": 0.5}, "leave (0.5) must be at most enter (0.3), or a state would end where it begins"),
        ({"enter": 1.5}, "enter must be a score from 0 to 1, not 1.5"),
        ({"frames": 0}, "frames must be 1 or more, not 0"),
        ({"share": 0.5}, "share must be above 0.5, up to 1: with less, two states would hold at once, not 0.5"),
        ({"dwell_s": -1.0}, "dwell_s must be 0 or more seconds, not -1.0"),
        ({"cooldown_s": float("inf")}, "cooldown_s must be 0 or more seconds, not inf"),
        ({"hold_s": 0.0}, "hold_s must be above 0 seconds, not 0.0"),
    ],
)
def test_invalid_settings_are_rejected(wrong, said):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        StateSettings(**wrong)
    assert str(error.value) == said
