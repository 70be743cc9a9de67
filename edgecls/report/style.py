"""How the page looks, in light, in dark and on paper, and the few lines that sort its tables."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path


def style() -> str:
    """The rules of page.css."""
    return _text("page.css")


def script() -> str:
    """The lines of sort.js: a click on a column's head sorts by it. Without scripts the tables stand as they were written."""
    return _text("sort.js")


def policy(script: str) -> str:
    """What a browser lets the page do: show what is in it, and run these lines and no others."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
        f"script-src 'sha256-{digest}'"
    )


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
