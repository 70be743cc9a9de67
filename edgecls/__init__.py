"""edgecls: from labelled pictures to trustworthy labels on live cameras.

The public names are listed once, in `__init__.pyi`, for people, type checkers and this module. Each is loaded when it is first
used, so `import edgecls` costs nothing.
"""

from __future__ import annotations

import importlib
import re
import warnings
from pathlib import Path

from edgecls._version import __version__

_IMPORT = re.compile(r"^from (\S+) import (\w+) as (\w+)$", re.MULTILINE)
_HOMES = {
    public: (module, name) for module, name, public in _IMPORT.findall(Path(__file__).with_suffix(".pyi").read_text("utf-8"))
}
_FORMER = {
    "Gate": "CountingLine",
    "HealthRule": "HealthSettings",
    "MotionRule": "MotionSettings",
    "Reading": "ReadingSettings",
    "StateRule": "StateSettings",
    "TrackRule": "TrackSettings",
}
"""Names of version 0.2.0, which still work."""

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604 - the names are those of the stub


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name in _FORMER:
        warnings.warn(f"edgecls.{name} is called edgecls.{_FORMER[name]} now", DeprecationWarning, stacklevel=2)
        name = _FORMER[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'edgecls' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
