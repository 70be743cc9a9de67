"""Tests of archives on a Ray cluster: by what Ray promises, and where it is installed on three machines in one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from edgecls import extras
from edgecls.archive.archive import Archive
from edgecls.archive.on_ray import RayCluster
from edgecls.errors import ConfigError, ModelError
from tests.archive.fake_ray import FakeRay
from tests.archive.inline import archived, lamp, rows
from tests.conftest import ROOT

NODE = "The actor died because its node has died."
ACTOR = "The actor died unexpectedly before finishing this task."


@pytest.fixture
def nas(tmp_path):
    """Four recordings."""
    for name in "abcd":
        lamp(tmp_path / "nas" / "yard" / f"{name}.avi")
    return tmp_path / "nas"


def on_cluster(ray, monkeypatch, model, nas, out, workers=2):
    """Archive on a fake cluster."""
    monkeypatch.setattr(extras, "load", lambda package, **_: ray if package == "ray" else importlib.import_module(package))
    monkeypatch.setattr("os.chdir", lambda folder: None)
    said = []
    with Archive(model, [nas], out=out, workers=workers, executor=RayCluster("ray"), say=said.append) as archive:
        while archive.step() is not None:
            pass
    return archive.progress, said


def test_tables_are_those_of_processes(light_model, nas, tmp_path, monkeypatch):
    """Each actor loads the model once; afterwards all are gone, and so is the connection."""
    ray = FakeRay()
    progress, _ = on_cluster(ray, monkeypatch, light_model, nas, tmp_path / "out")
    assert (progress.done, ray.started, ray.killed, ray.connected) == (4, 2, 2, None)
    monkeypatch.undo()
    archived(light_model, nas, out=tmp_path / "here")
    for kind in ("labels", "events"):
        assert rows(tmp_path / "out", kind) == rows(tmp_path / "here", kind)
    assert archived(light_model, nas, out=tmp_path / "out")[0].before == 4


def test_a_lost_machine_costs_nothing(light_model, nas, tmp_path, monkeypatch):
    """What it did begins again on another one, however often that happens within reason."""
    ray = FakeRay(deaths=[("b", NODE), ("b", NODE), ("c", NODE)])
    progress, said = on_cluster(ray, monkeypatch, light_model, nas, tmp_path / "out")
    assert (progress.done, progress.unreadable, said) == (4, 0, [])
    assert ray.started == 5


def test_a_recording_that_ends_its_actor_is_listed(light_model, nas, tmp_path, monkeypatch):
    """After it was tried once more, alone."""
    ray = FakeRay(deaths=[("b", ACTOR), ("c", ACTOR), ("c", ACTOR)])
    progress, _ = on_cluster(ray, monkeypatch, light_model, nas, tmp_path / "out")
    assert (progress.done, progress.unreadable) == (4, 1)
    (line,) = map(json.loads, (tmp_path / "out" / "unreadable.jsonl").read_text().splitlines())
    assert line["recording"].endswith("c.avi")
    assert line["why"] == f"its worker ended ({ACTOR})"


def test_a_model_that_cannot_be_loaded_is_one_line(nas, tmp_path, monkeypatch):
    """The error of the actor is that of the archive."""
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"m\.onnx"):
        on_cluster(FakeRay(), monkeypatch, tmp_path / "m.onnx", nas, tmp_path / "out")


def test_what_is_not_there_is_one_line(monkeypatch):
    """An unknown place, a cluster that does not answer, and Ray that is not installed."""
    with pytest.raises(ConfigError, match="`on=dask` is not possible; expected processes, ray"):
        RayCluster("dask")
    monkeypatch.setattr(extras, "load", lambda *_, **__: FakeRay(unreachable="no answer within 30 s"))
    with pytest.raises(ConfigError, match=r"ray://10\.0\.0\.9:10001: the cluster cannot be reached \(no answer within"):
        RayCluster("ray://10.0.0.9:10001")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"on a cluster needs ray, which is not installed: pip install 'edgecls\[ray\]'"):
        RayCluster("ray")


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not among those that tests ask for")
def test_three_machines_of_which_one_is_killed(light_model, tmp_path):
    """Complete, nothing twice, equal to an archive by processes."""
    for i in range(9):
        lamp(tmp_path / "nas" / "yard" / f"{i}.avi", 1500, 1500)
    command = [sys.executable, "scripts/archive_on_ray.py", str(light_model), str(tmp_path / "nas"), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "9 of 9 recordings, 0 unreadable" in done.stdout
    archived(light_model, tmp_path / "nas", out=tmp_path / "here")
    for kind in ("labels", "events"):
        assert rows(tmp_path / "out", kind) == rows(tmp_path / "here", kind)
