"""One connection to an MQTT broker, with a paho client of its own that runs in the caller's thread.

paho's own thread dies when it receives invalid packets, and its timeouts restart with every byte.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.sink.homeassistant import OFFLINE, ONLINE

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from edgecls.sink.network.connection import Connection

KEEP_ALIVE_S = 30
MOST_IN_FLIGHT = 8
"""Maximum number of unacknowledged messages. paho ignores the limit that a broker announces; HiveMQ's is 10."""
LOOP_S = 1.0
GREETING_LOOP_S = 0.1
FIRST_BYTES, BYTES_PER_MESSAGE, BYTES_PER_S = 65_536, 1024, 64
"""Bytes that a broker may send: initially, per message of ours, and per second. Without a subscription it only sends
acknowledgements.
"""
CHUNK = 65_536
BAD_LOGIN = ("Bad user name or password", "Not authorized", "Bad authentication method", "Banned")
TAKEN_OVER = "Session taken over"


class Message(NamedTuple):
    """A message for a topic."""

    topic: str
    text: str
    retain: bool = True


class Subscription(NamedTuple):
    """What a client wants to receive.

    Attributes:
        topics: The topics, which may have wildcards.
        on_message: Called in the thread of the connection with the topic, the content and whether it is a retained message of
            before. It must not block.
        qos: 1: the broker sends each again until it is acknowledged; 0: it sends each once. Brokers queue few messages for
            a client that acknowledges, mosquitto 1,000, and drop the rest, so 0 suits whoever wants many retained ones at once.
        largest: The most bytes of a message; a broker keeps larger ones back.
        first_bytes: How many bytes the broker may send at first, beside acknowledgements.
        bytes_per_s: How many it may send later, on average.
    """

    topics: tuple[str, ...]
    on_message: Callable[[str, bytes, bool], None]
    qos: int = 1
    largest: int = 65_536
    first_bytes: int = 262_144
    bytes_per_s: float = 1024.0


@dataclass(frozen=True, slots=True)
class Broker:
    """Address and credentials of a broker, and the topic `status` that tells whether edgecls is online; "" if none does."""

    host: str
    port: int
    status: str
    tls: ssl.SSLContext | None = None
    user: str | None = None
    password: str = field(default="", repr=False)


