"""Everything that edgecls raises on purpose.

    EdgeclsError
    |-- DataError(ValueError)       labelled pictures: a folder, a manifest, a picture
    |-- ConfigError(ValueError)     a setting
    |-- ModelError(ValueError)      a model file or its card
    |-- TrainError(ArithmeticError) a training run whose numbers broke down
    |-- ExportError(RuntimeError)   a conversion that failed or whose result is not what was trained
    |   `-- GateError                   no form of the model keeps to what was asked of it
    |-- DeviceError(RuntimeError)   an execution provider that cannot be had
    |-- SourceError(OSError)        a camera, a stream, a video
    |   |-- StalledError(TimeoutError)      connected, and nothing comes
    |   `-- AccessError(PermissionError)    user and password are refused
    |-- SinkError(OSError)          a place to write to
    |   |-- BusyError                       it asks to be tried again later
    |   `-- RefusedError                    it will never take this, however often it is tried
    `-- MissingExtraError(ImportError)   a package that an extra brings

Each message is one line: what, where, expected, found, what to do. Each is a builtin too, so that a caller who knows
nothing of edgecls catches it where it would be caught anyway.
"""

from __future__ import annotations

import re
from typing import Any


class EdgeclsError(Exception):
    """A failure that edgecls knows and explains in one line."""

    def __str__(self) -> str:
        """Return the message on one line, without secrets."""
        return redact(" ".join(" ".join(map(str, self.args)).split()))


class DataError(EdgeclsError, ValueError):
    """Labelled pictures that cannot be used as they are."""


class ConfigError(EdgeclsError, ValueError):
    """A setting outside of what it may be."""


class ModelError(EdgeclsError, ValueError):
    """A model file that is not what it should be."""


class TrainError(EdgeclsError, ArithmeticError):
    """A training run whose loss is no number any more."""


class ExportError(EdgeclsError, RuntimeError):
    """A conversion that failed, or whose result is not what was trained."""


class GateError(ExportError):
    """No form of the model keeps to what was asked of it; `ladder` (edgecls.ladder.Ladder) has all of them and why."""

    def __init__(self, message: str, ladder: Any) -> None:
        """Keep the ladder beside the message."""
        super().__init__(message)
        self.ladder = ladder


class DeviceError(EdgeclsError, RuntimeError):
    """An execution provider that was asked for and cannot be had."""


class SourceError(EdgeclsError, OSError):
    """A camera, stream or video that cannot be opened or read."""


class StalledError(SourceError, TimeoutError):
    """A source that is connected and gives no picture within its read timeout."""


class AccessError(SourceError, PermissionError):
    """A source that refuses user and password; trying again would lock the account of many cameras."""


class SinkError(EdgeclsError, OSError):
    """A place that cannot be written to."""


class BusyError(SinkError):
    """A place that asks to be written to later; `after_s` is in how many seconds."""

    def __init__(self, message: str, after_s: float) -> None:
        """Keep the seconds beside the message."""
        super().__init__(message)
        self.after_s = after_s


class RefusedError(SinkError):
    """What was to be written will never be taken there: trying again is of no use."""


class MissingExtraError(EdgeclsError, ImportError):
    """A package that is not installed; the message holds the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str, *, otherwise: str = "") -> None:
        """Say that `purpose` needs `package`, which the extra `extra` brings; `otherwise` is another way out."""
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'edgecls[{extra}]'{otherwise}")


_PASSWORD_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^/\s]+@|[^/\s:@]+:(?!\d+/)[^\s@]+@)", re.IGNORECASE)
"""Up to the last @ before the path; else, for a password with a slash in it, up to the first @ after user and colon."""
_SECRET_IN_QUERY = re.compile(r"([?&#](?:pass|passwd|password|pwd|token|secret|key|auth)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)


def redact(text: str) -> str:
    """Hide the user, password and secret values in the query or behind the # of every URL in `text`."""
    return _SECRET_IN_QUERY.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1***@", text))
