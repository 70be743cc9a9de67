"""An MQTT 5 broker on loopback that misbehaves as the test wants."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.sink.tcp import tcp_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

WELCOME = b"\x20\x03\x00\x00\x00"


class Published(NamedTuple):
    """A message that arrived: over which connection (from 1), and with which id."""

    connection: int
    mid: int
    topic: str
    text: str


def ack(mid: int, reason: int = 0) -> bytes:
    """Return an acknowledgement; reason 0x87 means that the client may not publish there."""
    return b"\x40\x03" + mid.to_bytes(2, "big") + bytes([reason])


class Last(bytes):
    """An answer after which the broker disconnects."""


@dataclass
class ScriptedBroker:
    """`welcome` answers a connection and `answer` a message, each with bytes (None: disconnect). `came` holds all messages."""

    welcome: Callable[[int], bytes | None] = lambda _: WELCOME
    answer: Callable[[Published], bytes | None] = lambda message: ack(message.mid)
    port: int = 0
    connections: int = 0
    came: list[Published] = field(default_factory=list)

    def talk(self, peer: socket.socket) -> None:
        """Serve one connection."""
        self.connections += 1
        connection = self.connections
        while (packet := _packet(peer)) is not None:
            kind, body = packet
            answer: bytes | None = b""
            if kind == 0x10:
                answer = self.welcome(connection)
            elif kind == 0x30:
                message = _published(connection, body)
                self.came.append(message)
                answer = self.answer(message)
            elif kind == 0xC0:
                answer = b"\xd0\x00"
            elif kind == 0xE0:
                return
            if answer is None:
                return
            peer.sendall(answer)
            if isinstance(answer, Last):
                return

    def events(self) -> list[tuple[str, bool]]:
        """Return (id, whether it has ended) for each event that arrived, in order and without duplicates."""
        records = [json.loads(message.text) for message in self.came if message.topic.endswith("/event")]
        return list(dict.fromkeys((record["event"], record["end"] is not None) for record in records))

    def over(self, connection: int) -> list[Published]:
        """Return what arrived over one connection."""
        return [message for message in self.came if message.connection == connection]


@contextmanager
def scripted_broker(**script: Callable) -> Iterator[ScriptedBroker]:
    """Run such a broker for the duration of a block."""
    broker = ScriptedBroker(**script)
    with tcp_server(broker.talk) as broker.port:
        yield broker


def _packet(peer: socket.socket) -> tuple[int, bytes] | None:
    """Return the kind and body of the next packet; None at the end."""
    first = peer.recv(1)
    if not first:
        return None
    length, shift = 0, 0
    while True:
        (byte,) = _exactly(peer, 1)
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first[0] & 0xF0, _exactly(peer, length)


def _exactly(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            raise ConnectionError("hung up")
        data += more
    return data


def _published(connection: int, body: bytes) -> Published:
    size = int.from_bytes(body[:2], "big")
    topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
    mid, properties = int.from_bytes(rest[:2], "big"), rest[2]
    return Published(connection, mid, topic, rest[3 + properties :].decode())
