"""The folders of a user: for files that can be made again at any time, and for the state of runs."""

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


def user_state() -> Path:
    """Return the folder for the state of this user's runs, which may not exist yet.

    It is `$XDG_STATE_HOME/edgecls`, `%LOCALAPPDATA%/edgecls`, or `~/.local/state/edgecls`.

    Raises:
        RuntimeError: There is no variable, and the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(state) if state else Path.home() / ".local" / "state") / NAME
