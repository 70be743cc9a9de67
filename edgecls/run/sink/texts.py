"""Sinks as texts, such as `clip:clips?pre_s=3`: what --sink takes, and what names a sink in messages."""

from __future__ import annotations

import dataclasses
from typing import Any, get_origin
from urllib.parse import parse_qsl, quote

from edgecls.errors import ConfigError, redact
from edgecls.run.sink.kinds import SINKS, Out, SinkKind
from edgecls.settings import alternatives, build, fields_of, unknown


def parse_sink(text: str) -> Out:
    """Read a text such as `clip:clips?pre_s=3&most_gb=20`: the settings of files and folders stand behind the ?, by their names
    alone, whichever table they are in; in an address everything is the address. Raises ConfigError.
    """
    kind, _, target = text.partition(":")
    row = SINKS.get(kind)
    if row is None:
        raise ConfigError(f"sink {text!r} is not known; expected one of {', '.join(SINKS)}, such as video:out.mp4")
    options = _options(row) if row.target == "path" else {}
    path, _, query = target.partition("?") if options else (target, "", "")
    if row.target and not path:
        raise ConfigError(f"sink {text!r}: expected {row.needs.format(kind=kind)}")
    table: dict[str, Any] = {}
    if row.target:
        table[row.target] = text if row.is_address else path
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in options:
            raise ConfigError(f"sink {text!r}: {unknown(name, options)}")
        within, hint = options[name]
        (table.setdefault(within, {}) if within else table)[name] = _read(hint, value)
    return build(row.settings, table, f"sink {text!r}")  # type: ignore[no-any-return]  # a dataclass of the row


def as_text(out: Out) -> str:
    """The text that `parse_sink` reads as these settings. Of an address those that stand in no address are left out."""
    row = SINKS[out.kind]
    if not row.target:
        return out.kind
    target = str(getattr(out, row.target))
    changed: list[str] = []
    for name, (within, _) in _options(row).items() if row.target == "path" else ():
        table: Any = getattr(out, within) if within else out
        if table is not None and getattr(table, name) != table.__dataclass_fields__[name].default:
            changed.append(f"{name}={quote(_write(getattr(table, name)), safe=',')}")
    plain = target if row.is_address else f"{out.kind}:{target}"
    return f"{plain}?{'&'.join(changed)}" if changed else plain


def place_of(out: Out) -> str:
    """Where it writes to, by which it is named and told from others: without password, and without settings of a file."""
    row = SINKS[out.kind]
    target = str(getattr(out, row.target)) if row.target else ""
    return redact(target if row.is_address else f"{out.kind}:{target}" if target else out.kind)


def _options(row: SinkKind) -> dict[str, tuple[str, Any]]:
    """The settings but for kind and target, each with the table that it is in ("": none) and its type."""
    found: dict[str, tuple[str, Any]] = {}
    for name, hint in fields_of(row.settings).items():
        (kind, *_) = alternatives(hint)
        if dataclasses.is_dataclass(kind):
            found |= {inner: (name, of_inner) for inner, of_inner in fields_of(kind).items()}
        elif name not in ("kind", row.target):
            found[name] = ("", hint)
    return found


def _read(hint: Any, text: str) -> Any:
    """The value of a text, for a setting of this type; the text itself where it is none, to be shown as what was found."""
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
