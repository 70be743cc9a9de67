"""The page of a run: live pictures with what is found in them, cameras, events. `edgecls.web.server` is where to begin."""

from edgecls.run.web import WebSettings
from edgecls.web.config_file import ConfigFile
from edgecls.web.server import PageServer
from edgecls.web.view_sink import ViewSink

__all__ = ["ConfigFile", "PageServer", "ViewSink", "WebSettings"]
