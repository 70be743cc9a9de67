"""Make a bundle, and sign one."""

from __future__ import annotations

import datetime
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.bundle.keys import MOST_SIGNATURES, PrivateKey, load_private_key, signature_lines
from edgecls.bundle.manifest import (
    MANIFEST,
    MODEL,
    MOST_LABELS_BYTES,
    MOST_MANIFEST_BYTES,
    MOST_PART_BYTES,
    PART,
    SIGNATURES,
    BundleFile,
    Manifest,
    fault_in,
)  # fmt: skip
from edgecls.bundle.part import read_part
from edgecls.bundle.reader import BundleReader
from edgecls.bundle.zip_layout import MOST_BYTES, Entry, directory, end_of, local_header, size_of
from edgecls.errors import ConfigError
from edgecls.files import read_regular, whole_file
from edgecls.model import vet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EPOCH = "SOURCE_DATE_EPOCH"
"""The environment variable with the time that is written instead of now, so that a build can be repeated byte for byte."""


def make(
    out: str | Path,
    *,
    name: str,
    version: int,
    model: str | Path,
    part: str | Path | None = None,
    labels: Sequence[str | Path] = (),
    keys: Iterable[PrivateKey | str | Path] = (),
    needs: str = "",
    created: str | None = None,
) -> Manifest:
    """Make a bundle. The same content, keys and time give the same bytes.

    Args:
        out: The file to write, such as "street-7.bundle".
        name: The name of the bundle. A device takes bundles of one name.
        version: A whole number from 1 on, higher than that of every bundle before.
        model: The .onnx file. It is loaded, and must give its own answers here.
        part: A TOML file with the settings that it brings, see `edgecls.bundle.part`.
        labels: Files for people and programs of the device; edgecls does not read them.
        keys: The private keys that sign it, or their files. Without one it must be signed later, see `sign`.
        needs: The oldest version of edgecls that can use it, such as "0.3".
        created: When it was made, in words. Default: now, or SOURCE_DATE_EPOCH.

    Returns:
        Its manifest.

    Raises:
        ConfigError: An argument is invalid, or `part` has a setting that no bundle may bring.
        ModelError: The model is invalid.
        SinkError: The file cannot be written.
        MissingExtraError: The extra `fleet` is not installed.

    Example:
        bundle.make("street-7.bundle", name="street", version=7, model="street.onnx", keys=["fleet.key"])
    """
    from edgecls.model.classifier import Classifier

    signing = [key if isinstance(key, PrivateKey) else load_private_key(key) for key in keys]
    contents = {MODEL: vet.read(model)}
    classifier = Classifier.from_bytes(contents[MODEL], str(model))
    if part is not None:
        contents[PART] = read_regular(part, error=ConfigError, most_bytes=MOST_PART_BYTES)
        read_part(contents[PART], str(part))
    for path in sorted(labels, key=lambda one: Path(one).name):
        inside = f"labels/{Path(path).name}"
        if inside in contents:
            raise ConfigError(f"{path}: two files of labels have this name; rename one")
        contents[inside] = read_regular(path, error=ConfigError, most_bytes=MOST_LABELS_BYTES)
    files = tuple(BundleFile.of(path, content) for path, content in contents.items())
    manifest = Manifest(name, version, files, _now() if created is None else created, needs, classifier.card.labels)
    if fault := fault_in(manifest):
        raise ConfigError(f"{out}: {fault}")
    content = manifest.as_bytes()
    if len(content) > MOST_MANIFEST_BYTES:
        raise ConfigError(f"{out}: its list of labels is too long for a bundle")
    _write(Path(out), {MANIFEST: content, SIGNATURES: _signatures(content, signing), **contents})
    with BundleReader(out, None) as reader:
        made = reader.manifest
    return replace(made, signers=tuple(key.name for key in signing))


def sign(path: str | Path, keys: Iterable[PrivateKey | str | Path], *, only: bool = False) -> Manifest:
    """Sign a bundle in place. Its other signatures stay, so a device may trust any of several keys.

    Args:
        path: The bundle. Its files must be those of its manifest; who signed it before does not matter.
        keys: The private keys, or their files. A signature of the same key is replaced.
        only: Whether to remove all other signatures.

    Returns:
        Its manifest.

    Raises:
        BundleError: The file is not a whole bundle.
        ConfigError: A key cannot be used, or there would be too many signatures.
        SinkError: The file cannot be written. It is unchanged.
    """
    signing = [key if isinstance(key, PrivateKey) else load_private_key(key) for key in keys]
    ours = {key.public.id for key in signing}
    with BundleReader(path, None) as reader:
        reader.read_files()
        before = [] if only else [one for one in signature_lines(reader.signatures, str(path)) if one[0] not in ours]
        kept = "".join(f"ed25519 {id_} {signature.hex()}\n" for id_, signature in before).encode()
        signatures = kept + _signatures(reader.manifest_bytes, signing)
        if signatures.count(b"\n") > MOST_SIGNATURES:
            raise ConfigError(f"{path}: a bundle has at most {MOST_SIGNATURES} signatures; remove the others with only")
        contents = {MANIFEST: reader.manifest_bytes, SIGNATURES: signatures}
        _write(Path(path), contents, reader)
        return replace(reader.manifest, signers=tuple(key.name for key in signing))


def _signatures(manifest: bytes, keys: Sequence[PrivateKey]) -> bytes:
    """Return the content of manifest.sig."""
    return "".join(f"{key.signature_line(manifest)}\n" for key in keys).encode()


def _write(out: Path, contents: dict[str, bytes], rest: BundleReader | None = None) -> None:
    """Write the ZIP of these files, followed by those of another bundle."""
    sizes = [(name, len(content)) for name, content in contents.items()]
    if size_of(sizes) > MOST_BYTES:
        raise ConfigError(f"{out}: is too large for a bundle, which has at most {MOST_BYTES:,} bytes")
    with whole_file(out) as beside, beside.open("wb") as file:
        entries: list[Entry] = []
        for name, content in contents.items():
            begin = end_of(entries[-1]) if entries else 0
            entries.append(Entry(name, len(content), zlib.crc32(content), begin))
            file.write(local_header(entries[-1]))
            file.write(content)
        if rest is not None:
            for entry, chunks in rest.again():
                begin = end_of(entries[-1])
                entries.append(entry._replace(begin=begin))
                file.write(local_header(entries[-1]))
                file.writelines(chunks)
        file.write(directory(entries))
        file.flush()
        os.fsync(file.fileno())


def _now() -> str:
    """Return the time in UTC to the second."""
    given = os.environ.get(EPOCH, "")
    if given and not (given.isascii() and given.isdigit() and len(given) < 12):
        raise ConfigError(f"the environment variable {EPOCH} must be seconds since 1970, not {given!r}")
    now = datetime.datetime.fromtimestamp(int(given), datetime.UTC) if given else datetime.datetime.now(datetime.UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
