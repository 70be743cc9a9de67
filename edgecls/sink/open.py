"""Opening of sinks. To add a kind, write a module with its settings, a final `Sink` and its row, and list it in `kinds.py`.

Sinks for events that write to a table, a database or a network are behind a spool on disk (`BUFFERED`). They may be slow or
fail without delaying the run, and lose no events. Clips and snapshots are behind a queue in memory. The other sinks, for lines,
videos, windows and metrics, run in the thread of the run.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError, EdgeclsError, SinkError
from edgecls.files.cache import user_state
from edgecls.log import Say, log_warning
from edgecls.sink.delivery.background import Background
from edgecls.sink.delivery.spool import Spool
from edgecls.sink.delivery.spooled import Spooled
from edgecls.sink.dry_run import dry_run
from edgecls.sink.kinds import SINKS, SinkSettings
from edgecls.sink.spec import check_places, identity_of, parse_sink, place_of, places_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.sink.sink import Sink


BUFFERED = tuple(kind for kind, row in SINKS.items() if row.queue == "disk")
"""The kinds of sinks behind a spool."""


def open_sink(spec: str | SinkSettings, *, spool: str | Path | None = None, say: Say = log_warning) -> Sink:
    """Open a sink.

        with edgecls.open_sink("video:out.mp4") as sink:
            sink.write(result)

    Args:
        spec: A specification such as `video:out.mp4`, `jsonl:-` (stdout), `window` or `mqtt://host/edgecls`, or settings such
            as `ClipSettings("clips", quota=QuotaSettings(most_gb=20))`.
        spool: Folder for events that wait for delivery. Default: EDGECLS_SPOOL, or edgecls/spool in the user's state folder.
        say: Called with a one-line message for problems that occur later.

    Returns:
        The open sink.

    Raises:
        ConfigError: The specification is invalid.
        SinkError: The sink cannot be opened.
        MissingExtraError: A package that it needs is not installed.
    """
    out = _settings(spec)
    row = SINKS[out.kind]
    try:
        sink = row.open(out, say)
    except OSError as error:
        if isinstance(error, EdgeclsError):
            raise
        raise SinkError(f"{place_of(out)}: cannot be opened ({error.strerror or error})") from error
    if row.queue is None:
        return sink
    if row.queue == "memory":
        return Background(sink, name=place_of(out), say=say)
    try:
        queue = Spool(spool_folder(spool) / spool_name(out), say=say)
    except BaseException:
        sink.close()
        raise
    return Spooled(sink, queue, name=place_of(out), say=say)


def open_sinks(specs: Sequence[str | SinkSettings], *, spool: str | Path | None = None, say: Say = log_warning) -> list[Sink]:
    """Open the sinks of a run, with the arguments and errors of `open_sink`. After an error none stays open."""
    outs = [_settings(spec) for spec in specs]
    check_places(outs)
    sinks: dict[str, Sink] = {}
    try:
        for place, out in zip(places_of(outs), outs, strict=True):
            sinks[place] = open_sink(out, spool=spool, say=say)
    except BaseException:
        for sink in sinks.values():
            sink.close()
        raise
    for sink in sinks.values():
        sink.beside(sinks)
    return list(sinks.values())


def check_sinks(
    specs: Sequence[str | SinkSettings], *, spool: str | Path | None = None, say: Say = log_warning
) -> list[tuple[int, str]]:  # fmt: skip
    """Check which sinks cannot be opened, without side effects. Returns the index and the error of each."""
    outs = [_settings(spec) for spec in specs]
    check_places(outs)
    errors = []
    for i, out in enumerate(outs):
        try:
            dry_run(out, spool_folder(spool), say)
        except (EdgeclsError, OSError) as error:
            place, fault = place_of(out), str(error)
            its_own = next((own for own in (place, str(getattr(out, "path", place))) if fault.startswith(f"{own}: ")), "")
            errors.append((i, f"sink {place!r}: {fault[len(its_own) + 2 :] if its_own else fault}"))
    return errors


def close_sink(sink: Sink, say: Say) -> None:
    """Close a sink during a run. Errors are reported, not raised."""
    try:
        sink.close()
    except (EdgeclsError, OSError) as error:
        say(str(error))


def keep_s(specs: Sequence[str | SinkSettings]) -> float:
    """Return how many seconds of packets sources must keep for these sinks (`ReadingSettings.keep_s`), or 0."""
    return max((SINKS[out.kind].keep_s(out) for out in map(_settings, specs)), default=0.0)


def spool_name(out: SinkSettings) -> str:
    """Return the name of the sink's spool file, which depends only on where the sink writes."""
    row = SINKS[out.kind]
    target = row.target_of(out)
    place = str(Path(target).absolute()) if row.target == "path" else identity_of(out)
    kind: str = out.kind
    if row.is_address:  # without the options after the ?; those of a webhook are part of its address
        kind, place = target.partition(":")[0], place.partition("?")[0]
    return f"{kind}-{hashlib.sha256(place.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.spool"


def _settings(spec: str | SinkSettings) -> SinkSettings:
    return parse_sink(spec) if isinstance(spec, str) else spec


def spool_folder(given: str | Path | None) -> Path:
    """Return the folder of waiting events: the given one, or the default. Raises ConfigError if there is none."""
    if given is not None or os.environ.get("EDGECLS_SPOOL"):
        return Path(given if given is not None else os.environ["EDGECLS_SPOOL"])
    try:
        return user_state() / "spool"
    except RuntimeError as error:  # a user without a home
        raise ConfigError("no folder for waiting events; set one in the environment variable EDGECLS_SPOOL") from error
