"""Compute media time: the seconds used for frames, events, clips and videos. Only this module decides what they are.

A stream's own timestamps are the best clock as long as they are right: they say when a picture was taken, whatever the network
did. A good stream therefore keeps its timestamps unchanged. But some cameras send timestamps that restart, stand still, run at
half or double speed, jump by hours, or are missing (FFmpeg then assumes 25 frames per second), and every duration would be
wrong. Each clock here therefore checks the timestamps against something reliable:

`LiveClock`  compares them with the arrival of packets by `time.monotonic()`, which is not affected by changes of the system
time. `FileClock`  has no arrival times to compare with. It only keeps time from going backwards. `Presentation`  sorts the
times of pictures if a container stores decoding times only, as AVI does.

The tolerances of `LiveClock` allow for what good streams do:

* Pictures arrive late and unevenly: Wi-Fi, a key frame that takes a second to send, HLS segments that arrive at once every 6 s,
  a stalled link that recovers and delivers its buffer in one go. All of them catch up. A late clock is distrusted only if it
  stays late for `HOLD_S` without catching up.
* After connecting, everything that the server has buffered comes at once (18 s with HLS), and so does what FFmpeg read to probe
  the stream. Such a burst is faster than any camera records (`BURST_FPS`), which distinguishes it from a fast clock.
* A camera's crystal is off by up to 0.01 %, and 30 frames per second are often 29.97. A deviation up to `DRIFT` is normal.

Beyond these tolerances, media time follows the arrival times: immediately for a single impossible step, and for at least
`TRIAL_S` after the speed turned out wrong. Time lost by a slow clock is made up in one step. Time gained by a fast one, up to
1 s in addition to the burst, stays: media time never goes backwards.
"""

from __future__ import annotations

import heapq
from collections import deque
from statistics import median
from typing import Protocol

OFF_S = 1.0
"""How far a stream's clock may deviate from the arrival of its packets."""
HOLD_S = 2.0
"""How long a stream may be late without catching up."""
DRIFT = 0.005
"""How fast a clock may drift, in seconds per second: 50 times the error of a crystal, 5 times that of NTSC."""
BURST_FPS = 50.0
"""Packets that come faster than this for `BURST_STEPS` steps were buffered somewhere."""
BURST_STEPS = 8
JUMP_S = 10.0
"""A single step longer than this, and longer than the wait for it, is wrong even in a burst. This is FFmpeg's own limit."""
TRIAL_S = 30.0
"""A distrusted clock is trusted again after it has stayed within half of `OFF_S` for this long."""
LEAST_STEP_S = 0.001
"""The step between packets when the arrival says nothing, as in a burst without timestamps."""
REORDERED_FRAMES = 16
"""How many pictures a codec may reorder at most (H.264 and H.265: the maximum size of the decoded picture buffer)."""

MOST_OUTSTANDING = 64
"""How many packets a decoder holds at most: those that it reorders, and one per thread."""


class Clock(Protocol):
    """Converts the timestamps of packets, in order of arrival, to media time."""

    def time_s(self, stream_s: float | None, arrival_s: float) -> float:
        """Return the media time of a packet in seconds: `stream_s` itself, unless that is implausible.

        Args:
            stream_s: The packet's timestamp in seconds, or None if it has none.
            arrival_s: When it arrived, by `time.monotonic()`.
        """


