"""Rolling a bundle out in stages, going back, and stopping. What has been done is at the broker alone."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.fleet.standing import Standing, judge
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.fleet.desired import Action
    from edgecls.fleet.fleet import Fleet
    from edgecls.fleet.rollout import RollOut
    from edgecls.fleet.standing import Device
    from edgecls.log import Say

LOOK_EVERY_S = 0.5
LINE_EVERY_S = 2.0
"""How often the numbers of a stage are said at most."""
AFTER_TROUBLE_S = 5.0
"""How long to wait, after the broker was away, until its messages have come."""


def new_id(version: int) -> str:
    """Return the name of a new roll-out."""
    return f"{version}-{secrets.token_hex(4)}"


class Rolling:
    """A roll-out that goes on while `step` is called. Any number of machines may do so, one after the other.

    Attributes:
        rollout: The roll-out as it is now.
        standing: How the stage in progress stood at the last step.
    """

    def __init__(self, fleet: Fleet, rollout: RollOut, *, say: Say) -> None:
        """Begin a roll-out, or go on with the one that the broker keeps.

        Args:
            fleet: The fleet.
            rollout: The roll-out. If the broker keeps one of the same bundle that is still running, that one goes on.
            say: Called with a line for each change.

        Raises:
            ConfigError: Another roll-out is running, or there is no device.
            SinkError: The broker does not take a message.
        """
        self._fleet = fleet
        self._say = say
        self._told_line, self._told_at = "", 0.0
        self._failed: set[str] = set()
        self._trouble_at: float | None = None
        self.standing = Standing()
        if fleet.gap:
            say(f"note: {fleet.gap}")
        before = fleet.rollout
        if before is not None and before.state == "running":
            if before.sha256 != rollout.sha256:
                raise ConfigError(
                    f"the roll-out {before.id} of version {before.version} is in stage {before.stage + 1} of "
                    f"{len(before.stages)}; finish it with the same command, or stop it: edgecls fleet stop"
                )
            self.rollout = before
            say(f"roll-out {before.id} of version {before.version} goes on in stage {before.stage + 1} of {len(before.stages)}")
        else:
            self.rollout = replace(rollout, unwell=_unwell(fleet))
            if not any(self._stages()):
                raise ConfigError(f"no device of the name {rollout.devices} has reported to {fleet.prefix}/ yet")
            fleet.keep(self.rollout)
            say(f"roll-out {rollout.id} of version {rollout.version}, {counted(sum(map(len, self._stages())), 'device')}")
        self._began_at = time.monotonic()
        self._begin_stage()

    def step(self) -> RollOut:
        """Look how the stage stands, and do what follows. Returns the roll-out as it is then. Raises SinkError."""
        now = time.monotonic()
        kept = self._fleet.rollout
        if self._fleet.trouble:
            if self._trouble_at is None:
                self._say(f"{self._fleet.trouble}; waiting for the broker")
            self._trouble_at = now
            return self.rollout
        if self._trouble_at is not None and now - self._trouble_at < AFTER_TROUBLE_S:
            return self.rollout
        self._trouble_at = None
        if kept is not None and (kept.id, kept.state) != (self.rollout.id, self.rollout.state):
            if kept.id != self.rollout.id:
                raise ConfigError(f"another roll-out has begun meanwhile, {kept.id} of version {kept.version}")
            self.rollout = kept
            return kept
        names = [name for stage in self._stages()[: self.rollout.stage + 1] for name in stage]
        self._tell(names)  # those that are new
        devices = self._fleet.devices()
        self.standing = judge(self.rollout, [devices[name] for name in names], began_at=self._began_at, now=now)
        self._say_changes()
        if self.standing.verdict == "stop":
            self._stop(self.standing.why)
        elif self.standing.verdict == "next":
            self._next()
        return self.rollout

    def run(self, wait: Callable[[float], object] = time.sleep) -> RollOut:
        """Go on until the roll-out is done or stopped, and return it. Raises SinkError."""
        while (rollout := self.step()).state == "running":
            wait(LOOK_EVERY_S)
        return rollout

    def _stages(self) -> list[list[str]]:
        return self.rollout.stages_of([device.name for device in self._fleet.devices().values() if device.reported is not None])

    def _begin_stage(self) -> None:
        stages = self._stages()
        names, number = stages[self.rollout.stage], self.rollout.stage
        self._began_at = time.monotonic()
        self._say(f"stage {number + 1} of {len(stages)} ({self.rollout.stages[number]:.0%}): {counted(len(names), 'device')}")
        self._tell(names)

    def _tell(self, names: Sequence[str]) -> None:
        devices, desired = self._fleet.devices(), self.rollout.desired()
        self._fleet.tell({name: desired for name in names if devices[name].desired != desired})

    def _say_changes(self) -> None:
        for failure in self.standing.failures:
            if failure.device not in self._failed:
                self._failed.add(failure.device)
                self._say(f"{failure.device}: {failure.why}")
        line = f"stage {self.rollout.stage + 1} of {len(self.rollout.stages)}: {self.standing}"
        now = time.monotonic()
        if line != self._told_line and (now - self._told_at >= LINE_EVERY_S or self.standing.verdict != "wait"):
            self._told_line, self._told_at = line, now
            self._say(line)

    def _next(self) -> None:
        later = range(self.rollout.stage + 1, len(self.rollout.stages))
        number = next((number for number in later if self._stages()[number]), None)  # a stage without devices is over at once
        if number is not None:
            self.rollout = replace(self.rollout, stage=number)
            self._fleet.keep(self.rollout)
            self._begin_stage()
        else:
            self.rollout = replace(self.rollout, state="done")
            self._fleet.keep(self.rollout)

    def _stop(self, why: str) -> None:
        self.rollout = replace(self.rollout, state="stopped", why=why)
        self._fleet.keep(self.rollout)
        tell_those_told(self._fleet, self.rollout, self.rollout.on_stop)


def stop(fleet: Fleet, why: str) -> RollOut:
    """Stop the roll-out in progress: devices that have not pulled the bundle yet do not. Raises ConfigError, SinkError."""
    rollout = fleet.rollout
    if rollout is None or rollout.state != "running":
        raise ConfigError("no roll-out is running")
    rollout = replace(rollout, state="stopped", why=why)
    fleet.keep(rollout)
    for name in _told(fleet, rollout):
        update = fleet.devices()[name].update(rollout)
        if update is None or update.state in ("none", "waiting", "downloading"):
            fleet.tell({name: rollout.desired("stay")})
    return rollout


def roll_back(fleet: Fleet, why: str) -> tuple[RollOut, list[str]]:
    """Have the devices of the last roll-out take its bundle back, and stop it if it is running.

    Returns:
        The roll-out, and the devices that were told.

    Raises:
        ConfigError: There was no roll-out.
        SinkError: The broker does not take a message.
    """
    rollout = fleet.rollout
    if rollout is None:
        raise ConfigError("there was no roll-out yet")
    rollout = replace(rollout, state="stopped", why=why)
    fleet.keep(rollout)
    return rollout, tell_those_told(fleet, rollout, "back")


def waiting_for_back(fleet: Fleet, rollout: RollOut) -> Iterator[Device]:
    """Return the devices that are online and have not taken the bundle of a roll-out back yet, after they were told to."""
    for device in fleet.devices().values():
        is_told = device.desired is not None and device.desired == rollout.desired("back")
        if is_told and device.is_online and device.reported is not None and device.reported.version == rollout.version:
            yield device


def tell_those_told(fleet: Fleet, rollout: RollOut, action: Action) -> list[str]:
    """Tell all devices that were told of a roll-out what to do about it now. Returns their names. Raises SinkError."""
    names = _told(fleet, rollout)
    fleet.tell(dict.fromkeys(names, rollout.desired(action)))
    return names


def _told(fleet: Fleet, rollout: RollOut) -> list[str]:
    return [
        name for name, device in fleet.devices().items() if device.desired is not None and device.desired.rollout == rollout.id
    ]


def _unwell(fleet: Fleet) -> tuple[str, ...]:
    """Return the devices that have faults."""
    return tuple(name for name, device in fleet.devices().items() if device.reported is not None and device.reported.faults)
