"""A sink whose disk may be full for a while without the run being over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.errors import SinkError
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.sink.outage import Outage

if TYPE_CHECKING:
    from edgecls.frame import Result
    from edgecls.run.say import Say


SURE = 300
"""So many results in a row say that an outage is over: an encoder and a file take some before they write any."""


class Lossy(Sink):
    """Gives `sink` results. Once it has taken one, those that it cannot keep are lost, counted and said, as `what`; what fails
    from the start is an error.
    """

    def __init__(self, sink: Sink, place: object, what: str, *, say: Say) -> None:
        """`place` is where it writes to."""
        self._sink = sink
        self._outage = Outage(place, what, say)
        self._works = False
        self._taken = 0  # results in a row, during an outage

    @property
    def backlog(self) -> Backlog:
        """The results that were lost."""
        return Backlog(dropped=self._outage.lost)

    def write(self, result: Result) -> None:
        """Have it kept, or lost."""
        try:
            self._sink.write(result)
        except SinkError as error:
            if not self._works:
                raise
            self._outage.lose(error, lost=self._taken + 1)
            self._taken = 0
            return
        self._works = True
        self._taken = self._taken + 1 if self._outage.goes_on else 0
        if self._taken >= SURE:
            self._outage.over()

    def close(self) -> None:
        """Close the sink."""
        try:
            self._sink.close()
            if self._taken:
                self._outage.over()
        finally:
            self._outage.close()
