"""Tests of MQTT with brokers that disconnect, acknowledge late, twice, out of order, for another id or never, or are no
brokers.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

import pytest

from edgecls import SinkError, StateChange
from edgecls.sink import MqttSink, Spool, Spooled
from edgecls.sink.delivery import spooled
from edgecls.sink.network import mqtt_connection, mqtt_publisher
from tests.run.world import assert_only_main_thread, event
from tests.sink.scripted_broker import WELCOME, Last, Published, ack, scripted_broker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sink.scripted_broker import ScriptedBroker

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """Reconnect quickly. After each test, only the main thread is left."""
    for name, seconds in (("FIRST_WAIT_S", 0.01), ("LONGEST_WAIT_S", 0.05)):
        monkeypatch.setattr(mqtt_publisher, name, seconds)
        monkeypatch.setattr(spooled, name, seconds)
    yield
    assert_only_main_thread()


def until(true: Callable[[], bool]) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it has not come to this"
        time.sleep(0.005)


def open_sink_to(broker: ScriptedBroker, answer_wait_s: float = 5.0) -> MqttSink:
    """Open a sink for this broker."""
    return MqttSink(f"mqtt://127.0.0.1:{broker.port}/edgecls", answer_wait_s=answer_wait_s)


def every(count: int, bad: Callable[[Published], bytes | None]) -> Callable[[Published], bytes | None]:
    """Return an answer that is bad for every `count`-th message, not counting status, and an acknowledgement otherwise."""
    seen = 0

    def answer(message: Published) -> bytes | None:
        nonlocal seen
        if message.topic.endswith("/status"):
            return ack(message.mid)
        seen += 1
        return bad(message) if seen % count == 0 else ack(message.mid)

    return answer


def in_pairs() -> Callable[[Published], bytes]:
    """Acknowledge each second message before the first; status and the last message of a write at once."""
    held: list[int] = []

    def answer(message: Published) -> bytes:
        if message.topic.endswith("/status"):
            held.clear()
            return ack(message.mid)
        held.append(message.mid)
        if len(held) < 2 and "/event" not in message.topic:
            return b""
        answers = b"".join(ack(mid) for mid in reversed(held))
        held.clear()
        return answers

    return answer


def over_connections(bad: Callable[[Published], bytes | None], good_from: int = 4) -> Callable[[Published], bytes | None]:
    """Answer badly over the first connections, then well."""
    return lambda message: bad(message) if message.connection < good_from else ack(message.mid)


STATUS_ONLY = over_connections(lambda message: ack(message.mid) if message.topic.endswith("/status") else b"")
SCRIPTS: dict[str, dict[str, Callable]] = {
    "good": {},
    "hangs up at once": {"welcome": lambda n: None if n < 6 else WELCOME},
    "hangs up at each first message": {"answer": over_connections(lambda _: None)},
    "hangs up now and then": {"answer": every(7, lambda _: None)},
    "disconnects after the acknowledgement": {"answer": every(7, lambda message: Last(ack(message.mid)))},
    "acknowledges twice": {"answer": lambda message: ack(message.mid) * 2},
    "acknowledges another id": {"answer": every(9, lambda message: ack(message.mid + 1))},
    "acknowledges an older id": {"answer": every(9, lambda message: ack(max(1, message.mid - 1)))},
    "acknowledges id 0": {"answer": every(9, lambda _: ack(0))},
    "acknowledges in pairs backwards": {"answer": in_pairs()},
    "never acknowledges at first": {"answer": over_connections(lambda _: b"")},
    "acknowledges the status alone at first": {"answer": STATUS_ONLY},
    "refuses at first": {"answer": over_connections(lambda message: ack(message.mid, 0x87), good_from=1)},
    "garbage now and then": {"answer": every(7, lambda _: b"\xff\x00garbage\x40\x01")},
    "garbage instead of a welcome": {"welcome": lambda n: b"HTTP/1.1 400 Bad Request\r\n\r\n" if n < 4 else WELCOME},
    "half a welcome": {"welcome": lambda n: WELCOME[:3] if n < 2 else WELCOME},
    "does not let in": {"welcome": lambda n: b"\x20\x03\x00\x87\x00" if n < 4 else WELCOME},
    "a broker of MQTT 3": {"welcome": lambda n: b"\x20\x02\x00\x01" if n < 4 else WELCOME},
    "welcomes twice": {"welcome": lambda _: WELCOME * 2},
    "disconnects now and then": {"answer": every(7, lambda _: b"\xe0\x02\x8e\x00")},
    "a packet of 200 MB now and then": {"answer": every(7, lambda _: b"\x30\xff\xff\xff\x60" + bytes(300_000))},
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_event_arrives_in_order(script, tmp_path, monkeypatch):
    """At least once and without loss, whatever the broker does."""
    monkeypatch.setattr(mqtt_publisher, "CONNECT_WAIT_S", 0.5)
    expected = [(event(i).id, ended) for i in range(8) for ended in (False, True)]
    with scripted_broker(**script) as broker:
        sink = open_sink_to(broker, answer_wait_s=0.05)
        with Spooled(sink, Spool(tmp_path / "of.spool"), name="mqtt", close_wait_s=PATIENCE_S) as buffer:
            for i in range(8):
                buffer.write_event(event(i, ended=False))
                buffer.write_event(event(i))
            until(lambda: buffer.backlog.waiting == 0)
    assert broker.events() == expected
    assert buffer.lost == 0


def test_an_acknowledgement_of_an_earlier_connection_is_ignored():
    """A late acknowledgement over the next connection has an unknown id: the event is delivered when its own message is
    acknowledged.
    """

    def answer(message: Published) -> bytes | None:
        if message.topic.endswith("/status") or message.connection > 2:
            return ack(message.mid)
        if message.connection == 1:
            return None if message.topic.endswith("/event") else b""
        return b"".join(ack(old.mid) for old in broker.over(1))  # and nothing for the message itself

    with scripted_broker(answer=answer) as broker, open_sink_to(broker, answer_wait_s=0.2) as sink:
        tries = 0
        delivered = False
        while not delivered:
            tries += 1
            assert tries < 200
            try:
                sink.write_event(event())
                delivered = True
            except SinkError:
                time.sleep(0.01)
        assert broker.connections > 2
        assert [m.connection for m in broker.came if m.topic.endswith("/event")][-1] == broker.connections


def test_ids_continue_over_connections():
    """No id is used on two connections."""
    with scripted_broker(answer=every(5, lambda _: None)) as broker, open_sink_to(broker) as sink:
        while broker.connections < 4:
            try:
                sink.write_event(event())
            except SinkError:
                time.sleep(0.01)
    ids = [{message.mid for message in broker.over(n)} for n in range(1, broker.connections + 1)]
    assert all(max(one) < min(other) for one, other in itertools.pairwise(ids) if one and other)


def write_many(sink: MqttSink, count: int) -> None:
    """Write retained messages of many regions."""
    sink.write_state(StateChange("gate", "live", "", 1.0))
    for i in range(count):
        sink.write_event(event(i, region=f"zone {i}", kind="state", ended=False))


def test_a_broker_that_hangs_up_costs_no_memory():
    """Only the newest text of each topic waits, however often the broker accepts a connection; such a broker only gets the
    status. Once the connection lasts, each topic is sent once.
    """
    hangs_up = False
    with scripted_broker(answer=lambda message: None if hangs_up else ack(message.mid)) as broker, open_sink_to(broker) as sink:
        write_many(sink, 30)
        retained = dict(sink._publisher.retained)
        hangs_up = True
        first = broker.connections + 1
        with pytest.raises(SinkError):
            sink.write_state(StateChange("gate", "lost", "cut", 2.0))
        until(lambda: broker.connections > first + 20)
        with pytest.raises(SinkError):
            sink.write_state(StateChange("gate", "lost", "cut", 2.0))
        assert len(sink._publisher.retained) == len(retained)
        hangs_up = False
        until(sink._publisher._ready)
        for n in range(first + 1, broker.connections - 1):
            assert [message.topic for message in broker.over(n)] == ["edgecls/status"]
        sink.write_state(StateChange("gate", "live", "", 3.0))
        topics = [message.topic for message in broker.over(broker.connections)]
        assert len(topics) == len(set(topics)) + 2  # those of the last write came twice: retained and retried
        assert set(topics) == {*retained, "edgecls/status"}


def test_the_queue_of_a_connection_holds_one_write(monkeypatch):
    """If a broker never acknowledges, only the status and one write wait for it, however many retries there are."""
    monkeypatch.setattr(mqtt_publisher, "MOST_WAITS", 10_000)
    silent = over_connections(lambda message: ack(message.mid) if message.topic.endswith("/status") else b"", good_from=99)
    with scripted_broker(answer=silent) as broker, open_sink_to(broker, answer_wait_s=0.01) as sink:
        for _ in range(50):
            with pytest.raises(SinkError):
                sink.write_event(event())
        until(lambda: len(broker.came) > 1)
        waiting = len(sink._publisher._link._client._out_messages)
        assert waiting == len(sink._pending[1])
        assert broker.connections == 1
    assert len(broker.came) <= 2 + waiting


def test_a_broker_that_never_acknowledges_is_reconnected():
    """It may have lost the message; the error gives the reason."""
    with scripted_broker(answer=STATUS_ONLY) as broker, open_sink_to(broker, answer_wait_s=0.02) as sink:
        with pytest.raises(SinkError, match=r"mqtt://127\.0\.0\.1:\d+: the broker does not acknowledge"):
            sink.write_event(event())
        for _ in range(500):
            try:
                sink.write_event(event())
                break
            except SinkError:
                time.sleep(0.01)
        assert broker.connections == 4


def waits_of(connections: int, **script: Callable) -> list[float]:
    """Return the waits between connections to such a broker, before the random reduction."""
    waits: list[float] = []

    class Told(random.Random):
        def uniform(self, low: float, high: float) -> float:
            assert (low, high) == (0.5, 1.0)
            return 1.0

    with scripted_broker(**script) as broker:
        of = mqtt_connection.Broker("127.0.0.1", broker.port, "edgecls/status")
        running = mqtt_publisher.Publisher(of, rng=Told())
        wait = running._closing.wait
        running._closing.wait = lambda wait_s: waits.append(wait_s) or wait(0.0)
        until(lambda: len(waits) >= connections)
        running.close()
    return waits[1:connections]


def test_waits_double_until_a_connection_lasts(monkeypatch):
    """A connection that is accepted and then broken is not good: the waits keep growing, up to the longest."""
    monkeypatch.setattr(mqtt_publisher, "LONGEST_WAIT_S", 0.07)
    assert waits_of(6, answer=lambda _: None) == [0.02, 0.04, 0.07, 0.07, 0.07]
    monkeypatch.setattr(mqtt_publisher, "HELD_S", 0.0)
    assert waits_of(4, answer=lambda _: None) == [0.01, 0.01, 0.01]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ({"welcome": lambda _: None}, "the connection to the broker was lost"),
        ({"welcome": lambda _: b"\x20\x03\x00\x87\x00"}, r"the broker refuses user and password \(Not authorized\)"),
        ({"welcome": lambda _: b"\x20\x03\x00\x97\x00"}, r"the broker refuses the connection \(Quota exceeded\)"),
        ({"welcome": lambda _: b"\x20\x7f" + b"\xff" * 127}, r"the server is not an MQTT broker|the broker refuses|lost"),
        ({"answer": lambda _: b"\xe0\x02\x8e\x00"}, r"\(Session taken over; another client has the same id\)"),
    ],
)
def test_the_reason_is_one_line(script, why):
    """In the error of the write."""
    with scripted_broker(**script) as broker, open_sink_to(broker) as sink:
        for _ in range(3):
            with pytest.raises(SinkError, match=why):
                sink.write_event(event())


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_are_no_error_of_ours(seed, monkeypatch):
    """Whatever the server sends, the write fails with a SinkError and the thread continues."""
    monkeypatch.setattr(mqtt_publisher, "CONNECT_WAIT_S", 0.1)
    rng = random.Random(seed)  # noqa: S311 - it makes garbage, it keeps no secret
    with scripted_broker(
        welcome=lambda _: rng.choice((WELCOME, b"")) + rng.randbytes(rng.randrange(200)),
        answer=lambda _: bytes([rng.choice((0x20, 0x30, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90, 0xB0, 0xD0, 0xE0, 0xF0))])
        + rng.randbytes(rng.randrange(20)),
    ) as broker, open_sink_to(broker, answer_wait_s=0.02) as sink:  # fmt: skip
        for _ in range(10):
            with pytest.raises(SinkError):
                sink.write_event(event())
        until(lambda: broker.connections > 8)
        assert sink._publisher._thread.is_alive()


def test_a_slow_handshake_is_abandoned(monkeypatch):
    """One deadline covers lookup, connection, TLS and the broker's answer."""
    monkeypatch.setattr(mqtt_publisher, "CONNECT_WAIT_S", 0.2)
    with scripted_broker(welcome=lambda _: WELCOME[:2]) as broker, open_sink_to(broker) as sink:
        with pytest.raises(SinkError, match=r"the broker cannot be reached \(it does not answer\)"):
            sink.write_event(event())
        until(lambda: broker.connections > 2)


def test_close_disconnects_cleanly():
    """The last message is "offline", and the broker does not send the will."""
    with scripted_broker() as broker:
        sink = open_sink_to(broker)
        sink.write_event(event())
        sink.close()
        sink.close()
        last = broker.came[-1]
        assert (last.topic, last.text) == ("edgecls/status", "offline")
        assert broker.connections == 1
