"""The agent of a device: reports how a run is doing, and has it take the bundles that are rolled out.

It works in threads of its own, and no frame waits for it. Without the broker the run goes on as it is, for days if need be; the
broker keeps what is desired, and the agent takes it when there is a connection again.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from edgecls.errors import ConfigError
from edgecls.fleet.address import broker_at
from edgecls.fleet.desired import LARGEST, Desired
from edgecls.fleet.observer import Observer
from edgecls.fleet.reported import Update, one_line, to_json
from edgecls.fleet.state_of_run import StateOfRun, essence
from edgecls.fleet.topics import DESIRED, REPORTED, topic_of
from edgecls.fleet.updates import Bundles, PullLimits, Updates, pause_s
from edgecls.log import Say, log_warning
from edgecls.sink.network.mqtt_connection import Message, Subscription
from edgecls.sink.network.mqtt_publisher import NotDeliveredError, Publisher

if TYPE_CHECKING:
    from edgecls.run.fleet_settings import FleetSettings
    from edgecls.run.run import Run

CHECK_EVERY_S = 1.0
ANSWER_WAIT_S = 5.0
END_WAIT_S = 10.0
LARGEST_PACKET = 4 * LARGEST
"""A desired that is a little too large is answered; the broker keeps what is much too large back."""
NO_BUNDLE = "this device takes no bundles: its cameras.toml has no [bundle] with the keys that it trusts"
MB = 1e6


class Agent:
    """Connects a run with a fleet, from its creation until `close`.

    Example:
        with edgecls.Run("cameras.toml") as run, edgecls.fleet.Agent(run, run.config.fleet):
            for result, events in run:
                ...
    """

    def __init__(
        self, run: Run, settings: FleetSettings, *, bundles: Bundles | None = None, say: Say = log_warning
    ) -> None:  # fmt: skip
        """Start to connect. A broker that cannot be reached is no error.

        Args:
            run: The run.
            settings: The broker and the name of this device.
            bundles: Where bundles are installed; None: this device takes none.
            say: Called with a one-line message for what an operator at the device should know.

        Raises:
            ConfigError: The address of the broker is invalid.
            MissingExtraError: paho-mqtt is not installed.
        """
        broker, prefix = broker_at(settings.broker, settings.name)
        self._settings = settings
        self._say = say
        self._topic = topic_of(prefix, settings.name, REPORTED)
        self._condition = threading.Condition()
        self._desired: Desired | None = None
        self._is_new = False
        self._fault = Update()  # why the last message could not be read
        self._over = threading.Event()  # of what is being done, or of all
        self._closing = threading.Event()
        self._sent: tuple[dict[str, Any], Update] | None = None
        self._sent_at = 0.0
        self._key = 0
        observer = Observer()
        run.sinks.append(observer)
        self._state = StateOfRun(run, observer, device=settings.name, every_s=settings.heartbeat_s, bundles=bundles)
        self._updates: Updates | None = None
        if bundles is not None:
            limits = PullLimits(int(settings.most_mb * MB), settings.allow, settings.hosts)
            self._updates = Updates(bundles, limits, tell=self._told)
        desired = topic_of(prefix, settings.name, DESIRED)
        subscription = Subscription((desired,), self._on_message, largest=LARGEST_PACKET)
        self._publisher = Publisher(broker, subscription=subscription)
        self._threads = [
            threading.Thread(target=self._work, name="fleet updates", daemon=True),
            threading.Thread(target=self._report, name="fleet report", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def update(self) -> Update:
        """How far the device is with what it should run. May be asked for from any thread."""
        if self._fault.state != "none" or self._updates is None:
            return self._fault
        return self._updates.update

    @property
    def device(self) -> str:
        """The name of this device."""
        return self._settings.name

    @property
    def trouble(self) -> str:
        """Why the broker cannot be reached; "" while it can."""
        return "" if self._publisher.is_ready else self._publisher.down

    def close(self) -> None:
        """Break off what is being done, and disconnect."""
        self._closing.set()
        with self._condition:
            self._over.set()
            self._condition.notify_all()
        if self._updates is not None:
            self._updates.stop()
        self._publisher.close()
        for thread in self._threads:
            thread.join(END_WAIT_S)

    def __enter__(self) -> Self:
        """Return the agent, which works already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _on_message(self, _topic: str, payload: bytes, _is_retained: bool) -> None:
        """Note what is desired. Called in the thread of the connection."""
        try:
            desired, fault = Desired.parse(payload), Update()
        except ConfigError as error:
            desired, fault = None, Update("refused", one_line(error))
        with self._condition:
            if fault.state == "none" and self._updates is None and desired is not None and desired.action == "apply":
                fault = Update("refused", NO_BUNDLE, desired.rollout, desired.version)
            if fault.state == "none" and (desired != self._desired or self._fault.state != "none"):
                self._desired, self._is_new = desired, True
                self._over.set()
            self._fault = fault
            self._condition.notify_all()
        if self._is_new and self._updates is not None:
            self._updates.stop()

    def _work(self) -> None:
        """Do what is desired, one thing after the other."""
        while not self._closing.is_set():
            with self._condition:
                self._condition.wait_for(lambda: self._is_new or self._closing.is_set())
                if self._closing.is_set():
                    return
                desired, self._is_new = self._desired, False
                self._over.clear()
            if self._updates is None:
                continue
            try:
                wait_s = pause_s(desired, self._settings.name) if desired is not None else 0.0
                self._updates.take(desired, self._over, pause_s=wait_s)
            except Exception as error:  # noqa: BLE001 - no error may end the run
                self._fault = Update("refused", one_line(f"{type(error).__name__}: {error}"))
                self._wake()

    def _told(self, update: Update) -> None:
        if update.state != "none":
            self._say(f"fleet: version {update.version}: {update}")
        self._wake()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _report(self) -> None:
        """Report what is new, not too often, and how it is doing, not too rarely."""
        while not self._closing.is_set():
            try:
                self._report_once()
            except NotDeliveredError:  # the next connection gets what is new then
                self._sent = None
            except Exception as error:  # noqa: BLE001 - no error may end the run
                self._say(f"fleet: nothing can be reported ({type(error).__name__}: {error})")
                self._closing.wait(self._settings.heartbeat_s)
            self._closing.wait(CHECK_EVERY_S)

    def _report_once(self) -> None:
        if self._updates is not None:
            self._updates.refresh(self._desired)
        passed_s = time.monotonic() - self._sent_at
        if self._sent is not None and passed_s < self._settings.least_s:
            return
        if not self._publisher.is_ready:
            self._sent = None
            return
        record = self._state()
        new = essence(record), self.update
        if new == self._sent and passed_s < self._settings.heartbeat_s:
            return
        self._key += 1
        self._publisher.deliver(self._key, [Message(self._topic, to_json(record, new[1]))], ANSWER_WAIT_S)
        self._sent, self._sent_at = new, time.monotonic()
