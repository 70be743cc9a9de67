"""The address of a broker, and what is said without one; tests/live/test_mqtt.py has a real one."""

from __future__ import annotations

import sys

import pytest

from edgecls import ConfigError, MissingExtraError, SinkError
from edgecls.run.sink import MqttSink
from tests.run.world import event


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
    ],
)
def test_an_address_that_is_none_is_named(url):
    """The error shows how it is written, without the password."""
    with pytest.raises(ConfigError, match=r"is no address of a broker; expected mqtt://") as caught:
        MqttSink(url)
    assert "s3cret" not in str(caught.value)


def test_an_unknown_option_is_named():
    """And the one that there is."""
    with pytest.raises(ConfigError, match=r"mqtt://\*\*\*@host/a\?disco=x: disco is not known; expected discovery=PREFIX"):
        MqttSink("mqtt://me:s3cret@host/a?disco=x")


def test_without_paho_the_error_is_the_command_that_installs_it(monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    monkeypatch.setitem(sys.modules, "paho", None)
    with pytest.raises(MissingExtraError, match=r"MQTT needs paho.*, which is not installed: pip install 'edgecls\[mqtt\]'"):
        MqttSink("mqtt://host/a")


def test_a_name_that_is_not_unicode_has_a_topic():
    """Names are percent-encoded, so each is one level of a topic and of ASCII."""
    pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
    with MqttSink("mqtt://127.0.0.1:1/home%20one/cams", answer_wait_s=0.1) as sink:
        assert sink._topic("caf\udce9", "a/b+#") == "home one/cams/caf%ED%B3%A9/a%2Fb%2B%23"
        with pytest.raises(SinkError, match="the broker"):
            sink.write_event(event(camera="caf\udce9", region="ü"))
