"""Publishing of messages to an MQTT broker with acknowledgements and automatic reconnection.

Every connection has its own paho client, and so its own queue and acknowledgements. Messages that were not acknowledged when a
connection broke are dropped there, and their owner publishes them again. A single paho client would keep them, resend them on
each connection, and confuse their acknowledgements. Message ids continue across connections for the same reason: a late
acknowledgement then refers to an id that nobody waits for.

The newest retained message of each topic is sent again on each connection, because a restarted broker may have lost it; but
only after the broker has acknowledged `status`, so not to a broker that accepts connections and closes them.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls import extras
from edgecls.backoff import Backoff
from edgecls.sink.homeassistant import OFFLINE
from edgecls.sink.network.connection import Connection, Deadline, Resolver
from edgecls.sink.network.mqtt_connection import Broker, Link, Message, Subscription
from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Sequence

CONNECT_WAIT_S = 10.0
"""From the name lookup to the first acknowledgement of the broker."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
"""Limits of the wait between two connections."""
HELD_S = 10.0
"""A connection that lasts this long, or delivers a message, was good; the back-off then starts again."""
CLOSE_WAIT_S = 1.0
MOST_WAITS = 6
"""Number of waits for an acknowledgement after which to reconnect: the broker may have lost the message."""
SILENT = "the broker does not acknowledge"


class NotDeliveredError(OSError):
    """The broker has not acknowledged the messages; the text says why."""


@dataclass(slots=True)
class _Sent:
    """The message ids of one delivery on one connection."""

    key: Hashable
    link: Link
    ids: list[int]
    waits: int = 0

    def is_over(self) -> bool:
        return all(mid in self.link.answers for mid in self.ids)

    def refused(self) -> str:
        return next((why for mid in self.ids if (why := self.link.answers[mid])), "")


class Publisher:
    """Publishes to a broker, for one caller at a time. A background thread connects and reconnects."""

    def __init__(self, broker: Broker, *, subscription: Subscription | None = None, rng: random.Random | None = None) -> None:
        """Start to connect, and subscribe on each connection. Raises MissingExtraError if paho-mqtt is not installed."""
        self.retained: dict[str, str] = {}
        """The newest retained text of each topic."""
        self._paho = extras.load("paho.mqtt.client", extra="mqtt", purpose="MQTT")
        self._broker = broker
        self._subscription = subscription
        self._resolver = Resolver(broker.host, broker.port)
        self._client_id = f"edgecls-{secrets.token_hex(6)}"  # unique: a broker closes connections with duplicate ids
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, rng=rng)
        self._condition = threading.Condition()
        self._link: Link | None = None
        self._last_id = 0
        self._down = ""  # why there is no connection
        self._is_stopped = False
        self._closing = threading.Event()
        self._sent: _Sent | None = None
        self._thread = threading.Thread(target=self._work, name=f"mqtt {broker.host}", daemon=True)
        self._thread.start()

    @property
    def down(self) -> str:
        """Why there is no connection; "" while there is one, or before the first try has ended."""
        return self._down

    @property
    def is_ready(self) -> bool:
        """Whether there is a connection over which messages are acknowledged, and the subscription is in effect."""
        return self._ready()

    def deliver(self, key: Hashable, messages: Sequence[Message], wait_s: float) -> str:
        """Publish messages and wait until all are acknowledged.

        To retry, call it again with the same `key`: if the connection has not changed, it only continues to wait.

        Returns:
            Why the broker refuses a message; "" if it accepts all.

        Raises:
            NotDeliveredError: Not all messages were acknowledged within `wait_s` seconds.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._is_stopped or self._down or self._ready(), wait_s)
            link = self._link
            if link is None or not self._ready():
                raise NotDeliveredError(self._down or SILENT)
        sent = self._sent
        if sent is None or (sent.key, sent.link) != (key, link):
            sent = self._sent = self._publish(key, link, messages)
        with self._condition:
            self._condition.wait_for(lambda: self._is_stopped or self._link is not link or sent.is_over(), wait_s)
            if not sent.is_over():
                sent.waits += 1
                if sent.waits >= MOST_WAITS:
                    link.hang_up(SILENT)
                raise NotDeliveredError(self._down or SILENT)
            self._sent = None
            link.is_good = True
        return sent.refused()

    def stop(self) -> None:
        """Interrupt `deliver`."""
        with self._condition:
            self._is_stopped = True
            self._condition.notify_all()

    def close(self) -> None:
        """Publish that edgecls is offline, and disconnect."""
        self.stop()
        self._closing.set()
        with self._condition:
            link = self._link
        if link is not None and not (link.is_ready and self._disconnect(link)):
            link.hang_up("closed")
        self._thread.join(CLOSE_WAIT_S)

    def _disconnect(self, link: Link) -> bool:
        """Publish that edgecls is offline and disconnect. Returns whether the thread has ended."""
        if self._broker.status:
            goodbye = link.publish(Message(self._broker.status, OFFLINE))
            with self._condition:
                self._condition.wait_for(lambda: goodbye in link.answers or self._link is not link, CLOSE_WAIT_S)
        link.disconnect()
        self._thread.join(CLOSE_WAIT_S)
        return not self._thread.is_alive()

    def _ready(self) -> bool:
        return self._link is not None and self._link.is_ready

    def _publish(self, key: Hashable, link: Link, messages: Sequence[Message]) -> _Sent:
        if self._sent is not None and self._sent.link is link:  # the caller has abandoned the earlier delivery
            link.hang_up(SILENT)
            raise NotDeliveredError(SILENT)
        with self._condition:
            link.answers.clear()
            self.retained.update({message.topic: message.text for message in messages if message.retain})
        return _Sent(key, link, [link.publish(message) for message in messages])

    def _work(self) -> None:
        while not self._closing.is_set():
            try:
                if self._connect_once():
                    self._backoff.reset()
            except Exception as error:  # noqa: BLE001 - nothing joins this thread to see its error, so `deliver` raises it
                with self._condition:
                    self._link, self._down = None, in_one_line(redact(f"{type(error).__name__}: {error}"))
                    self._condition.notify_all()
            self._closing.wait(self._backoff.next_s())

    def _connect_once(self) -> bool:
        """Connect and stay connected. Returns whether it was a good connection."""
        with Connection(self._resolver, Deadline(CONNECT_WAIT_S)) as connection:
            link = Link(
                self._paho, self._broker, connection, client_id=self._client_id, notify=self._notify,
                subscription=self._subscription,
            )  # fmt: skip
            with self._condition:
                self._link = link
                if self._closing.is_set():
                    return False
            why = link.run(self._last_id, lambda: self._greet(link))
            with self._condition:
                self._last_id = link.last_id
                self._link, self._down = None, why
                self._condition.notify_all()
        return link.is_good or link.held_s >= HELD_S

    def _greet(self, link: Link) -> None:
        """Send retained messages again, and wake `deliver`."""
        with self._condition:
            again = [Message(topic, text) for topic, text in self.retained.items()]
        for message in again:
            link.publish(message)
        with self._condition:
            link.is_ready, self._down = True, ""
            self._condition.notify_all()

    def _notify(self) -> None:
        with self._condition:
            self._condition.notify_all()
