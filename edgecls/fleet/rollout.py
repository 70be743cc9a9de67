"""A roll-out: which bundle which devices should run, in which stages, and when it stops.

All of it is in one retained message, so the command may be killed and continued from another machine. A device's place in the
stages comes from a hash of its name and the roll-out, so every machine computes the same, and another roll-out begins with
other devices.
"""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError
from edgecls.fleet.desired import Desired
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Collection

    from edgecls.fleet.desired import Action

SCHEMA = 1
LARGEST = 4_000_000
STAGES = (0.01, 0.1, 0.5, 1.0)
STOP_AT = 0.1
Progress = Literal["running", "stopped", "done"]


@dataclass(frozen=True, slots=True)
class RollOut:
    """A roll-out.

    Attributes:
        id: Its name.
        url: Where the bundle can be pulled from.
        sha256: The SHA-256 of its file.
        version: Its version.
        stages: The shares of the devices, 0 to 1, that have been told after each stage; the last is 1.
        stop_at: It stops when a larger share of a stage's devices has failed.
        devices: The pattern of the names of the devices that it is for, such as `roof-*`.
        wait_s: How long a stage waits for its devices, in seconds.
        settle_s: How long they must stay healthy with the bundle.
        spread_s: Devices of a stage pull within so many seconds.
        on_stop: What the devices that were told do if it stops: "back" or "stay".
        unwell: The devices that had a fault before it began, whose faults do not count.
        stage: The stage in progress, from 0.
        state: How it is doing.
        why: Why it was stopped.
    """

    id: str
    url: str
    sha256: str
    version: int
    stages: tuple[float, ...] = STAGES
    stop_at: float = STOP_AT
    devices: str = "*"
    wait_s: float = 1800.0
    settle_s: float = 60.0
    spread_s: float = 0.0
    on_stop: Action = "back"
    unwell: tuple[str, ...] = ()
    stage: int = 0
    state: Progress = "running"
    why: str = ""

    def desired(self, action: Action = "apply") -> Desired:
        """Return what its devices are told."""
        return Desired(self.id, self.version, self.sha256, self.url, action, self.spread_s)

    def place(self, device: str) -> float:
        """Return a device's place among all devices, 0 to 1, which is the same on every machine."""
        digest = hashlib.sha256(f"{self.id}\0{device}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:7], "big") / 2**56

    def stages_of(self, devices: Collection[str]) -> list[list[str]]:
        """Return the devices of each stage, in their order. The first stage has at least one, if there are any at all."""
        order = sorted((self.place(name), name) for name in devices if fnmatch.fnmatchcase(name, self.devices))
        found: list[list[str]] = [[] for _ in self.stages]
        for i, (place, name) in enumerate(order):
            stage = next((n for n, share in enumerate(self.stages) if place < share), len(self.stages) - 1)
            found[0 if i == 0 else stage].append(name)
        return found

    def to_json(self) -> str:
        """Return the message."""
        return dumps({"schema": SCHEMA, **asdict(self)})

    @staticmethod
    def parse(payload: bytes) -> RollOut | None:
        """Read the message. Returns None for an empty one. Raises ConfigError in one line."""
        if not payload:
            return None
        try:
            record = loads(payload.decode(), most=LARGEST)
            if record.pop("schema") != SCHEMA:
                raise ConfigError("it was written by another version of edgecls; use that one, or clear the topic")
            return _checked(record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"the roll-out at the broker cannot be read ({error})") from error


def _checked(record: dict[str, Any]) -> RollOut:
    """Return the roll-out of a record. Raises ValueError, TypeError or KeyError if it is none."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in record.items()
        if name in RollOut.__dataclass_fields__
    }
    found = RollOut(**known)
    shares = found.stages
    is_fit = shares and all(isinstance(share, int | float) for share in shares) and list(shares) == sorted(shares)
    if not is_fit or type(found.stage) is not int or not 0 <= found.stage < len(shares):
        raise ValueError("its stages are not in order")
    for name in ("stop_at", "wait_s", "settle_s", "spread_s"):
        if not isinstance(getattr(found, name), int | float):
            raise TypeError(f"{name} is not a number")
    Desired.parse(found.desired(found.on_stop).to_json().encode())  # checks the rest
    return found


def parse_stages(text: str) -> tuple[float, ...]:
    """Read shares such as "1%,10%,50%,100%". Raises ConfigError."""
    shares = tuple(parse_share(part, "stages") for part in text.split(","))
    if list(shares) != sorted(set(shares)) or shares[-1] != 1.0 or shares[0] <= 0:
        raise ConfigError(f"`stages`: expected growing shares that end with 100%, such as 1%,10%,50%,100%, found {text}")
    return shares


def parse_share(text: str, name: str) -> float:
    """Read a share such as "10%". Raises ConfigError."""
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not text.strip().endswith("%") or not 0 <= share <= 1:
        raise ConfigError(f"`{name}`: expected a share from 0% to 100%, such as 10%, found {text.strip()}")
    return share