class LiveClock:
    """The clock of a live stream. Media time increases with every packet, at the speed of arrival."""

    def __init__(self) -> None:
        """Trust the stream's timestamps at first."""
        self._media_s: float | None = None
        self._arrived_s = 0.0
        self._stream_s: float | None = None  # the last timestamp
        self._stream_arrived_s = 0.0
        self._offset_s = 0.0  # from the stream's time to media time
        self._usual_delay_s = 0.0  # arrival minus media time; only its changes matter
        self._late: tuple[float, float] | None = None  # since when the stream is late, and its delay then
        self._trial: tuple[float, float] | None = None  # of a distrusted clock: timestamp and arrival at the start of the test
        self._arrivals: deque[float] = deque(maxlen=BURST_STEPS + 1)

    def time_s(self, stream_s: float | None, arrival_s: float) -> float:
        """Return the media time of a packet. See `Clock`."""
        if self._media_s is None:
            media_s = stream_s or 0.0
            self._usual_delay_s = arrival_s - media_s
        else:
            by_arrival_s = self._media_s + max(arrival_s - self._arrived_s, LEAST_STEP_S)
            media_s = by_arrival_s if stream_s is None else self._by_stream(stream_s, arrival_s, by_arrival_s)
        self._arrivals.append(arrival_s)
        self._media_s, self._arrived_s = media_s, arrival_s
        if stream_s is not None:
            if self._stream_s is None:
                self._offset_s = media_s - stream_s
            self._stream_s, self._stream_arrived_s = stream_s, arrival_s
        return media_s

    def _by_stream(self, stream_s: float, arrival_s: float, by_arrival_s: float) -> float:
        """Return the media time by the timestamp if it is trusted and plausible, otherwise by the arrival."""
        if self._stream_s is None or stream_s == self._stream_s:  # the first one; or the clock stands still
            return by_arrival_s
        step_s, passed_s = stream_s - self._stream_s, arrival_s - self._stream_arrived_s
        if self._trial is not None:
            return self._tested(stream_s, arrival_s, by_arrival_s)
        media_s = stream_s + self._offset_s if self._offset_s else stream_s
        gain_s = step_s - passed_s
        lead_s = self._usual_delay_s - (arrival_s - media_s)
        is_jump = gain_s > (JUMP_S if self._is_burst(arrival_s) else OFF_S) and lead_s > OFF_S
        if step_s < 0 or is_jump or media_s <= (self._media_s or 0.0):
            self._offset_s = by_arrival_s - stream_s
            return by_arrival_s
        return self._judged(media_s, arrival_s, gain_s, by_arrival_s)

    def _judged(self, media_s: float, arrival_s: float, gain_s: float, by_arrival_s: float) -> float:
        """Compare a plausible time with the arrival, and distrust the clock if its speed is wrong."""
        delay_s = arrival_s - media_s
        drift_s = DRIFT * (arrival_s - self._arrived_s)
        if delay_s >= self._usual_delay_s:
            self._usual_delay_s = min(delay_s, self._usual_delay_s + drift_s)
        else:
            slack_s = max(gain_s, drift_s) if self._is_burst(arrival_s) else drift_s
            self._usual_delay_s = max(delay_s, self._usual_delay_s - slack_s)
        if self._usual_delay_s - delay_s > OFF_S:
            return self._distrust(media_s - self._offset_s, arrival_s, by_arrival_s)
        if self._stays_late(delay_s, arrival_s):
            return self._distrust(media_s - self._offset_s, arrival_s, arrival_s - self._usual_delay_s)
        return media_s

    def _stays_late(self, delay_s: float, arrival_s: float) -> bool:
        if delay_s - self._usual_delay_s <= OFF_S:
            self._late = None
        elif self._late is None or delay_s < self._late[1] - OFF_S:  # it has become late, or it is catching up
            self._late = arrival_s, delay_s
        return self._late is not None and arrival_s - self._late[0] > HOLD_S

    def _distrust(self, stream_s: float, arrival_s: float, media_s: float) -> float:
        self._late = None
        self._trial = stream_s, arrival_s
        return media_s

    def _tested(self, stream_s: float, arrival_s: float, by_arrival_s: float) -> float:
        """Return the time by the arrival while the clock is tested. Once it passes, it is trusted from the next packet on."""
        assert self._trial is not None  # noqa: S101 - for the type checker
        since_s, began_s = self._trial
        off_s = (stream_s - since_s) - (arrival_s - began_s)
        if abs(off_s) > OFF_S / 2:
            self._trial = stream_s, arrival_s
        elif arrival_s - began_s >= TRIAL_S:
            self._trial = None
            self._offset_s = by_arrival_s - stream_s
            self._usual_delay_s = arrival_s - by_arrival_s
        return by_arrival_s

    def _is_burst(self, arrival_s: float) -> bool:
        steps = len(self._arrivals)
        return arrival_s - self._arrivals[0] < steps / BURST_FPS if steps else False


class FileClock:
    """The clock of a file: its own timestamps. If they go backwards, it continues one typical step after the last one.

    The usual reason is two recordings copied into one `.ts`. A step forward is kept, even one of hours: a camera that records
    on motion leaves such gaps, and they are real.
    """

    def __init__(self, usual_s: float, *, repeats: int = 0) -> None:
        """Assume steps of `usual_s` seconds until the file shows its own. A time may repeat up to `repeats` times."""
        self._most_repeats = repeats
        self._usual_s = usual_s
        self._steps: deque[float] = deque(maxlen=25)
        self._stream_s: float | None = None
        self._media_s: float | None = None
        self._offset_s = 0.0
        self._repeats = 0

    def time_s(self, stream_s: float | None, arrival_s: float = 0.0) -> float:  # noqa: ARG002 - as every clock
        """Return the media time of a packet or frame. See `Clock`."""
        if self._media_s is None:
            self._media_s = stream_s or 0.0
        elif stream_s is None:
            self._media_s += self._step_s()
        else:
            self._media_s = self._by_file(stream_s, self._media_s)
        if stream_s is not None:
            self._stream_s = stream_s
        return self._media_s

    def _by_file(self, stream_s: float, last_s: float) -> float:
        step_s = 0.0 if self._stream_s is None else stream_s - self._stream_s
        self._repeats = self._repeats + 1 if step_s == 0 else 0
        if step_s > 0:
            self._steps.append(step_s)
        if self._stream_s is None or step_s < 0 or self._repeats > self._most_repeats:
            self._offset_s = last_s + self._step_s() - stream_s
        return stream_s + self._offset_s if self._offset_s else stream_s

    def _step_s(self) -> float:
        return median(self._steps) if self._steps else self._usual_s


class Presentation:
    """Restores presentation times for containers that store decoding times only.

    FFmpeg gives each picture of such a container a time by its position in the file. With B-frames, these times come out of the
    decoder unsorted while the pictures are in order. The right times are the same ones, sorted: each picture gets the smallest
    outstanding one.
    """

    def __init__(self, usual: int) -> None:
        """Start without outstanding times. `usual` is the duration of a typical frame in ticks."""
        self._reach = REORDERED_FRAMES * usual
        self._outstanding: list[int] = []  # times that no picture has yet
        self._unseen: list[int] = []  # times of packets whose picture has not come out; differs if packets are lost

    def expect(self, ticks: int) -> None:
        """Record that a packet with this time goes into the decoder."""
        heapq.heappush(self._outstanding, ticks)
        self._unseen.append(ticks)
        if len(self._unseen) > MOST_OUTSTANDING:
            self._lose(self._unseen[0])

    def take(self, ticks: int) -> int:
        """Return the time of the picture that comes out with its packet's time `ticks`."""
        if ticks in self._unseen:
            self._unseen.remove(ticks)
        for lost in [unseen for unseen in self._unseen if unseen < ticks - self._reach]:
            self._lose(lost)
        return heapq.heappop(self._outstanding) if self._outstanding else ticks

    def _lose(self, ticks: int) -> None:
        """Drop a packet that gave no picture. The pictures after it got times that were one step too early."""
        self._unseen.remove(ticks)
        if self._outstanding:
            heapq.heappop(self._outstanding)
