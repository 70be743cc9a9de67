"""The style sheet of the page (light, dark and print), and the script that sorts its tables."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path


def style() -> str:
    """Return the rules of page.css."""
    return _text("page.css")


def script() -> str:
    """Return sort.js, which sorts a table when a column heading is clicked. The page works without scripts too."""
    return _text("sort.js")


def policy(script: str) -> str:
    """Return the Content-Security-Policy: the page may load nothing, and run only this script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{digest}'"
    )


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
