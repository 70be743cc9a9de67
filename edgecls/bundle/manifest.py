"""The manifest of a bundle: its name, its version, and the size and hash of every file in it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.bundle.keys import NAME
from edgecls.errors import BundleError
from edgecls.model.vet import LARGEST_MODEL_BYTES
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 1
MODEL, PART = "model.onnx", "cameras.part.toml"
MANIFEST, SIGNATURES = "manifest.json", "manifest.sig"
MOST_MANIFEST_BYTES = 1 << 18
MOST_PART_BYTES = 1 << 20
MOST_LABELS, MOST_LABELS_BYTES = 16, 1 << 22
MOST_VERSION = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""
LABELS_FILE = re.compile(r"labels/[A-Za-z0-9][\w.-]{0,63}\.(?:txt|csv|json|toml|md)", re.ASCII)

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RELEASE = re.compile(r"\d{1,6}(?:\.\d{1,6}){0,2}", re.ASCII)
_FIELDS = {"format": int, "name": str, "version": int, "created": str, "needs": str, "files": list, "labels": list}


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file in a bundle: its path, its size in bytes, and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str

    @classmethod
    def of(cls, path: str, content: bytes) -> BundleFile:
        """Describe a file with this content."""
        return cls(path, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is in a bundle. `verify` returns it.

    Attributes:
        name: The name of the bundle. A device takes bundles of one name.
        version: A number from 1 on that only grows; it alone is the order of bundles.
        files: Every file, the model first.
        created: When it was made, in UTC, for people.
        needs: The oldest version of edgecls that can use it, such as "0.3"; "" for any.
        labels: The labels of the model.
        signers: The names of the trusted keys that signed it.
        sha256: The hash of manifest.json, which identifies the whole bundle.
    """

    name: str
    version: int
    files: tuple[BundleFile, ...]
    created: str = ""
    needs: str = ""
    labels: tuple[str, ...] = ()
    signers: tuple[str, ...] = field(default=(), compare=False)
    sha256: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """The version and the first 12 digits of the hash, such as "7-0123456789ab"."""
        return f"{self.version}-{self.sha256[:12]}"

    @property
    def model(self) -> str:
        """The SHA-256 of the model, as `Classifier.sha256` and `edgecls info` have it."""
        return self.files[0].sha256

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    def __str__(self) -> str:
        """Return the name and the version."""
        return f"{self.name} {self.version}"

    def as_bytes(self) -> bytes:
        """Return the content of manifest.json. The same manifest gives the same bytes."""
        return (
            dumps(
                {
                    "format": FORMAT,
                    "name": self.name,
                    "version": self.version,
                    "created": self.created,
                    "needs": self.needs,
                    "files": [{"path": one.path, "bytes": one.size, "sha256": one.sha256} for one in self.files],
                    "labels": list(self.labels),
                },
                indent=1,
            )
            + "\n"
        ).encode()


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read manifest.json, after its signature was checked.

    Args:
        content: The bytes of the file.
        where: What messages begin with.

    Raises:
        BundleError: It is invalid, of a newer format, or for a newer edgecls.
    """
    try:
        record = loads(content.decode("utf-8"))
    except ValueError as error:
        raise _invalid(where, str(error)) from error
    if not isinstance(record, dict) or type(record.get("format")) is not int:
        raise _invalid(where, "it has no format")
    if record["format"] != FORMAT:
        raise BundleError(
            f"{where}: has format {record['format']}, edgecls {__version__} reads format {FORMAT}; update edgecls", "format"
        )
    needs = record.get("needs")
    if isinstance(needs, str) and _RELEASE.fullmatch(needs) and _release(needs) > _release(__version__):
        raise BundleError(f"{where}: needs edgecls {needs} or newer, here is {__version__}; update edgecls", "edgecls")
    for name in record:
        if name not in _FIELDS:
            raise _invalid(where, f"unknown field {name[:40]!r}")
    for name, kind in _FIELDS.items():
        if type(record.get(name)) is not kind:
            raise _invalid(where, f"{name} is missing or of another type")
    files = tuple(_file(one, where) for one in record["files"])
    manifest = Manifest(
        record["name"], record["version"], files, record["created"], record["needs"], tuple(record["labels"]),
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    fault = fault_in(manifest)
    if fault:
        raise _invalid(where, fault)
    return manifest


def fault_in(manifest: Manifest) -> str:
    """Return what is wrong with a manifest, in words; "" for nothing."""
    if not NAME.fullmatch(manifest.name):
        return f"the name must be letters, digits, _ . and -, at most 64, not {manifest.name[:80]!r}"
    if not 1 <= manifest.version <= MOST_VERSION:
        return f"the version must be a whole number from 1 on, not {manifest.version}"
    if manifest.needs and not _RELEASE.fullmatch(manifest.needs):
        return f"needs must be a version such as 0.3, not {manifest.needs[:40]!r}"
    texts = (manifest.created, *manifest.labels)
    if not all(isinstance(text, str) and len(text) <= 1000 and (text.isprintable() or not text) for text in texts):
        return "created and labels must be lines of text"
    return _fault_in_files(manifest.files)


def _fault_in_files(files: Sequence[BundleFile]) -> str:
    paths = [file.path for file in files]
    if paths[:1] != [MODEL]:
        return f"the first file must be {MODEL}"
    rest = paths[2:] if paths[1:2] == [PART] else paths[1:]
    for path in rest:
        if not LABELS_FILE.fullmatch(path):
            return f"no bundle has a file {path[:80]!r}; expected {MODEL}, {PART}, labels/NAME.txt, .csv, .json, .toml or .md"
    if len({path.lower() for path in paths}) < len(paths) or rest != sorted(rest):
        return "two files have the same name, or they are out of order"
    if len(rest) > MOST_LABELS:
        return f"it has {len(rest)} files of labels, expected at most {MOST_LABELS}"
    for file in files:
        most = {MODEL: LARGEST_MODEL_BYTES, PART: MOST_PART_BYTES}.get(file.path, MOST_LABELS_BYTES)
        if not 0 <= file.size <= most:
            return f"{file.path} has {file.size:,} bytes, expected at most {most:,}"
    return ""


def _file(record: Any, where: str) -> BundleFile:
    kinds = {"path": str, "bytes": int, "sha256": str}
    if not isinstance(record, dict) or {name: type(value) for name, value in record.items()} != kinds:
        raise _invalid(where, "a file is not described by its path, bytes and sha256")
    if not _DIGEST.fullmatch(record["sha256"]):
        raise _invalid(where, "a sha256 is not 64 digits")
    return BundleFile(record["path"], record["bytes"], record["sha256"])


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, such as (0, 3, 0)."""
    numbers = [int(part) for part in re.findall(r"\d+", version)[:3]]
    return (*numbers, *(0,) * (3 - len(numbers)))


def _invalid(where: str, why: str) -> BundleError:
    return BundleError(f"{where}: manifest.json is invalid: {why}", "manifest")
