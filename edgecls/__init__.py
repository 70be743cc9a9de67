"""edgecls: from labelled pictures to trustworthy labels on live cameras.

The public names; each is loaded when it is first used, so `import edgecls` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from edgecls.card import InputSpec, ModelCard
    from edgecls.classifier import Classifier
    from edgecls.errors import (
        AccessError,
        BusyError,
        ConfigError,
        DataError,
        DeviceError,
        EdgeclsError,
        ExportError,
        MissingExtraError,
        ModelError,
        RefusedError,
        SinkError,
        SourceError,
        StalledError,
        TrainError,
    )
    from edgecls.frame import Box, Detection, Frame, Prediction, Region, Result, StateChange, Timing
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.regions import whole_frame, zones
    from edgecls.run.sink import CallbackSink, Sink, open_sink, open_sinks
    from edgecls.run.source import Reading, Source, open_source
    from edgecls.run.wire import to_line

_HOMES = {
    "edgecls.card": ("InputSpec", "ModelCard"),
    "edgecls.classifier": ("Classifier",),
    "edgecls.errors": (
        *("AccessError", "BusyError", "ConfigError", "DataError", "DeviceError", "EdgeclsError", "ExportError"),
        *("MissingExtraError", "ModelError", "RefusedError", "SinkError", "SourceError", "StalledError", "TrainError"),
    ),
    "edgecls.frame": ("Box", "Detection", "Frame", "Prediction", "Region", "Result", "StateChange", "Timing"),
    "edgecls.run.pipeline": ("Pipeline",),
    "edgecls.run.regions": ("whole_frame", "zones"),
    "edgecls.run.sink": ("CallbackSink", "Sink", "open_sink", "open_sinks"),
    "edgecls.run.source": ("Reading", "Source", "open_source"),
    "edgecls.run.wire": ("to_line",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AccessError",
    "Box",
    "BusyError",
    "CallbackSink",
    "Classifier",
    "ConfigError",
    "DataError",
    "Detection",
    "DeviceError",
    "EdgeclsError",
    "ExportError",
    "Frame",
    "InputSpec",
    "MissingExtraError",
    "ModelCard",
    "ModelError",
    "Pipeline",
    "Prediction",
    "Reading",
    "RefusedError",
    "Region",
    "Result",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "StalledError",
    "StateChange",
    "Timing",
    "TrainError",
    "__version__",
    "open_sink",
    "open_sinks",
    "open_source",
    "to_line",
    "whole_frame",
    "zones",
]


def __getattr__(name: str) -> object:
    """Load a public name from its module (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'edgecls' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
