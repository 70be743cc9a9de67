"""What a device says of itself, as the retained message `reported`.

    {"schema": 1, "device": "roof-17", "at_s": 1795861800.0, "since_s": 1795800000.0, "every_s": 60.0, "edgecls": "0.3.0",
     "update": {"state": "applied", "why": "", "rollout": "7-3f2a9c", "version": 7},
     "bundle": {"id": "7-0123456789ab", "name": "street", "version": 7}, "kept": [],
     "model": {"name": "model", "sha256": "..."}, "model_state": "", "faults": [], "notes": [],
     "cameras": [{"camera": "north", "state": "live", "why": "", "fault": null, "age_s": 0.1, "fps": 12.5}],
     "sinks": [{"sink": "mqtt://broker", "waiting": 0, "lost": 0, "dropped": 0, "trouble": ""}],
     "drift": [], "disk": {"free_mb": 8123, "total_mb": 30000}}

`at_s` and `since_s`, when its run began, are what the device's clock says, which may be wrong; nothing is decided by them.
`every_s` is the longest time from one message to the next. `bundle` is null while the device runs the model that it came with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact
from edgecls.text.strict_json import dumps, loads

SCHEMA = 1
LARGEST = 262_144
"""The most bytes of a message that is read."""
LONGEST_WHY = 300
State = Literal["none", "waiting", "downloading", "verified", "on trial", "applied", "refused", "rolled back"]
FAILED: tuple[State, ...] = ("refused", "rolled back")


class Update(NamedTuple):
    """How far a device is with what it should run.

    Attributes:
        state: "none": nothing is desired; "waiting" for its turn or for another try; "downloading"; "verified": the signature
            and the self-test are good, and the run takes the bundle at its next frame; "on trial"; "applied"; "refused" and
            "rolled back" are for good.
        why: Why it waits, was refused or was rolled back.
        rollout: The roll-out that this is about.
        version: The version of the bundle.
    """

    state: State = "none"
    why: str = ""
    rollout: str = ""
    version: int = 0

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.state}: {self.why}" if self.why else self.state


NOTHING = Update()


def one_line(why: object) -> str:
    """Return a reason in one line without secrets, not too long."""
    text = in_one_line(redact(str(why)))
    return text if len(text) <= LONGEST_WHY else f"{text[: LONGEST_WHY - 3]}..."


@dataclass(frozen=True, slots=True)
class Reported:
    """What is read of a message, all of it checked for its type and none of it believed beyond that.

    Attributes:
        update: How far the device is with what it should run.
        edgecls: Its version of edgecls.
        version: The version of the bundle in place; 0: the model that it came with.
        model: The name of its model.
        fingerprint: The SHA-256 of its model.
        faults: What it does not deliver, and why: a camera, an output, each in a line. It is healthy without any.
        cameras: How many it has.
        faulty: How many of them have a fault.
        since_s: When its run began, by its own clock.
        every_s: The longest time from one message to the next.
        record: The whole message.
    """

    update: Update = NOTHING
    edgecls: str = ""
    version: int = 0
    model: str = ""
    fingerprint: str = ""
    faults: tuple[str, ...] = ()
    cameras: int = 0
    faulty: int = 0
    since_s: float = 0.0
    every_s: float = 60.0
    record: dict[str, Any] | None = None

    @staticmethod
    def parse(payload: bytes) -> Reported | None:
        """Read a message of a device. Returns None if it is none that this edgecls understands."""
        try:
            record = loads(payload[: LARGEST + 1].decode(), most=LARGEST)
        except ValueError:
            return None
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            return None
        update, bundle, model = (_table(record.get(name)) for name in ("update", "bundle", "model"))
        state: State = next((one for one in get_args(State) if one == update.get("state")), "none")
        faults, cameras = (_list(record.get(name)) for name in ("faults", "cameras"))
        return Reported(
            update=Update(
                state, _text(update.get("why")), _text(update.get("rollout")),
                int(_number(update.get("version"))),
            ),
            edgecls=_text(record.get("edgecls")),
            version=int(_number(bundle.get("version"))),
            model=_text(model.get("name")),
            fingerprint=_text(model.get("sha256")),
            faults=tuple(map(_text, faults)),
            cameras=len(cameras),
            faulty=sum(bool(_table(one).get("fault")) for one in cameras),
            since_s=_number(record.get("since_s")),
            every_s=min(max(_number(record.get("every_s")), 1.0), 86_400.0),
            record=record,
        )  # fmt: skip


def to_json(record: dict[str, Any], update: Update) -> str:
    """Return the message of a record with how far the update is."""
    return dumps({"schema": SCHEMA, **record, "update": update._asdict()})


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53 else 0.0
