"""Tests of `edgecls bench` in a script and for a person."""

from __future__ import annotations

import json

import pytest

from tests.drawn import gray_levels, write_video


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.avi", gray_levels(range(0, 250, 10)))


def test_one_object_with_all_numbers(edgecls, light_model, clip):
    """--json prints speed, stages and the trial of the requested cameras; messages are on stderr."""
    done = edgecls("bench", light_model, "--source", clip, "--cameras", 1, "--seconds", 1, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert 0 < told["speed"]["frames"] <= 25  # as many as this machine has time for
    assert set(told["speed"]["stages_ms"]) == {"decode", "shrink", "infer", "sink", "age"}
    assert told["parts"]["share"] == pytest.approx(told["speed"]["fps"] / told["parts"]["fps"])
    assert [t["cameras"] for t in told["trials"]] == [1]
    assert told["cameras_held"] in (0, 1)
    assert "1 camera" in done.stderr


def test_tables_for_a_person(edgecls, light_model, clip):
    """Without --json there are three tables: the stages, their CPU time, and the cameras."""
    done = edgecls("bench", light_model, "--source", clip, "--cameras", 1, "--seconds", 1)
    assert done.returncode == 0, done.stderr
    assert "frames per second on" in done.stdout
    assert [
        word
        for word in ("decode", "shrink", "infer", "sink", "held", "that its parts alone allow", "in the run")
        if word not in done.stdout
    ] == []


@pytest.mark.parametrize(
    ("arguments", "says"), [(("--source", "missing.mp4"), "missing.mp4: no such file"), (("--device", "tpu"), "tpu")]
)
def test_a_missing_clip_or_device_is_one_line(edgecls, light_model, arguments, says):
    """The exit code is 1, and stdout is empty."""
    done = edgecls("bench", light_model, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert says in done.stderr
