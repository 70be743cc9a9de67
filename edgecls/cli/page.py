"""Serve the page of a run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecls.cli.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.run.run import Run
    from edgecls.run.web import WebSettings


@contextmanager
def served(run: Run, settings: WebSettings) -> Iterator[None]:
    """Serve the page of a run during a `with` block, and say its address."""
    from edgecls.web import PageServer, ViewSink

    view = ViewSink((source.name for source in run.frames.sources), skipped=lambda: run.frames.skipped)
    with PageServer(view, settings) as server:
        run.sinks.append(view)
        say(f"page: {server.address}")
        yield
