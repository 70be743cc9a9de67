"""What a region shows over time: labels of single frames in, states with a beginning and an end out.

A label of one frame is a guess, and guesses flicker. A state begins when enough of the last frames say so surely enough, and
ends when enough of them no longer do. Two thresholds keep a score that wavers about one of them from making many states of one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.confidence import UNKNOWN
from edgecls.errors import ConfigError
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment


ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class StateRule:
    """When a label becomes a state of a region, and when it stops to be one.

    What is looked at are the frames of the last `seconds`, and at least the last `frames` of them. A state begins when `share`
    (0..1) of these have its label with a score of `enter` or more, and ends when as many have another one or a score below
    `leave`. So 3 of 5 are `seconds` 0, `frames` 5 and `share` 0.6. It is told of when it has lasted `dwell_s`, and not before
    `cooldown_s` after the last of its label has ended. A gap of more than `hold_s` between two frames ends it.

    `labels` are those that count (none named: all). `unknown` is a state as any other, but for its score, which does not
    matter; or "ignore": then it speaks against whatever state there is.
    """

    enter: float = 0.6
    leave: float = 0.4
    seconds: float = 1.0
    frames: int = 3
    share: float = 0.6
    dwell_s: float = 0.0
    cooldown_s: float = 0.0
    hold_s: float = 10.0
    labels: tuple[str, ...] = ()
    unknown: Literal["state", "ignore"] = "state"

    def __post_init__(self) -> None:
        """Refuse what can never begin or never end."""
        for name in ("enter", "leave"):
            check(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "a score from 0 to 1")
        if self.leave > self.enter:
            raise ConfigError(
                f"leave ({self.leave:g}) must be at most enter ({self.enter:g}), or a state would end where it begins"
            )
        check("frames", self.frames, self.frames >= 1, "1 or more")
        check("share", self.share, 0.5 < self.share <= 1, "above 0.5, up to 1: with less, two states would hold at once")
        for name in ("seconds", "dwell_s", "cooldown_s"):
            check(name, getattr(self, name), 0 <= getattr(self, name) < inf, "0 or more seconds")
        check("hold_s", self.hold_s, self.hold_s > 0, "above 0 seconds")


class Change(NamedTuple):
    """That a state has begun (without an `end`) or ended. `score` is the mean over the frames that showed it so far."""

    label: str
    score: float
    start: Moment
    end: Moment | None


class _Seen(NamedTuple):
    moment: Moment
    label: str
    score: float


@dataclass(slots=True)
class _State:
    label: str
    start: Moment
    settled: Moment
    """The last frame that showed it and that the window no longer holds; its start, as long as there is none."""
    score_sum: float = 0.0
    frames: int = 0
    told: bool = False

    def change(self, end: Moment | None) -> Change:
        return Change(self.label, self.score_sum / max(1, self.frames), self.start, end)


class StateMachine:
    """The state of one region. Give it each frame's label in order, then `close` it."""

    def __init__(self, rule: StateRule) -> None:
        """Begin with no state."""
        self._rule = rule
        self._window: deque[_Seen] = deque()
        self._began_s = inf  # the time of the first frame that the window could have held
        self._last_s = inf  # the time of the last frame, looked at or not
        self._state: _State | None = None
        self._ended_s: dict[str, float] = {}

    @property
    def label(self) -> str | None:
        """The label of the state that it is in and has told of; None outside of any."""
        return self._state.label if self._state and self._state.told else None

    def step(self, moment: Moment, label: str, score: float) -> list[Change]:
        """Take the label of one frame. Returns what this changes: an end comes before the beginning of the next."""
        changes = self.wait(moment)
        self._remember(_Seen(moment, label, score))
        if self._state and self._enough(against := [not self._shows(seen) for seen in self._window]):
            changes += self._end(_turn(against))
        if self._state is None:
            self._enter()
        return changes + self._tell(moment)

    def wait(self, moment: Moment) -> list[Change]:
        """Take a frame in which nobody looked, because nothing moved there: what there was is still there."""
        gap_s, self._last_s = moment.time_s - self._last_s, moment.time_s
        return self.close() if gap_s > self._rule.hold_s else []

    def skip(self, moment: Moment) -> list[Change]:
        """Pass over a frame of which nothing can be said, as if it had not come; only that a gap has become too long is told at
        once, not when it is over.
        """
        return self.close() if moment.time_s - self._last_s > self._rule.hold_s else []

    def close(self) -> list[Change]:
        """No more frames follow these, so the state has ended with the last that showed it."""
        changes = self._end(len(self._window))
        self._window.clear()
        self._began_s = inf
        return changes

    def _remember(self, seen: _Seen) -> None:
        self._window.append(seen)
        self._began_s = min(self._began_s, seen.moment.time_s)
        while self._is_old(self._window[0], seen):
            old = self._window.popleft()
            if self._state and self._shows(old):
                self._state.settled = old.moment
        if self._state and self._shows(seen):
            self._state.score_sum += seen.score
            self._state.frames += 1

    def _is_old(self, seen: _Seen, newest: _Seen) -> bool:
        rule = self._rule
        return len(self._window) > rule.frames and newest.moment.time_s - seen.moment.time_s > rule.seconds

    def _enough(self, frames: Sequence[bool]) -> bool:
        """Whether so many of the frames in the window are True as a state needs, to begin or to end."""
        rule = self._rule
        watched_s = self._window[-1].moment.time_s - self._began_s
        needed = rule.share * max(rule.frames, len(self._window))
        return watched_s >= rule.seconds - ROUNDING and sum(frames) >= needed - ROUNDING

    def _shows(self, seen: _Seen) -> bool:
        """Whether this frame still shows the state."""
        return self._state is not None and self._says(seen, self._state.label, self._rule.leave)

    def _says(self, seen: _Seen, label: str, least: float) -> bool:
        return seen.label == label and (seen.score >= least or label == UNKNOWN)

    def _counts(self, label: str) -> bool:
        rule = self._rule
        return rule.unknown == "state" if label == UNKNOWN else not rule.labels or label in rule.labels

    def _enter(self) -> None:
        for label in dict.fromkeys(seen.label for seen in reversed(self._window) if self._counts(seen.label)):
            frames = [self._says(seen, label, self._rule.enter) for seen in self._window]
            if self._enough(frames):
                began = _turn(frames)
                self._state = _State(label, self._window[began].moment, self._window[began].moment)
                of_state = [seen.score for seen in list(self._window)[began:] if self._shows(seen)]
                self._state.score_sum, self._state.frames = sum(of_state), len(of_state)
                return

    def _tell(self, moment: Moment) -> list[Change]:
        state, rule = self._state, self._rule
        if state is None or state.told:
            return []
        lasted_s = self._last_shown(state, len(self._window)).time_s - state.start.time_s
        calm_s = moment.time_s - self._ended_s.get(state.label, -inf)
        state.told = lasted_s >= rule.dwell_s - ROUNDING and calm_s >= rule.cooldown_s - ROUNDING
        return [state.change(None)] if state.told else []

    def _end(self, before: int) -> list[Change]:
        """End the state with the last frame that showed it `before` this place in the window."""
        state = self._state
        if state is None:
            return []
        end = self._last_shown(state, before)
        self._state = None
        if not state.told:
            return []
        self._ended_s[state.label] = end.time_s
        return [state.change(end)]

    def _last_shown(self, state: _State, before: int) -> Moment:
        """The last frame that showed the state, of those `before` this place in the window and all earlier ones."""
        return next((seen.moment for seen in reversed(list(self._window)[:before]) if self._shows(seen)), state.settled)


def _turn(frames: Sequence[bool]) -> int:
    """Where the frames turned from mostly False to mostly True: the place from which on most of them are True, by the largest
    surplus (the cumulative sum of Page 1954). One at least is True.
    """
    surplus, largest, place = 0, 0, len(frames) - 1
    for i in range(len(frames) - 1, -1, -1):
        surplus += 1 if frames[i] else -1
        if surplus > largest:
            largest, place = surplus, i
    return place
