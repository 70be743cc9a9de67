"""Events and states to an MQTT broker, and with them to whatever is connected to it; Home Assistant finds the cameras by
itself.

    PREFIX/status                     online or offline (the last will)             retained
    PREFIX/CAMERA/available           online while its pictures come, else offline  retained
    PREFIX/CAMERA/state               the last change of its state, as JSON         retained
    PREFIX/CAMERA/health              what is wrong with it: fault (null: nothing), since, event  retained
    PREFIX/CAMERA/event               each event when it begins and when it has ended, as JSON
    PREFIX/CAMERA/REGION/state        what the region shows: label (null: nothing), score, since, event  retained
    PREFIX/CAMERA/REGION/count        the counts of the last interval: counts, since, event              retained

Names in topics are percent-encoded as in addresses. All is sent with QoS 1, and a write is over when the broker has
acknowledged it; MQTT 5, as before it a broker had no way to say that a client may not write to a topic. paho connects, and
connects again, in its own thread, and sends again what was not acknowledged; so what was handed to it is waited for, and not
sent a second time.
"""

from __future__ import annotations

import contextlib
import secrets
import ssl
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from edgecls import extras
from edgecls.errors import ConfigError, SinkError, redact
from edgecls.run.sink import homeassistant
from edgecls.run.sink.contract import Sink
from edgecls.run.sink.homeassistant import OFFLINE, ONLINE
from edgecls.run.wire import as_line, event_line, state_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

PREFIX = "edgecls"
DISCOVERY = "homeassistant"
PORTS = {"mqtt": 1883, "mqtts": 8883}
KEEP_ALIVE_S = 30
CONNECT_WAIT_S = 5.0
RECONNECT_S = (1, 10)
"""The shortest and the longest wait before the next connection."""
ANSWER_WAIT_S = 10.0
CLOSE_WAIT_S = 1.0
NO_FAULT: dict[str, Any] = {"fault": None, "since": None}
NOT_LET_IN = ("Bad user name or password", "Not authorized", "Bad authentication method", "Banned")


class _Message(NamedTuple):
    topic: str
    text: str
    retain: bool = True


