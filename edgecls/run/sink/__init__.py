"""Where results and events go. A new kind is a final `Sink` in a file of its own and a row in `SINKS`.

Those that write to a disk, a database or a network, and take events only, stand behind a buffer with a spool on the disk
(`BUFFERED`): they may be slow or dead without the run being so, and lose no event. The others are the run's own output, in its
thread: lines and pictures at the time that they are of.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError, redact
from edgecls.run.say import Say, say_on_stderr
from edgecls.run.sink.aside import Aside
from edgecls.run.sink.buffered import Buffered
from edgecls.run.sink.callback import CallbackSink
from edgecls.run.sink.clip import ClipSink, Cut
from edgecls.run.sink.contract import Backlog, Sink
from edgecls.run.sink.fake import ListSink
from edgecls.run.sink.jsonl import JsonlSink
from edgecls.run.sink.mqtt import MqttSink
from edgecls.run.sink.prometheus import PrometheusSink
from edgecls.run.sink.quota import Quota
from edgecls.run.sink.snapshot import Shot, SnapshotSink
from edgecls.run.sink.spool import Spool
from edgecls.run.sink.sqlite import SqliteSink
from edgecls.run.sink.table import CsvSink
from edgecls.run.sink.video import VideoSink
from edgecls.run.sink.webhook import WebhookSink
from edgecls.run.sink.window import WindowSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "BUFFERED",
    "DRAWN",
    "SINKS",
    "Aside",
    "Backlog",
    "Buffered",
    "CallbackSink",
    "ClipSink",
    "CsvSink",
    "Cut",
    "JsonlSink",
    "ListSink",
    "MqttSink",
    "PrometheusSink",
    "Quota",
    "Shot",
    "Sink",
    "SnapshotSink",
    "Spool",
    "SqliteSink",
    "VideoSink",
    "WebhookSink",
    "WindowSink",
    "keep_s",
    "open_sink",
    "open_sinks",
]

SINKS: dict[str, Callable[[str], Sink]] = {
    "clip": lambda folder: Aside(ClipSink(folder), name=f"clip:{folder}"),
    "jsonl": JsonlSink,
    "snapshot": lambda folder: Aside(SnapshotSink(folder), name=f"snapshot:{folder}"),
    "video": VideoSink,
    "window": lambda _target: WindowSink(),
    "csv": CsvSink,
    "sqlite": SqliteSink.from_text,
    "mqtt": lambda target: MqttSink(f"mqtt:{target}"),
    "mqtts": lambda target: MqttSink(f"mqtts:{target}"),
    "webhook": WebhookSink,
    "prometheus": PrometheusSink,
}
"""Each kind by the name it has before the colon; it gets what stands after."""
DRAWN = ("video", "window", "snapshot")
"""Those that show the picture, for which cameras must not be read at a fraction of their size."""
BUFFERED = ("csv", "sqlite", "mqtt", "mqtts", "webhook")

_TARGETS = {
    "jsonl": "a file after the colon, such as jsonl:out.jsonl",
    "video": "a file after the colon, such as video:out.mp4",
    "clip": "a folder after the colon, such as clip:clips",
    "snapshot": "a folder after the colon, such as snapshot:snapshots",
    "csv": "a file after the colon, such as csv:events.csv",
    "sqlite": "a file after the colon, such as sqlite:events.db",
    "mqtt": "a broker, such as mqtt://host/edgecls",
    "mqtts": "a broker, such as mqtts://host/edgecls",
    "webhook": "an address, such as webhook:https://host/path",
    "prometheus": "a port, such as prometheus:9108",
}
"""What must stand after the colon."""
_KEEP_S = {"clip": Cut().keep_s, "snapshot": Shot().keep_s}


def open_sink(spec: str, *, spool: str | Path | None = None, say: Say = say_on_stderr) -> Sink:
    """Open a sink from a text such as `video:out.mp4`, `jsonl:-` (stdout), `window` or `mqtt://host/edgecls`.

    `spool` is the folder for events that wait; left out, EDGECLS_SPOOL, or edgecls/spool in the user's folder for state. Each
    place that is written to has a file there, whatever the password and the options. `say` hears in one line what goes wrong
    behind a buffer.
    """
    kind, _, target = spec.partition(":")
    if kind not in SINKS:
        raise ConfigError(f"sink {spec!r} is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4")
    if kind in _TARGETS and not target:
        raise ConfigError(f"sink {spec!r}: expected {_TARGETS[kind]}")
    sink = SINKS[kind](target)
    if kind not in BUFFERED:
        return sink
    try:
        queue = Spool(_spool_folder(spool) / _spool_name(kind, target), say=say)
    except BaseException:
        sink.close()
        raise
    return Buffered(sink, queue, name=redact(spec), say=say, most_results=0)


def open_sinks(specs: Sequence[str], *, spool: str | Path | None = None, say: Say = say_on_stderr) -> list[Sink]:
    """Open several sinks of one run, which then know of one another. After an error none stays open."""
    twice = [name for name, count in Counter(map(redact, specs)).items() if count > 1]
    if twice:
        raise ConfigError(f"sink {twice[0]!r} is named twice")
    sinks: dict[str, Sink] = {}
    try:
        for spec in specs:
            sinks[redact(spec)] = open_sink(spec, spool=spool, say=say)
    except BaseException:
        for sink in sinks.values():
            sink.close()
        raise
    for sink in sinks.values():
        sink.beside(sinks)
    return list(sinks.values())


def _spool_name(kind: str, target: str) -> str:
    without_options = target if kind == "webhook" else target.partition("?")[0]  # of a webhook they are part of the address
    is_file = kind in ("csv", "sqlite")
    place = str(Path(without_options).absolute()) if is_file else redact(f"{kind}:{without_options}")
    return f"{kind}-{hashlib.sha256(place.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.spool"


def _spool_folder(given: str | Path | None) -> Path:
    if given is not None or os.environ.get("EDGECLS_SPOOL"):
        return Path(given if given is not None else os.environ["EDGECLS_SPOOL"])
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        return (Path(state) if state else Path.home() / ".local" / "state") / "edgecls" / "spool"
    except RuntimeError as error:  # a user without a home
        raise ConfigError("no folder for events that wait: say one in the environment variable EDGECLS_SPOOL") from error


def keep_s(specs: Sequence[str]) -> float:
    """How many seconds of packets the sinks of these texts want sources to keep (`Reading.keep_s`); 0 where none needs any."""
    return max((_KEEP_S.get(spec.partition(":")[0], 0.0) for spec in specs), default=0.0)
