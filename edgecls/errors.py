"""The exceptions that edgecls raises.

    EdgeclsError
    |-- DataError(ValueError)       invalid labelled pictures: a folder, a manifest, an image
    |-- ConfigError(ValueError)     an invalid setting
    |-- BundleError(ValueError)     a bundle that is refused
    |-- ModelError(ValueError)      an invalid model file or card
    |-- TrainError(ArithmeticError) a training run whose loss became NaN or infinite
    |-- WorkerError(ConnectionError) a worker of a training run that cannot be reached, or has ended
    |-- ExportError(RuntimeError)   a conversion that failed, or whose result differs from the trained model
    |   `-- GateError                   no variant of the model is within the limits
    |-- DeviceError(RuntimeError)   an execution provider that is unavailable
    |-- SourceError(OSError)        a camera, stream or video that cannot be read
    |   |-- StalledError(TimeoutError)      connected, but no frames arrive
    |   `-- AccessError(PermissionError)    the credentials are rejected
    |-- SinkError(OSError)          an output that cannot be written
    |   |-- LostError                       it also lost results that it had accepted
    |   |-- BusyError                       the receiver asks for a later retry
    |   `-- RefusedError                    the receiver rejects this for good; do not retry
    `-- MissingExtraError(ImportError)   an optional package that is not installed

Each message is one line: what, where, expected, found, what to do. Each exception is also a builtin one, so code that does
not know edgecls can catch it as usual.

    try:
        classifier = edgecls.Classifier.load("signs.onnx")
    except edgecls.EdgeclsError as error:
        sys.exit(f"error: {error}")
"""

from __future__ import annotations

from typing import Any

from edgecls.text.redaction import redact as redact


class EdgeclsError(Exception):
    """Base class of all exceptions that edgecls raises."""

    def __str__(self) -> str:
        """Return the message as one line, with secrets hidden."""
        return redact(" ".join(" ".join(map(str, self.args)).split()))


class DataError(EdgeclsError, ValueError):
    """Labelled pictures that cannot be used."""


class ConfigError(EdgeclsError, ValueError):
    """A setting with an invalid value."""


class BundleError(EdgeclsError, ValueError):
    """A bundle that is refused or cannot be installed. `reason` is a word for programs, such as "signature" or "older"."""

    def __init__(self, message: str, reason: str) -> None:
        """Store the reason with the message."""
        super().__init__(message)
        self.reason = reason


class ModelError(EdgeclsError, ValueError):
    """A model file, or its card, that is invalid."""


class TrainError(EdgeclsError, ArithmeticError):
    """A training run whose loss became NaN or infinite."""


class WorkerError(EdgeclsError, ConnectionError):
    """A worker of a training run on several that cannot be reached, was started differently, or has ended."""


class ExportError(EdgeclsError, RuntimeError):
    """A conversion that failed, or whose result differs from the trained model."""


class GateError(ExportError):
    """No variant of the model is within the limits.

    `ladder` (see `edgecls.model.ladder`) holds every variant with the reason why it was rejected.
    """

    def __init__(self, message: str, ladder: Any) -> None:
        """Store the ladder with the message."""
        super().__init__(message)
        self.ladder = ladder


class DeviceError(EdgeclsError, RuntimeError):
    """A requested execution provider that is unavailable."""


class SourceError(EdgeclsError, OSError):
    """A camera, stream or video that cannot be opened or read."""


class StalledError(SourceError, TimeoutError):
    """A connected source that delivered no frame within its read timeout."""


class AccessError(SourceError, PermissionError):
    """A source that rejects the credentials. It is not retried: many cameras lock the account after a few attempts."""


class SinkError(EdgeclsError, OSError):
    """An output that cannot be written."""


class BusyError(SinkError):
    """A receiver that asks for a retry in `after_s` seconds."""

    def __init__(self, message: str, after_s: float) -> None:
        """Store the seconds with the message."""
        super().__init__(message)
        self.after_s = after_s


class LostError(SinkError):
    """An output that cannot be written and lost `lost` results that it had already accepted."""

    def __init__(self, message: str, lost: int) -> None:
        """Store the number with the message."""
        super().__init__(message)
        self.lost = lost


class RefusedError(SinkError):
    """A receiver that rejects the data for good: a retry would fail too."""


class MissingExtraError(EdgeclsError, ImportError):
    """An optional package that is not installed. The message gives the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str, *, otherwise: str = "") -> None:
        """Build the message: `purpose` needs `package`, which the extra `extra` installs; `otherwise` names an alternative."""
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'edgecls[{extra}]'{otherwise}")
