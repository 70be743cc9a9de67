"""Validation of server and stream addresses."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection
    from urllib.parse import SplitResult

LONGEST_HOST = 253
"""Characters of a host name, each label of which may have 63 (RFC 1035)."""
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
"""Allows underscores, which container names may have."""
BRACKETS = "brackets are only for IPv6 addresses, such as [::1]; elsewhere write %5B and %5D"
CONTROL = "it contains control characters"
ENCODE = "in a password write / as %2F, ? as %3F and # as %23, or use ${NAME}, an environment variable, in cameras.toml"
CONNECTS = frozenset({"http", "https", "rtmp", "rtmps", "rtsp", "rtsps", "rtspt", "rtspu"})
"""Stream schemes with which FFmpeg connects to a host. Others, such as udp and srt, may also wait for a sender."""


def split_address(url: str, schemes: Collection[str]) -> SplitResult:
    """Split the address of a server. Raises ValueError with the reason if the address can never work."""
    if any(ord(char) < 32 or ord(char) == 127 for char in url):
        raise ValueError(CONTROL)  # urlsplit silently drops some of them
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise ValueError(BRACKETS) from error
    if parts.scheme not in schemes or not host:
        raise ValueError("")
    brackets, bracket, port = parts.netloc.rpartition("@")[2].rpartition("]")
    if bracket:
        if not brackets.startswith("[") or port[:1] not in ("", ":"):
            raise ValueError(BRACKETS)
        _check_ipv6(host)
    else:
        check_host(host)
    try:
        usable = parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("the port must be a number from 1 to 65535")
    return parts


def check_stream(url: str) -> None:
    """Raise ValueError with the reason if FFmpeg can never open a stream at this address.

    Like FFmpeg, treat everything up to the last @ before the path as user and password, whatever characters they contain.
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in url):
        raise ValueError(CONTROL)
    scheme, _, rest = url.partition("://")
    server = _authority(rest).rpartition("@")[2]
    if not server or server.startswith(":"):
        if scheme.lower() in CONNECTS:
            raise ValueError("it names no host")
        server = f"localhost{server}"
    try:
        split_address(f"{scheme.lower()}://{server}", {scheme.lower()})
    except ValueError as error:
        if is_cut_password(url):
            raise ValueError(f"it has an @ after the first /, ? or #, which end the host; {ENCODE}") from error
        raise


def is_cut_password(url: str) -> bool:
    """Return whether an address has an @ after the first / ? or #, where the host ends for FFmpeg.

    Either the password contains one of these characters, or the path contains an @.
    """
    rest = url.partition("://")[2]
    return "@" in rest[len(_authority(rest)) :]


def _authority(rest: str) -> str:
    """Return user, password, host and port from the text after ://, delimited as FFmpeg does."""
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def check_host(host: str) -> None:
    """Raise ValueError with the reason if the host name is invalid. IPv6 addresses are given without brackets.

    The reason does not show the name: in a mistyped address it may be part of a password.
    """
    if ":" in host:
        _check_ipv6(host)
        return
    plain = host.removesuffix(".")
    try:
        ascii_host = plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"the host name is invalid: {error.__cause__ or error}") from error
    labels = ascii_host.split(".")
    wrong = next((label for label in labels if not LABEL.fullmatch(label)), None)
    if wrong is not None or len(ascii_host) > LONGEST_HOST:
        raise ValueError(f"the host name is invalid: {_label_fault(wrong)}")
    if labels[-1].isdigit():
        try:
            socket.inet_aton(ascii_host)
        except OSError as error:
            raise ValueError("the host is not a valid IPv4 address") from error


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError as error:
        raise ValueError("the host is not a valid IPv6 address") from error


def _label_fault(label: str | None) -> str:
    if label is None:
        return f"it has more than {LONGEST_HOST} characters"
    if not label:
        return "it has nothing before or between its dots"
    if len(label) > 63:
        return "a part between two dots has more than 63 characters"
    return "expected letters, digits, dots and hyphens"


def is_loopback(host: str) -> bool:
    """Whether a host, without brackets, is this machine as only it can reach itself: "localhost", 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
