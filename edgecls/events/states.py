"""Turn the labels of single frames into states with a beginning and an end.

The label of one frame is a guess, and guesses flicker. A state begins when enough recent frames agree with a high enough score,
and ends when enough of them no longer do. Two thresholds (hysteresis) keep a score that hovers around one of them from
splitting one state into many.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.errors import ConfigError
from edgecls.model.confidence import UNKNOWN
from edgecls.settings import check_limits, limited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.event import Moment


ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class StateSettings:
    """When a label becomes a state of a region, and when that state ends.

    The window covers the last `seconds`, and at least the last `frames` frames. For "3 of 5 frames", set `seconds` to 0,
    `frames` to 5 and `share` to 0.6.

    Attributes:
        enter: A state begins when `share` of the window has its label with at least this score (0..1).
        leave: It ends when `share` of the window has another label or a score below this. At most `enter`.
        seconds: The length of the window, in seconds of media time.
        frames: The fewest frames in the window.
        share: The share of the window that must agree, above 0.5 and up to 1.
        dwell_s: A state is reported after it has lasted this many seconds.
        cooldown_s: A state is not reported within this many seconds after the last state with the same label.
        hold_s: A gap of more than this many seconds between two frames ends the state.
        labels: Only these labels become states. Empty: all.
        unknown: "state" makes "unknown" a state like any other, whatever its score; with "ignore" it is no state, but still
            counts against the current one.
    """

    enter: float = limited(0.6, at_least=0, at_most=1, expected="a score from 0 to 1")
    leave: float = limited(0.4, at_least=0, at_most=1, expected="a score from 0 to 1")
    seconds: float = limited(1.0, at_least=0, unit="seconds")
    frames: int = limited(3, at_least=1)
    share: float = limited(0.6, above=0.5, at_most=1, expected="above 0.5, up to 1: with less, two states would hold at once")
    dwell_s: float = limited(0.0, at_least=0, unit="seconds")
    cooldown_s: float = limited(0.0, at_least=0, unit="seconds")
    hold_s: float = limited(10.0, above=0, below=None, unit="seconds")
    labels: tuple[str, ...] = ()
    unknown: Literal["state", "ignore"] = "state"

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)
        if self.leave > self.enter:
            raise ConfigError(
                f"leave ({self.leave:g}) must be at most enter ({self.enter:g}), or a state would end where it begins"
            )


class Change(NamedTuple):
    """The beginning (`end` is None) or the end of a state. `score` (0..1) is the mean over the frames that showed it so far."""

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
    """The last frame that showed it and has left the window; until there is one, its start."""
    score_sum: float = 0.0
    frames: int = 0
    is_reported: bool = False

    def change(self, end: Moment | None) -> Change:
        return Change(self.label, self.score_sum / max(1, self.frames), self.start, end)


class StateMachine:
    """The state of one region. Pass it each frame's label in order, then `close` it."""

    def __init__(self, rule: StateSettings) -> None:
        """Start without a state."""
        self._rule = rule
        self._window: deque[_Seen] = deque()
        self._began_s = inf  # the time of the first frame that the window could have held
        self._last_s = inf  # the time of the last frame, classified or not
        self._state: _State | None = None
        self._ended_s: dict[str, float] = {}

    @property
    def label(self) -> str | None:
        """The label of the current state, once it has been reported; otherwise None."""
        return self._state.label if self._state and self._state.is_reported else None

    def step(self, moment: Moment, label: str, score: float) -> list[Change]:
        """Process the label and score (0..1) of one frame. Returns the changes; an end comes before the next beginning."""
        changes = self.wait(moment)
        self._remember(_Seen(moment, label, score))
        if self._state and self._enough(against := [not self._shows(seen) for seen in self._window]):
            changes += self._end(_turn(against))
        if self._state is None:
            self._enter()
        return changes + self._report(moment)

    def wait(self, moment: Moment) -> list[Change]:
        """Process a frame in which the region was not classified because nothing moved there. The state stays."""
        gap_s, self._last_s = moment.time_s - self._last_s, moment.time_s
        return self.close() if gap_s > self._rule.hold_s else []

    def skip(self, moment: Moment) -> list[Change]:
        """Ignore a frame that cannot be trusted. Only a gap that has become too long is reported right away, not at its end."""
        return self.close() if moment.time_s - self._last_s > self._rule.hold_s else []

    def close(self) -> list[Change]:
        """Finish. The state ends with the last frame that showed it."""
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
        """Whether enough frames of the window are True for a state to begin or to end."""
        rule = self._rule
        watched_s = self._window[-1].moment.time_s - self._began_s
        needed = rule.share * max(rule.frames, len(self._window))
        return watched_s >= rule.seconds - ROUNDING and sum(frames) >= needed - ROUNDING

    def _shows(self, seen: _Seen) -> bool:
        """Whether this frame shows the current state."""
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

    def _report(self, moment: Moment) -> list[Change]:
        state, rule = self._state, self._rule
        if state is None or state.is_reported:
            return []
        lasted_s = self._last_shown(state, len(self._window)).time_s - state.start.time_s
        calm_s = moment.time_s - self._ended_s.get(state.label, -inf)
        state.is_reported = lasted_s >= rule.dwell_s - ROUNDING and calm_s >= rule.cooldown_s - ROUNDING
        return [state.change(None)] if state.is_reported else []

    def _end(self, before: int) -> list[Change]:
        """End the state with the last frame that showed it before index `before` of the window."""
        state = self._state
        if state is None:
            return []
        end = self._last_shown(state, before)
        self._state = None
        if not state.is_reported:
            return []
        self._ended_s[state.label] = end.time_s
        return [state.change(end)]

    def _last_shown(self, state: _State, before: int) -> Moment:
        """Return the last frame that showed the state before index `before` of the window, or before the window."""
        return next((seen.moment for seen in reversed(list(self._window)[:before]) if self._shows(seen)), state.settled)


def _turn(frames: Sequence[bool]) -> int:
    """Return the index where the frames change from mostly False to mostly True, found with the cumulative sum test (CUSUM,
    Page 1954). At least one must be True.
    """
    surplus, largest, place = 0, 0, len(frames) - 1
    for i in range(len(frames) - 1, -1, -1):
        surplus += 1 if frames[i] else -1
        if surplus > largest:
            largest, place = surplus, i
    return place
