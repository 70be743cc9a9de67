"""The doctor and the bench on the page: each a child process of the lowest priority, one at a time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

from edgecls.text.strict_json import loads
from edgecls.web.answers import NotPossibleError
from edgecls.web.child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["doctor", "bench"]

BUSY = "the {kind} is running; wait for it, or cancel it"
CLOSED = "the run ends"
NO_RESULT = "it gave no result that can be read"
LARGEST_RESULT = 4_000_000
FINE = {"doctor": (0, 1), "bench": (0,)}
"""The exit codes of a result; 1 of the doctor is that it has found problems."""


class Jobs:
    """Runs one command at a time, and keeps the last result of each. Any thread may use it."""

    def __init__(self, start: Callable[..., Child] = Child) -> None:
        """Start with nothing. `start` starts a command, as `Child` does."""
        self._start = start
        self._lock = threading.Lock()
        self._children: dict[Kind, Child] = {}
        self._of: dict[Kind, str] = {}
        self._is_closed = False

    def start(self, kind: Kind, options: Sequence[str], *, of: str = "") -> dict[str, Any]:
        """Start a command and return its record. `of` names what it is about.

        Raises:
            NotPossibleError: Another one is running, or the run ends.
            OSError: No process can be started.
        """
        with self._lock:
            if self._is_closed:
                raise NotPossibleError(CLOSED)
            busy = next((other for other, child in self._children.items() if child.state == "running"), None)
            if busy is not None:
                raise NotPossibleError(BUSY.format(kind=busy))
            self._children[kind] = self._start([kind, "--json", *options], fine=FINE[kind])
            self._of[kind] = of
        return self.record(kind)

    def cancel(self, kind: Kind) -> dict[str, Any]:
        """Ask a command to stop, and return its record."""
        with self._lock:
            child = self._children.get(kind)
        if child is not None:
            child.cancel()
        return self.record(kind)

    def record(self, kind: Kind) -> dict[str, Any]:
        """Return how a command is doing, and its result if it is done."""
        with self._lock:
            child, of = self._children.get(kind), self._of.get(kind, "")
        if child is None:
            return {"state": "none", "of": "", "line": "", "why": "", "began_at_s": None, "ended_at_s": None, "result": None}
        state, why, result = child.state, child.why, None
        if state == "done":
            try:
                result = loads(child.output, most=LARGEST_RESULT)
            except ValueError:
                state, why = "failed", NO_RESULT
        return {
            "state": state, "of": of, "line": child.line, "why": why, "began_at_s": round(child.began_at_s, 3),
            "ended_at_s": None if child.ended_at_s is None else round(child.ended_at_s, 3), "result": result,
        }  # fmt: skip

    def close(self) -> None:
        """Stop what is running, and wait until it is gone."""
        with self._lock:
            self._is_closed = True
            children = list(self._children.values())
        for child in children:
            child.close()
