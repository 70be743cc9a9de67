"""Settings: frozen dataclasses built from TOML tables, their JSON Schema, and their line numbers for errors."""

from edgecls.settings.build import (
    LONGEST_TEXT,
    NO_SETTING,
    as_table,
    build,
    check,
    merged,
    parse_toml,
    read_toml,
    read_toml_with_lines,
)
from edgecls.settings.fields import alternatives, fields_of, unknown
from edgecls.settings.limits import check_limits, limited, some_of

__all__ = [
    "LONGEST_TEXT",
    "NO_SETTING",
    "alternatives",
    "as_table",
    "build",
    "check",
    "check_limits",
    "fields_of",
    "limited",
    "merged",
    "parse_toml",
    "read_toml",
    "read_toml_with_lines",
    "some_of",
    "unknown",
]
