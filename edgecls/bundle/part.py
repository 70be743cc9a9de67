"""The settings that a bundle may bring, its file cameras.part.toml.

    [each_camera.track]             # for every camera of the device
    min_hits = 3

    [[camera]]                      # for the camera of this name, if the device has one
    name = "north"
    [[camera.zone]]
    name = "bay"
    dwell_s = 20

A bundle brings what belongs to a model: thresholds, zones, lines and rules. It does not decide which cameras there are, how
they are read, what runs on the device or whom it trusts. It may bring outputs (`sinks`) where the device allows that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.settings import parse_toml
from edgecls.settings.variables import names_in
from edgecls.text.redaction import hidden, is_secret_key

if TYPE_CHECKING:
    from edgecls.settings.toml_lines import Where

EACH = "each_camera"
FILE = ("camera", EACH, "threads", "sinks", "sink")
"""What may stand at the top of the file."""
SINKS = ("sinks", "sink")
CAMERA = (
    "name", "when", "zone", "line", "ignore", "private", "count_every_s", "state", "track", "motion", "left", "detector",
    "health", "drift",
)  # fmt: skip
"""What a bundle may set of a camera: no address, no decoder (which may be a program), and of a detector not its file."""

_FILLED_USER = re.compile(r"(?<=://)\$\{\w+\}(?::\$\{\w+\})?@")
_FILLED_VALUE = re.compile(r"\b[\w-]+=\$\{\w+\}")
_FILLED = re.compile(r"\$\{\w+\}")


def read_part(content: bytes, path: str) -> dict[str, Any]:
    """Read the settings of a bundle.

    Args:
        content: The content of cameras.part.toml.
        path: What messages begin with.

    Returns:
        Its table. Variables such as ${NAME} are not replaced.

    Raises:
        ConfigError: It is not valid TOML, or has a setting that no bundle may bring.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML (it is not UTF-8)") from error
    table, where = parse_toml(text, path)
    check_part(table, where)
    return table


def check_part(table: dict[str, Any], where: Where) -> None:
    """Raise ConfigError for a setting that no bundle may bring, and for a password in plain text."""
    for name in table:
        if name not in FILE:
            raise where.fault(name, f"no bundle may set {name}; expected {', '.join(FILE)}")
    each = table.get(EACH, {})
    if not isinstance(each, dict) or "name" in each:
        raise where.fault(EACH, f"[{EACH}] must be a single table without a name; for one camera use [[camera]]")
    _check_camera(each, EACH, where)
    cameras = table.get("camera", [])
    if not isinstance(cameras, list):
        raise where.fault("camera", "camera must be a list of tables; write [[camera]], in double brackets, before each")
    names: set[str] = set()
    for i, camera in enumerate(cameras):
        if not isinstance(camera, dict) or not isinstance(camera.get("name"), str) or camera["name"] in names:
            raise where.fault(f"camera[{i}]", f"camera[{i}] needs a name of its own, that of a camera of the device")
        names.add(camera["name"])
        _check_camera(camera, f"camera[{i}]", where)
    for name, value in table.items():
        _check_texts(value, name, where, may_have_variables=name in SINKS)


def _check_camera(camera: dict[str, Any], path: str, where: Where) -> None:
    for name in camera:
        if name not in CAMERA:
            raise where.fault(f"{path}.{name}", f"no bundle may set {name} of a camera; expected {', '.join(CAMERA)}")
    detector = camera.get("detector", {})
    if not isinstance(detector, dict) or "model" in detector:
        raise where.fault(
            f"{path}.detector", "no bundle may set the file of a detector; expected a table [camera.detector] without model"
        )


def _check_texts(value: Any, path: str, where: Where, *, may_have_variables: bool) -> None:
    """Raise ConfigError for variables of the device where none belong, and for secrets."""
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{path}.{name}"
            if is_secret_key(name) and isinstance(inner, str) and _FILLED.sub("", inner):
                raise _secret(here, where)
            _check_texts(inner, here, where, may_have_variables=may_have_variables)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _check_texts(inner, f"{path}[{i}]", where, may_have_variables=may_have_variables)
    elif isinstance(value, str):
        if names_in(value) and not may_have_variables:
            raise where.fault(path, f"{where.local(path)} has a variable of the device; a bundle may use them in outputs only")
        if "://" in value:
            bare = _FILLED_VALUE.sub("", _FILLED_USER.sub("", value))
            if hidden(bare) != bare:
                raise _secret(path, where)


def _secret(path: str, where: Where) -> ConfigError:
    fault = f"{where.local(path)} has a secret, which all who get the bundle could read; write a variable such as ${{NAME}}"
    return where.fault(path, fault)
