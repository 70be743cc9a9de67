"""The file of passwords: who may see the page. Passwords are stored as hashes of scrypt (RFC 7914), never as text.

{"version": 1, "users": {"anna": {"salt": "...", "hash": "..."}}}
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.files import whole_file
from edgecls.files.text_file import read_text
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

SHORTEST = 12
"""Characters of a password."""
LONGEST = 1024
LARGEST_FILE = 1 << 20
VERSION = 1
_WORK, _BLOCK, _LANES, _MEMORY = 2**14, 8, 1, 64 * 1024**2
"""16 MB and about 50 ms for each attempt."""


class Passwords:
    """The passwords in a file."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ConfigError if it is not a file of passwords."""
        self._users = _read(path)
        self._stranger = _entry(secrets.token_hex())

    def accepts(self, user: str, password: str) -> bool:
        """Return whether this is the password of the user. Takes as long for a user who does not exist."""
        entry = self._users.get(user)
        known = entry or self._stranger
        found = _hash(password[:LONGEST], bytes.fromhex(known["salt"]))
        return hmac.compare_digest(found, bytes.fromhex(known["hash"])) and entry is not None


def set_password(path: Path, user: str, password: str) -> None:
    """Set the password of a user. The file, which only its owner can read, is created if it does not exist.

    Raises:
        ConfigError: The password is too short or too long, or the file is not a file of passwords.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(password)}")
    users = _read(path) if path.exists() else {}
    users[user] = _entry(password)
    with whole_file(path, mode=0o600) as beside:
        beside.write_text(dumps({"version": VERSION, "users": users}, indent=1), encoding="utf-8")


def _read(path: Path) -> dict[str, dict[str, str]]:
    text = read_text(path, error=ConfigError, most_bytes=LARGEST_FILE)
    try:
        content = loads(text)
        version = int(content["version"])
        users = {str(user): {name: str(entry[name]) for name in ("salt", "hash")} for user, entry in content["users"].items()}
        for entry in users.values():
            bytes.fromhex(entry["salt"] + entry["hash"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a file of passwords; make one with edgecls web set-password") from error
    if version != VERSION:
        raise ConfigError(f"{path}: passwords of version {version}; this edgecls reads version {VERSION}")
    return users


def _entry(password: str) -> dict[str, Any]:
    salt = secrets.token_bytes(16)
    return {"salt": salt.hex(), "hash": _hash(password, salt).hex()}


def _hash(password: str, salt: bytes) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=_WORK, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=32)
