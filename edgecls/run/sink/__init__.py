"""Where results go. A new kind is a final `Sink` in a file of its own and a row in `SINKS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.run.sink.buffered import Buffered
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.sink.fake import ListSink
from edgecls.run.sink.jsonl import JsonlSink
from edgecls.run.sink.spool import Spool
from edgecls.run.sink.video import VideoSink
from edgecls.run.sink.window import WindowSink

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SINKS", "Backlog", "Buffered", "JsonlSink", "ListSink", "Sink", "Spool", "VideoSink", "WindowSink", "open_sink"]

SINKS: dict[str, Callable[[str], Sink]] = {
    "jsonl": JsonlSink,
    "video": VideoSink,
    "window": lambda _target: WindowSink(),
}
"""Each kind by the name it has before the colon; it gets what stands after."""

_NEEDS_TARGET = ("jsonl", "video")


def open_sink(spec: str) -> Sink:
    """Open a sink from a text such as `video:out.mp4`, `jsonl:labels.jsonl`, `jsonl:-` (stdout) or `window`."""
    kind, _, target = spec.partition(":")
    if kind not in SINKS:
        raise ConfigError(f"sink {spec!r} is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4")
    if kind in _NEEDS_TARGET and not target:
        raise ConfigError(
            f"sink {spec!r}: expected a file after the colon, such as {kind}:out.{'mp4' if kind == 'video' else kind}"
        )
    return SINKS[kind](target)