class Link:
    """One connection. A new one is made for each, so that no message or acknowledgement carries over.

    `run` is called by one thread; `publish`, `disconnect` and `hang_up` by any. `notify` is called for each acknowledgement.
    """

    def __init__(
        self, paho: Any, broker: Broker, connection: Connection, *, client_id: str, notify: Callable[[], None],
        subscription: Subscription | None = None,
    ) -> None:  # fmt: skip
        """Prepare the client; `paho` is the module paho.mqtt.client."""
        self.is_ready = False
        """Whether the broker has acknowledged a message, not only accepted the connection."""
        self.is_good = False
        """Whether a message has been delivered over this connection."""
        self.answers: dict[int, str] = {}
        """Ids of acknowledged messages, each with the reason for a refusal or ""."""
        self.last_id = 0
        self._broker = broker
        self._connection = connection
        self._notify = notify
        self._subscription = subscription
        self._is_subscribed = subscription is None
        self._properties: Any = None
        self._why = ""
        self._began_at = 0.0
        self._socket: _Socket | None = None
        self._lock = threading.Lock()
        client: Any = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        client.max_inflight_messages = MOST_IN_FLIGHT
        if broker.status:
            client.will_set(broker.status, OFFLINE, qos=1, retain=True)
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        client.on_connect, client.on_disconnect, client.on_publish = self._on_connect, self._on_disconnect, self._on_publish
        client.on_socket_register_write = lambda *_: None  # so that only the loop writes, whichever thread publishes
        client._create_socket = self._open
        if subscription is not None:
            self._properties = paho.Properties(paho.PacketTypes.CONNECT)
            self._properties.MaximumPacketSize = subscription.largest
            client.on_subscribe, client.on_message = self._on_subscribe, self._on_message
        self._client = client

    @property
    def held_s(self) -> float:
        """Seconds since the broker accepted the connection; 0 if it did not."""
        return time.monotonic() - self._began_at if self._began_at else 0.0

    def run(self, last_id: int, on_ready: Callable[[], None]) -> str:
        """Connect and stay connected until the connection breaks. Returns why it broke.

        `on_ready` is called when the broker has acknowledged the first message. Message ids begin after `last_id`.
        """
        client, self.last_id = self._client, last_id
        client._last_mid = last_id
        try:
            client.connect(self._broker.host, self._broker.port, keepalive=KEEP_ALIVE_S, properties=self._properties)
            greeting = 0
            while client.loop(LOOP_S if self.is_ready else GREETING_LOOP_S) == 0:
                if not self.is_ready:
                    self._connection.deadline.left_s()
                if self._began_at and not greeting and self._broker.status:
                    greeting = self.publish(Message(self._broker.status, ONLINE))
                is_greeted = greeting in self.answers or not self._broker.status
                if is_greeted and self._is_subscribed and not self.is_ready:
                    on_ready()
        except TimeoutError as error:
            self._set_reason(f"the broker cannot be reached ({'it does not answer' if self._socket else error})")
        except OSError as error:
            self._set_reason(f"the broker cannot be reached ({error.strerror or error})")
        except Exception as error:  # noqa: BLE001 - paho does not document what it raises for invalid packets
            self._set_reason(f"the server is not an MQTT broker ({type(error).__name__})")
        finally:
            self.is_ready = False
            self._forget()
        return self._why or "the connection to the broker was lost"

    def publish(self, message: Message) -> int:
        """Send a message and return its id."""
        with self._lock:
            if self._socket is not None:
                self._socket.most_bytes += BYTES_PER_MESSAGE
            mid: int = self._client.publish(message.topic, message.text.encode(), qos=1, retain=message.retain).mid
            self.last_id = mid
            return mid

    def disconnect(self) -> None:
        """Disconnect cleanly, so that the broker does not send the will."""
        self._client.disconnect()

    def hang_up(self, why: str) -> None:
        """Close the connection at once."""
        self._set_reason(why)
        self.is_ready = False
        self._connection.hang_up()

    def _open(self) -> _Socket:
        sock = self._connection.open(self._broker.host, context=self._broker.tls)
        self._socket = _Socket(sock) if self._subscription is None else _Socket(
            sock, FIRST_BYTES + self._subscription.first_bytes, BYTES_PER_S + self._subscription.bytes_per_s
        )  # fmt: skip
        return self._socket

    def _forget(self) -> None:
        """Break the reference cycle with the client, which closes its sockets when it is freed."""
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = client.on_socket_register_write = None
        client.on_subscribe = client.on_message = None
        del client._create_socket

    def _set_reason(self, why: str) -> None:
        """Store why the connection broke, unless an earlier reason is known."""
        self._why = self._why or why

    def _on_connect(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if not reason.is_failure:
            self._began_at = self._began_at or time.monotonic()
            if self._subscription is not None:
                self._client.subscribe([(topic, self._subscription.qos) for topic in self._subscription.topics])
            return
        who = "user and password" if str(reason) in BAD_LOGIN else "the connection"
        self._set_reason(f"the broker refuses {who} ({reason})")

    def _on_disconnect(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        hint = "; another client has the same id" if str(reason) == TAKEN_OVER else ""
        self._set_reason(f"the connection to the broker was lost ({reason}{hint})")

    def _on_publish(self, _client: Any, _data: object, mid: int, reason: Any, _properties: object) -> None:
        """Store an acknowledgement. paho calls this once for each message of this connection."""
        self.answers[mid] = str(reason) if reason.is_failure else ""
        self._notify()

    def _on_subscribe(self, _client: Any, _data: object, _mid: int, reasons: Any, _properties: object) -> None:
        refused = next((str(reason) for reason in reasons if reason.is_failure), "")
        if refused and self._subscription is not None:
            self.hang_up(f"the broker does not let this client read {', '.join(self._subscription.topics)} ({refused})")
        self._is_subscribed = True

    def _on_message(self, _client: Any, _data: object, message: Any) -> None:
        if self._subscription is not None:
            self._subscription.on_message(message.topic, message.payload, bool(message.retain))


class _Socket:
    """The part of the socket interface that paho needs, with a limit on what the broker may send."""

    def __init__(self, sock: socket.socket, most_bytes: int = FIRST_BYTES, bytes_per_s: float = BYTES_PER_S) -> None:
        self.most_bytes = most_bytes
        self._bytes_per_s = bytes_per_s
        self._sock = sock
        self._received = 0
        self._began_at = time.monotonic()

    def recv(self, most: int) -> bytes:
        data = self._sock.recv(min(most, CHUNK))
        self._received += len(data)
        if self._received > self.most_bytes + self._bytes_per_s * (time.monotonic() - self._began_at):
            raise ConnectionAbortedError("the broker sends more than it was asked for")
        return data

    def send(self, data: bytes) -> int:
        return self._sock.send(data)

    def pending(self) -> int:
        pending = getattr(self._sock, "pending", None)  # bytes already decrypted by TLS
        return pending() if pending else 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        self._sock.setblocking(flag)

    def close(self) -> None:
        self._sock.close()
