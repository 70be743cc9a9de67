"""Events and states for an MQTT broker. Home Assistant finds the cameras automatically.

    PREFIX/status                     online or offline (the last will)                                     retained
    PREFIX/CAMERA/available           online while the camera delivers pictures, else offline               retained
    PREFIX/CAMERA/state               the last change of the camera's state, as JSON                        retained
    PREFIX/CAMERA/health              the fault of the camera: fault (null: none), since, event             retained
    PREFIX/CAMERA/event               each event when it begins and when it has ended, as JSON
    PREFIX/CAMERA/REGION/state        the label of a region: label (null: none), score, since, event        retained
    PREFIX/CAMERA/REGION/LABEL/shown  whether a region shows one of several labels: shown, score, since,
                                      event                                                                 retained
    PREFIX/CAMERA/ZONE/count          the last interval of a zone: counts, occupancy, since, event          retained
    PREFIX/CAMERA/LINE/SIDE/count     crossings of a line to one side: counts of the last interval, total
                                      and totals of the run, since, event                                   retained

Names in topics are percent-encoded as in URLs. Messages have QoS 1, and a write ends when the broker has acknowledged all of
its messages. MQTT 5 is required: with older versions a broker cannot report that a client may not write to a topic.

Two runs with the same prefix overwrite each other's `status` and counts. On one machine the second run is refused, because both
would use the same spool file. On two machines this is not detected. Detecting it would require reading `status`, but the sink
subscribes to nothing: a login should only be allowed to publish, some brokers disconnect clients that subscribe without
permission, and the bytes that a broker may send are limited (`mqtt_connection.py`). Nor would a retained `status` be proof: a
killed run stays `online` until the broker sends its will.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, quote, unquote

from edgecls import extras
from edgecls.errors import ConfigError, SinkError
from edgecls.labels.json_lines import as_line, event_line, state_line
from edgecls.settings import check_limits, limited
from edgecls.sink import homeassistant
from edgecls.sink.homeassistant import OFFLINE, ONLINE
from edgecls.sink.network.connection import default_tls
from edgecls.sink.network.mqtt_connection import Broker, Message
from edgecls.sink.network.mqtt_publisher import NotDeliveredError, Publisher
from edgecls.sink.sink import Sink, SinkKind
from edgecls.text.address import split_address
from edgecls.text.redaction import hidden, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from urllib.parse import SplitResult

    from edgecls.event import Event
    from edgecls.frame import Result, StateChange

PREFIX = "edgecls"
DISCOVERY = "homeassistant"
PORTS = {"mqtt": 1883, "mqtts": 8883}
ANSWER_WAIT_S = 10.0
LONGEST_PREFIX = 1000
"""Bytes. A topic may have 65,535, including the percent-encoded names of camera and region."""
NO_FAULT: dict[str, Any] = {"fault": None, "since": None}


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Events and changes of state for the broker `to`: mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, or mqtts for TLS. If it does
    not answer within `answer_wait_s` seconds, the message is sent again.
    """

    to: str
    kind: Literal["mqtt"] = "mqtt"
    answer_wait_s: float = limited(ANSWER_WAIT_S, above=0, unit="seconds")

    def __post_init__(self) -> None:
        """Validate the settings."""
        broker_of(self.to)
        check_limits(self)


