"""edgecls: from labelled pictures to trustworthy labels on live cameras.

The public names; each is loaded when it is first used, so `import edgecls` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0"

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
    from edgecls.event import Event, Moment, View
    from edgecls.frame import Box, Detection, Frame, Prediction, Region, Result, StateChange, Timing, Unfit
    from edgecls.report.timeline import timeline
    from edgecls.run.config import read_config
    from edgecls.run.events import Events
    from edgecls.run.health import Health, HealthRule
    from edgecls.run.motion import Motion, MotionRule
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.recording import read_labels
    from edgecls.run.regions import whole_frame, zones
    from edgecls.run.rules import Gate, Rules, Zone
    from edgecls.run.shapes import Line, Polygon
    from edgecls.run.sink import CallbackSink, Sink, keep_s, open_sink, open_sinks
    from edgecls.run.site import Site, open_cameras
    from edgecls.run.source import Reading, Source, open_source
    from edgecls.run.states import StateRule
    from edgecls.run.summary import Crossings, Summary, summarize
    from edgecls.run.track import TrackRule
    from edgecls.run.wire import Observation, event_line, observe, to_line
    from edgecls.stretch import Shown, Stretch, Total

_HOMES = {
    "edgecls.card": ("InputSpec", "ModelCard"),
    "edgecls.classifier": ("Classifier",),
    "edgecls.errors": (
        *("AccessError", "BusyError", "ConfigError", "DataError", "DeviceError", "EdgeclsError", "ExportError"),
        *("MissingExtraError", "ModelError", "RefusedError", "SinkError", "SourceError", "StalledError", "TrainError"),
    ),
    "edgecls.event": ("Event", "Moment", "View"),
    "edgecls.frame": ("Box", "Detection", "Frame", "Prediction", "Region", "Result", "StateChange", "Timing", "Unfit"),
    "edgecls.report.timeline": ("timeline",),
    "edgecls.run.config": ("read_config",),
    "edgecls.run.events": ("Events",),
    "edgecls.run.health": ("Health", "HealthRule"),
    "edgecls.run.motion": ("Motion", "MotionRule"),
    "edgecls.run.pipeline": ("Pipeline",),
    "edgecls.run.recording": ("read_labels",),
    "edgecls.run.regions": ("whole_frame", "zones"),
    "edgecls.run.rules": ("Gate", "Rules", "Zone"),
    "edgecls.run.shapes": ("Line", "Polygon"),
    "edgecls.run.sink": ("CallbackSink", "Sink", "keep_s", "open_sink", "open_sinks"),
    "edgecls.run.site": ("Site", "open_cameras"),
    "edgecls.run.source": ("Reading", "Source", "open_source"),
    "edgecls.run.states": ("StateRule",),
    "edgecls.run.summary": ("Crossings", "Summary", "summarize"),
    "edgecls.run.track": ("TrackRule",),
    "edgecls.run.wire": ("Observation", "event_line", "observe", "to_line"),
    "edgecls.stretch": ("Shown", "Stretch", "Total"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AccessError",
    "Box",
    "BusyError",
    "CallbackSink",
    "Classifier",
    "ConfigError",
    "Crossings",
    "DataError",
    "Detection",
    "DeviceError",
    "EdgeclsError",
    "Event",
    "Events",
    "ExportError",
    "Frame",
    "Gate",
    "Health",
    "HealthRule",
    "InputSpec",
    "Line",
    "MissingExtraError",
    "ModelCard",
    "ModelError",
    "Moment",
    "Motion",
    "MotionRule",
    "Observation",
    "Pipeline",
    "Polygon",
    "Prediction",
    "Reading",
    "RefusedError",
    "Region",
    "Result",
    "Rules",
    "Shown",
    "Sink",
    "SinkError",
    "Site",
    "Source",
    "SourceError",
    "StalledError",
    "StateChange",
    "StateRule",
    "Stretch",
    "Summary",
    "Timing",
    "Total",
    "TrackRule",
    "TrainError",
    "Unfit",
    "View",
    "Zone",
    "__version__",
    "event_line",
    "keep_s",
    "observe",
    "open_cameras",
    "open_sink",
    "open_sinks",
    "open_source",
    "read_config",
    "read_labels",
    "summarize",
    "timeline",
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
