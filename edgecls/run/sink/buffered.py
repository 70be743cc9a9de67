"""A sink behind a buffer, so that one that is slow or dead never slows the run.

The caller puts results into a short queue and events and changes of state into a spool; one thread gives them to the sink.
Results may be lost: when the queue is full the oldest goes, and is counted. Events may not: each is tried until the sink has
it, with waits that double, and whatever was not delivered when the run ended is delivered by the next one.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from edgecls.errors import BusyError, RefusedError, SinkError
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.wire import event_record, state_record, to_event, to_state

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange
    from edgecls.run.sink.spool import Spool

WRITER = "write "
"""What the name of each thread begins with."""
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 20.0
"""Waits double from the first to the longest. Each is shortened by chance, by up to a half, so that not all devices come back
at one moment to the server that was restarted."""
LONGEST_ASKED_S = 3600.0
"""A receiver that asks for more patience than this is asked again all the same."""
SYNC_EVERY_S = 1.0
CLOSE_WAIT_S = 5.0
STOP_WAIT_S = 2.0


class Buffered(Sink):
    """Gives `sink` what it gets, in a thread of its own. That thread alone writes to `sink` and closes it.

    What goes wrong there is said by `say`, once, and once more when it works again; nothing of it is raised where results are
    written. `dropped` counts results that were left out, `lost` events and changes of state that were given up: because the
    sink refused them for good (RefusedError), because of a fault in it (any error that is no OSError, which another try would
    not mend), or by the spool, which says when it does so.
    """

    def __init__(
        self,
        sink: Sink,
        spool: Spool,
        *,
        name: str,
        say: Callable[[str], None] = lambda _: None,
        most_results: int = 8,
        close_wait_s: float = CLOSE_WAIT_S,
        chance: random.Random | None = None,
    ) -> None:
        """Begin with what is left in `spool`, which this closes too. Of results, which hold their pictures, `most_results`
        wait; 0 is for a sink that has no use for them. `close_wait_s` is for how long `close` goes on delivering.
        """
        self.dropped = 0
        self._refused = 0
        self._sink = sink
        self._spool = spool
        self._name = name
        self._say = say
        self._close_wait_s = close_wait_s
        self._chance = chance or random.Random()  # noqa: S311 - it spreads load, it keeps no secret
        self._bell = threading.Condition()
        self._results: deque[Result] = deque()
        self._most_results = most_results
        self._told = ""
        self._wait_s = FIRST_WAIT_S
        self._retry_at = 0.0
        self._asked_until = 0.0  # the sink itself wants no try before
        self._synced_at = time.monotonic()
        self._close_by: float | None = None
        self._next: Callable[[], Sink] | None = None  # opens the sink to go on with
        self._is_due = False  # it has not been tried yet
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Events and changes of state that nobody will get."""
        return self._refused + self._spool.lost

    @property
    def backlog(self) -> Backlog:
        """What waits, what is lost, what was left out."""
        return Backlog(self._spool.waiting, self.lost, self.dropped)

    @property
    def done(self) -> bool:
        """Whether the sink wants no more."""
        return self._sink.done

    def write(self, result: Result) -> None:
        """Leave a result to the thread, in place of the oldest one that waits if too many do."""
        if not self._most_results:
            return
        with self._bell:
            if len(self._results) == self._most_results:
                self._results.popleft()
                self.dropped += 1
            self._results.append(result)
            self._bell.notify_all()

    def write_state(self, change: StateChange) -> None:
        """Put a change of state into the spool. Raises SinkError after `close`."""
        self._append(state_record(change))

    def write_event(self, event: Event) -> None:
        """Put an event into the spool. Raises SinkError after `close`."""
        self._append(event_record(event))

    def beside(self, sinks: Mapping[str, Sink]) -> None:
        """Pass it on."""
        self._sink.beside(sinks)

    def replace(self, open_it: Callable[[], Sink]) -> None:
        """Have the thread close the sink, open another one for the same place and go on with that. What is written meanwhile
        waits in the spool; an error of the opening is one of the writing, after which it is tried again.
        """
        with self._bell:
            before = self._sink
            self._next, self._is_due = open_it, True
            self._bell.notify_all()
        before.stop()

    def close(self) -> None:
        """Deliver what waits, for as long as that goes well and `close_wait_s` at most; the rest stays in the spool."""
        with self._bell:
            if self._close_by is None:
                self._close_by = time.monotonic() + self._close_wait_s
            self._bell.notify_all()
        self._thread.join(self._close_wait_s)
        if self._thread.is_alive():
            self._sink.stop()
            self._thread.join(STOP_WAIT_S)

    def _append(self, record: Mapping[str, Any]) -> None:
        with self._bell:
            if self._close_by is not None:
                raise SinkError(f"{self._name}: is closed")
            self._spool.append(record)
            self._bell.notify_all()

    def _work(self) -> None:
        try:
            while self._goes_on():
                self._deliver_one()
                self._sync()
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread, so what ends it must be said
            self._say(f"{self._name}: stopped ({type(error).__name__}: {error}); events are kept in {self._spool.path}")
        finally:
            self._finish()

    def _goes_on(self) -> bool:
        """Wait until there is something to deliver and the sink may be tried; False when it is over."""
        while True:
            with self._bell:
                now, has_work = time.monotonic(), bool(self._results or self._next) or self._spool.waiting > 0
                if self._close_by is not None:
                    return has_work and self._asked_until <= now < self._close_by
                if has_work and (self._retry_at <= now or self._is_due):
                    return True
                if has_work:  # what comes meanwhile changes nothing: only a close does, and another sink
                    over = min(self._retry_at - now, SYNC_EVERY_S)
                    self._bell.wait_for(lambda: self._close_by is not None or self._is_due, over)
                else:
                    self._bell.wait()
            self._sync()

    def _sync(self) -> None:
        """Flush what waits, once a second: what is delivered at once never waits for the disk."""
        if time.monotonic() - self._synced_at >= SYNC_EVERY_S:
            self._synced_at = time.monotonic()
            self._spool.sync()

    def _deliver_one(self) -> None:
        """Give the sink the first event, or a result where no event waits."""
        result = None
        try:
            self._open_next()
            record = self._spool.peek()
            if record is None:
                with self._bell:
                    result = self._results.popleft() if self._results else None
            self._give(record, result)
        except RefusedError as error:
            self._give_up(str(error), result)
        except SinkError as error:  # says where it was
            self._count_dropped(result)
            self._fail(str(error), error.after_s if isinstance(error, BusyError) else 0.0)
        except OSError as error:
            self._count_dropped(result)
            self._fail(f"{self._name}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the run with it
            self._give_up(f"{self._name}: {type(error).__name__}: {error}", result)
        else:
            self._spool.done()
            self._recover()

    def _open_next(self) -> None:
        """Put the sink of `replace` in the place of the one that there is. Raises SinkError."""
        with self._bell:
            open_it, self._is_due = self._next, False
        if open_it is None:
            return
        self._close_sink()
        try:
            self._sink = open_it()
        except Exception as error:  # an error of the sink would cost the event that it is opened for
            raise SinkError(f"{self._name}: {error or type(error).__name__}") from error
        with self._bell:
            self._next = None if self._next is open_it else self._next

    def _close_sink(self) -> None:
        try:
            self._sink.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is nobody to raise it to
            self._say(f"{self._name}: cannot be closed ({error})")

    def _give(self, record: dict[str, Any] | None, result: Result | None) -> None:
        if record is not None and "event" in record:
            self._sink.write_event(to_event(record))
        elif record is not None:
            self._sink.write_state(to_state(record))
        elif result is not None:
            self._sink.write(result)

    def _fail(self, why: str, asked_s: float = 0.0) -> None:
        """Say what is wrong, if it is something new, and wait longer than the last time, at least as long as the sink asked; a
        close waits for nothing.
        """
        if why != self._told:
            self._told = why
            self._say(f"{why}; events are kept in {self._spool.path} and tried again")
        now = time.monotonic()
        self._asked_until = now + min(asked_s, LONGEST_ASKED_S)
        self._retry_at = max(now + self._wait_s * self._chance.uniform(0.5, 1.0), self._asked_until)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)
        with self._bell:
            if self._close_by is not None:
                self._close_by = 0.0

    def _give_up(self, why: str, result: Result | None) -> None:
        self._count_dropped(result)
        if result is None:
            self._refused += 1
            self._spool.done()
        if why != self._told:
            self._told = why
            self._say(f"{why}; given up: {self._refused} events, {self.dropped} results")

    def _count_dropped(self, result: Result | None) -> None:
        with self._bell:
            self.dropped += result is not None

    def _recover(self) -> None:
        self._wait_s = FIRST_WAIT_S
        if self._told:
            self._told = ""
            self._say(f"{self._name}: works again, {self._spool.waiting} events wait, {self.lost} were lost")

    def _finish(self) -> None:
        self._close_sink()
        if self._spool.waiting:
            count, path = self._spool.waiting, self._spool.path
            self._say(f"{self._name}: {count} events were not delivered; the next run does, from {path}")
        self._spool.close()
