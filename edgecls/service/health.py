"""Ask a run that serves its state whether it is alive or ready."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.text.address import is_loopback
from edgecls.text.redaction import shown
from edgecls.text.strict_json import loads

LIVE, READY = "/healthz", "/readyz"
WAIT_S = 5.0
LARGEST = 1_000_000
"""In characters; 256 cameras and sinks with their reasons have a tenth of it."""


class Health(NamedTuple):
    """An answer: whether it is good, and what it says."""

    is_good: bool
    record: dict[str, Any]


def ask(address: str, path: str = LIVE, *, wait_s: float = WAIT_S) -> Health:
    """Ask a run.

    Args:
        address: Where it serves its state, such as "http://127.0.0.1:9108"; a path in it replaces `path`.
        path: LIVE or READY.
        wait_s: The most seconds to wait.

    Raises:
        ConfigError: The address is invalid.
        EdgeclsError: There is no answer, or it is not one of a run.
    """
    try:
        parts = urlsplit(address)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigError(f"{shown(address)}: expected an address such as http://127.0.0.1:9108")
    url = f"{parts.scheme}://{parts.netloc}{parts.path if len(parts.path) > 1 else path}"
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_context(parts.hostname))
    )
    try:
        with opener.open(url, timeout=wait_s) as answer:
            status, text = answer.status, answer.read(LARGEST).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read(LARGEST).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise EdgeclsError(
            f"{shown(address)}: no answer ({getattr(why, 'strerror', None) or why}); is the run running?"
        ) from error
    try:
        record = loads(text, most=LARGEST)
    except ValueError:
        record = None
    if status not in (200, 503) or not isinstance(record, dict):
        raise EdgeclsError(f"{shown(address)}: answered {status}, which is no answer of edgecls; check the port")
    return Health(status == 200, record)


def _context(host: str | None) -> ssl.SSLContext:
    """Return how https is checked: certificates of this machine's own page may be self-signed."""
    context = ssl.create_default_context()
    if is_loopback(host or ""):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
