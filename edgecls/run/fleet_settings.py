"""The table [fleet]: the broker over which a run takes bundles. `edgecls.fleet`, which no run imports, does the work."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from edgecls.errors import ConfigError
from edgecls.settings import check_limits, limited, some_of
from edgecls.sink.mqtt import broker_of
from edgecls.text.redaction import shown

if TYPE_CHECKING:
    from urllib.parse import SplitResult

PREFIX = "fleet"
Scheme = Literal["https", "http", "file"]
_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,100}")


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """The table [fleet] of cameras.toml: the run reports to a broker, and takes signed bundles that are rolled out over it.

    `broker` is mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, or mqtts for TLS. `device` is the name of this device; default: the
    name of the host. It reports at least every `heartbeat_s` seconds, and changes at most every `least_s`. Bundles are pulled
    from any host, or only from `hosts`, over the schemes in `allow`. `most_mb` is the largest bundle.
    """

    broker: str
    device: str = ""
    heartbeat_s: float = limited(60.0, at_least=1, at_most=86_400, unit="seconds")
    least_s: float = limited(5.0, at_least=0, at_most=3600, unit="seconds")
    hosts: tuple[str, ...] = ()
    allow: tuple[Scheme, ...] = some_of(("https",), get_args(Scheme))
    most_mb: float = limited(500.0, above=0, at_most=100_000, unit="MB")

    def __post_init__(self) -> None:
        """Validate the address and the name."""
        check_broker(self.broker)
        if self.device and not _DEVICE.fullmatch(self.device):
            raise ConfigError("device: expected up to 100 letters, digits, `_`, `-` and `.`")
        check_limits(self)

    @property
    def name(self) -> str:
        """The name of this device."""
        return self.device or re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname())[:100] or "device"


def check_broker(url: str) -> SplitResult:
    """Return the parts of the address of a broker. Raises ConfigError."""
    if "?" in url:
        raise ConfigError(f"{shown(url)}: expected mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, and nothing after a ?")
    parts, _, _ = broker_of(url)
    return parts