class MqttSink(Sink):
    """`url` is `mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX`, or `mqtts` for TLS; `?discovery=` behind it names another prefix
    than `homeassistant`, or none at all. Two runs need two prefixes, as each tells by its own whether it is there.
    """

    def __init__(self, url: str, *, answer_wait_s: float = ANSWER_WAIT_S) -> None:
        """Begin to connect; a broker that is not there is an error of the writes. Raises ConfigError, or MissingExtraError
        without paho-mqtt.
        """
        parts, self._prefix, self._discovery = broker_of(url)
        paho = extras.load("paho.mqtt.client", extra="mqtt", purpose="MQTT")
        self._name = redact(f"{parts.scheme}://{parts.netloc}")
        self._answer_wait_s = answer_wait_s
        self._bell = threading.Condition()
        self._acknowledged: dict[int, str] = {}  # message -> why the broker refuses it, if it does
        self._sent: tuple[object, list[int]] = (None, [])  # what is being written, and its messages
        self._why = "the broker does not acknowledge"
        self._is_down = False  # it is known that there is no connection, and why
        self._is_connected = False
        self._has_been_connected = False
        self._is_stopped = False
        self._retained: dict[str, str] = {}
        self._showing: dict[str, str] = {}  # topic of a region -> id of the event that it shows
        client: Any = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=f"edgecls-{secrets.token_hex(6)}", protocol=paho.MQTTv5
        )
        if parts.scheme == "mqtts":
            client.tls_set_context(ssl.create_default_context())
        if parts.username is not None:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        client.will_set(f"{self._prefix}/status", OFFLINE, qos=1, retain=True)
        client.connect_timeout = CONNECT_WAIT_S
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        self._client: Any = client
        client.connect_async(parts.hostname, parts.port or PORTS[parts.scheme], keepalive=KEEP_ALIVE_S)
        client.loop_start()

    def write(self, result: Result) -> None:
        """Nothing: labels of single frames are not sent."""

    def write_event(self, event: Event) -> None:
        """Send it, and what its region shows now; over when the broker has acknowledged all of it."""
        told = _Message(self._topic(event.camera, "event"), event_line(event), retain=False)
        available = _Message(self._topic(event.camera, "available"), ONLINE)
        seen = [] if available.topic in self._retained else [available]  # of a file no change of state tells it
        shown = [self._health(event)] if event.kind == "health" else self._region(event)
        self._deliver((event.id, event.phase), [*self._discovered(event.camera), *seen, told, *shown])
        region = self._topic(event.camera, event.region, "state")
        if event.kind == "state" and event.end is None:
            self._showing[region] = event.id
        elif self._showing.get(region) == event.id:
            del self._showing[region]

    def write_state(self, change: StateChange) -> None:
        """Send it, and whether the camera is available."""
        available = ONLINE if change.state == "live" else OFFLINE
        messages = [
            _Message(self._topic(change.camera, "state"), state_line(change)),
            _Message(self._topic(change.camera, "available"), available),
        ]
        if change.state == "connecting":  # a run begins; what an earlier one left there is over
            messages.append(_Message(self._topic(change.camera, "health"), as_line(NO_FAULT)))
        self._deliver((change.camera, change.state, change.at_s), [*self._discovered(change.camera), *messages])

    def stop(self) -> None:
        """End the wait for the broker."""
        with self._bell:
            self._is_stopped = True
            self._bell.notify_all()

    def close(self) -> None:
        """Say that edgecls is offline, and disconnect."""
        self.stop()
        if self._is_connected:
            with contextlib.suppress(RuntimeError, ValueError):  # the connection has just broken
                self._client.publish(f"{self._prefix}/status", OFFLINE, qos=1, retain=True).wait_for_publish(CLOSE_WAIT_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _deliver(self, key: object, messages: list[_Message]) -> None:
        """Send the messages of one write and wait until they are acknowledged. A write that is tried again goes on waiting."""
        if self._sent[0] != key:
            with self._bell:
                self._acknowledged.clear()
                self._retained.update({message.topic: message.text for message in messages if message.retain})
            self._sent = (key, [self._publish(message) for message in messages])
        mids = self._sent[1]
        with self._bell:
            self._bell.wait_for(lambda: self._is_over(mids), self._answer_wait_s)
            missing = [mid for mid in mids if mid not in self._acknowledged]
            refused = next((why for mid in mids if (why := self._acknowledged.get(mid))), "")
            if missing:
                raise SinkError(f"{self._name}: {self._why}")
        self._sent = (None, [])
        if refused:
            raise SinkError(f"{self._name}: the broker refuses what is sent under {self._prefix}/ ({refused})")

    def _is_over(self, mids: list[int]) -> bool:
        return self._is_stopped or self._is_down or all(mid in self._acknowledged for mid in mids)

    def _publish(self, message: _Message) -> int:
        mid: int = self._client.publish(message.topic, message.text.encode(), qos=1, retain=message.retain).mid
        return mid

    def _health(self, event: Event) -> _Message:
        """What is wrong with the camera after this event. A fault that begins while another goes on takes its place."""
        topic = self._topic(event.camera, "health")
        if event.end is None:
            since = event.start.time_s if event.start.at_s is None else event.start.at_s
            return _Message(topic, as_line({"fault": event.label, "since": round(since, 3), "event": event.id}))
        other = self._retained.get(topic, "")
        goes_on = '"event"' in other and event.id not in other
        return _Message(topic, other if goes_on else as_line(NO_FAULT))

    def _region(self, event: Event) -> list[_Message]:
        """What the region shows after this event, and, the first time, what it is."""
        topic = self._topic(event.camera, event.region, event.kind)
        since = event.start.time_s if event.start.at_s is None else event.start.at_s
        shown: dict[str, Any] = {"since": round(since, 3), "event": event.id}
        if event.kind == "state":
            if event.end is not None and self._showing.get(topic, event.id) != event.id:
                return []  # another state has begun already
            label, score = (event.label, round(event.score, 7)) if event.end is None else (None, None)
            shown = {"label": label, "score": score, **shown}
        elif event.kind == "count" and event.end is not None:
            shown = {"counts": dict(event.counts), **shown}
        else:
            return []
        topics = {**self._topics(event.camera), "region": topic}
        entities = homeassistant.of_region(event.camera, event.region, event.kind, topics)
        return [*self._configured(entities), _Message(topic, as_line(shown))]

    def _discovered(self, camera: str) -> list[_Message]:
        """What the broker does not know yet of a camera; before its first fault it has none."""
        health = _Message(self._topic(camera, "health"), as_line(NO_FAULT))
        known = [] if health.topic in self._retained else [health]
        return [*self._configured(homeassistant.of_camera(camera, self._topics(camera))), *known]

    def _configured(self, entities: Mapping[str, Mapping[str, Any]]) -> list[_Message]:
        """The configurations that the broker was not sent yet."""
        if not self._discovery:
            return []
        all_of_them = [_Message(f"{self._discovery}/{place}", as_line(config)) for place, config in entities.items()]
        return [message for message in all_of_them if message.topic not in self._retained]

    def _topics(self, camera: str) -> dict[str, str]:
        own = {name: self._topic(camera, name) for name in ("available", "state", "health", "event")}
        return {"status": self._topic("status"), **own}

    def _topic(self, *names: str) -> str:
        return "/".join((self._prefix, *(quote(name.encode("utf-8", "surrogatepass"), safe="") for name in names)))

    def _on_connect(self, client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            who = "user and password" if str(reason) in NOT_LET_IN else "the connection"
            self._is_now(down=f"the broker refuses {who} ({reason})")
            return
        client.publish(f"{self._prefix}/status", ONLINE, qos=1, retain=True)
        with self._bell:
            again = list(self._retained.items()) if self._has_been_connected else []
        for topic, text in again:  # a broker that was restarted may have forgotten them
            client.publish(topic, text.encode(), qos=1, retain=True)
        self._has_been_connected = True
        self._is_now(down="")

    def _on_connect_fail(self, _client: Any, _data: object) -> None:
        error = sys.exc_info()[1]  # paho calls this where it handles the error, and does not pass it on
        self._is_now(down=f"the broker cannot be reached ({getattr(error, 'strerror', None) or error})")

    def _on_disconnect(self, _client: Any, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if self._is_connected:
            self._is_now(down=f"the connection to the broker was lost ({reason})")

    def _on_publish(self, _client: Any, _data: object, mid: int, reason: Any, _properties: object) -> None:
        with self._bell:
            self._acknowledged[mid] = str(reason) if reason.is_failure else ""
            self._bell.notify_all()

    def _is_now(self, *, down: str) -> None:
        with self._bell:
            self._is_connected, self._is_down = not down, bool(down)
            self._why = down or "the broker does not acknowledge"
            self._bell.notify_all()


def broker_of(url: str) -> tuple[SplitResult, str, str]:
    """The address of a broker, the prefix of all topics, the prefix of discovery. Raises ConfigError for what is none."""
    parts = urlsplit(url)
    expected = "expected mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, odd characters of a password percent-encoded"
    try:
        is_right = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:  # of the port
        is_right = False
    prefix = unquote(parts.path).strip("/") or PREFIX
    if not is_right or set("+#\0") & set(prefix):
        raise ConfigError(f"{url}: is no address of a broker; {expected}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    discovery = options.pop("discovery", DISCOVERY)
    if options:
        raise ConfigError(f"{url}: {next(iter(options))} is not known; expected discovery=PREFIX")
    return parts, prefix, discovery
