"""Specifications of sinks, such as `clip:clips?pre_s=3`, and checks that sinks do not conflict with inputs or each other."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin
from urllib.parse import parse_qsl, quote

from edgecls.errors import ConfigError
from edgecls.settings import LONGEST_TEXT, alternatives, build, fields_of, unknown
from edgecls.sink.kinds import SINKS, SinkSettings
from edgecls.sink.recordings.video import CAMERA
from edgecls.text.redaction import hidden, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edgecls.sink.sink import SinkKind

_USER_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^/\s]+@|[^/\s:@]+:(?!\d+/)[^\s@]+@)", re.IGNORECASE)
_SECRET_IN_QUERY = re.compile(r"([?&#](?:pass|passwd|password|pwd|token|secret|key|auth)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)


def parse_sink(text: str) -> SinkSettings:
    """Parse a specification such as `clip:clips?pre_s=3&most_gb=20` into settings. Raises ConfigError.

    For files and folders, settings follow the ?, by name and without the name of their table. An address is taken as a whole.
    """
    if len(text) > LONGEST_TEXT:
        raise ConfigError(f"a sink must be a text of at most {LONGEST_TEXT:,} characters, not {len(text):,}")
    kind, _, target = text.partition(":")
    row = SINKS.get(kind)
    where = f"sink {_hidden(text, row)!r}"
    if row is None:
        raise ConfigError(f"{where} is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4")
    options = _options(row) if row.target == "path" else {}
    path, _, query = target.partition("?") if options else (target, "", "")
    if "=" not in query:  # not a setting, so it is a part of the name
        path, query = target, ""
    if row.target and not path:
        raise ConfigError(f"{where}: expected {row.needs.format(kind=kind)}")
    table: dict[str, Any] = {}
    if row.target:
        table[row.target] = text if row.is_address else path
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in options:
            raise ConfigError(f"{where}: {unknown(name, options)}")
        within, hint = options[name]
        (table.setdefault(within, {}) if within else table)[name] = _read(hint, value)
    try:
        return build(row.settings, table, where)  # type: ignore[no-any-return]  # a dataclass of the row
    except ConfigError as error:
        raise ConfigError(_as_written(str(error), where, options)) from error


def _as_written(text: str, where: str, options: Mapping[str, tuple[str, Any]]) -> str:
    """Return an error that names a setting as a specification does, without its table."""
    for name, (within, _) in options.items():
        text = text.replace(f"{where}: {within}.{name} ", f"{where}: {name} ") if within else text
    return text


def _hidden(text: str, row: SinkKind[Any] | None) -> str:
    """Hide the secrets in a specification. The settings of a file or folder are none."""
    return hidden(text) if row is not None and row.target == "path" else shown(text)


def as_text(out: SinkSettings) -> str:
    """Return the specification of these settings, the inverse of `parse_sink`. Other settings of an address are omitted."""
    row = SINKS[out.kind]
    if not row.target:
        return out.kind
    target = row.target_of(out)
    changed: list[str] = []
    for name, (within, _) in _options(row).items() if row.target == "path" else ():
        table: Any = getattr(out, within) if within else out
        if table is not None and getattr(table, name) != table.__dataclass_fields__[name].default:
            changed.append(f"{name}={quote(_write(getattr(table, name)), safe=',')}")
    plain = target if row.is_address else f"{out.kind}:{target}"
    return f"{plain}?{'&'.join(changed)}" if changed else plain


def place_of(out: SinkSettings) -> str:
    """Return the name of a sink in messages: its target without secrets and options."""
    row = SINKS[out.kind]
    target = row.target_of(out)
    return hidden(target if row.is_address else f"{out.kind}:{target}" if target else out.kind)


def places_of(outs: Sequence[SinkSettings]) -> list[str]:
    """Return the names of several sinks in messages. Duplicates get a number."""
    places = list(map(place_of, outs))
    counts = [places[: i + 1].count(place) for i, place in enumerate(places)]
    return [f"{place} ({count})" if count > 1 else place for place, count in zip(places, counts, strict=True)]


def identity_of(out: SinkSettings) -> str:
    """Return what identifies the target of a sink, without user and password, which may change.

    For internal use only. Spool files are named after its digest, so its form must not change.
    """
    row = SINKS[out.kind]
    target = row.target_of(out)
    text = target if row.is_address else f"{out.kind}:{target}" if target else out.kind
    return _SECRET_IN_QUERY.sub(r"\1***", _USER_IN_URL.sub(r"\1***@", text))


def check_places(outs: Sequence[SinkSettings]) -> None:
    """Raise ConfigError if two sinks have the same target, or write to the same file by two names."""
    counts = Counter(map(identity_of, outs))
    twice = [place_of(out) for out in outs if counts[identity_of(out)] > 1]
    if twice:
        raise ConfigError(f"sink {twice[0]!r} is named twice")
    check_meeting(outs, cameras=[CAMERA])  # the names of cameras are not known here


def check_meeting(outs: Iterable[SinkSettings], *, cameras: Sequence[str]) -> None:
    """Raise ConfigError if two sinks would write to the same file for cameras with these names. Opens nothing."""
    writers: dict[object, SinkSettings] = {}
    for out in outs:
        for path in SINKS[out.kind].files(out, cameras):
            identity = _identity(path)
            writer = out if identity is None else writers.setdefault(identity, out)
            if writer is not out:
                names = f"{place_of(writer)!r} and {place_of(out)!r}"
                raise ConfigError(f"sinks {names} would write to the same file ({path}); name another file")


def check_use(out: SinkSettings, *, reads: Iterable[str | Path], cameras: Sequence[str]) -> None:
    """Raise ConfigError if a sink would overwrite one of the files in `reads`, or write several cameras to one file."""
    row = SINKS[out.kind]
    files = row.files(out, cameras)
    if len(set(files)) < len(files):
        named = Path(row.target_of(out))
        several = named.with_stem(f"{named.stem}-{CAMERA}").name
        raise ConfigError(f"sink {place_of(out)!r}: several cameras need {CAMERA} in the name of the video, such as {several}")
    for read in map(Path, reads):
        if any(_is_same_file(read, file) for file in files):
            raise ConfigError(f"sink {place_of(out)!r} would write to {read}, which is an input; name another file")


def _options(row: SinkKind[Any]) -> dict[str, tuple[str, Any]]:
    """Return the settings except kind and target, each with its nested table ("" if none) and type."""
    found: dict[str, tuple[str, Any]] = {}
    for name, hint in fields_of(row.settings).items():
        (kind, *_) = alternatives(hint)
        if dataclasses.is_dataclass(kind):
            found |= {inner: (name, of_inner) for inner, of_inner in fields_of(kind).items()}
        elif name not in ("kind", row.target):
            found[name] = ("", hint)
    return found


def _read(hint: Any, text: str) -> Any:
    """Convert a text to the type of a setting. Returns the text itself if that fails, for the error message."""
    (kind, *_) = alternatives(hint)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text.split(",") if get_origin(kind) is tuple else text


def _write(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _identity(path: Path) -> object:
    """Return a value that is equal for two names of one file, even if it does not exist yet.

    Returns None for anything else, such as a terminal, to which several sinks may write.
    """
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _is_same_file(one: Path, other: Path) -> bool:
    """Whether both names mean one file, even if it does not exist yet. A device such as a terminal may be read and written."""
    try:
        return one.samefile(other) and one.is_file()
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)
