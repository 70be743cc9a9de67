"""Pulling a bundle over https: bounded in size, continued after a loss, and compared with its hash.

What has come is kept in a file of the name of its hash, so a download goes on where it broke off, also after a restart: with a
Range request (RFC 9110, section 14) where the server knows them, else from the beginning.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from edgecls.errors import EdgeclsError
from edgecls.sink.network.connection import Connection, Deadline, Resolver
from edgecls.text.address import is_loopback, split_address
from edgecls.text.control import in_one_line
from edgecls.text.redaction import hidden

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection
    from typing import BinaryIO
    from urllib.parse import SplitResult

PORTS = {"https": 443, "http": 80}
CONNECT_WAIT_S = 20.0
STALLED_S = 30.0
"""A download without a byte for so long is broken off, and continued."""
LONGEST_S = 24 * 3600.0
"""A download that takes longer is given up, however little comes now and then."""
CHUNK = 65_536
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
MAY_PASS = (408, 425, 429)
"""Answers beside 5xx for which another try may help."""
BROKEN = (OSError, http.client.HTTPException, ValueError)
"""What a connection and an answer raise that are broken or malformed."""
MB = 1e6


class RefusedPullError(EdgeclsError):
    """The bundle cannot be had from there, and another try would not help."""


class BrokenPullError(EdgeclsError):
    """The download broke off; it may be continued."""


class Pull:
    """A bundle to pull.

    Args:
        url: Its address.
        sha256: The SHA-256 of its file; "": any will do.
        folder: Where to keep what has come.
        most_bytes: The largest size that is accepted.
        allow: The schemes that are allowed: "https", "http" and "file". http is always allowed within this machine.
        hosts: The hosts that may be asked; none: any.
        is_over: An event that breaks it off.
    """

    def __init__(
        self, url: str, sha256: str, folder: str | Path, *, most_bytes: int, is_over: threading.Event,
        allow: Collection[str] = ("https",), hosts: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Check the address; nothing is sent yet. Raises RefusedPullError."""
        self._sha256 = sha256
        self._folder = Path(folder)
        self._most_bytes = most_bytes
        self._allow, self._hosts = frozenset(allow), frozenset(hosts)
        self._is_over = is_over
        self._connection: Connection | None = None
        self._ends_at = time.monotonic() + LONGEST_S
        self._parts = self._checked(url)

    @property
    def path(self) -> Path:
        """The file with what has come."""
        return self._folder / f"{self._sha256[:32] or 'any'}.part"

    def run(self, progress: Callable[[int, int | None], None] = lambda _done, _of: None) -> Path:
        """Pull what is missing, and return the file, whose hash is right.

        Args:
            progress: Called with the bytes so far and those in all, if the server says how many.

        Raises:
            RefusedPullError: The server has no such file, it is too large or another one, or the disk is full.
            BrokenPullError: It broke off; call this again to go on.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for other in self._folder.glob("*.part"):  # of an earlier bundle
                if other != self.path:
                    other.unlink(missing_ok=True)
            had = self.path.exists()
            if had and _sha256_of(self.path) == self._sha256:
                return self.path
            if self._parts.scheme == "file":
                self._copy(Path(unquote(self._parts.path)), progress)
            else:
                self._download(progress)
            found = _sha256_of(self.path)
        except _DiskError as error:
            raise RefusedPullError(f"the bundle cannot be stored in {self._folder} ({error.strerror or error})") from error
        except OSError as error:
            raise _disk_or_broken(error, self._folder) from error
        if self._sha256 and found != self._sha256:
            self.drop()
            if had:
                raise BrokenPullError(f"{self._name}: what came before is not of this file; it is pulled anew")
            raise RefusedPullError(f"{self._name}: the file has the SHA-256 {found[:12]}..., not {self._sha256[:12]}...")
        return self.path

    def drop(self) -> None:
        """Remove what has come."""
        self.path.unlink(missing_ok=True)

    def stop(self) -> None:
        """Break off a request in progress. May be called from another thread, after `is_over` is set."""
        connection = self._connection
        if connection is not None:
            connection.hang_up()

    @property
    def _name(self) -> str:
        return hidden(self._parts.geturl())

    def _checked(self, url: str) -> SplitResult:
        """Return the parts of an address that may be asked. Raises RefusedPullError."""
        scheme = urlsplit(url).scheme if "://" in url else ""
        if scheme == "file" and "file" in self._allow:
            return urlsplit(url)
        try:
            parts = split_address(url, PORTS)
        except ValueError as error:
            why = str(error) or f"its scheme is {scheme or 'missing'}, expected https"
            raise RefusedPullError(f"{hidden(url)}: {why}") from error
        if parts.scheme not in self._allow and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise RefusedPullError(
                f"{hidden(url)}: {parts.scheme} is not in allow of [fleet], which has {_listed(self._allow)}"
            )
        if self._hosts and parts.hostname not in self._hosts:
            raise RefusedPullError(f"{hidden(url)}: the host is not one of hosts in [fleet]")
        return parts

    def _copy(self, source: Path, progress: Callable[[int, int | None], None]) -> None:
        try:
            file = source.open("rb")
        except OSError as error:
            raise RefusedPullError(f"{source}: cannot be read ({error.strerror or error})") from error
        with file, self._opened("wb") as part:
            done = 0
            while chunk := file.read(CHUNK):
                if self._is_over.is_set():
                    raise BrokenPullError("stopped")
                done += len(chunk)
                self._check_size(done)
                _write(part, chunk)
                progress(done, None)

    def _download(self, progress: Callable[[int, int | None], None]) -> None:
        parts = self._parts
        for _ in range(MOST_REDIRECTS + 1):
            try:
                moved = self._request(parts, progress)
            except (RefusedPullError, BrokenPullError, _DiskError):
                raise
            except BROKEN as error:
                raise BrokenPullError(f"{self._name}: {_reason(error)}") from error
            if not moved:
                return
            if parts.scheme == "https" and not moved.startswith("https:"):
                raise RefusedPullError(f"{self._name}: it leads from https to another scheme")
            parts = self._checked(moved)
        raise RefusedPullError(f"{self._name}: it leads from address to address without an end")

    def _request(self, parts: SplitResult, progress: Callable[[int, int | None], None]) -> str:
        """Pull what is missing from one address. Returns "", or the address that it leads to."""
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        have = self.path.stat().st_size if self.path.exists() else 0
        context = ssl.create_default_context() if parts.scheme == "https" else None
        with Connection(Resolver(host, port), Deadline(CONNECT_WAIT_S)) as connection:
            self._connection = connection
            try:
                if self._is_over.is_set():
                    raise ConnectionAbortedError("stopped")
                connection.open(host, context=context)
                client = http.client.HTTPConnection(host, port)
                client.sock = connection
                target = f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}"
                headers = {"User-Agent": "edgecls", "Accept-Encoding": "identity"}
                client.request("GET", target, headers=headers | ({"Range": f"bytes={have}-"} if have else {}))
                with client.getresponse() as answer:
                    if answer.status in REDIRECTS and (place := answer.headers.get("Location")):
                        return urljoin(parts.geturl(), place)
                    self._receive(answer, connection, have, progress)
                    return ""
            finally:
                self._connection = None

    def _receive(
        self, answer: http.client.HTTPResponse, connection: Connection, have: int, progress: Callable[[int, int | None], None]
    ) -> None:  # fmt: skip
        if answer.status == 416:  # nothing is missing, or the file there is shorter
            if _length(answer.headers.get("Content-Range"), after="/") != have:
                self.drop()
                raise BrokenPullError(f"{self._name}: it is another file than before; it is pulled anew")
            return
        if answer.status >= 500 or answer.status in MAY_PASS:
            raise BrokenPullError(f"{self._name}: answers {answer.status} {in_one_line(answer.reason)[:100]}")
        if answer.status not in (200, 206):
            raise RefusedPullError(f"{self._name}: answers {answer.status} {in_one_line(answer.reason)[:100]}")
        is_continued = answer.status == 206 and _begin(answer.headers.get("Content-Range")) == have
        if answer.status == 206 and not is_continued:
            raise RefusedPullError(f"{self._name}: answers with another part than it was asked for")
        done = have if is_continued else 0
        length = _length(answer.headers.get("Content-Length"))
        total = None if length is None else done + length
        self._check_size(total or 0)
        with self._opened("ab" if is_continued else "wb") as part:
            while True:
                connection.deadline = Deadline(min(STALLED_S, max(0.001, self._ends_at - time.monotonic())))
                chunk = answer.read1(CHUNK)
                if not chunk:
                    break
                done += len(chunk)
                self._check_size(done)
                _write(part, chunk)
                progress(done, total)
                if time.monotonic() > self._ends_at:
                    raise RefusedPullError(f"{self._name}: it does not come within {LONGEST_S / 3600:g} hours")
        if total is not None and done < total:
            raise BrokenPullError(f"{self._name}: it broke off after {done:,} of {total:,} bytes")

    def _opened(self, mode: str) -> BinaryIO:
        try:
            return open(self.path, mode, opener=lambda path, flags: os.open(path, flags, 0o600))  # type: ignore[return-value]
        except OSError as error:
            raise _DiskError(error.errno, error.strerror) from error

    def _check_size(self, size: int) -> None:
        if size > self._most_bytes:
            self.drop()
            raise RefusedPullError(f"{self._name}: it has more than {self._most_bytes / MB:g} MB, the most_mb of [fleet]")


class _DiskError(OSError):
    """The disk, not the network, has failed."""


def _write(part: BinaryIO, chunk: bytes) -> None:
    try:
        part.write(chunk)
        part.flush()
    except OSError as error:
        raise _DiskError(error.errno, error.strerror) from error


def _disk_or_broken(error: OSError, folder: Path) -> EdgeclsError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
        return RefusedPullError(f"the bundle cannot be stored in {folder} ({error.strerror or error})")
    return BrokenPullError(f"the bundle cannot be stored in {folder} ({error.strerror or error})")


def _reason(error: Exception) -> str:
    """Return why a connection broke. A certificate that is not valid yet or any more may be the fault of the clock here."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or str(error)
        is_date = "expired" in why or "not yet valid" in why
        hint = f"; the clock of this device says {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC" if is_date else ""
        return f"its certificate is refused ({why}{hint})"
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"the download broke off ({in_one_line(why)[:150]})"


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))


def _length(header: str | None, *, after: str = "") -> int | None:
    text = (header or "").rpartition(after)[2] if after else header or ""
    return int(text) if text.isascii() and text.strip().isdigit() and len(text) < 16 else None


def _begin(header: str | None) -> int | None:
    unit, _, rest = (header or "").partition(" ")
    return _length(rest.partition("-")[0]) if unit == "bytes" else None


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
