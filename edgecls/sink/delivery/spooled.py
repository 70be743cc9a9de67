"""A buffered sink, so that a slow or failing receiver does not delay the run.

The caller appends events and changes of state to a spool, and a thread passes them to the sink. Each is retried with
exponential back-off until it is delivered. What has not been delivered at the end of a run is delivered by the next one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from edgecls.backoff import Backoff
from edgecls.errors import BusyError, RefusedError, SinkError
from edgecls.labels.json_lines import event_record, state_record, to_event, to_state
from edgecls.sink.sink import Backlog, Sink
from edgecls.text.words import counted

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.sink.delivery.spool import Spool

WRITER = "write "
"""Prefix of the names of the threads."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
LONGEST_ASKED_S = 3600.0
"""The longest wait that a receiver may ask for."""
SYNC_EVERY_S = 1.0
CLOSE_WAIT_S = 5.0
STOP_WAIT_S = 2.0
REASONS = 8
"""Number of reasons of an outage to remember, so that each is reported once."""


class Spooled(Sink):
    """Passes events and changes of state to `sink` in its own thread, which alone writes to `sink` and closes it.

    Errors of the sink are reported with `say`, once, and once more when it works again. They are not raised by the writes.
    `lost` counts events and changes of state that were discarded: because the sink refused them (RefusedError), because the
    sink has a fault that a retry would not fix (any error except OSError), or by the spool, which reports it.
    """

    def __init__(
        self,
        sink: Sink,
        spool: Spool,
        *,
        name: str,
        say: Callable[[str], None] = lambda _: None,
        close_wait_s: float = CLOSE_WAIT_S,
        rng: random.Random | None = None,
    ) -> None:
        """Start the thread, which first delivers what `spool` still contains. `close` also closes the spool.

        `close_wait_s` is how long `close` continues to deliver, in seconds. `rng` varies the times between retries.
        """
        self._refused = 0
        self._sink = sink
        self._spool = spool
        self._name = name
        self._say = say
        self._close_wait_s = close_wait_s
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, rng=rng)
        self._condition = threading.Condition()
        self._reported: deque[str] = deque(maxlen=REASONS)  # reasons of the outage: two may alternate
        self._retry_at = 0.0
        self._asked_until = 0.0  # the sink has asked not to retry before
        self._synced_at = time.monotonic()
        self._close_by: float | None = None
        self._next: Callable[[], Sink] | None = None  # opens the sink that replaces this one
        self._is_due = False  # whether `_next` has not been tried yet
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Number of events and changes of state that were discarded."""
        return self._refused + self._spool.lost

    @property
    def backlog(self) -> Backlog:
        """The number of waiting and of lost events."""
        return Backlog(self._spool.waiting, self.lost)

    @property
    def trouble(self) -> str:
        """The latest reason why nothing is delivered."""
        reported = tuple(self._reported.copy())
        return reported[-1] if reported else self._sink.trouble

    @property
    def done(self) -> bool:
        """Whether the user has closed the sink."""
        return self._sink.done

    def write(self, result: Result) -> None:
        """Do nothing: only events and changes of state are delivered."""

    def write_state(self, change: StateChange) -> None:
        """Put a change of state into the spool. Raises SinkError after `close`."""
        self._append(state_record(change))

    def write_event(self, event: Event) -> None:
        """Put an event into the spool. Raises SinkError after `close`."""
        self._append(event_record(event))

    def beside(self, sinks: Mapping[str, Sink]) -> None:
        """Pass the sinks on."""
        self._sink.beside(sinks)

    def replace(self, open_it: Callable[[], Sink]) -> None:
        """Replace the sink by another one for the same target, which the thread opens after closing the old one.

        What is written in the meantime waits in the spool. If the new sink cannot be opened, this is reported and retried like
        a failed write.
        """
        with self._condition:
            before = self._sink
            self._next, self._is_due = open_it, True
            self._condition.notify_all()
        before.stop()

    def close(self) -> None:
        """Deliver what waits, until a delivery fails or for `close_wait_s` seconds; the rest stays in the spool."""
        with self._condition:
            if self._close_by is None:
                self._close_by = time.monotonic() + self._close_wait_s
            self._condition.notify_all()
        self._thread.join(self._close_wait_s)
        if self._thread.is_alive():
            self._sink.stop()
            self._thread.join(STOP_WAIT_S)

    def _append(self, record: Mapping[str, Any]) -> None:
        with self._condition:
            if self._close_by is not None:
                raise SinkError(f"{self._name}: is closed")
            self._spool.append(record)
            self._condition.notify_all()

    def _work(self) -> None:
        try:
            while self._does_one():
                pass
        finally:
            self._finish()

    def _does_one(self) -> bool:
        """Wait, and deliver one event. Returns False at the end. What nobody expects counts as a failure, like any other."""
        try:
            if not self._goes_on():
                return False
            self._deliver_one()
            self._sync()
        except Exception as error:  # noqa: BLE001 - nothing joins this thread to see its error, so it is reported
            self._fail(f"{self._name}: {type(error).__name__}: {error}")
        return True

    def _goes_on(self) -> bool:
        """Wait until there is something to deliver and the sink may be tried. Returns False at the end."""
        while True:
            with self._condition:
                now, has_work = time.monotonic(), self._next is not None or self._spool.waiting > 0
                if self._close_by is not None:
                    return has_work and self._asked_until <= now < self._close_by
                if has_work and (self._retry_at <= now or self._is_due):
                    return True
                if has_work:  # new events do not end this wait, only `close` and `replace` do
                    wait_s = min(self._retry_at - now, SYNC_EVERY_S)
                    self._condition.wait_for(lambda: self._close_by is not None or self._is_due, wait_s)
                else:
                    self._condition.wait()
            self._sync()

    def _sync(self) -> None:
        """Flush the spool once a second. Events that are delivered at once need not wait for the disk."""
        if time.monotonic() - self._synced_at >= SYNC_EVERY_S:
            self._synced_at = time.monotonic()
            self._spool.sync()

    def _deliver_one(self) -> None:
        """Pass the first waiting event or change of state to the sink."""
        try:
            self._open_next()
            record = self._spool.peek()
            if record is not None:
                self._give(record)
        except RefusedError as error:
            self._discard(str(error))
        except SinkError as error:  # the message names the target
            self._fail(str(error), error.after_s if isinstance(error, BusyError) else 0.0)
        except OSError as error:
            self._fail(f"{self._name}: {error}")
        except Exception as error:  # noqa: BLE001 - no error may end the run
            self._discard(f"{self._name}: {type(error).__name__}: {error}")
        else:
            self._spool.done()
            self._recover()

    def _open_next(self) -> None:
        """Close the sink and open its replacement, if `replace` was called. Raises SinkError."""
        with self._condition:
            open_it, self._is_due = self._next, False
        if open_it is None:
            return
        self._close_sink()
        try:
            self._sink = open_it()
        except Exception as error:  # other errors would discard the waiting event
            raise SinkError(f"{self._name}: {error or type(error).__name__}") from error
        with self._condition:
            self._next = None if self._next is open_it else self._next

    def _close_sink(self) -> None:
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - no caller could handle it
            self._say(f"{self._name}: cannot be closed ({error})")

    def _give(self, record: dict[str, Any]) -> None:
        if "event" in record:
            self._sink.write_event(to_event(record))
        else:
            self._sink.write_state(to_state(record))

    def _fail(self, why: str, asked_s: float = 0.0) -> None:
        """Report a new reason, and set the time of the next try: later than the last time, and not before the sink has asked.

        During `close`, a failure ends the delivery.
        """
        if why not in self._reported:
            self._reported.append(why)
            self._say(f"{why}; events are kept in {self._spool.path} and tried again")
        now = time.monotonic()
        self._asked_until = now + min(asked_s, LONGEST_ASKED_S)
        self._retry_at = max(now + self._backoff.next_s(), self._asked_until)
        with self._condition:
            if self._close_by is not None:
                self._close_by = 0.0

    def _discard(self, why: str) -> None:
        self._refused += 1
        self._spool.done()
        if why not in self._reported:
            self._reported.append(why)
            self._say(f"{why}; discarded: {counted(self._refused, 'event')}")

    def _recover(self) -> None:
        self._backoff.reset()
        if self._reported:
            self._reported.clear()
            self._say(f"{self._name}: works again, {counted(self._spool.waiting, 'event')} waiting, {self.lost} lost")

    def _finish(self) -> None:
        self._close_sink()
        if self._spool.waiting:
            count, path = self._spool.waiting, self._spool.path
            self._say(
                f"{self._name}: {counted(count, 'event')} not delivered yet; the next run with this sink delivers what "
                f"waits in {path}"
            )
        self._spool.close()
