"""The arguments of `Run`: each has its type, or the error says in one line what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecls.detect.settings import DetectorSettings
from edgecls.errors import ConfigError
from edgecls.events.rules import CountingLine, Zone
from edgecls.files.advice import kind_of
from edgecls.regions.motion import MotionSettings
from edgecls.run.config import Config
from edgecls.settings.toml_lines import cut
from edgecls.sink import SINKS, Sink
from edgecls.text.redaction import shown

_EXAMPLES = {"zones": "{'gate': (0.4, 0.2, 0.1, 0.3)}", "lines": "{'entry': (0.1, 0.6, 0.9, 0.6)}"}
_NUMBERS = {"zones": "(x, y, width, height)", "lines": "(x1, y1, x2, y2)"}


def check_arguments(
    *, config: object, model: object, sources: object, zones: object, lines: object, motion: object, detector: object,
    sinks: object, spool: object, say: object,
) -> None:  # fmt: skip
    """Raise ConfigError for an argument of `Run` that has the wrong type."""
    check_config(config)
    if not (model is None or isinstance(model, str | Path)):
        raise _wrong("model", "the path of an .onnx file", model)
    check_sources(sources)
    _check_named("zones", zones, Zone)
    _check_named("lines", lines, CountingLine)
    if not isinstance(motion, bool | MotionSettings):
        raise _wrong("motion", "True, False or MotionSettings(...)", motion)
    if not (detector is None or isinstance(detector, str | Path | DetectorSettings)):
        raise _wrong("detector", "the path of an .onnx file, or DetectorSettings(...)", detector)
    _check_sinks(sinks)
    if not (spool is None or isinstance(spool, str | Path)):
        raise _wrong("spool", "the path of a folder", spool)
    if not callable(say):
        raise _wrong("say", "a function that takes one line of text, such as print", say)


def check_config(config: object) -> None:
    """Raise ConfigError for a `config` that is neither a path nor a Config, or the path of a file of another kind."""
    if not (config is None or isinstance(config, str | Path | Config)):
        raise _wrong("config", "the path of a cameras.toml, or a Config", config)
    kind = kind_of(config) if isinstance(config, str | Path) else None
    if kind in ("model", "video"):
        name = shown(str(config))
        fix = f"model={name!r}" if kind == "model" else f"sources=[{name!r}]"
        raise ConfigError(f"config must be a cameras.toml, but {name} is a {kind}; write {fix}")


def check_sources(sources: object) -> None:
    """Raise ConfigError unless these are camera numbers, paths and URLs."""
    if isinstance(sources, str | Path | int):
        raise _wrong("sources", f"a list such as [{_text(sources)}]", sources)
    if not isinstance(sources, Sequence):  # a generator would be used up by this check
        raise _wrong("sources", "a list of camera numbers, paths and URLs", sources)
    for i, source in enumerate(sources):
        if not isinstance(source, str | Path | int) or isinstance(source, bool):
            raise _wrong(f"sources[{i}]", "a camera number, a path or a URL", source)


def _check_named(name: str, value: object, kind: type[Zone | CountingLine]) -> None:
    """Raise ConfigError unless these are numbers by name, or zones or lines."""
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, numbers in value.items():
            if not isinstance(key, str):
                raise ConfigError(f"{name}: the name {_text(key)} must be a text")
            if isinstance(numbers, kind):
                listed = f"{name}=[{kind.__name__}(...)]"
                raise ConfigError(f"{name}[{key!r}] is a {kind.__name__}, which has its own name; pass a list: {listed}")
            if isinstance(numbers, str) or not isinstance(numbers, Iterable):
                raise _wrong(f"{name}[{key!r}]", f"four numbers {_NUMBERS[name]}", numbers)
        return
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, kind) for one in value):
        raise _wrong(name, f"a dict such as {_EXAMPLES[name]}, or a list of {kind.__name__}", value)


def _check_sinks(sinks: object) -> None:
    if isinstance(sinks, str):
        raise _wrong("sinks", f"a list such as [{_text(sinks)}]", sinks)
    if not isinstance(sinks, Sequence):
        raise _wrong("sinks", "a list such as ['csv:events.csv']", sinks)
    kinds: tuple[Any, ...] = (str, *(row.settings for row in SINKS.values()))
    for i, sink in enumerate(sinks):
        if isinstance(sink, Sink):
            raise ConfigError(f"sinks[{i}] is an open {type(sink).__name__}; append it to `sinks` of the run instead")
        if not isinstance(sink, kinds):
            raise _wrong(f"sinks[{i}]", "a text such as 'csv:events.csv', or settings of a sink", sink)


def _wrong(name: str, expected: str, value: object) -> ConfigError:
    return ConfigError(f"{name} must be {expected}, not {_text(value)}")


def _text(value: object) -> str:
    """Return a value for a message, without secrets and not too long."""
    return cut(repr(shown(value)) if isinstance(value, str) else shown(repr(value)))
