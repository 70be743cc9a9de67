"""The folder for files of edgecls that can be made again at any time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "edgecls"


def user_cache() -> Path:
    r"""Return the cache folder of this user, which may not exist yet.

    It is `$XDG_CACHE_HOME/edgecls` if that variable is an absolute path; otherwise `~/Library/Caches/edgecls` on macOS,
    `%LOCALAPPDATA%\edgecls` on Windows, and `~/.cache/edgecls` elsewhere.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # the specification ignores relative paths
    if named.is_absolute():
        return named / NAME
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / NAME
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / NAME
    return Path.home() / ".cache" / NAME
