"""Serve the page of a run."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from edgecls.cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edgecls.run.config import Config
    from edgecls.run.run import Run
    from edgecls.run.web import WebSettings
    from edgecls.web.live.notices import Notices


class Served(NamedTuple):
    """A page that is served.

    Attributes:
        over: To be set when the run has ended.
        notices: What the page says of the run, such as why a reload failed.
    """

    over: threading.Event
    notices: Notices


@contextmanager
def served(
    run: Run, settings: WebSettings, *, path: str | None, read: Callable[[str | Path], Config]
) -> Iterator[Served]:  # fmt: skip
    """Serve the page of a run during a `with` block, and say its address.

    Args:
        run: The run.
        settings: Where to serve.
        path: The cameras.toml of the run, which the page may change; None if there is none.
        read: Reads such a file, as it was read at the start.
    """
    from edgecls.web import ConfigFile, PageServer, RecordingsOf, ViewSink
    from edgecls.web.live.notices import Notices

    over = threading.Event()
    notices = Notices(run, path)

    def apply(config: Config) -> bool:
        said = "" if over.is_set() else run.reload(config, is_over=over)
        if said:
            notices.fault = ""
            say(f"changed on the page: {said}")
        return bool(said)

    names = [source.name for source in run.frames.sources]
    view = ViewSink(names, skipped=lambda: run.frames.skipped, recordings=RecordingsOf(run), notices=notices)
    file = None if path is None else ConfigFile(path, read=read, apply=apply)
    with PageServer(view, settings, config=file, outs=lambda: run.config.outputs, run=run) as server:
        run.sinks.append(view)
        if file is not None:
            run.sinks.append(file.recent)
        say(f"page: {server.address}")
        try:
            yield Served(over, notices)
        finally:
            over.set()
