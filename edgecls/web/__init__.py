"""The page of a run: live pictures with what is found in them, cameras, events. `edgecls.web.server` is where to begin."""

from edgecls.run.web import WebSettings
from edgecls.web.config.file import ConfigFile
from edgecls.web.live.view_sink import ViewSink
from edgecls.web.recorded.found import RecordingsOf
from edgecls.web.server import PageServer

__all__ = ["ConfigFile", "PageServer", "RecordingsOf", "ViewSink", "WebSettings"]
