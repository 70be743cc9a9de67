"""Where frames come from: cameras, streams, files and folders."""

from edgecls.source.device import check_device, is_device
from edgecls.source.folder import FolderSource
from edgecls.source.memory import FakeSource
from edgecls.source.merged import Merged
from edgecls.source.open import (
    SOURCES,
    as_camera,
    check_there,
    files_among,
    name_each,
    open_each,
    open_named,
    open_source,
    recognize,
)
from edgecls.source.opencv import OpenCVSource
from edgecls.source.pyav import PyAVSource
from edgecls.source.reconnecting import Reconnecting
from edgecls.source.source import ReadingSettings, Source, mode_of
from edgecls.source.threaded import Threaded

__all__ = [
    "SOURCES",
    "FakeSource",
    "FolderSource",
    "Merged",
    "OpenCVSource",
    "PyAVSource",
    "ReadingSettings",
    "Reconnecting",
    "Source",
    "Threaded",
    "as_camera",
    "check_device",
    "check_there",
    "files_among",
    "is_device",
    "mode_of",
    "name_each",
    "open_each",
    "open_named",
    "open_source",
    "recognize",
]
