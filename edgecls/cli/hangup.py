"""SIGHUP makes a run read its configuration again.

The signal is only noted; a thread does the work (`edgecls.run.reload`). A platform without SIGHUP has none of it.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from edgecls.cli.messages import say
from edgecls.errors import EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from edgecls.run.config import Config
    from edgecls.run.run import Run

NUMBER: int | None = getattr(signal, "SIGHUP", None)
END_WAIT_S = 10.0
"""How long the end of a run waits for a reload in progress."""


class Hangup:
    """Handles SIGHUP inside its `with` block. Signals that arrive before `serving` are handled there."""

    def __init__(self) -> None:
        """Handle nothing before the `with` block."""
        self._came: SimpleQueue[bool] = SimpleQueue()  # the only queue whose `put` is safe in a signal handler

    def __enter__(self) -> Self:
        """Install the signal handler."""
        if NUMBER is not None:
            signal.signal(NUMBER, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ignore the signal from now on. With the default handler, one during the exit would change the exit code."""
        if NUMBER is not None:
            signal.signal(NUMBER, signal.SIG_IGN)

    @contextmanager
    def serving(self, act: Callable[[threading.Event], object]) -> Iterator[None]:
        """Call `act` in a thread after one or more signals. Its argument is an event that is set when the run has ended."""
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(act, ended), name="reload", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._came.put(False)
            thread.join(END_WAIT_S)

    def _work(self, act: Callable[[threading.Event], object], ended: threading.Event) -> None:
        while self._came.get():
            while not self._came.empty():  # treat several signals as one
                self._came.get()
            if not ended.is_set():
                act(ended)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._came.put(True)


def reload(run: Run, read: Callable[[], Config], is_over: threading.Event) -> str:
    """Reload the configuration of a run, and print what has changed or why it could not be reloaded, which is returned too."""
    fault, failed = "", "not reloaded, the run goes on with its last good configuration"
    try:
        different = run.reload(read(), is_over=is_over)
    except EdgeclsError as error:
        fault = f"{failed}: {error}"
    except Exception as error:  # noqa: BLE001 - no error may end the run
        fault = f"{failed}: {type(error).__name__}: {error}"
    else:
        if different:
            say(f"reloaded: {different}")
    if fault:
        say(fault)
    return fault
