"""Tests of a configured run: results and events in the loop and the sinks, until it ends or is stopped."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import pytest

from edgecls import ConfigError, Run, read_config
from edgecls.run.camera import Camera
from edgecls.run.config import Config
from edgecls.run.options import from_options
from edgecls.sink import JsonlSettings, ListSink
from tests.drawn import gray_levels, write_video


@pytest.fixture
def lamp(tmp_path) -> str:
    """Write a video: dark for 50 frames, then bright for 50, at 25 frames per second."""
    return str(write_video(tmp_path / "lamp.avi", gray_levels([0] * 50 + [255] * 50)))


def states(events):
    """Return the label of each state event, and whether it begins (False) or ends (True)."""
    return [(event.label, event.end is not None) for event in events if event.kind == "state"]


def test_options_give_results_and_their_events(light_model, lamp):
    """The loop gets both after the sinks, and ongoing events end with the run."""
    with Run(model=light_model, sources=[f"lamp={lamp}"]) as run:
        kept = ListSink()
        run.sinks.append(kept)
        found = list(run)
    assert [result.frame.index for result, _ in found] == list(range(100))
    assert states(event for _, events in found for event in events) == [("dark", False), ("dark", True), ("bright", False)]
    assert states(run.last_events) == [("bright", True)]
    assert [result.frame.index for result in kept.results] == list(range(100))
    assert kept.events == [*(event for _, events in found for event in events), *run.last_events]


def test_a_file_and_its_options_give_the_same(light_model, lamp, tmp_path):
    """cameras.toml and the same settings as arguments: the same labels, states and moments."""
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'model = "{light_model}"\n[[camera]]\nname = "lamp"\nsource = "{lamp}"\nhealth.off = true\n'
        '[[camera.zone]]\nname = "bulb"\narea = [0.25, 0.25, 0.5, 0.5]\n'
    )
    with Run(path) as one, Run(model=light_model, sources=[f"lamp={lamp}"], zones={"bulb": (0.25, 0.25, 0.5, 0.5)}) as other:
        of_file, of_options = list(one), list(other)
    assert [events for _, events in of_file] == [events for _, events in of_options]
    assert [[(d.region, d.box, d.prediction) for d in r.detections] for r, _ in of_file] == [
        [(d.region, d.box, d.prediction) for d in r.detections] for r, _ in of_options
    ]
    assert [event.region for event in one.last_events] == ["bulb"]


def test_leaving_the_loop_early_ends_ongoing_events(light_model, lamp):
    """After `break`, the sinks get their ends; after an error they do not."""
    with Run(model=light_model, sources=[lamp]) as run:
        for result, _ in run:
            if result.frame.index == 30:
                break
    assert states(run.last_events) == [("dark", True)]
    run = Run(model=light_model, sources=[lamp])
    with pytest.raises(ZeroDivisionError):
        _fail_at(30, run)
    assert run.last_events == []


def _fail_at(index: int, run: Run) -> None:
    with run:
        for result, _ in run:
            _ = 1 / (index - result.frame.index)


def test_another_thread_stops_a_run_that_waits(light_model):
    """The loop waits for a camera that never answers; `stop` ends it."""
    with Run(model=light_model, sources=["rtsp://127.0.0.1:9/none"], say=lambda _: None) as run:
        threading.Timer(0.3, run.stop).start()
        assert list(run) == []


def test_another_thread_changes_a_run(light_model, lamp, tmp_path):
    """`reload` returns the changes; an invalid configuration changes nothing."""
    config = Config(str(light_model), (Camera("a", lamp),))
    with Run(config) as run:
        rest = iter(run)
        next(rest)
        said: list[str] = []
        more = replace(config, sink=(JsonlSettings(str(tmp_path / "o.jsonl")),))
        thread = threading.Thread(target=lambda: said.append(run.reload(more)))
        thread.start()
        while thread.is_alive():
            next(rest, None)
        thread.join()
        with pytest.raises(ConfigError, match="has no label 'brigt'"):
            run.reload(replace(config, camera=(Camera("a", lamp, state=replace(config.camera[0].state, labels=("brigt",))),)))
        assert run.config == more
    assert said == [f"sinks opened: jsonl:{tmp_path / 'o.jsonl'}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected a config, or a model and sources"),
        ({"model": "m.onnx"}, "expected a config, or a model and sources"),
        ({"config": "cameras.toml", "sources": [0]}, "motion and detector cannot be combined with config"),
        (
            {"model": "m.onnx", "sources": [0], "zones": {"bay": (0.5, 0.5, 0.6, 0.1)}},
            r"zone bay: \[0.5, 0.5, 0.6, 0.1\] reaches from \(0.5, 0.5\) to \(1.1, 0.6\), which is outside",
        ),
        ({"model": "m.onnx", "sources": [0], "lines": {"a": (0.5, 0.5, 0.5, 0.5)}}, "line a: .*expected two different points"),
        ({"model": "m.onnx", "sources": [0], "lines": {"a": (0.5, 0.5)}}, "line a: expected x1,y1,x2,y2, two points"),
    ],
)
def test_arguments_that_contradict_each_other(arguments, message):
    """They are named in one line, before anything is opened."""
    with pytest.raises(ConfigError, match=message):
        Run(**arguments)


def test_a_camera_of_options_may_have_the_name_of_its_file(tmp_path):
    """A derived name, such as "my film (2)" or "10.0.0.7", is valid; in cameras.toml it is an error."""
    config = from_options("m.onnx", [str(tmp_path / "my film (2).mp4"), "rtsp://10.0.0.7/1"])
    assert [camera.name for camera in config.camera] == ["my film (2)", "10.0.0.7"]
    path = tmp_path / "cameras.toml"
    path.write_text('model = "m.onnx"\n[[camera]]\nname = "my film (2)"\nsource = 0\n')
    with pytest.raises(ConfigError, match="name must be letters"):
        read_config(path)


def test_a_run_knows_what_it_does_not_deliver(tmp_path, light_model, monkeypatch):
    """A disk without space and an output that fails are faults, and so is the end."""
    lamp = write_video(tmp_path / "lamp.avi", gray_levels([20] * 6, (48, 64)))
    with Run(model=light_model, sources=[lamp], sinks=[f"jsonl:{tmp_path}/out.jsonl"]) as run:
        assert [fault.why for fault in run.vitals.readiness().faults][:1] == ["it is starting"]
        next(iter(run))
        found = run.vitals.readiness()
        assert found.is_ready, found
        assert found.model == hashlib.sha256(light_model.read_bytes()).hexdigest()
        monkeypatch.setattr("edgecls.run.ready.LEAST_FREE", 2**62)
        assert [(fault.part, fault.name) for fault in run.vitals.readiness().faults] == [("disk", str(tmp_path))]
        monkeypatch.undo()
        monkeypatch.setattr(type(next(iter(run.named_sinks.values()))), "trouble", "out.jsonl: no space")
        assert [(fault.part, fault.why) for fault in run.vitals.readiness().faults] == [("output", "out.jsonl: no space")]
        monkeypatch.undo()
        for _ in run:
            pass
        assert [fault.why for fault in run.vitals.readiness().faults] == ["the run has ended"]
    assert run.vitals.is_moving()
