"""Tests of metrics for Prometheus, read back with the parser of its client."""

from __future__ import annotations

import gzip
import json
import socket
import sys
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from edgecls import ConfigError, MissingExtraError, SinkError, StateChange
from edgecls.event import Moment
from edgecls.frame import END, GONE, Box, Detection, Unfit
from edgecls.sink import Backlog, ListSink, PrometheusSink, open_sinks
from edgecls.vitals import Vitals
from tests.run.world import event, frame, result, said

parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")


@pytest.fixture
def sink():
    """Yield a sink on a free port."""
    with PrometheusSink("127.0.0.1:0") as opened:
        yield opened


def scraped(sink: PrometheusSink) -> dict[tuple[str, ...], float]:
    """Return every sample: (name, label values in the order of their names) -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}/metrics", timeout=10) as answer:
        text = answer.read().decode("utf-8")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_results_are_counted_by_camera(sink):
    """Frames with their age and times in seconds, and the labels of their regions."""
    one = frame(camera="a")
    twice = [Detection(Box(0, 0, 9, 9), said("stop"), "left"), Detection(Box(0, 0, 9, 9), said("yield"), "right")]
    for _ in range(3):
        sink.write(result(one, *twice, age_ms=40))
    sink.write(result(frame(camera="b")))
    found = scraped(sink)
    assert found["edgecls_frames_total", "a"] == 3
    assert found["edgecls_frames_total", "b"] == 1
    assert found["edgecls_age_seconds_count", "a"] == 3
    assert found["edgecls_age_seconds_sum", "a"] == pytest.approx(0.12)
    assert found["edgecls_age_seconds_bucket", "a", "0.02"] == 0
    assert found["edgecls_age_seconds_bucket", "a", "0.05"] == 3
    assert found["edgecls_fit_seconds_sum", "a"] == pytest.approx(0.0003)
    assert found["edgecls_infer_seconds_sum", "a"] == pytest.approx(0.0006)
    assert found["edgecls_detections_total", "a", "stop", "left"] == 3
    assert found["edgecls_detections_total", "b", "stop", "frame"] == 1


def test_what_a_shadow_says_is_counted(sink):
    """Each crop that both models saw, and the time that the shadow took."""
    shadowed = [Detection(Box(0, 0, 9, 9), said("stop"), "left", shadow=said(label)) for label in ("stop", "yield", "yield")]
    seen = result(frame(camera="a"), *shadowed)
    sink.write(replace(seen, timing=replace(seen.timing, shadow_ms=2.0)))
    sink.write(result(frame(camera="a")))
    found = scraped(sink)
    assert found["edgecls_shadow_total", "a", "stop", "stop"] == 1
    assert found["edgecls_shadow_total", "a", "stop", "yield"] == 2
    assert found["edgecls_shadow_cpu_seconds_total", "a"] == pytest.approx(0.002)


def test_drift_is_shown_while_it_lasts(sink):
    """With its cause and size; the cause may be another at its end."""
    begun = event(kind="drift", label="lens", score=0.3, ended=False)
    sink.write_event(begun)
    assert scraped(sink)["edgecls_drift", "gate", "lens"] == 0.3
    sink.write_event(replace(begun, label="place", end=begun.start))
    assert scraped(sink)["edgecls_drift", "gate", "lens"] == 0


def test_an_event_is_counted_once(sink):
    """When it begins, or when it ends if its beginning was never written."""
    sink.write_event(event(0, ended=False))
    sink.write_event(event(0))
    sink.write_event(event(1))
    sink.write_event(event(2, kind="state", label="open"))
    found = scraped(sink)
    assert found["edgecls_events_total", "gate", "crossing", "car", "entry"] == 2
    assert found["edgecls_events_total", "gate", "state", "open", "entry"] == 1
    assert sink._open == set()


def test_the_state_of_a_camera_is_the_one_that_is_1(sink):
    """Exactly one of the states has the value 1."""
    sink.write_state(StateChange("gate", "connecting", "", 1.0))
    sink.write_state(StateChange("gate", "live", "", 2.0))
    states = {key[2]: value for key, value in scraped(sink).items() if key[0] == "edgecls_camera_state"}
    assert states == {"connecting": 0, "live": 1, "stalled": 0, "lost": 0, "ended": 0}


def test_a_fault_of_a_camera_is_1_while_it_has_it(sink):
    """Faults of pictures come from results, with or without events; a lost camera comes from its event."""
    now = Moment(1, 0.04)
    for unfit in (None, Unfit("black", now, now), Unfit("covered", now, now)):
        sink.write(replace(result(frame()), unfit=unfit))
    sink.write_event(event(1, kind="health", label="lost", ended=False))
    faults = {key[2]: value for key, value in scraped(sink).items() if key[0] == "edgecls_camera_unfit"}
    assert faults == {"black": 0, "covered": 1, "lost": 1}
    sink.write(result(frame()))
    sink.write_event(event(1, kind="health", label="lost"))
    faults = {key[2]: value for key, value in scraped(sink).items() if key[0] == "edgecls_camera_unfit"}
    assert faults == {"black": 0, "covered": 0, "lost": 0}


@pytest.mark.parametrize("name", ['a "quoted" \\ name\nof two lines', "Größe 停 🚗", "caf\udce9", ""])
def test_any_name_is_a_label(sink, name):
    """The parser returns names unchanged; text that is not Unicode is escaped."""
    sink.write(result(frame(camera=name)))
    sink.write_event(event(camera=name, region=name, label=name))
    shown = name.encode("utf-8", "backslashreplace").decode()
    found = scraped(sink)
    assert found["edgecls_frames_total", shown] == 1
    assert found["edgecls_events_total", shown, "crossing", shown, shown] == 1


def test_the_backlog_of_each_sink_is_reported(sink):
    """At the time of the request, without passwords."""

    class Late(ListSink):
        backlog = Backlog(3, 2, 1)

    sink.beside({"mqtt://me:s3cret@host/x": Late(), "jsonl:-": ListSink(), "prometheus:0": sink})
    found = scraped(sink)
    name = "mqtt://host"
    assert found["edgecls_waiting_events", name] == 3
    assert found["edgecls_lost_events_total", name] == 2
    assert found["edgecls_dropped_results_total", name] == 1
    assert found["edgecls_waiting_events", "jsonl:-"] == 0


def test_sinks_that_are_opened_together_know_of_each_other(tmp_path):
    """`open_sinks` passes the other sinks to the metrics, also through a buffer."""
    first, *_rest = sinks = open_sinks(["prometheus:127.0.0.1:0", f"csv:{tmp_path / 'out.csv'}"], spool=tmp_path / "spool")
    try:
        assert scraped(first)["edgecls_waiting_events", f"csv:{tmp_path / 'out.csv'}"] == 0
    finally:
        for sink in sinks:
            sink.close()


def test_two_sinks_are_independent():
    """Each has its own registry and server."""
    with PrometheusSink("127.0.0.1:0") as one, PrometheusSink("127.0.0.1:0") as other:
        one.write(result(frame()))
        assert ("edgecls_frames_total", "gate") in scraped(one)
        assert ("edgecls_frames_total", "gate") not in scraped(other)


def test_a_port_that_is_taken_is_named():
    """The error names the address and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SinkError, match=rf"prometheus:{where}: cannot listen there \(Address already in use\)"):
            PrometheusSink(where)


