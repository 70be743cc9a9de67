"""MQTT against a real mosquitto: an outage, a kill, a wrong password, what is retained, the last will.

EDGECLS_OUTAGE_S is how long the broker is away under load (3).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from edgecls import SinkError, StateChange
from edgecls.sink import MqttSink, Spool, Spooled, open_sink
from edgecls.sink.delivery import spooled
from tests.conftest import ROOT
from tests.live.mqtt_broker import broker, listener
from tests.run.world import assert_only_main_thread, event

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
OUTAGE_S = float(os.environ.get("EDGECLS_OUTAGE_S", "3"))


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    """After each test only the main thread is left."""
    yield
    assert_only_main_thread()


def phases(came) -> list[tuple[str, bool]]:
    """(id, whether it has ended) of each event that came, in order, each once."""
    records = [json.loads(payload) for topic, payload, _ in came if topic.endswith("/event")]
    return list(dict.fromkeys((record["event"], record["end"] is not None) for record in records))


def test_an_outage_loses_nothing(tmp_path):
    """The broker is killed under load and comes back: every event arrives, in order, and none twice after those that came again
    are left out by id and phase; it is said once that the broker is away, and once that it is back.
    """
    told: list[str] = []
    expected = []
    with broker(tmp_path) as running, listener(running.port, "edgecls/+/event") as ears:
        running.save()
        with open_sink(f"mqtt://127.0.0.1:{running.port}/edgecls", spool=tmp_path / "spool", say=told.append) as sink:
            began, number, is_down, is_back = time.monotonic(), 0, False, False
            slowest_s = 0.0
            while time.monotonic() - began < 1 + OUTAGE_S + 1:
                passed_s = time.monotonic() - began
                if not is_down and passed_s > 1:
                    running.kill()
                    is_down = True
                if not is_back and passed_s > 1 + OUTAGE_S:
                    running.start()
                    is_back = True
                for ended in (False, True):
                    before = time.perf_counter()
                    sink.write_event(event(number, ended=ended))
                    slowest_s = max(slowest_s, time.perf_counter() - before)
                    expected.append((event(number).id, ended))
                number += 1
                time.sleep(0.02)
            ears.until(lambda came: len(phases(came)) >= len(expected), within_s=90)
            assert sink.backlog.lost == 0
    assert phases(ears.came) == expected
    assert any("the connection to the broker was lost" in line or "cannot be reached" in line for line in told)
    assert "works again" in told[-1]
    print(f"{len(expected)} deliveries, {len(ears.came)} messages, slowest write {slowest_s * 1e3:.1f} ms, {told}")  # noqa: T201


CHILD = """
import sys, time
from edgecls.sink import open_sink
from tests.run.world import event
sink = open_sink(sys.argv[1], spool=sys.argv[2])
for i in range(100_000):
    sink.write_event(event(i))
    print(i, flush=True)
    time.sleep(0.002)
