"""The file with the secrets of a service: NAME=value lines, as systemd's EnvironmentFile= reads them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.run.config import read_config

if TYPE_CHECKING:
    from edgecls.run.config import Config

BESIDE = "secrets.env"
"""The name of the file of secrets beside cameras.toml."""
_LINE = re.compile(r"\s*([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)


def read_secrets(path: str | Path) -> dict[str, str]:
    """Read a file of secrets. Messages name lines by their numbers and never show them.

    Raises:
        ConfigError: The file cannot be read, or a line is no NAME=value.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or 'it is not UTF-8'})") from error
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip()[0] in "#;":
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError(f'{path}: line {number}: expected NAME=value, such as CAMERA_PASSWORD="secret"')
        found[match[1]] = _unquoted(match[2].strip())
    return found


def read_config_of_service(path: str | Path) -> Config:
    """Read a cameras.toml as its service does: with the secrets beside it, unless this process has such variables itself."""
    beside = Path(path).with_name(BESIDE)
    secrets = read_secrets(beside) if beside.is_file() and os.access(beside, os.R_OK) else {}
    return read_config(path, {**secrets, **os.environ})


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        inner = value[1:-1]
        return re.sub(r'\\(["\\$`])', r"\1", inner) if value[0] == '"' else inner
    return re.sub(r"\\(.)", r"\1", value)