class MqttSink(Sink):
    """Publishes events and changes of state to an MQTT broker.

    `url` is `mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX`, or `mqtts` for TLS. `?discovery=NAME` after it sets another discovery
    prefix than `homeassistant`; `?discovery=` turns discovery off. Each run needs its own prefix, for its own `status`.
    """

    def __init__(self, url: str, *, answer_wait_s: float = ANSWER_WAIT_S) -> None:
        """Begin to connect. If the broker cannot be reached, the writes raise SinkError.

        Raises:
            ConfigError: The URL is invalid.
            MissingExtraError: paho-mqtt is not installed.
        """
        parts, self._prefix, self._discovery = broker_of(url)
        self._name = hidden(f"{parts.scheme}://{parts.netloc}")
        self._answer_wait_s = answer_wait_s
        self._showing: dict[str, str] = {}  # topic of a region -> id of the event that it shows
        self._crossed: dict[str, Counter[str]] = {}  # topic of a side of a line -> labels since the run began
        self._pending: tuple[Hashable, list[Message]] = (None, [])  # the key and the messages of the current write
        self._publisher = Publisher(
            Broker(
                parts.hostname or "",
                parts.port or PORTS[parts.scheme],
                self._topic("status"),
                tls=default_tls() if parts.scheme == "mqtts" else None,
                user=None if parts.username is None else unquote(parts.username),
                password=unquote(parts.password or ""),
            )
        )

    def write(self, result: Result) -> None:
        """Do nothing: labels of single frames are not sent."""

    def write_event(self, event: Event) -> None:
        """Send the event and the new label or counts of its region. Returns when the broker has acknowledged all messages."""
        self._deliver((event.id, event.phase), lambda: self._of_event(event))
        region = self._topic(event.camera, event.region, "state")
        if event.kind == "state" and event.end is None:
            self._showing[region] = event.id
        elif self._showing.get(region) == event.id:
            del self._showing[region]

    def write_state(self, change: StateChange) -> None:
        """Send the state, and whether the camera is available."""
        self._deliver((change.camera, change.state, change.at_s), lambda: self._of_state(change))

    def stop(self) -> None:
        """Stop waiting for the broker."""
        self._publisher.stop()

    def close(self) -> None:
        """Publish that edgecls is offline, and disconnect."""
        self._publisher.close()

    def _deliver(self, key: Hashable, make: Callable[[], list[Message]]) -> None:
        """Send the messages of one write, and wait until they are acknowledged.

        `make` is called once per write, even if the write is retried, because it adds to the totals of lines.
        """
        if self._pending[0] != key:
            self._pending = (key, make())
        try:
            refused = self._publisher.deliver(key, self._pending[1], self._answer_wait_s)
        except NotDeliveredError as error:
            raise SinkError(f"{self._name}: {error}") from error
        if refused:
            raise SinkError(f"{self._name}: the broker refuses messages to {self._prefix}/ ({refused})")
        self._pending = (None, [])

    def _of_event(self, event: Event) -> list[Message]:
        message = Message(self._topic(event.camera, "event"), event_line(event), retain=False)
        available = Message(self._topic(event.camera, "available"), ONLINE)
        first = [] if available.topic in self._publisher.retained else [available]  # a file has no changes of state
        changed = [self._health(event)] if event.kind == "health" else self._region(event)
        return [*self._discovered(event.camera, has_states=not event.start.file), *first, message, *changed]

    def _of_state(self, change: StateChange) -> list[Message]:
        available = ONLINE if change.state == "live" else OFFLINE
        messages = [
            Message(self._topic(change.camera, "state"), state_line(change)),
            Message(self._topic(change.camera, "available"), available),
        ]
        if change.state == "connecting":  # a run begins: clear the fault of an earlier run
            messages.append(Message(self._topic(change.camera, "health"), as_line(NO_FAULT)))
        return [*self._discovered(change.camera, has_states=True), *messages]

    def _health(self, event: Event) -> Message:
        """Return the fault of the camera after this event. A new fault replaces one that still lasts."""
        topic = self._topic(event.camera, "health")
        if event.end is None:
            since = event.start.time_s if event.start.at_s is None else event.start.at_s
            return Message(topic, as_line({"fault": event.label, "since": round(since, 3), "event": event.id}))
        other = self._publisher.retained.get(topic, "")
        goes_on = '"event"' in other and event.id not in other
        return Message(topic, other if goes_on else as_line(NO_FAULT))

    def _region(self, event: Event) -> list[Message]:
        """Return the label or the counts of the region after this event, and its configuration the first time."""
        if event.kind == "state":
            return self._state(event)
        if event.kind == "label":
            return self._label(event)
        if event.kind == "count" and event.end is not None:
            return self._crossings(event) if event.direction else self._zone(event)
        return []

    def _state(self, event: Event) -> list[Message]:
        topic = self._topic(event.camera, event.region, "state")
        if event.end is not None and self._showing.get(topic, event.id) != event.id:
            return []  # another state has begun already
        label, score = (event.label, round(event.score, 7)) if event.end is None else (None, None)
        entity = homeassistant.of_region(event.camera, event.region, "state", self._topics(event.camera, topic))
        return [*self._configured(entity), Message(topic, as_line({"label": label, "score": score, **_origin(event)}))]

    def _label(self, event: Event) -> list[Message]:
        """Return whether a region shows one of several labels after this event."""
        topic = self._topic(event.camera, event.region, event.label, "shown")
        shown = event.end is None
        entity = homeassistant.of_label(event.camera, event.region, event.label, self._topics(event.camera, topic))
        content = {"shown": shown, "score": round(event.score, 7) if shown else None, **_origin(event)}
        return [*self._configured(entity), Message(topic, as_line(content))]

    def _zone(self, event: Event) -> list[Message]:
        topic = self._topic(event.camera, event.region, "count")
        topics = self._topics(event.camera, topic)
        entities = homeassistant.of_region(event.camera, event.region, "count", topics)
        shown: dict[str, Any] = {"counts": dict(event.counts)}
        if event.occupancy is not None:
            entities |= homeassistant.of_region(event.camera, event.region, "occupancy", topics)
            shown["occupancy"] = round(event.occupancy, 3)
        return [*self._configured(entities), Message(topic, as_line({**shown, **_origin(event)}))]

    def _crossings(self, event: Event) -> list[Message]:
        """Return the crossings of a line to one side, in the last interval and since the run began.

        A run first publishes a total of 0, so that Home Assistant knows that the total begins again.
        """
        topic = self._topic(event.camera, event.region, event.direction, "count")
        begins = topic not in self._crossed
        totals = self._crossed.setdefault(topic, Counter())
        first = [Message(topic, as_line(_count({}, totals)))] if begins and event.counts else []
        totals.update(event.counts)
        entity = homeassistant.of_direction(event.camera, event.region, event.direction, self._topics(event.camera, topic))
        shown = Message(topic, as_line({**_count(event.counts, totals), **_origin(event)}))
        return [*self._older_line(event), *self._configured(entity), *first, shown]

    def _older_line(self, event: Event) -> list[Message]:
        """Return messages that clear the topic of a line from versions up to 0.2.0, which had one topic for both directions."""
        topics = [self._topic(event.camera, event.region, "count")]
        if self._discovery:
            place = homeassistant.of_older_line(event.camera, event.region, self._topic("status"))
            topics.append(f"{self._discovery}/{place}")
        return [Message(topic, "") for topic in topics if topic not in self._publisher.retained]

    def _discovered(self, camera: str, *, has_states: bool) -> list[Message]:
        """Return the configuration of a camera and that it has no fault, if they have not been sent yet.

        A file has no changes of state, so the sensor that shows them is left out.
        """
        topics = self._topics(camera)
        entities = homeassistant.of_camera(camera, topics)
        shown = {place: one for place, one in entities.items() if has_states or one["state_topic"] != topics["state"]}
        health = Message(self._topic(camera, "health"), as_line(NO_FAULT))
        known = [] if health.topic in self._publisher.retained else [health]
        return [*self._configured(shown), *known]

    def _configured(self, entities: Mapping[str, Mapping[str, Any]]) -> list[Message]:
        """Return the configurations that have not been sent yet."""
        if not self._discovery:
            return []
        messages = [Message(f"{self._discovery}/{place}", as_line(config)) for place, config in entities.items()]
        return [message for message in messages if message.topic not in self._publisher.retained]

    def _topics(self, camera: str, region: str = "") -> dict[str, str]:
        own = {name: self._topic(camera, name) for name in ("available", "state", "health", "event")}
        return {"status": self._topic("status"), "region": region, **own}

    def _topic(self, *names: str) -> str:
        return "/".join((self._prefix, *(quote(name.encode("utf-8", "surrogatepass"), safe="") for name in names)))