"""


def test_a_killed_run_is_told_by_the_will_and_finished_by_the_next(tmp_path):
    """Kill -9 under load: the will says offline at once, and the next run delivers what the spool holds, in order."""
    with broker(tmp_path) as running, listener(running.port, "edgecls/#") as ears:
        spec, spool = f"mqtt://127.0.0.1:{running.port}/edgecls", tmp_path / "spool"
        command = [sys.executable, "-c", CHILD, spec, spool]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
            for line in child.stdout:
                if int(line) >= 200:
                    break
            assert ears.last("edgecls/status") == "online"
            child.send_signal(signal.SIGKILL)
            written = max([200, *(int(n) for n in child.stdout.read().splitlines(keepends=True) if n.endswith("\n"))])
        ears.until(lambda _: ears.last("edgecls/status") == "offline", within_s=5)
        with open_sink(spec, spool=spool, say=lambda _: None) as sink:
            ears.until(lambda came: len(phases(came)) > written)
            ears.until(lambda _: sink.backlog.waiting == 0)
        ears.until(lambda _: ears.last("edgecls/status") == "offline", within_s=5)
    assert phases(ears.came)[: written + 1] == [(event(i).id, True) for i in range(written + 1)]


def passwords(tmp_path, *users: str) -> str:
    """The configuration of a broker that knows these users; each has the password `right`."""
    path = tmp_path / "passwords"
    path.write_text("".join(f"{user}:right\n" for user in users))
    path.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", path], check=True, capture_output=True)
    return f"allow_anonymous false\npassword_file {path}"


def test_a_refused_password_is_one_line(tmp_path, monkeypatch):
    """It names the broker and the reason, not the password, and is said once; with the right one the events arrive."""
    monkeypatch.setattr(spooled, "FIRST_WAIT_S", 0.05)
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed (Debian, Ubuntu: apt-get install mosquitto)")
    told: list[str] = []
    with broker(tmp_path, passwords(tmp_path, "gate", "ears")) as running:
        with open_sink(f"mqtt://gate:wr%40ng@127.0.0.1:{running.port}", spool=tmp_path / "spool", say=told.append) as sink:
            sink.write_event(event())
            time.sleep(1.5)  # for several tries
        assert told[0].startswith(
            f"mqtt://***@127.0.0.1:{running.port}: the broker refuses user and password (Not authorized); events are kept in "
        )
        assert len(told) == 2
        assert "1 event not delivered yet" in told[1]
        assert not [line for line in told if "wr%40ng" in line or "wr@ng" in line]
        with listener(running.port, user="ears", password="right") as ears:  # noqa: S106 - of a broker that lives for a second
            spec = f"mqtt://gate:right@127.0.0.1:{running.port}"
            with open_sink(spec, spool=tmp_path / "spool", say=told.append):
                ears.until(lambda came: phases(came) == [(event().id, True)])


def test_a_topic_that_may_not_be_written_to_is_said(tmp_path):
    """Where the broker's rules forbid the topic, it says so, and the event is not taken for delivered."""
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite other/#\n")
    rules.chmod(0o600)
    with broker(tmp_path, f"allow_anonymous true\nacl_file {rules}") as running:
        refused = pytest.raises(SinkError, match=r"the broker refuses messages to edgecls/ \(Not authorized\)")
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls?discovery=") as sink, refused:
            sink.write_event(event())
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/other?discovery=") as sink:
            sink.write_event(event())


def test_what_is_retained_is_there_for_whoever_comes_later(tmp_path):
    """Status, availability and state of a camera, the label and counts of its regions, and the discovery; events are not."""
    with broker(tmp_path) as running:
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/home/cams") as sink:
            sink.write_state(StateChange("gate 1", "live", "", 5.0))
            sink.write_event(event(1, camera="gate 1", region="a/b", kind="state", label="open", ended=False))
            sink.write_event(event(2, camera="gate 1", region="line", kind="count", counts={"car": 3}))
            with listener(running.port) as ears:
                ears.until(lambda came: len(came) >= 11)
                assert all(retained for _, _, retained in ears.came)
                assert ears.last("home/cams/status") == "online"
                assert ears.last("home/cams/gate%201/available") == "online"
                assert json.loads(ears.last("home/cams/gate%201/state"))["state"] == "live"
                assert json.loads(ears.last("home/cams/gate%201/health")) == {"fault": None, "since": None}
                shown = json.loads(ears.last("home/cams/gate%201/a%2Fb/state"))
                state = event(1, camera="gate 1", region="a/b", kind="state")
                assert shown == {"label": "open", "score": 0.98, "since": 1763823788.0, "event": state.id}
                assert json.loads(ears.last("home/cams/gate%201/line/in/count"))["counts"] == {"car": 3}
                found = [topic for topic, _, _ in ears.came if topic.startswith("homeassistant/")]
                assert sorted(topic.split("/")[1] for topic in found) == [
                    *("binary_sensor", "binary_sensor", "event", "sensor", "sensor")
                ]
                sink.write_state(StateChange("gate 1", "lost", "cut", 6.0))
                ears.until(lambda _: ears.last("home/cams/gate%201/available") == "offline")
        with listener(running.port) as ears:
            ears.until(lambda _: ears.last("home/cams/status") == "offline")


