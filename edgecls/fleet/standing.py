"""How a roll-out stands in one of its stages, and what follows from it. Nothing here talks to a broker.

A device has failed if it refuses the bundle or takes it back, has had a fault for a while with the bundle in place that it did
not have before, or has gone silent after it was told. One that was away when it was told counts for nothing: it gets the
message, which the broker keeps, when it comes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.fleet.reported import FAILED, Update
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgecls.fleet.desired import Desired
    from edgecls.fleet.reported import Reported
    from edgecls.fleet.rollout import RollOut

UNWELL_S = 30.0
"""How long a fault must last to count, but not longer than the devices have to stay healthy at all."""
SILENT_HEARTBEATS = 3
"""A device is silent when so many of its messages did not come, or when it has been offline as long."""
Verdict = Literal["wait", "next", "stop"]


@dataclass(slots=True)
class Device:
    """What the operator's side has heard of a device. Times are those of `time.monotonic` here.

    Attributes:
        name: Its name.
        is_online: Whether the broker says so; None: it says nothing.
        reported: The last message.
        desired: What it was told.
        heard_at: When it last sent or changed something.
        applied_at: Since when it has the bundle that it was told, as far as was seen here.
        unwell_at: Since when it has faults.
    """

    name: str
    is_online: bool | None = None
    reported: Reported | None = None
    desired: Desired | None = None
    heard_at: float = 0.0
    applied_at: float | None = None
    unwell_at: float | None = None

    def update(self, rollout: RollOut) -> Update | None:
        """Return how far it is with a roll-out; None if it has not answered to it."""
        found = None if self.reported is None else self.reported.update
        return found if found is not None and found.rollout == rollout.id else None

    def is_silent(self, now: float) -> bool:
        """Whether it should have been heard of meanwhile."""
        every_s = 60.0 if self.reported is None else self.reported.every_s
        return now - self.heard_at > SILENT_HEARTBEATS * every_s


class Failure(NamedTuple):
    """A device that has failed, and why in one line."""

    device: str
    why: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How the devices that were told stand.

    Attributes:
        verdict: What follows: "wait", go on with the "next" stage, or "stop".
        why: Why to stop.
        applied: How many have the bundle.
        busy: How many are at it, by their state.
        away: Those that were away when they were told.
        failures: Those that have failed.
    """

    verdict: Verdict = "wait"
    why: str = ""
    applied: int = 0
    busy: Mapping[str, int] = field(default_factory=dict)
    away: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    def __str__(self) -> str:
        """Return the numbers in one line."""
        numbers = {
            "applied": self.applied,
            **self.busy,
            "failed": len(self.failures),
            "away": len(self.away),
        }
        return ", ".join(f"{number} {what}" for what, number in numbers.items() if number) or "no device"


def judge(rollout: RollOut, devices: Iterable[Device], *, began_at: float, now: float) -> Standing:
    """Return how a roll-out stands.

    Args:
        rollout: The roll-out.
        devices: The devices of its stage, and those of the stages before.
        began_at: When they were told, or when this was taken up again.
        now: What time it is.
    """
    is_late = now - began_at > rollout.wait_s
    failures: list[Failure] = []
    away: list[str] = []
    busy: dict[str, int] = {}
    applied, is_settled, total = 0, True, 0
    for device in devices:
        update = device.update(rollout)
        if update is None and not device.is_online:
            away.append(device.name)
            continue
        total += 1
        if why := _failure(rollout, device, update, is_late=is_late, now=now):
            failures.append(Failure(device.name, why))
        elif update is not None and update.state == "applied":
            applied += 1
            since = now if device.applied_at is None else device.applied_at
            is_settled &= (now - since >= rollout.settle_s and device.unwell_at is None) or device.name in rollout.unwell
        else:
            state = "told" if update is None else update.state
            busy[state] = busy.get(state, 0) + 1
    verdict, why = _verdict(rollout, failures, total, n_away=len(away), is_late=is_late)
    if verdict == "wait" and not busy and is_settled and (applied or not away):
        verdict = "next"
    return Standing(verdict, why, applied, busy, tuple(away), tuple(failures))


def _verdict(
    rollout: RollOut, failures: list[Failure], total: int, *, n_away: int, is_late: bool
) -> tuple[Verdict, str]:  # fmt: skip
    if failures and len(failures) > rollout.stop_at * total:
        first, share = failures[0], f"{len(failures)} of {counted(total, 'device')} failed, at most {rollout.stop_at:.0%} may"
        return "stop", f"stage {rollout.stage + 1}: {share}; the first: {first.device}: {first.why}"
    if is_late and not total and n_away:
        return "stop", f"no device of stage {rollout.stage + 1} was online within {rollout.wait_s:g} s"
    return "wait", ""


def _failure(rollout: RollOut, device: Device, update: Update | None, *, is_late: bool, now: float) -> str:
    """Return why a device has failed; "" if it has not."""
    if update is not None and update.state in FAILED:
        return str(update)
    if device.is_silent(now):
        return "it went silent" if device.is_online else "it went offline"
    if update is not None and update.state == "applied":
        faults = () if device.reported is None else device.reported.faults
        lasts = device.unwell_at is not None and now - device.unwell_at >= min(UNWELL_S, rollout.settle_s)
        return f"unhealthy: {faults[0]}" if faults and lasts and device.name not in rollout.unwell else ""
    if is_late:
        how = "has not answered" if update is None else f"is still {update}"
        return f"it {how} after {rollout.wait_s:g} s"
    return ""
