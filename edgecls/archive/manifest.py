"""archive.json: the model and the rules that all labels in a folder are made by, so that no table mixes several."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from edgecls._version import __version__
from edgecls.archive.schema import VERSION
from edgecls.errors import ConfigError, DataError
from edgecls.files import whole_file
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "archive.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the labels of an archive are made by.

    Attributes:
        model: The name of the model.
        sha256: The hash of its file.
        rules: The fingerprint of the rules of each camera.
        edgecls: The version of edgecls that wrote this.
        schema: The version of the tables.
    """

    model: str
    sha256: str
    rules: Mapping[str, str] = field(default_factory=dict)
    edgecls: str = __version__
    schema: int = VERSION


def agree(out: Path, wanted: Manifest) -> None:
    """Write down what an archive is made by, or make sure that it is made by the same.

    Raises:
        ConfigError: The archive has labels by another model or other rules, or is of another version.
        DataError: Its archive.json cannot be read.
        SinkError: It cannot be written.
    """
    path = out / NAME
    before = _read(path) if path.exists() else None
    if before is not None:
        _check(out, before, wanted)
        wanted = replace(before, rules={**before.rules, **wanted.rules})
        if wanted == before:
            return
    with whole_file(path) as beside:
        beside.write_text(dumps(asdict(wanted), indent=2) + "\n", encoding="utf-8")


def _check(out: Path, before: Manifest, wanted: Manifest) -> None:
    if before.schema != wanted.schema:
        raise ConfigError(
            f"{out}: its tables are of version {before.schema}, this edgecls writes version {wanted.schema}; choose another "
            f"`out`, or go on with edgecls {before.edgecls}"
        )
    if before.sha256 != wanted.sha256:
        raise ConfigError(
            f"{out}: its labels are by the model {before.model} ({before.sha256[:12]}), not by {wanted.model} "
            f"({wanted.sha256[:12]}); choose another `out`"
        )
    other = [camera for camera, rules in wanted.rules.items() if before.rules.get(camera, rules) != rules]
    if other:
        raise ConfigError(
            f"{out}: its labels of the camera {other[0]!r} are by other rules (zones, motion, what is read ...); choose "
            "another `out`, or the rules of that time"
        )


def _read(path: Path) -> Manifest:
    try:
        record = loads(path.read_text(encoding="utf-8"))
        if record["schema"] != VERSION:  # the other fields may be others too
            return Manifest("", "", {}, str(record.get("edgecls", "?")), record["schema"])
        return Manifest(**record)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: does not describe an archive ({type(error).__name__}); choose another `out`") from error
