"""The systemd unit of a run, with only those rights that its configuration needs.

Each line is explained in systemd.exec(5) and systemd.service(5); `systemd-analyze security` judges the sum. The first line of a
unit has a checksum of the rest, so that it is known whether somebody has edited it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.service.needs import Needs

MARK = "# Written by edgecls service install; checksum "
NOTIFY_RELOAD = 253
"""The version of systemd that knows `Type=notify-reload`, with which `systemctl reload` waits until the reload is over."""
WATCHDOG_S, START_S, STOP_S, RESTART_S = 60, 120, 60, 5
"""Seconds: without a sign of life, to start (the run asks for more), to complete its files, and before a restart."""
FINAL = (2, 77, 78)
"""Exit codes after which a restart would do the same again: usage, a refused password, a wrong configuration."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a unit says.

    Attributes:
        name: Its name, without .service.
        user: The user that it runs as.
        command: The program and its arguments.
        needs: What the configuration needs.
        environment_file: The file with secrets; None without.
        credentials: Files that only root can read, by the names under which the run finds them.
        groups: Further groups of the user, for devices.
        folders: Folders inside its own that its sinks expect.
        writes: Folders outside its own that it may write.
        mounts: Paths that must be mounted before it starts.
        systemd: The version of systemd.
    """

    name: str
    user: str
    command: tuple[str, ...]
    needs: Needs
    environment_file: Path | None = None
    credentials: tuple[tuple[str, Path], ...] = ()
    groups: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    writes: tuple[Path, ...] = ()
    mounts: tuple[Path, ...] = ()
    systemd: int = NOTIFY_RELOAD

    @property
    def state(self) -> str:
        """The folder of its databases, recordings and waiting events."""
        return f"/var/lib/{self.name}"

    def text(self) -> str:
        """Return the unit file."""
        body = "\n".join([*self._unit(), *self._service(), *self._rights(), *self._devices(), *_INSTALL, ""])
        return f"{MARK}{_checksum(body)}\n{body}"

    def _unit(self) -> list[str]:
        mounts = [f"RequiresMountsFor={' '.join(map(word, map(str, self.mounts)))}"] if self.mounts else []
        return [
            "# To change it, put what differs into: systemctl edit " + self.name,
            "[Unit]",
            "Description=edgecls: labels and events of the cameras",
            "Documentation=man:systemd.service(5)",
            "Wants=network-online.target",
            "After=network-online.target",
            *mounts,
            "",
        ]

    def _service(self) -> list[str]:
        secrets = [] if self.environment_file is None else [f"EnvironmentFile={_value(str(self.environment_file))}"]
        reload = ["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID"]
        return [
            "[Service]",
            *(["Type=notify-reload"] if self.systemd >= NOTIFY_RELOAD else reload),
            f"ExecStart={' '.join(word(one, is_command=True) for one in self.command)}",
            f"User={self.user}",
            *([f"SupplementaryGroups={' '.join(self.groups)}"] if self.groups else []),
            f"WorkingDirectory={self.state}",
            f"StateDirectory={' '.join([self.name, *(word(f'{self.name}/{one}') for one in self.folders)])}",
            f"CacheDirectory={self.name}",
            "StateDirectoryMode=0750",
            "CacheDirectoryMode=0750",
            f"Environment=HOME={self.state} XDG_STATE_HOME={self.state} XDG_CACHE_HOME=/var/cache/{self.name}",
            f"Environment=EDGECLS_SPOOL={self.state}/spool EDGECLS_SERVICE=systemd",
            *secrets,
            *(f"LoadCredential={name}:{_value(str(path))}" for name, path in self.credentials),
            f"WatchdogSec={WATCHDOG_S}",
            f"TimeoutStartSec={START_S}",
            f"TimeoutStopSec={STOP_S}",
            "SuccessExitStatus=143",
            "Restart=on-failure",
            f"RestartSec={RESTART_S}",
            f"RestartPreventExitStatus={' '.join(map(str, FINAL))}",
            "",
        ]

    def _rights(self) -> list[str]:
        port = "CAP_NET_BIND_SERVICE" if self.needs.low_port else ""
        writes = [f"ReadWritePaths={' '.join(map(word, map(str, self.writes)))}"] if self.writes else []
        return [
            *_RIGHTS,
            f"CapabilityBoundingSet={port}",
            f"AmbientCapabilities={port}",
            *([] if port else ["PrivateUsers=yes"] if not self._uses_devices else []),
            *([] if self.needs.compiles else ["MemoryDenyWriteExecute=yes"]),
            *writes,
        ]

    @property
    def _uses_devices(self) -> bool:
        needs = self.needs
        return bool(needs.cameras or needs.dri or needs.nvidia or needs.all_devices)

    def _devices(self) -> list[str]:
        needs = self.needs
        if needs.all_devices:
            return [f"# {needs.all_devices}: its devices differ by board, so only their own permissions limit it", ""]
        if not self._uses_devices:
            return ["PrivateDevices=yes", ""]
        allowed = [
            *(["char-video4linux rw"] if needs.cameras else []),
            *(["char-drm rw"] if needs.dri else []),
            *(["char-nvidia* rw"] if needs.nvidia else []),
        ]
        return ["DevicePolicy=closed", *(f"DeviceAllow={one}" for one in allowed), ""]


def is_edited(text: str) -> bool:
    """Return whether a unit file differs from how edgecls wrote it, or was not written by edgecls."""
    first, _, body = text.partition("\n")
    return first != f"{MARK}{_checksum(body)}"


def word(text: str, *, is_command: bool = False) -> str:
    """Return a word of a list of paths, or of a command, as systemd reads it. Raises ConfigError for control characters."""
    plain = _value(text)
    if re.fullmatch(r"[\w@%+=:,./~-]+", plain, re.ASCII):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    if is_command:  # only there $ begins a variable
        escaped = escaped.replace("$", "$$")
    return f'"{escaped}"'


def _value(text: str) -> str:
    """Return a whole value as systemd reads it: % begins a specifier."""
    if any(ord(one) < 32 or ord(one) == 127 for one in text):
        raise ConfigError(f"{text!r} has control characters, which a unit file cannot contain; rename it")
    return text.replace("%", "%%")


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:16]


_RIGHTS = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateMounts=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
KeyringMode=private
RemoveIPC=yes
UMask=0077
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM""".splitlines()
_INSTALL = ("[Install]", "WantedBy=multi-user.target")
