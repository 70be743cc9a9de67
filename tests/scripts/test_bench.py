"""The benchmarks: every figure comes, ratios are of one turn, and what cannot be measured says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edgecls.bench import write_clip
from tests.conftest import ROOT

STAGES = ("decode", "read", "take", "shrink", "infer", "labels", "sink")


@pytest.fixture
def scripts(monkeypatch):
    """The folder of the scripts, which import each other by their names."""
    monkeypatch.syspath_prepend(ROOT / "scripts")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", width=1280, height=720, seconds=0.5)


def test_a_colour_model_beside_its_parts_and_the_plain_loop(tmp_path, clip):
    """All figures are in the log, and the yardstick is printed: share of the sum, CPU time by stage, zone, and ratios to the
    plain loop in the same and in another Python.
    """
    log = tmp_path / "log.jsonl"
    command = [sys.executable, ROOT / "scripts" / "bench.py", "--only", "rgb", "--runs", "1", "--frames", "6", "--clip", clip]
    more = ["--log", log, "--opencv", sys.executable, "--ultralytics", "/missing"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    line = json.loads(log.read_text())
    assert line["rgb_share"] == pytest.approx(line["rgb_fps"] / line["rgb_sum_fps"], abs=0.01)
    assert all(line[f"rgb_{stage}_ms"] >= 0 for stage in STAGES)
    assert min(line[name] for name in ("rgb_decode_fps", "rgb_infer_alone_ms", "zone_ms", "rgb_cpu_share")) > 0
    assert line["versions"]["plain_rgb"].startswith("OpenCV ")
    assert set(line["versions"]) == {"plain_rgb", "plain_rgb_linear", "rgb_opencv"}
    assert min(line[f"{name}_{what}"] for name in line["versions"] for what in ("fps", "cpu_ms")) > 0
    for text in ("of the sum of the parts", "CPU ms per frame", "zone: ", "times the plain loop, 224x224 RGB", "load average"):
        assert text in done.stdout


def test_turns_and_the_first_one_only_warms_up(scripts):
    """A benchmark may give one value or several by name."""
    import bench

    calls: list[str] = []
    measures = {"a": lambda: calls.append("a") or len(calls), "b": lambda: calls.append("b") or {"c": 1, "d": len(calls)}}
    assert bench.in_turns(measures, 2) == {"a": [3, 5], "c": [1, 1], "d": [4, 6]}
    assert calls == ["a", "b"] * 3


def test_turns_that_are_whole_count_when_it_is_interrupted(scripts):
    """Of three turns the last was interrupted: one remains beside the warm-up. Before that there is nothing to show."""
    import bench

    def measures(last: int):
        calls: list[str] = []

        def measure() -> float:
            calls.append("")
            if len(calls) > last:
                raise KeyboardInterrupt
            return float(len(calls))

        return {"a": measure}

    assert bench.in_turns(measures(2), 5) == {"a": [2.0]}
    with pytest.raises(KeyboardInterrupt):
        bench.in_turns(measures(1), 5)


def test_ratios_are_of_one_turn(scripts, capsys):
    """The machine was half as fast in one of three turns; the ratio is the same in all of them."""
    import bench

    rounds = {"rgb_fps": [100.0, 50.0, 90.0], "plain_rgb_fps": [50.0, 25.0, 45.0]}
    times = {"rgb_cpu_ms": [10.0, 20.0, 11.0], "plain_rgb_cpu_ms": [40.0, 80.0, 44.0]}
    bench.say_medians({**rounds, **times}, {"rgb_fps": 90.0, "plain_rgb_fps": 45.0})
    assert "2.00 times the plain loop, 224x224 RGB, goal 1.5, with 0.25 of its CPU time\n" in capsys.readouterr().out


def test_another_program_that_fails_is_shown(scripts, tmp_path):
    """With its command and what it said; a Python that does not exist has no modules."""
    import bench_parts

    with pytest.raises(
        RuntimeError, match=r"x: .*bench_plain\.py onnxruntime .*missing\.onnx(.|\n)*NO_SUCHFILE.*missing\.onnx"
    ):
        bench_parts.peer("x", sys.executable, "onnxruntime", tmp_path / "missing.onnx", tmp_path, kind="crop", frames=1)
    assert bench_parts.has(sys.executable, "json")
    assert not bench_parts.has(sys.executable, "no_such_module")
    assert not bench_parts.has("/missing/python", "json")


def test_the_most_cameras_of_which_nearly_nothing_is_skipped(scripts, monkeypatch, tmp_path):
    """On a machine that skips from the sixth on, five are held; each number is watched once."""
    import contextlib

    import bench_clips
    import bench_live

    tried = []

    def watch(_servers, count, _options, _lines, *, seconds):
        tried.append(count)
        return {"skipped": 0.0 if count <= 5 else 0.2, "mb": 100 + 25 * count}

    monkeypatch.setattr(bench_live, "watch", watch)
    monkeypatch.setattr(bench_live, "serving", lambda _clips, _count: contextlib.nullcontext([]))
    clips = bench_clips.Clips(tmp_path, None)
    monkeypatch.setattr(bench_live, "decoding_cores", lambda _servers, _seconds: 0.25)
    assert bench_live.most_held(clips) == {"held_cameras": 5, "decoded_cameras": (os.cpu_count() or 1) / 0.25}
    assert sorted(tried) == [1, 2, 4, 5, 6, 8]
    assert bench_live.camera_mb(clips)["camera_mb"] == 25


def test_a_process_is_measured_as_if_it_were_installed(scripts, monkeypatch, tmp_path):
    """What Python compiles is kept, whatever the environment says."""
    import bench_live

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    command = [sys.executable, "-c", "import edgecls.errors"]
    subprocess.run(command, check=True, env=bench_live.installed(tmp_path), cwd=ROOT)
    assert list((tmp_path / "compiled").rglob("errors*.pyc"))