def asked(sink: PrometheusSink, path: str) -> tuple[int, dict]:
    """Return status and body of a path."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sink.port}{path}", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_readiness_is_503_while_a_camera_is_lost(sink):
    """The answer names each lost camera and the reason. A lost camera is no reason to start the process again."""
    assert asked(sink, "/readyz")[0] == 200
    for name in ("a", "b"):
        sink.write_state(StateChange(name, "connecting", "", 1.0))
    assert [one["why"] for one in asked(sink, "/readyz")[1]["faults"]] == ["connecting: there is no result yet"] * 2
    for name in ("a", "b"):
        sink.write_state(StateChange(name, "live", "", 2.0))
    assert asked(sink, "/readyz") == (200, {"status": "ready", "faults": [], "notes": [], "model": ""})
    sink.write_state(StateChange("a", "lost", "rtsp://me:secret@10.0.0.7/way: no more frames after 12", 3.0))
    sink.write_state(StateChange("b", "stalled", "no picture for 5 s", 4.0))
    status, body = asked(sink, "/readyz")
    assert (status, body["status"]) == (503, "not ready")
    assert body["faults"] == [
        {"part": "camera", "name": "a", "why": "lost: rtsp://10.0.0.7: no more frames after 12"},
        {"part": "camera", "name": "b", "why": "stalled: no picture for 5 s"},
    ]
    assert asked(sink, "/healthz") == (200, {"status": "ok"})
    sink.write_state(StateChange("a", "live", "", 5.0))
    assert [one["name"] for one in asked(sink, "/readyz")[1]["faults"]] == ["b"]
    sink.write_state(StateChange("b", "live", "", 6.0))
    assert asked(sink, "/readyz")[0] == 200


@pytest.mark.parametrize(("why", "status"), [(END, 200), (GONE, 200), ("given up, no picture for 60 s", 503), ("refused", 503)])
def test_a_camera_that_has_ended_by_itself_is_lost(sink, why, status):
    """If it has failed for good; not at the end of a file, or if the configuration no longer contains it."""
    sink.write_state(StateChange("a", "lost", "cut", 3.0))
    sink.write_state(StateChange("a", "ended", why, 4.0))
    assert asked(sink, "/readyz")[0] == status


def test_a_loop_that_does_not_move_is_not_healthy(sink, monkeypatch):
    """The vital signs of the run are asked, not those of the sink, which would answer for ever."""
    monkeypatch.setattr("edgecls.vitals.vitals.STUCK_S", -1.0)
    monkeypatch.setattr("edgecls.vitals.vitals.SHOWN_S", -1.0)
    monkeypatch.setattr("edgecls.vitals.vitals.ANSWER_S", 0.01)
    vitals = Vitals()
    sink.attend(vitals)
    vitals.running(lambda _call: None)  # a loop that calls nothing
    status, body = asked(sink, "/healthz")
    assert (status, body["status"]) == (503, "stuck")
    assert "its loop has not moved for" in body["why"]
    vitals.running(lambda call: call())
    assert asked(sink, "/healthz") == (200, {"status": "ok"})


def test_formats_are_those_of_the_client(sink):
    """OpenMetrics and gzip if requested, at any path except that of health."""
    sink.write(result(frame()))
    headers = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    request = urllib.request.Request(f"http://127.0.0.1:{sink.port}/", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - an address of ours
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert gzip.decompress(answer.read()).endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "where", ["", "a..b:1", "ho st:1", "[::1:1:9108", "1:" + "9" * 5000, "host", "host:", "host:x", "99999", "-1", "²"]
)
def test_an_invalid_port_is_rejected(where):
    """The error shows the expected form."""
    with pytest.raises(ConfigError, match=r"expected a port or HOST:PORT, such as prometheus:0\.0\.0\.0:9108"):
        PrometheusSink(where)


def test_without_the_client_the_error_is_the_command_that_installs_it(monkeypatch):
    """It names the extra."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"Metrics for Prometheus needs .*: pip install 'edgecls\[metrics\]'"):
        PrometheusSink("127.0.0.1:0")
