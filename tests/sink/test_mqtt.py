"""Tests of the broker's address, errors without a broker, and messages for counts. A real broker: tests/live/test_mqtt.py."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgecls import ConfigError, MissingExtraError, SinkError
from edgecls.sink import MqttSettings, MqttSink
from edgecls.sink.network import mqtt_publisher
from tests.run.world import event
from tests.sink.scripted_broker import ack, scripted_broker

if TYPE_CHECKING:
    from edgecls.event import Event
    from tests.sink.scripted_broker import Published


@pytest.mark.parametrize(
    "url",
    [
        "mqtt:",
        "mqtt://",
        "mqtt:///prefix",
        "http://host/prefix",
        "mqtt://host:99999/",
        "mqtt://host:port/",
        "mqtt://host/a/+/b",
        "mqtt://host/a#b",
        "mqtt://me:s3cret#@host/a",
        "mqtt://host/a%00b",
        "mqtt://host/a%1Bb",
        "mqtt://host/caf\udce9",
        f"mqtt://host/{'a' * 2000}",
        "mqtt://caf\udce9:s3cret@host/a",
    ],
)
def test_an_invalid_address_is_named(url):
    """The error shows the expected form, without the password."""
    with pytest.raises(ConfigError, match=r"is not the address of a broker; expected mqtt://") as caught:
        MqttSink(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("discovery", ["a/%23", "%2B", "a%00", "x" * 2000])
def test_an_invalid_discovery_prefix_is_rejected(discovery):
    """The broker would reject every event."""
    with pytest.raises(ConfigError, match="is not a topic prefix; expected one such as homeassistant"):
        MqttSink(f"mqtt://host/a?discovery={discovery}")


def test_an_unknown_option_is_named():
    """And the known one."""
    with pytest.raises(ConfigError, match=r"mqtt://\*\*\*@host/a\?disco=x: disco is not known; expected discovery=PREFIX"):
        MqttSink("mqtt://me:s3cret@host/a?disco=x")


def test_without_paho_the_error_is_the_command_that_installs_it(monkeypatch):
    """It names the extra."""
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"MQTT needs paho.*, which is not installed: pip install 'edgecls\[mqtt\]'"):
        MqttSink("mqtt://host/a")


def test_a_name_that_is_not_unicode_has_a_topic():
    """Names are percent-encoded, so each is one ASCII level of a topic."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    with MqttSink("mqtt://127.0.0.1:1/home%20one/cams", answer_wait_s=0.1) as sink:
        assert sink._topic("caf\udce9", "a/b+#") == "home one/cams/caf%ED%B3%A9/a%2Fb%2B%23"
        with pytest.raises(SinkError, match="the broker"):
            sink.write_event(event(camera="caf\udce9", region="ü"))


def count(number: int, region: str, direction: str = "", **counts: int) -> Event:
    """Return the counts of an interval, for one side of a line or for a zone."""
    occupancy = None if direction else 1.25
    return event(number, kind="count", region=region, label="", direction=direction, counts=counts, occupancy=occupancy)


