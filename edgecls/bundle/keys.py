"""The keys that sign bundles (Ed25519, RFC 8032), each in a file of one line, and the signatures in a bundle.

ed25519-private HEX NAME        NAME.key, readable by its owner only
ed25519-public HEX NAME         NAME.pub, which devices trust
ed25519 KEY_ID HEX              a line of manifest.sig
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import BundleError, ConfigError
from edgecls.files import read_regular, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREFIX = b"edgecls bundle manifest 1\n"
"""Precedes the manifest in what is signed, so that no other signature of the same key can pass for one of a bundle."""
MOST_SIGNATURES = 16
MOST_KEY_BYTES = 4096
SIGNATURE_FILE_BYTES = 4096
PRIVATE_MODE = 0o600
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
"""The names of keys and of bundles."""

_LINE = re.compile(r"ed25519-(public|private) ([0-9a-f]{64}) (\S+)\s*")
_SIGNATURE = re.compile(r"ed25519 ([0-9a-f]{16}) ([0-9a-f]{128})")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that checks signatures.

    Attributes:
        name: What people call it.
        raw: Its 32 bytes.
    """

    name: str
    raw: bytes

    @property
    def id(self) -> str:
        """The first 16 digits of the SHA-256 of the key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def line(self) -> str:
        """The key as text, without a line break."""
        return f"ed25519-public {self.raw.hex()} {self.name}"

    def has_signed(self, manifest: bytes, signature: bytes) -> bool:
        """Return whether this key signed a manifest."""
        _load()
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, PREFIX + manifest)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs. Its bytes are never shown.

    Attributes:
        name: What people call it.
        public: The key that checks its signatures.
    """

    name: str
    public: PublicKey
    _key: Any

    @classmethod
    def of(cls, raw: bytes, name: str) -> PrivateKey:
        """Return the key with these 32 bytes."""
        _load()
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(raw)
        return cls(name, PublicKey(name, key.public_key().public_bytes_raw()), key)

    def __repr__(self) -> str:
        """Return the name and the id."""
        return f"PrivateKey({self.name!r}, {self.public.id})"

    def signature_line(self, manifest: bytes) -> str:
        """Return the line of manifest.sig that signs a manifest."""
        return f"ed25519 {self.public.id} {self._key.sign(PREFIX + manifest).hex()}"


def make_keys(name: str, folder: str | Path = ".") -> tuple[Path, Path]:
    """Make a pair of keys, NAME.key and NAME.pub.

    Args:
        name: The name of the pair: letters, digits, `_`, `.` and `-`.
        folder: Where the files go.

    Returns:
        The files of the private key, which only its owner may read, and of the public key.

    Raises:
        ConfigError: The name is invalid, or one of the files exists: a key that is lost cannot be made again.
        SinkError: A file cannot be written.
        MissingExtraError: The extra `fleet` is not installed.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(f"the name of a key must be letters, digits, _ . and -, at most 64, not {name[:80]!r}")
    private, public = Path(folder, f"{name}.key"), Path(folder, f"{name}.pub")
    for path in (private, public):
        if os.path.lexists(path):
            raise ConfigError(f"{path}: there is a key already, which is never overwritten; choose another name")
    key = PrivateKey.of(os.urandom(32), name)
    line = f"ed25519-private {key._key.private_bytes_raw().hex()} {name}\n"
    for path, text, mode in ((private, line, PRIVATE_MODE), (public, f"{key.public.line}\n", None)):
        with whole_file(path, mode=mode) as beside:
            beside.write_text(text, encoding="ascii")
    return private, public


def load_keys(keys: Iterable[PublicKey | str | Path]) -> tuple[PublicKey, ...]:
    """Read public keys from their files; keys that are loaded already stay. Raises ConfigError."""
    return tuple(one if isinstance(one, PublicKey) else _public(one) for one in keys)


def load_private_key(path: str | Path) -> PrivateKey:
    """Read a private key. Raises ConfigError if it is not one, or if others than its owner may read it."""
    kind, raw, name = _read(path)
    if kind != "private":
        raise ConfigError(f"{path}: this is a public key, which cannot sign; expected NAME.key, the private one")
    if sys.platform != "win32" and stat.S_IMODE(Path(path).stat().st_mode) & 0o077:
        raise ConfigError(f"{path}: others than its owner may read this private key; run chmod 600 {path}")
    return PrivateKey.of(raw, name)


def signers_of(manifest: bytes, signatures: bytes, keys: Sequence[PublicKey], where: str) -> tuple[str, ...]:
    """Return the names of the trusted keys that signed a manifest.

    Args:
        manifest: The exact bytes of manifest.json.
        signatures: The content of manifest.sig.
        keys: The trusted keys.
        where: What messages begin with.

    Raises:
        BundleError: It is unsigned, no trusted key signed it, or the signature of one is wrong.
    """
    lines = signature_lines(signatures, where)
    if not lines:
        raise BundleError(f"{where}: is not signed; sign it with edgecls bundle sign", "unsigned")
    known = {key.id: key for key in keys}
    found = [(known[id_], signature) for id_, signature in lines if id_ in known]
    if not found:
        theirs, ours = ", ".join(id_ for id_, _ in lines), ", ".join(f"{key.id} ({key.name})" for key in keys) or "none"
        raise BundleError(f"{where}: is signed by a key that is not trusted here: by {theirs}, trusted are {ours}", "signature")
    for key, signature in found:
        if not key.has_signed(manifest, signature):
            raise BundleError(f"{where}: the signature of {key.name} is wrong: the bundle was changed since", "signature")
    return tuple(key.name for key, _ in found)


def signature_lines(signatures: bytes, where: str) -> list[tuple[str, bytes]]:
    """Return the key id and the signature of each line of manifest.sig. Raises BundleError."""
    lines = signatures.split(b"\n")
    if lines.pop() != b"" or len(lines) > MOST_SIGNATURES:
        raise BundleError(f"{where}: manifest.sig is no list of signatures", "signature")
    found = [_SIGNATURE.fullmatch(line.decode("ascii", "replace")) for line in lines]
    pairs = [(one[1], bytes.fromhex(one[2])) for one in found if one is not None]
    if len(pairs) < len(lines) or len({id_ for id_, _ in pairs}) < len(pairs):
        raise BundleError(f"{where}: manifest.sig is no list of signatures", "signature")
    return pairs


def _public(path: str | Path) -> PublicKey:
    kind, raw, name = _read(path)
    if kind != "public":
        raise ConfigError(f"{path}: this is a private key, which belongs on no device; expected NAME.pub, the public one")
    return PublicKey(name, raw)


def _read(path: str | Path) -> tuple[str, bytes, str]:
    """Return the kind, the bytes and the name of a key."""
    text = read_regular(path, error=ConfigError, most_bytes=MOST_KEY_BYTES).decode("utf-8", "replace")
    found = _LINE.fullmatch(text)
    if found is None or not NAME.fullmatch(found[3]):
        raise ConfigError(f"{path}: not a key; expected one line as edgecls bundle keys writes it")
    return found[1], bytes.fromhex(found[2]), found[3]


def _load() -> None:
    """Raise MissingExtraError without the package that signs."""
    extras.load("cryptography", extra="fleet", purpose="signing and checking bundles")
