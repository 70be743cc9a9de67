"""The settings of the page of a run, the table [web]. The page itself is `edgecls.web`, which the runtime does not import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgecls.errors import ConfigError
from edgecls.settings import check_limits
from edgecls.text.address import check_host, is_loopback
from edgecls.text.redaction import shown

PORT = 8765
KEEP_S = 10.0
"""Seconds of packets that cameras keep, so that a live picture starts at once from the last key frame."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The table [web] of cameras.toml: the page of a run.

    `listen` is a port of this machine, or HOST:PORT. Every address but this machine's own needs a login, whose passwords are in
    the file `passwords` (`edgecls web set-password`). `hosts` are further names under which browsers reach the page, as behind
    a proxy. `certificate` and `key` are PEM files for https.
    """

    listen: str | int = f"127.0.0.1:{PORT}"
    passwords: str = ""
    hosts: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        """Validate the address and that certificate and key come together."""
        _ = self.address
        for host in self.hosts:
            _check_host(host, "hosts")
        if bool(self.certificate) != bool(self.key):
            raise ConfigError("https needs both certificate and key")
        check_limits(self)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port of `listen`. Raises ConfigError."""
        host, _, port = str(self.listen).rpartition(":")
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if host:
            _check_host(host, "listen")
        if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536):
            raise ConfigError(f"listen: expected a port or HOST:PORT, such as 0.0.0.0:{PORT}, not {shown(str(self.listen))}")
        return host or "127.0.0.1", int(port)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.address[0])

    @property
    def needs_login(self) -> bool:
        """Whether visitors must log in: always if other machines can reach the page, or if there are passwords."""
        return not self.is_local or bool(self.passwords)

    @property
    def scheme(self) -> str:
        """The scheme of the page's address, "http" or "https"."""
        return "https" if self.certificate else "http"

    def check_files(self) -> None:
        """Raise ConfigError if a login is needed and there are no passwords, or if a file is missing."""
        if self.needs_login and not self.passwords:
            raise ConfigError(
                f"{shown(str(self.listen))} can be reached from other machines, which needs a login; make a password with "
                "edgecls web set-password, and name its file: passwords = FILE (--passwords FILE)"
            )
        for name in ("passwords", "certificate", "key"):
            path = getattr(self, name)
            if path and not Path(path).is_file():
                raise ConfigError(f"{name}: {path} does not exist")


def _check_host(host: str, name: str) -> None:
    try:
        check_host(host)
    except ValueError as error:
        raise ConfigError(f"{name}: {shown(host)} is not the name or address of a machine") from error
