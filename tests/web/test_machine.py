"""The machine of a run on its page: what it takes, where results go, the doctor and the bench."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from edgecls.run.camera import Camera
from edgecls.source import ReadingSettings
from edgecls.web import ViewSink
from edgecls.web.machine.run_state import camera_records
from edgecls.web.machine.usage import CoreMeter
from tests.run.world import event
from tests.web.models_run import models_page
from tests.web.test_child import wait_for
from tests.web.test_models import answer


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A page and its run, whose broker cannot be reached."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "clips").mkdir()
    sinks = [f"sqlite:{folder}/events.db", f"clip:{folder}/clips", "mqtt://user:secret@127.0.0.1:1/x"]
    camera = (
        '[[camera]]\nname = "far"\nsource = "rtsp://user:secret@127.0.0.1:9/1"\n[camera.reading]\nkeyframes = true\nfps = 5\n'
    )
    with models_page(folder, config=f"sinks = {sinks}\n{camera}") as found:
        yield found


def test_a_lost_broker_is_seen_with_its_reason(running):
    """What waits is counted, the other sinks work, and nowhere is a password."""
    page, run = running
    for sink in run.sinks:
        sink.write_event(event(1))

    def broker():
        found = next(one for one in page.ask("/api/machine").json()["sinks"] if one["sink"].startswith("mqtt"))
        return found if found["trouble"] and found["waiting"] else None

    found = wait_for(broker, "the broker is in trouble")
    assert "cannot be reached" in found["trouble"]
    machine = answer(page, "/api/machine")
    assert [one["trouble"] for one in machine["sinks"] if not one["sink"].startswith("mqtt")] == ["", ""]
    assert "secret" not in page.ask("/api/machine").body.decode()


def test_what_the_run_takes_and_where_it_writes(running, tmp_path):
    """Cores and memory of this process, versions, providers, the way each camera is decoded, the disks of all folders."""
    page, _ = running
    machine = answer(page, "/api/machine")
    assert machine["run_mb"] > 10
    assert machine["versions"]["edgecls"]
    assert "CPU" in machine["providers"]
    decoding = {one["camera"]: one["decoding"] for one in machine["cameras"]}
    assert decoding["gate"] == "pictures of a folder"
    assert decoding["far"] == "decoded by FFmpeg on the processor, key frames only, at most 5 frames a second"
    folders = {one["folder"].rsplit("/", 1)[-1]: one for one in machine["disks"]}
    assert {"clips", "drift"} <= folders.keys()
    assert all(0 <= one["free_mb"] <= one["total_mb"] for one in folders.values())


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        ({"decoder": "opencv"}, "decoded by OpenCV on the processor"),
        ({"decode": "auto"}, "decoded by FFmpeg in hardware where that works, else on the processor"),
        ({"decode": "vaapi", "every": 2}, "decoded by FFmpeg in hardware (vaapi), one frame of 2 is used"),
        ({"fast_decode": True}, "decoded by FFmpeg on the processor, without the loop filter"),
    ],
)
def test_how_a_camera_is_decoded_is_said_in_words(reading, said):
    """As it is configured, before its first packet has told the codec; its address is without what may be secret."""
    camera = Camera("gate", "rtsp://user:secret@10.0.0.7:554/1?token=abc", reading=ReadingSettings(**reading))
    (found,) = camera_records(SimpleNamespace(config=SimpleNamespace(camera=(camera,))), ViewSink(["gate"]))
    assert (found["decoding"], found["source"]) == (said, "rtsp://10.0.0.7:554")


def test_busy_cores_are_those_since_the_question_before(monkeypatch):
    """Too early to say at first; visitors who ask at once get the same number."""
    now = [10.0, 3.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: now[1])
    meter = CoreMeter()
    assert meter.cores() is None
    now[:] = 12.0, 6.0
    assert meter.cores() == 1.5
    now[:] = 12.5, 8.0
    assert meter.cores() == 1.5


def test_the_doctor_examines_this_machine(running):
    """In a child; its findings have a status, and what would fix a problem."""
    page, _ = running
    assert page.ask("/api/machine/doctor").json()["state"] == "none"
    assert answer(page, "/api/machine/doctor", "POST")["state"] == "running"
    wait_for(lambda: page.ask("/api/machine/doctor").json()["state"] != "running", "the doctor ends")
    done = answer(page, "/api/machine/doctor")
    assert (done["state"], done["why"]) == ("done", "")
    assert {"python", "processor", "model"} <= {one["name"] for one in done["result"]["checks"]}


def test_one_at_a_time_and_a_bench_that_is_cancelled(running):
    """The second is refused with the reason. What is asked for must be a model that classifies."""
    page, _ = running
    assert answer(page, "/api/machine/bench", "POST", body="{}")["state"] == "running"
    refused = page.ask("/api/machine/doctor", "POST")
    assert refused.status == 409
    assert refused.body.startswith(
        b"the bench, on the page Machine, is running; wait for it, or cancel it: one thing at a time"
    )
    page.ask("/api/machine/bench/cancel", "POST")
    wait_for(lambda: page.ask("/api/machine/bench").json()["state"] == "cancelled", "the bench is cancelled")
    assert page.ask("/api/machine/bench", "POST", body='{"model": "licht.onnx"}').status == 404
    for body in ('{"model": 3}', "[]", "{"):
        assert page.ask("/api/machine/bench", "POST", body=body).status == 400