def _count(counts: Mapping[str, int], totals: Counter[str]) -> dict[str, Any]:
    return {"counts": dict(counts), "total": totals.total(), "totals": dict(totals)}


def _origin(event: Event) -> dict[str, Any]:
    since = event.start.time_s if event.start.at_s is None else event.start.at_s
    return {"since": round(since, 3), "event": event.id}


def broker_of(url: str) -> tuple[SplitResult, str, str]:
    """Return the address of the broker, the prefix of the topics and the prefix of discovery. Raises ConfigError."""
    expected = "expected mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, with special characters of the password percent-encoded"
    try:
        parts = split_address(url, PORTS)
    except ValueError as error:
        why = f" ({error})" if str(error) else ""
        raise ConfigError(f"{shown(url)}: is not the address of a broker; {expected}{why}") from error
    prefix = unquote(parts.path).strip("/") or PREFIX
    login = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.fragment or not _fits_a_topic(prefix) or not all(map(_fits, login)):
        raise ConfigError(f"{shown(url)}: is not the address of a broker; {expected}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    discovery = options.pop("discovery", DISCOVERY)
    if options:
        raise ConfigError(f"{shown(url)}: {next(iter(options))} is not known; expected discovery=PREFIX")
    if discovery and not _fits_a_topic(discovery):
        raise ConfigError(f"{shown(url)}: discovery={discovery} is not a topic prefix; expected one such as {DISCOVERY}")
    return parts, prefix, discovery


def _fits_a_topic(prefix: str) -> bool:
    return prefix.isprintable() and not set("+#") & set(prefix) and len(prefix.encode()) <= LONGEST_PREFIX


def _fits(text: str) -> bool:
    """Return whether a text can be sent in an MQTT packet: valid UTF-8 of less than 65,536 bytes."""
    data = text.encode("utf-8", "replace")
    return data.decode() == text and len(data) < 65_536


KIND = SinkKind(
    MqttSettings,
    lambda out, _say: MqttSink(out.to, answer_wait_s=out.answer_wait_s),
    "to",
    "a broker, such as {kind}://host/edgecls",
    is_address=True,
    queue="disk",
    check=lambda _out, _say: extras.load("paho.mqtt.client", extra="mqtt", purpose="Publishing to MQTT"),
)
