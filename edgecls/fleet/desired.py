"""What a device should run, as the retained message `desired` says it.

    {"schema": 1, "rollout": "7-3f2a9c", "action": "apply", "version": 7, "sha256": "9c0e...", "url": "https://host/7.bundle",
     "settings": {"spread_s": 300}}

Nothing in it is trusted: it is an address and a hash. Whether the bundle may run is for its signature to say. `action` is

    apply   pull the bundle, verify it, try it out
    back    take it back, if it is the newest one here and in use; nothing is pulled
    stay    take nothing; whatever runs goes on
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edgecls.errors import ConfigError
from edgecls.text.control import in_one_line
from edgecls.text.strict_json import dumps, loads

SCHEMA = 1
LARGEST = 16_384
"""The most bytes of a message."""
LONGEST_URL = 2_000
LONGEST_SPREAD_S = 86_400.0
MOST_VERSION = 2**53
Action = Literal["apply", "back", "stay"]
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ROLL_OUT = re.compile(r"[A-Za-z0-9._-]{1,80}")


@dataclass(frozen=True, slots=True)
class Desired:
    """The bundle that a device should run.

    Attributes:
        rollout: The roll-out that it belongs to.
        version: The version of the bundle.
        sha256: The SHA-256 of the bundle's file, in hexadecimal digits.
        url: Where the file can be pulled from.
        action: What to do with it.
        spread_s: Each device waits for a time of its own, up to so many seconds, before it pulls.
    """

    rollout: str
    version: int
    sha256: str
    url: str = ""
    action: Action = "apply"
    spread_s: float = 0.0

    def to_json(self) -> str:
        """Return the message."""
        return dumps({
            "schema": SCHEMA, "rollout": self.rollout, "action": self.action, "version": self.version, "sha256": self.sha256,
            "url": self.url, "settings": {"spread_s": self.spread_s},
        })  # fmt: skip

    @staticmethod
    def parse(payload: bytes) -> Desired | None:
        """Read a message. Returns None for an empty one, which clears the topic. Raises ConfigError in one line."""
        if not payload:
            return None
        if len(payload) > LARGEST:
            raise ConfigError(f"desired has {len(payload):,} bytes, expected at most {LARGEST:,}")
        try:
            record = loads(payload.decode())
        except ValueError as error:
            raise ConfigError(f"desired is not JSON ({in_one_line(str(error))[:100]})") from error
        if not isinstance(record, dict):
            raise ConfigError("desired is not a JSON object")
        if record.get("schema") != SCHEMA:
            raise ConfigError(f"desired has schema {_short(record.get('schema'))}, this edgecls knows {SCHEMA}")
        return _checked(record)


def _checked(record: dict[str, Any]) -> Desired:
    """Return the message of a JSON object. Fields that are not known are ignored, as later versions may add some."""
    rollout, version, sha256, url = (record.get(name) for name in ("rollout", "version", "sha256", "url"))
    action: Action | None = next((one for one in get_args(Action) if one == record.get("action")), None)
    if not isinstance(rollout, str) or not _ROLL_OUT.fullmatch(rollout):
        raise ConfigError(f"desired.rollout: expected letters, digits, dots and hyphens, found {_short(rollout)}")
    if action is None:
        raise ConfigError(f"desired.action: expected {', '.join(get_args(Action))}, found {_short(record.get('action'))}")
    if type(version) is not int or not 0 < version < MOST_VERSION:
        raise ConfigError(f"desired.version: expected a whole number above 0, found {_short(version)}")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ConfigError(f"desired.sha256: expected 64 hexadecimal digits, found {_short(sha256)}")
    if not isinstance(url, str) or len(url) > LONGEST_URL or (action == "apply" and not url):
        raise ConfigError(f"desired.url: expected an address of at most {LONGEST_URL:,} characters, found {_short(url)}")
    settings = record.get("settings", {})
    spread_s = settings.get("spread_s", 0.0) if isinstance(settings, dict) else None
    if isinstance(spread_s, bool) or not isinstance(spread_s, int | float) or not 0 <= spread_s <= LONGEST_SPREAD_S:
        raise ConfigError(f"desired.settings.spread_s: expected 0 to {LONGEST_SPREAD_S:g} seconds, found {_short(spread_s)}")
    return Desired(rollout, version, sha256, url, action, float(spread_s))


def _short(value: object) -> str:
    text = in_one_line(dumps(value))
    return text if len(text) <= 40 else f"{text[:40]}..."
