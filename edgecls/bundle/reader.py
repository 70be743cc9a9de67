"""Read a bundle that may come from anybody.

First the signature of the manifest is checked, then the manifest is read, then every other byte is compared with what the
manifest says. Nothing else is parsed, and no file is larger than the manifest says.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import TYPE_CHECKING, BinaryIO, Self

from edgecls.bundle.keys import SIGNATURE_FILE_BYTES, load_keys, signature_lines, signers_of
from edgecls.bundle.manifest import MANIFEST, MOST_MANIFEST_BYTES, SIGNATURES, Manifest, read_manifest
from edgecls.bundle.zip_layout import (
    CENTRAL_SIGNATURE,
    LOCAL_BYTES,
    LOCAL_SIGNATURE,
    MOST_BYTES,
    Entry,
    LocalHeader,
    directory,
    end_of,
    local_header,
    parsed,
    size_of,
)  # fmt: skip
from edgecls.errors import BundleError
from edgecls.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from edgecls.bundle.keys import PublicKey

CHUNK = 1 << 20
LONGEST_NAME = 200


class BundleReader:
    """An open bundle, whose manifest has been checked. Call `read_files` to check, and to unpack, the rest.

    Attributes:
        manifest: What is in it, with the trusted keys that signed it.
        manifest_bytes: The exact bytes of manifest.json.
        signatures: The exact bytes of manifest.sig.
    """

    def __init__(self, path: str | Path, keys: Sequence[PublicKey] | None) -> None:
        """Open a bundle and check its signature.

        Args:
            path: The file.
            keys: The trusted keys, of which one must have signed it. None: any signature, or none, will do.

        Raises:
            BundleError: It is refused.
        """
        self._where = str(path)
        try:
            self._file: BinaryIO = open_file(path)
        except OSError as error:
            raise BundleError(f"{path}: cannot be read ({error.strerror or error})", "unreadable") from error
        self._entries: list[Entry] = []
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            if self._size > MOST_BYTES:
                raise BundleError(f"{path}: has {self._size:,} bytes, expected at most {MOST_BYTES:,}", "size")
            self.manifest_bytes, header = self._small(MANIFEST, MOST_MANIFEST_BYTES), self._raw_header
            self.signatures = self._small(SIGNATURES, SIGNATURE_FILE_BYTES)
            if keys is None:
                signature_lines(self.signatures, self._where)
                signers: tuple[str, ...] = ()
            else:
                signers = signers_of(self.manifest_bytes, self.signatures, keys, self._where)
            self._add(MANIFEST, len(self.manifest_bytes), zlib.crc32(self.manifest_bytes), header)
            self._add(SIGNATURES, len(self.signatures), zlib.crc32(self.signatures), self._raw_header)
            manifest = read_manifest(self.manifest_bytes, self._where)
        except BaseException:
            self._file.close()
            raise
        self.manifest = Manifest(
            manifest.name, manifest.version, manifest.files, manifest.created, manifest.needs, manifest.labels, signers,
            manifest.sha256,
        )  # fmt: skip

    def read_files(self, into: Path | None = None) -> None:
        """Check all files, and write them below a folder if one is given, each on the disk when this returns.

        Raises:
            BundleError: Something differs from the manifest. What was written up to then is not removed.
            OSError: A file cannot be written.
        """
        listed = [(MANIFEST, len(self.manifest_bytes)), (SIGNATURES, len(self.signatures))]
        listed += [(file.path, file.size) for file in self.manifest.files]
        expected = size_of(listed)
        if self._size < expected:
            raise BundleError(f"{self._where}: is truncated: has {self._size:,} of {expected:,} bytes", "truncated")
        for file in self.manifest.files:
            self._read_file(file.path, file.size, file.sha256, into)
        if self._bytes(len(end := directory(self._entries))) != end or self._bytes(1):
            raise self._fault_at_end()

    def rewind(self) -> None:
        """Go back to the first file of the manifest, so that `read_files` may be called again."""
        del self._entries[2:]
        self._file.seek(end_of(self._entries[-1]))

    def again(self) -> Iterator[tuple[Entry, Iterator[bytes]]]:
        """Yield each file of the manifest, which `read_files` has checked, with its content in chunks."""
        for entry in self._entries[2:]:
            self._file.seek(end_of(entry) - entry.bytes)
            yield entry, self._chunks(entry.bytes)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the reader, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        self.close()

    def _chunks(self, count: int) -> Iterator[bytes]:
        while count and (chunk := self._bytes(min(CHUNK, count))):
            count -= len(chunk)
            yield chunk

    def _small(self, name: str, most: int) -> bytes:
        """Return the content of the manifest or of its signatures, of which nothing is known yet."""
        found, found_name = self._header()
        if found is None or found_name != name:
            raise self._missing(name, found_name)
        self._check_plain(found, name)
        if found.bytes > most:
            raise BundleError(f"{self._where}: {name} has {found.bytes:,} bytes, expected at most {most:,}", "size")
        content = self._bytes(found.bytes)
        if len(content) < found.bytes:
            raise BundleError(f"{self._where}: is truncated inside {name}", "truncated")
        return content

    def _read_file(self, name: str, size: int, sha256: str, into: Path | None) -> None:
        found, found_name = self._header()
        if found is None or found_name != name:
            raise self._missing(name, found_name)
        self._check_plain(found, name)
        digest, crc, left = hashlib.sha256(), 0, size
        target = None if into is None else _create(into / name)
        try:
            for chunk in self._chunks(size):
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
                left -= len(chunk)
                if target is not None:
                    target.write(chunk)
            if target is not None:
                target.flush()
                os.fsync(target.fileno())
        finally:
            if target is not None:
                target.close()
        if left or digest.hexdigest() != sha256:
            raise BundleError(f"{self._where}: {name} was changed: it is not what was signed", "tampered")
        self._add(name, size, crc, self._raw_header)

    def _header(self) -> tuple[LocalHeader | None, str]:
        """Read the next local header and its name."""
        self._raw_header = self._bytes(LOCAL_BYTES)
        found = parsed(self._raw_header)
        if found is None or found.name_bytes > LONGEST_NAME:
            return None, ""
        name = self._bytes(found.name_bytes)
        if len(name) < found.name_bytes:
            self._raw_header = name  # too short for a header: the file ends here
            return None, ""
        self._raw_header += name
        return found, name.decode("ascii", "backslashreplace")

    def _add(self, name: str, size: int, crc: int, header: bytes) -> None:
        """Note a file that was read, and check its header."""
        entry = Entry(name, size, crc, end_of(self._entries[-1]) if self._entries else 0)
        if header != local_header(entry):
            raise self._layout(f"what stands before {name} was changed")
        self._entries.append(entry)

    def _check_plain(self, found: LocalHeader, name: str) -> None:
        """Check that nothing is compressed, encrypted or added to a header: then it could not be what `make` writes."""
        if found.method or found.flags & 1:
            raise self._layout(f"{name} is compressed or encrypted")
        if found.flags or found.extra_bytes or found.stored_bytes != found.bytes:
            raise self._layout(f"what stands before {name} was changed")

    def _missing(self, name: str, found: str) -> BundleError:
        """Return the error that a file is not where it belongs."""
        if found:
            reason = "unsigned" if name == SIGNATURES else "layout"
            what = "it is not signed" if name == SIGNATURES else f"expected {name}"
            return BundleError(f"{self._where}: found the file {found[:80]!r}; {what}", reason)
        if self._raw_header.startswith(CENTRAL_SIGNATURE):
            reason = "unsigned" if name == SIGNATURES else "layout"
            return BundleError(f"{self._where}: has no {name}", reason)
        if name == MANIFEST and not self._begins_as_zip():
            why = "it is empty" if not self._size else "it is no file that edgecls bundle make wrote"
            return BundleError(f"{self._where}: is not a bundle: {why}", "layout")
        if len(self._raw_header) < LOCAL_BYTES:
            return BundleError(f"{self._where}: is truncated: {name} is missing", "truncated")
        return self._layout(f"what stands before {name} was changed")

    def _begins_as_zip(self) -> bool:
        self._file.seek(0)
        found = self._bytes(len(LOCAL_SIGNATURE))
        return bool(found) and LOCAL_SIGNATURE.startswith(found)

    def _fault_at_end(self) -> BundleError:
        self._file.seek(end_of(self._entries[-1]))
        found, name = self._header()
        if found is not None:
            return BundleError(f"{self._where}: has a file {name[:80]!r} that its manifest does not list", "layout")
        return self._layout("its directory was changed, or something follows it")

    def _layout(self, why: str) -> BundleError:
        return BundleError(f"{self._where}: is not laid out as edgecls bundle make writes it: {why}", "layout")

    def _bytes(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise BundleError(f"{self._where}: cannot be read ({error.strerror or error})", "unreadable") from error


def verify(path: str | Path, keys: Iterable[PublicKey | str | Path]) -> Manifest:
    """Check a bundle from its first to its last byte. Nothing is written.

    Args:
        path: The file.
        keys: The trusted public keys, or their files.

    Returns:
        What is in it, and which of the keys signed it.

    Raises:
        BundleError: It is refused; `reason` says why in a word.
        ConfigError: A key cannot be read.
        MissingExtraError: The extra `fleet` is not installed.

    Example:
        manifest = bundle.verify("street-7.bundle", ["fleet.pub"])
        print(manifest.name, manifest.version, *manifest.signers)
    """
    with BundleReader(path, load_keys(keys)) as reader:
        reader.read_files()
        return reader.manifest


def _create(path: Path) -> BinaryIO:
    """Create a new file, which must not exist."""
    path.parent.mkdir(exist_ok=True)
    return path.open("xb")
