"""The operator's connection to a fleet: what its devices report, and what they are told."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from edgecls.errors import ConfigError, SinkError
from edgecls.fleet.address import broker_at
from edgecls.fleet.desired import Desired
from edgecls.fleet.reported import LARGEST as LARGEST_REPORT
from edgecls.fleet.reported import Reported
from edgecls.fleet.rollout import LARGEST as LARGEST_ROLL_OUT
from edgecls.fleet.rollout import RollOut
from edgecls.fleet.standing import Device
from edgecls.fleet.topics import DESIRED, PARTS, REPORTED, ROLL_OUT, device_in, topic_of
from edgecls.sink.homeassistant import ONLINE
from edgecls.sink.network.mqtt_connection import Message, Subscription
from edgecls.sink.network.mqtt_publisher import NotDeliveredError, Publisher
from edgecls.text.redaction import hidden
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_WAIT_S = 15.0
QUIET_S = 1.0
"""The broker has sent all that it keeps when nothing has come for so long."""
LONGEST_LISTEN_S = 60.0
POLL_S = 0.05
MOST_AT_ONCE = 100
"""Messages that are sent before their acknowledgements are waited for."""
FIRST_BYTES, BYTES_PER_S = 2**31, 2.0**24


class Fleet:
    """The devices of a fleet, as their broker shows them. It is connected from its creation until `close`.

    Example:
        with edgecls.fleet.Fleet("mqtts://operator:password@broker/fleet") as fleet:
            for device in fleet.devices().values():
                print(device.name, device.reported.update)
    """

    def __init__(self, broker: str) -> None:
        """Connect, and wait until the broker has sent what it keeps.

        Args:
            broker: mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, or mqtts for TLS.

        Raises:
            ConfigError: The address is invalid.
            SinkError: The broker cannot be reached, or refuses.
            MissingExtraError: paho-mqtt is not installed.
        """
        found, self.prefix = broker_at(broker)
        self._name = hidden(broker)
        self._lock = threading.Lock()
        self._devices: dict[str, Device] = {}
        self._rollout = b""
        self._came_at = time.monotonic()
        self._key = 0
        topics = (*(f"{self.prefix}/+/{part}" for part in PARTS), f"{self.prefix}/{ROLL_OUT}")
        self._publisher = Publisher(
            found,
            subscription=Subscription(
                topics, self._on_message, qos=0, largest=max(LARGEST_REPORT, LARGEST_ROLL_OUT), first_bytes=FIRST_BYTES,
                bytes_per_s=BYTES_PER_S,
            ),
        )  # fmt: skip
        try:
            self._listen()
        except BaseException:
            self.close()
            raise

    def devices(self) -> dict[str, Device]:
        """Return the devices by name, each as it is now."""
        with self._lock:
            return {name: self._devices[name] for name in sorted(self._devices)}

    @property
    def rollout(self) -> RollOut | None:
        """The roll-out in progress, or the last one; None if there was none. Raises ConfigError if it cannot be read."""
        return RollOut.parse(self._rollout)

    @property
    def trouble(self) -> str:
        """Why there is no connection at present; "" while there is one."""
        return "" if self._publisher.is_ready else self._publisher.down

    @property
    def gap(self) -> str:
        """What the broker seems not to have sent of what it keeps, in one line; "" if nothing is missing."""
        halves = [one.name for one in self.devices().values() if (one.is_online is None) != (one.reported is None)]
        if not halves:
            return ""
        came = f"{counted(len(halves), 'device')}, such as {halves[0]}, came with half of what the broker keeps of them"
        return f"{came}; a mosquitto that drops what it cannot queue needs max_queued_messages 0"

    def tell(self, told: Mapping[str, Desired | None]) -> None:
        """Tell devices what they should run, by name; None clears what they were told. Raises SinkError."""
        messages = [
            Message(topic_of(self.prefix, name, DESIRED), "" if desired is None else desired.to_json())
            for name, desired in told.items()
        ]
        for i in range(0, len(messages), MOST_AT_ONCE):
            self._deliver(messages[i : i + MOST_AT_ONCE])
        with self._lock:
            for name, desired in told.items():
                self._device(name).desired = desired

    def keep(self, rollout: RollOut) -> None:
        """Have the broker keep a roll-out. Raises SinkError."""
        text = rollout.to_json()
        self._deliver([Message(f"{self.prefix}/{ROLL_OUT}", text)])
        with self._lock:
            self._rollout = text.encode()

    def forget(self, device: str) -> None:
        """Clear all that the broker keeps of a device that is gone. Raises SinkError."""
        self._deliver([Message(topic_of(self.prefix, device, part), "") for part in PARTS])
        with self._lock:
            self._devices.pop(device, None)

    def close(self) -> None:
        """Disconnect."""
        self._publisher.close()

    def __enter__(self) -> Self:
        """Return the fleet, which is already connected."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self.close()

    def _listen(self) -> None:
        began = time.monotonic()
        while not self._publisher.is_ready:
            if time.monotonic() - began > CONNECT_WAIT_S or self._publisher.down:
                raise SinkError(f"{self._name}: {self._publisher.down or 'the broker does not answer'}")
            time.sleep(POLL_S)
        self._came_at = ready = time.monotonic()
        while time.monotonic() - self._came_at < QUIET_S and time.monotonic() - ready < LONGEST_LISTEN_S:
            time.sleep(POLL_S)

    def _deliver(self, messages: list[Message]) -> None:
        self._key += 1
        began = time.monotonic()
        while True:
            try:
                refused = self._publisher.deliver(self._key, messages, CONNECT_WAIT_S)
            except NotDeliveredError as error:
                if time.monotonic() - began > 4 * CONNECT_WAIT_S:
                    raise SinkError(f"{self._name}: {error}") from error
                time.sleep(POLL_S)
                continue
            # what is kept is the broker's: another operator may have changed it when this one connects again
            self._publisher.retained.clear()
            if refused:
                raise SinkError(f"{self._name}: the broker refuses messages to {messages[0].topic} ({refused})")
            return

    def _device(self, name: str) -> Device:
        return self._devices.setdefault(name, Device(name))

    def _on_message(self, topic: str, payload: bytes, is_retained: bool) -> None:
        now = self._came_at = time.monotonic()
        with self._lock:
            if topic == f"{self.prefix}/{ROLL_OUT}":
                self._rollout = payload
                return
            name, part = device_in(self.prefix, topic)
            if name:
                self._note(self._device(name), part, payload, now)
            if part == REPORTED and not is_retained:
                self._device(name).is_online = True

    def _note(self, device: Device, part: str, payload: bytes, now: float) -> None:
        if part == DESIRED:
            try:
                device.desired = Desired.parse(payload)
            except ConfigError:  # the device will say so
                device.desired = None
            return
        was_online, device.heard_at = device.is_online, now
        if part != REPORTED:
            device.is_online = payload.decode(errors="replace") == ONLINE
            if was_online and not device.is_online:
                device.heard_at = now  # silent only after a while: it may just be starting again
            return
        before, found = device.reported, Reported.parse(payload)
        if found is None:
            return
        device.reported = found
        is_applied = found.update.state == "applied"
        was_applied = before is not None and before.update[2:] == found.update[2:] and device.applied_at is not None
        device.applied_at = (device.applied_at if was_applied else now) if is_applied else None
        device.unwell_at = (device.unwell_at or now) if found.faults else None
