"""The file of passwords and tokens: who may see the page, and who may change something. Neither is stored as text.

{"version": 1, "users": {"anna": {"salt": "...", "hash": "...", "role": "edit"}}, "tokens": {"report": {"hash": "..."}}}

Passwords are stored as hashes of scrypt (RFC 7914). A token is a random number of 256 bits, so its SHA-256 is safe.
The file is read again when it has changed: a user who is removed, or gets another password, is logged out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from edgecls.errors import ConfigError
from edgecls.files import stamp_of, whole_file
from edgecls.files.text_file import read_text
from edgecls.log import log_warning
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["view", "edit"]
ROLES: tuple[Role, ...] = get_args(Role)
SHORTEST = 12
"""Characters of a password."""
LONGEST = 1024
LARGEST_FILE = 1 << 20
VERSION = 1
TOKEN = "edgecls_"  # noqa: S105 - what tokens begin with, so that scanners of leaks recognize them
_WORK, _BLOCK, _LANES, _MEMORY = 2**14, 8, 1, 64 * 1024**2
"""16 MB and about 50 ms for each attempt."""


class Visitor(NamedTuple):
    """Who asks for something: the name of a user or of a token, and what they may do."""

    name: str
    role: Role


class _Content(NamedTuple):
    users: dict[str, dict[str, str]]
    tokens: dict[str, dict[str, str]]


class Passwords:
    """The passwords and tokens in a file. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises ConfigError if it is not a file of passwords."""
        self._path = path
        self._stamp = _stamp(path)
        self._content = _read(path)
        self._stranger = _entry(secrets.token_hex())
        self._lock = threading.Lock()

    def accepts(self, user: str, password: str) -> bool:
        """Return whether this is the password of the user. Takes as long for a user who does not exist."""
        entry = self._now().users.get(user)
        known = entry or self._stranger
        found = _hash(password[:LONGEST], bytes.fromhex(known["salt"]))
        return hmac.compare_digest(found, bytes.fromhex(known["hash"])) and entry is not None

    def key_of(self, user: str) -> str:
        """Return a text that changes with the user's password; "" if there is no such user."""
        return self._now().users.get(user, {}).get("hash", "")

    def role_of(self, user: str) -> Role:
        """Return what a user may do."""
        return _role(self._now().users.get(user, {"role": "view"}))

    def of_token(self, token: str) -> Visitor | None:
        """Return whose token this is, or None."""
        digest = _digest(token)
        for name, entry in self._now().tokens.items():
            if hmac.compare_digest(entry["hash"], digest):
                return Visitor(name, _role(entry))
        return None

    def _now(self) -> _Content:
        """Return what is in the file, or what was there before it was damaged."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._content = _read(self._path)
                except ConfigError as error:
                    log_warning(f"{error}; the former passwords are used")
            return self._content


def set_password(path: Path, user: str, password: str, role: Role | None = None) -> None:
    """Set the password of a user. The file, which only its owner can read, is created if it does not exist.

    Args:
        path: The file.
        user: The name of the user.
        password: The password.
        role: "view": may only look; "edit": may change something. None: as before, "edit" for a new user.

    Raises:
        ConfigError: The password is too short or too long, or the file is not a file of passwords.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise ConfigError(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(password)}")
    content = _present(path)
    content.users[user] = _entry(password) | {"role": role or _role(content.users.get(user, {}))}
    _write(path, content)


def add_token(path: Path, name: str, role: Role = "view") -> str:
    """Add a token for a script to the file of passwords, which is created if it does not exist.

    Returns:
        The token. It cannot be read from the file again.

    Raises:
        ConfigError: There is a token of this name, or the file is not a file of passwords.
    """
    content = _present(path)
    if name in content.tokens:
        raise ConfigError(f"{path}: has a token {name!r} already; remove it first, or choose another name")
    token = TOKEN + secrets.token_urlsafe(32)
    content.tokens[name] = {"hash": _digest(token), "role": role}
    _write(path, content)
    return token


def remove_token(path: Path, name: str) -> None:
    """Remove a token. Raises ConfigError if there is none of this name, or the file is not a file of passwords."""
    content = _present(path)
    if content.tokens.pop(name, None) is None:
        raise ConfigError(f"{path}: has no token {name!r}; expected one of {', '.join(sorted(content.tokens)) or 'none'}")
    _write(path, content)


def _present(path: Path) -> _Content:
    return _read(path) if path.exists() else _Content({}, {})


def _write(path: Path, content: _Content) -> None:
    record = {"version": VERSION, "users": content.users, **({"tokens": content.tokens} if content.tokens else {})}
    with whole_file(path, mode=0o600) as beside:
        beside.write_text(dumps(record, indent=1), encoding="utf-8")


def _read(path: Path) -> _Content:
    text = read_text(path, error=ConfigError, most_bytes=LARGEST_FILE)
    try:
        content = loads(text)
        version = int(content["version"])
        users = {str(user): _checked(entry, "salt", "hash") for user, entry in content["users"].items()}
        tokens = {str(name): _checked(entry, "hash") for name, entry in content.get("tokens", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a file of passwords; make one with edgecls web set-password") from error
    if version != VERSION:
        raise ConfigError(f"{path}: passwords of version {version}; this edgecls reads version {VERSION}")
    return _Content(users, tokens)


def _checked(entry: dict[str, str], *hexadecimal: str) -> dict[str, str]:
    """Return an entry of the file. Raises ValueError or KeyError if it is none. Files without roles are from before them."""
    for name in hexadecimal:
        bytes.fromhex(entry[name])
    if entry.get("role", "edit") not in ROLES:
        raise ValueError(entry["role"])
    return {name: str(entry[name]) for name in (*hexadecimal, "role") if name in entry}


def _role(entry: dict[str, str]) -> Role:
    return "view" if entry.get("role") == "view" else "edit"


def _entry(password: str) -> dict[str, Any]:
    salt = secrets.token_bytes(16)
    return {"salt": salt.hex(), "hash": _hash(password, salt).hex()}


def _hash(password: str, salt: bytes) -> bytes:
    text = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=_WORK, r=_BLOCK, p=_LANES, maxmem=_MEMORY, dklen=32)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file is written; None if it cannot be found."""
    try:
        return stamp_of(path.stat())
    except OSError:
        return None