def test_the_label_of_a_region_is_that_of_the_state_that_holds(tmp_path):
    """When a state ends nothing is shown, but if the next one has begun before; one that began in an earlier run ends too."""
    of = {"kind": "state", "region": "door"}
    topic = "edgecls/gate/door/state"
    with broker(tmp_path) as running, listener(running.port, topic) as ears:
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls?discovery=") as sink:
            for one in (
                event(1, label="open", ended=False, **of),
                event(2, label="ajar", ended=False, **of),
                event(1, label="open", **of),
                event(2, label="ajar", **of),
            ):
                sink.write_event(one)
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls?discovery=") as sink:
            sink.write_event(event(3, label="open", **of))
        ears.until(lambda came: len(came) == 4)
    assert [json.loads(payload)["label"] for _, payload, _ in ears.came] == ["open", "ajar", None, None]


def test_what_is_wrong_with_a_camera_is_the_fault_that_goes_on(tmp_path):
    """The end of one does not hide another that began meanwhile; a new run of the camera begins with none."""
    of = {"kind": "health", "region": "frame"}
    with broker(tmp_path) as running, listener(running.port, "edgecls/gate/health") as ears:
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls") as sink:
            for one in (
                event(1, label="black", ended=False, **of),
                event(2, label="lost", ended=False, **of),
                event(1, label="black", **of),
                event(2, label="lost", **of),
                event(3, label="moved", ended=False, **of),
            ):
                sink.write_event(one)
            sink.write_state(StateChange("gate", "connecting", "", 9.0))
        ears.until(lambda came: len(came) == 7)
    shown = [json.loads(payload) for _, payload, _ in ears.came]
    assert [one["fault"] for one in shown] == [None, "black", "lost", "lost", None, "moved", None]
    assert (shown[1]["event"], shown[1]["since"]) == (event(1, **of).id, 1763823788.0)


def test_a_broker_that_forgot_is_told_again(tmp_path):
    """A broker that was killed and lost what was retained has it again when it is back."""
    with broker(tmp_path) as running, MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls") as sink:
        sink.write_state(StateChange("gate", "live", "", 5.0))
        running.kill()
        running.start()
        with listener(running.port) as ears:
            ears.until(lambda _: ears.last("edgecls/gate/available") == "online" and ears.last("edgecls/status") == "online")
            assert len([topic for topic, _, _ in ears.came if topic.startswith("homeassistant/")]) == 3


def test_a_broker_that_is_silent_is_said(tmp_path):
    """A broker that was stopped is connected and acknowledges nothing: an error after the wait; then it is delivered once."""
    with broker(tmp_path) as running, listener(running.port, "edgecls/+/event") as ears:
        with MqttSink(f"mqtt://127.0.0.1:{running.port}/edgecls", answer_wait_s=0.5) as sink:
            sink.write_event(event(0))
            running._process.send_signal(signal.SIGSTOP)
            for _ in range(3):
                with pytest.raises(SinkError, match="the broker does not acknowledge"):
                    sink.write_event(event(1))
            running._process.send_signal(signal.SIGCONT)
            sink.write_event(event(1))
        ears.until(lambda came: len(came) == 2)
        time.sleep(0.2)
    assert len(ears.came) == 2


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")  # paho leaves it to the garbage collector
def test_tls_is_checked(tmp_path, monkeypatch):
    """A certificate that nobody vouches for is refused with the reason; one that is trusted is used."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    with broker(tmp_path, listener=f"certfile {certificate}\nkeyfile {key}") as running:
        url = f"mqtts://127.0.0.1:{running.port}/edgecls"
        with MqttSink(url) as sink, pytest.raises(SinkError, match=r"cannot be reached \(.*certificate verify failed"):
            sink.write_event(event())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with MqttSink(url) as sink:
            sink.write_event(event())


def test_nobody_there_is_said_with_the_reason(tmp_path):
    """A port where nobody listens, and a host that does not exist; the close waits for neither."""
    told: list[str] = []
    for url, why in (("mqtt://127.0.0.1:1/x", "Connection refused"), ("mqtt://nobody.invalid/x", "")):
        with Spooled(MqttSink(url), Spool(tmp_path / "of.spool"), name="mqtt", say=told.append) as sink:
            sink.write_event(event())
            end = time.monotonic() + 20
            while not told and time.monotonic() < end:
                time.sleep(0.05)
        assert f"the broker cannot be reached ({why}" in told[0]
        told.clear()
