"""Where results and events go. A new kind is a final `Sink` in a file of its own, and its settings with a row in
`SINKS`, in `kinds.py`.

Those that write to a disk, a database or a network, and take events only, stand behind a buffer with a spool on the disk
(`BUFFERED`): they may be slow or dead without the run being so, and lose no event. The others are the run's own output, in its
thread: lines and pictures at the time that they are of.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.aside import Aside
from edgecls.run.sink.buffered import Buffered
from edgecls.run.sink.callback import CallbackSink
from edgecls.run.sink.clip import ClipSink, Cut
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.sink.fake import ListSink
from edgecls.run.sink.jsonl import JsonlSink
from edgecls.run.sink.kinds import (
    SINKS,
    ClipOut,
    CsvOut,
    JsonlOut,
    MqttOut,
    Out,
    PrometheusOut,
    QuotaRule,
    SnapshotOut,
    SqliteOut,
    VideoOut,
    WebhookOut,
    WindowOut,
)
from edgecls.run.sink.mqtt import MqttSink
from edgecls.run.sink.places import check_places, check_use
from edgecls.run.sink.prometheus import PrometheusSink
from edgecls.run.sink.quota import Quota
from edgecls.run.sink.snapshot import Shot, SnapshotSink
from edgecls.run.sink.spool import Spool
from edgecls.run.sink.sqlite import SqliteSink
from edgecls.run.sink.table import CsvSink
from edgecls.run.sink.texts import as_text, parse_sink, place_of
from edgecls.run.sink.video import VideoSink
from edgecls.run.sink.webhook import WebhookSink
from edgecls.run.sink.window import WindowSink

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BUFFERED",
    "DRAWN",
    "SINKS",
    "Aside",
    "Backlog",
    "Buffered",
    "CallbackSink",
    "ClipOut",
    "ClipSink",
    "CsvOut",
    "CsvSink",
    "Cut",
    "JsonlOut",
    "JsonlSink",
    "ListSink",
    "MqttOut",
    "MqttSink",
    "Out",
    "PrometheusOut",
    "PrometheusSink",
    "Quota",
    "QuotaRule",
    "Shot",
    "Sink",
    "SnapshotOut",
    "SnapshotSink",
    "Spool",
    "SqliteOut",
    "SqliteSink",
    "VideoOut",
    "VideoSink",
    "WebhookOut",
    "WebhookSink",
    "WindowOut",
    "WindowSink",
    "as_text",
    "check_places",
    "check_use",
    "close_sink",
    "folder_of",
    "keep_s",
    "open_sink",
    "open_sinks",
    "parse_sink",
    "place_of",
    "spool_name",
]

DRAWN = tuple(kind for kind, row in SINKS.items() if row.draws)
"""Those that show the picture, for which cameras must not be read at a fraction of their size."""
BUFFERED = tuple(kind for kind, row in SINKS.items() if row.buffered)


def open_sink(spec: str | Out, *, spool: str | Path | None = None, say: Say = say_on_stderr) -> Sink:
    """Open a sink from a text such as `video:out.mp4`, `jsonl:-` (stdout), `window` or `mqtt://host/edgecls`, or from settings
    such as `ClipOut("clips", quota=QuotaRule(most_gb=20))`.

    `spool` is the folder for events that wait; left out, EDGECLS_SPOOL, or edgecls/spool in the user's folder for state. Each
    place that is written to has a file there, whatever the password and the options. `say` hears in one line what goes wrong
    behind a buffer.
    """
    out = _settings(spec)
    row = SINKS[out.kind]
    sink = row.open(out, say)
    if not row.buffered:
        return sink
    try:
        queue = Spool(_spool_folder(spool) / spool_name(out), say=say)
    except BaseException:
        sink.close()
        raise
    return Buffered(sink, queue, name=place_of(out), say=say, most_results=0)


def open_sinks(specs: Sequence[str | Out], *, spool: str | Path | None = None, say: Say = say_on_stderr) -> list[Sink]:
    """Open several sinks of one run, which then know of one another. After an error none stays open."""
    outs = [_settings(spec) for spec in specs]
    check_places(outs)
    sinks: dict[str, Sink] = {}
    try:
        for out in outs:
            sinks[place_of(out)] = open_sink(out, spool=spool, say=say)
    except BaseException:
        for sink in sinks.values():
            sink.close()
        raise
    for sink in sinks.values():
        sink.beside(sinks)
    return list(sinks.values())


def close_sink(sink: Sink, say: Say) -> None:
    """Close a sink while others go on: what cannot be written any more is said, and stops nothing."""
    try:
        sink.close()
    except (EdgeclsError, OSError) as error:
        say(str(error))


def keep_s(specs: Sequence[str | Out]) -> float:
    """How many seconds of packets these sinks want sources to keep (`Reading.keep_s`); 0 where none needs any."""
    return max((SINKS[out.kind].keep_s(out) for out in map(_settings, specs)), default=0.0)


def folder_of(out: Out) -> Path | None:
    """The folder that must be there for this sink; None where it writes to none."""
    if isinstance(out, ClipOut | SnapshotOut):
        return Path(out.path)
    return Path(out.path).parent if isinstance(out, JsonlOut | VideoOut | CsvOut | SqliteOut) else None


def spool_name(out: Out) -> str:
    """The file for what waits for this sink: the same for the same place, whatever its other settings are."""
    row = SINKS[out.kind]
    target = str(getattr(out, row.target))
    place = str(Path(target).absolute()) if row.target == "path" else place_of(out)
    kind: str = out.kind
    if row.is_address:  # its options stand behind the ?; of a webhook they are part of the address
        kind, place = target.partition(":")[0], place.partition("?")[0]
    return f"{kind}-{hashlib.sha256(place.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.spool"


def _settings(spec: str | Out) -> Out:
    return parse_sink(spec) if isinstance(spec, str) else spec


def _spool_folder(given: str | Path | None) -> Path:
    if given is not None or os.environ.get("EDGECLS_SPOOL"):
        return Path(given if given is not None else os.environ["EDGECLS_SPOOL"])
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        return (Path(state) if state else Path.home() / ".local" / "state") / "edgecls" / "spool"
    except RuntimeError as error:  # a user without a home
        raise ConfigError("no folder for events that wait: say one in the environment variable EDGECLS_SPOOL") from error
