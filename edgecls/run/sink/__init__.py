"""Where results go. A new kind is a final `Sink` in a file of its own and a row in `SINKS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.run.sink.aside import Aside
from edgecls.run.sink.clip import ClipSink, Cut
from edgecls.run.sink.contract import Sink
from edgecls.run.sink.fake import ListSink
from edgecls.run.sink.jsonl import JsonlSink
from edgecls.run.sink.quota import Quota
from edgecls.run.sink.snapshot import Shot, SnapshotSink
from edgecls.run.sink.video import VideoSink
from edgecls.run.sink.window import WindowSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "SINKS",
    "Aside",
    "ClipSink",
    "Cut",
    "JsonlSink",
    "ListSink",
    "Quota",
    "Shot",
    "Sink",
    "SnapshotSink",
    "VideoSink",
    "WindowSink",
    "keep_s",
    "open_sink",
]

SINKS: dict[str, Callable[[str], Sink]] = {
    "clip": lambda folder: Aside(ClipSink(folder), name=f"clip:{folder}"),
    "jsonl": JsonlSink,
    "snapshot": lambda folder: Aside(SnapshotSink(folder), name=f"snapshot:{folder}"),
    "video": VideoSink,
    "window": lambda _target: WindowSink(),
}
"""Each kind by the name it has before the colon; it gets what stands after."""

_EXAMPLES = {"clip": "clip:clips", "jsonl": "jsonl:out.jsonl", "snapshot": "snapshot:snapshots", "video": "video:out.mp4"}
"""Of each kind that needs something after the colon."""
_KEEP_S = {"clip": Cut().keep_s, "snapshot": Shot().keep_s}


def open_sink(spec: str) -> Sink:
    """Open a sink from a text such as `video:out.mp4`, `jsonl:labels.jsonl`, `jsonl:-` (stdout) or `window`."""
    kind, _, target = spec.partition(":")
    if kind not in SINKS:
        raise ConfigError(f"sink {spec!r} is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4")
    if kind in _EXAMPLES and not target:
        what = "folder" if kind in _KEEP_S else "file"
        raise ConfigError(f"sink {spec!r}: expected a {what} after the colon, such as {_EXAMPLES[kind]}")
    return SINKS[kind](target)


def keep_s(specs: Sequence[str]) -> float:
    """How many seconds of packets the sinks of these texts want sources to keep (`Reading.keep_s`); 0 where none needs any."""
    return max((_KEEP_S.get(spec.partition(":")[0], 0.0) for spec in specs), default=0.0)