def sent(*events: Event, discovery: str = "") -> list[tuple[str, str]]:
    """Return (topic, payload) of each message for these events, in order."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    with scripted_broker() as broker:
        with MqttSink(f"mqtt://127.0.0.1:{broker.port}/edgecls?discovery={discovery}") as sink:
            for one in events:
                sink.write_event(one)
        return [(message.topic, message.text) for message in broker.came]


def test_each_side_of_a_line_has_a_topic_with_its_total():
    """The total starts at 0 and continues over intervals, in any order of the sides, which are independent."""
    came = sent(
        count(1, "line", "in", car=2),
        count(1, "line", "out"),
        count(2, "line", "in", car=1, bus=1),
        count(2, "line", "out", bus=4),
    )
    shown = [(topic, json.loads(text)) for topic, text in came if topic.startswith("edgecls/gate/line/") and text]
    assert [(topic.split("/")[3], one["counts"], one["total"], one["totals"]) for topic, one in shown] == [
        ("in", {}, 0, {}),
        ("in", {"car": 2}, 2, {"car": 2}),
        ("out", {}, 0, {}),
        ("in", {"car": 1, "bus": 1}, 4, {"car": 3, "bus": 1}),
        ("out", {"bus": 4}, 4, {"bus": 4}),
    ]
    assert shown[1][1]["event"] == count(1, "line", "in").id


def test_a_zone_has_its_counts_and_its_occupancy():
    """On one topic, because a zone has no sides."""
    came = dict(sent(count(1, "yard", car=2)))
    shown = json.loads(came["edgecls/gate/yard/count"])
    assert (shown["counts"], shown["occupancy"]) == ({"car": 2}, 1.25)


def test_topics_of_older_versions_are_cleared_once():
    """The topic of a line, and the entity for both directions."""
    came = sent(count(1, "line", "in"), count(2, "line", "in"), count(1, "yard"), discovery="ha")
    assert [topic.rpartition("/")[2] for topic, text in came if not text] == ["count", "config"]
    assert ("edgecls/gate/line/count", "") in came
    names = [json.loads(text)["name"] for topic, text in came if topic.startswith("ha/sensor") and text]
    assert names == ["line in", "yard count", "yard average occupancy"]


@pytest.mark.parametrize(("file", "names"), [("road.mp4", ["Problem"]), ("", ["Connected", "Problem"])])
def test_a_file_has_no_sensor_for_its_connection(file, names):
    """It would wait for a change of state, of which a file has none."""
    of_file = replace(event(), start=event().start._replace(at_s=None if file else 1.0, file=file))
    came = sent(of_file, discovery="ha")
    assert [json.loads(text)["name"] for topic, text in came if topic.startswith("ha/binary_sensor")] == names


def test_a_write_that_is_tried_again_counts_once(monkeypatch):
    """The first try reaches the broker, but its acknowledgement is lost with the connection."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    monkeypatch.setattr(mqtt_publisher, "FIRST_WAIT_S", 0.01)
    lost = []

    def answer(message: Published) -> bytes | None:
        if message.topic.endswith("/in/count") and len(lost) < 3:
            return lost.append(message)
        return ack(message.mid)

    with scripted_broker(answer=answer) as broker, MqttSink(f"mqtt://127.0.0.1:{broker.port}/edgecls") as sink:
        for _ in range(500):
            try:
                sink.write_event(count(1, "line", "in", car=2))
                break
            except SinkError:
                time.sleep(0.01)
        assert len(lost) == 3
        assert json.loads(broker.came[-1].text)["total"] == 2


def test_a_bug_in_the_thread_of_the_connection_is_reported_and_it_goes_on(monkeypatch):
    """Whoever delivers meanwhile learns the reason, without a password."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    connect, faults = mqtt_publisher.Publisher._connect_once, [ZeroDivisionError("mqtt://me:secret@a/b")] * 2

    def wrong(self):
        if faults:
            time.sleep(0.2)
            raise faults.pop()
        return connect(self)

    monkeypatch.setattr(mqtt_publisher.Publisher, "_connect_once", wrong)
    with scripted_broker() as broker, MqttSink(f"mqtt://127.0.0.1:{broker.port}/edgecls") as sink:
        said = []
        for _ in range(500):
            try:
                sink.write_event(count(1, "line", "in", car=2))
                break
            except SinkError as error:
                said.append(str(error))
                time.sleep(0.01)
        assert broker.came
    assert any("ZeroDivisionError" in line for line in said)
    assert not any("secret" in line for line in said)


@pytest.mark.parametrize("url", ["mqtt://a..b/x", "mqtt://[::1/x", f"mqtt://{'a' * 64}/x", "mqtt://ho st/x", "mqtt://host:0/x"])
def test_an_impossible_host_is_found_with_the_settings(url):
    """So `check-config` finds it too. No name is looked up."""
    with pytest.raises(ConfigError, match="is not the address of a broker; expected mqtt://"):
        MqttSettings(url)
