"""Where the past of a run is: its database of events, its recordings, its store. What the run writes now, after each reload."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.sink.sqlite import SqliteSettings
from edgecls.web.events.database import EventDatabase
from edgecls.web.events.memory import EventMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.sink.kinds import SinkSettings
    from edgecls.web.events.query import EventArchive
    from edgecls.web.live.view_sink import ViewSink


class History:
    """The past of a run."""

    def __init__(self, view: ViewSink, outs: Callable[[], Sequence[SinkSettings]]) -> None:
        """Look things up in what these sinks write; without a database of events, in what the view remembers."""
        self._memory = EventMemory(view)
        self._outs = outs

    def outs(self) -> Sequence[SinkSettings]:
        """Return the settings of the run's sinks."""
        return self._outs()

    def archive(self) -> EventArchive:
        """Return where events are looked up."""
        database = next((out for out in self._outs() if isinstance(out, SqliteSettings)), None)
        return self._memory if database is None else EventDatabase(Path(database.path))
