"""Learned models on the page: tried as a shadow, put in place and taken back, before a run of a real camera.

That they are really learned and compared, `test_learn_browser` proves.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager

import jsonschema
import pytest

from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.store import Store
from edgecls.web.learn import files as module
from edgecls.web.learn.files import CHANGED, LearnedFiles, work_folder
from edgecls.web.login.passwords import add_token
from tests import tiny
from tests.live.rtsp import rtsp_server
from tests.web.learning_run import FPS, draw_store, running, write_camera
from tests.web.served import served
from tests.web.test_child import is_gone, wait_for

SPEC = InputSpec(height=8, width=8)
RULE = '[[camera.zone]]\nname = "bay"\narea = [0.1, 0.1, 0.5, 0.5]\n\n[camera.zone.state]\nlabels = ["dark", "dim"]\n'


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    """A camera that shows one second of each class."""
    units = write_camera(tmp_path_factory.mktemp("rtsp"))
    with rtsp_server(units, fps=FPS) as server:
        yield server


@contextmanager
def watched(tmp_path, camera, **settings):
    """A run with a store, in which twelve pictures of each class have labels."""
    draw_store(tmp_path / "pictures", 12)
    with running(tmp_path, camera.url, **settings) as found:
        yield found


def post(watched, path, **content):
    """Change something."""
    return watched.page.ask(f"/api/learn{path}", "POST", body=json.dumps(content))


def state(watched):
    """Return what the page shows."""
    return watched.page.ask("/api/learn").json()


def key(watched):
    """Return the id of the store."""
    return watched.page.ask("/api/teach").json()["stores"][0]["store"]


def ended(watched):
    """Wait for the job, and return it."""
    return wait_for(lambda: (job := state(watched)["job"]) and job["state"] != "running" and job, "the job ends")


def learned(watched, number=1, *labels, **record) -> str:
    """Write a learned model by hand, with a record that has these fields. Returns its name."""
    path = watched.model.with_name(f"light-learned-{number}.onnx")
    labels = labels or tiny.LIGHT_LABELS
    path.write_bytes(stamp(tiny.light_graph(SPEC, len(labels)), ModelCard(labels, SPEC, "fp32", about=str(number))))
    write_record(path, labels, **record)
    return path.name


def write_record(path, labels=tiny.LIGHT_LABELS, **fields):
    """Write the record of a learned model."""
    record = {
        "model_sha256": LearnedFiles().digest(path), "labels": labels, "pictures": 36, "scored": 36, "right": 0.9, "low": 0.8,
        "high": 0.95, "groups": 36, "folds": 10, "classes": [], "curve": [], "forecasts": [], "advice": [], "held_out": {},
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(record | fields))


def checked(watched, answer, path, method="get"):
    """Check an answer with the description of the API, and return it."""
    found = watched.page.ask("/api/openapi.json").json()
    schema = found["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer.status == 200, answer.body
    jsonschema.validate(answer.json(), {**schema, "components": found["components"]})
    return answer.json()


def names(watched):
    """Return the files beside the model in use."""
    return sorted(path.name for path in watched.model.parent.iterdir())


def test_a_learned_model_is_tried_put_in_place_and_taken_back(tmp_path, camera):
    """Every answer is as described, cameras.toml keeps its comments, and no camera loses its connection."""
    with watched(tmp_path, camera) as run:
        model = f"/model/{learned(run, 1, *tiny.LIGHT_LABELS[:2], 'glare')}"
        checked(run, post(run, f"{model}/shadow"), "/api/learn/model/{name}/shadow", "post")
        assert run.path.read_text().endswith(f'[shadow]\nmodel = "{run.model.with_name("light-learned-1.onnx")}"\n')
        assert "# the first one" in run.path.read_text()
        wait_for(
            lambda: len((found := state(run)["shadow"]["agreement"])["classes"]) > 1 and found, "the shadow sees something"
        )
        agreement = checked(run, run.page.ask("/api/learn"), "/api/learn")["shadow"]["agreement"]
        assert agreement["crops"] == sum(one["crops"] for one in agreement["classes"])
        placed = checked(run, post(run, f"{model}/place"), "/api/learn/model/{name}/place", "post")
        assert (placed["model"]["learned"], placed["last"].split(":")[0]) == ("light-learned-1.onnx", "swapped")
        assert placed["models"][0]["is_in_place"]
        assert placed["shadow"]["why"] == "it is the model in use, so there is nothing to compare"
        assert run.run.classifier.card.labels == ("dark", "dim", "glare")
        assert post(run, f"{model}/compare", store=key(run)).body == b"light-learned-1.onnx is the model in use\n"
        again = post(run, f"{model}/place")
        assert (again.status, again.body.split(b":")[0]) == (409, b"light-learned-1.onnx")
        checked(run, post(run, "/shadow/stop"), "/api/learn/shadow/stop", "post")
        assert "shadow" not in run.path.read_text()
        back = checked(run, post(run, "/back"), "/api/learn/back", "post")
        assert (back["model"]["learned"], back["model"]["why_no_way_back"]) == ("", "the model before is in place")
        assert run.run.classifier.card.labels == tiny.LIGHT_LABELS
        assert post(run, "/back").status == 409
        everything = b"".join(run.page.ask(path).body for path in ("/api/learn", f"/api/learn{model}"))
        assert str(tmp_path).encode() not in everything
        assert [camera["state"] for camera in run.page.ask("/api/cameras").json()["cameras"]] == ["live"]


def test_a_command_that_is_killed_or_cancelled_leaves_nothing(tmp_path, camera):
    """The reason is on the page; no file has a model's name; the next one begins, and one at a time."""
    with watched(tmp_path, camera) as run:
        store = key(run)
        assert post(run, "", store=store, size=64).status == 200
        first = command_of(run)
        busy = post(run, "", store=store)
        assert busy.status == 409
        assert busy.body.startswith(b"learning, on the page Teach, is running; wait for it, or cancel it: one thing at a time")
        assert run.page.ask("/api/machine/doctor", "POST").body == busy.body
        os.kill(first, signal.SIGKILL)
        assert ended(run)["why"] == "it was ended by SIGKILL, perhaps because memory ran out"
        assert post(run, "", store=store, size=64).status == 200
        assert post(run, "/cancel").status == 200
        assert ended(run)["state"] == "cancelled"
        assert post(run, "/cancel").body == b"nothing is being learned or compared now\n"
        assert names(run) == ["light.onnx"]
        assert post(run, "", store=store, size=64).status == 200
        last = command_of(run)
    wait_for(lambda: is_gone(last), "it ends with the run")
    assert names(run) == ["light.onnx"]


def command_of(run):
    """Return the number of the process that learns."""
    return wait_for(lambda: (job := run.page.server._jobs.latest("learn")) and job._child, "the command runs")._process.pid


def test_what_cannot_be_learned_is_said(tmp_path, camera):
    """No label, a single class, no such store, a bad size, a read-only folder, a full disk: one line, and nothing changes."""
    draw_store(tmp_path / "pictures", 2, left=2)
    with running(tmp_path, camera.url) as run:
        store = key(run)
        none = post(run, "", store=store)
        assert (none.status, none.body.decode()) == (
            409,
            "No picture has a label yet. Give labels to pictures of two classes or more.\n",
        )
        with Store(tmp_path / "pictures") as opened:
            opened.label([1, 4], "dark")
        found = run.page.ask(f"/api/learn/store/{store}").json()
        assert found["note"].startswith("Only dark has labels.")
        assert found["classes"][0]["advice"].startswith("very few")
        for content, status in (({"store": "x"}, 404), ({"store": store, "size": 65}, 400), ({"store": 1}, 400), ({}, 400)):
            assert post(run, "", **content).status == status
        for name in ("../light.onnx", "light.onnx", "light-learned-9.onnx", "..%2Flight.onnx"):
            assert post(run, f"/model/{name}/place").status == 404
        run.model.parent.chmod(0o500)
        try:
            if not os.access(run.model.parent, os.W_OK):  # root may write everywhere
                assert state(run)["why"] == "the folder of light.onnx is read-only"
                assert post(run, "", store=store).status == 409
        finally:
            run.model.parent.chmod(0o700)
        assert names(run) == ["light.onnx"]


def test_a_half_or_changed_model_never_counts(tmp_path, camera):
    """Only one whose record names its content; a folder that a killed run has left is deleted."""
    with watched(tmp_path, camera) as run:
        whole, changed, half, bare = (learned(run, number) for number in (1, 2, 3, 4))
        folder = run.model.parent
        (folder / changed).write_bytes((folder / whole).read_bytes())
        (folder / half).write_bytes((folder / half).read_bytes()[:100])
        (folder / bare).with_suffix(".json").write_text('{"half')
        found = {one["name"]: one for one in state(run)["models"]}
        assert [one["why"] for one in found.values()] == ["its record is missing or damaged; learn again", CHANGED, CHANGED, ""]
        assert found[whole]["right"] == 0.9
        assert found[changed]["right"] is None
        for name in (changed, half, bare):
            for step in ("place", "shadow"):
                assert post(run, f"/model/{name}/{step}").status == 409
        assert run.run.classifier.card.about == ""


def test_a_comparison_is_there_after_a_restart(tmp_path, camera):
    """It is a file beside the learned model; one that is damaged is none, and the next comparison replaces it."""
    found = {
        "store": "pictures", "in_use": "light.onnx", "verdict": "No difference", "meaning": [], "notes": [], "pictures": 3,
        "fixed": 0, "broken": 0, "p": 1.0, "old": {}, "new": {}, "classes": [],
    }  # fmt: skip
    with watched(tmp_path, camera) as run:
        learning, name = run.page.server._learning, learned(run)
        model = learning._model(name)
        learning._files.keep_compared(model, learning._files.digest(run.model) + model.digest, found)
    with running(tmp_path, camera.url) as run:
        path = f"/api/learn/model/{name}"
        details = checked(run, run.page.ask(path), "/api/learn/model/{name}")
        assert details["comparison"] == found | {"is_current": True}
        file = run.model.with_name("light-learned-1.compared.json")
        assert names(run) == [file.name, "light-learned-1.json", name, "light.onnx"]
        for damaged in ('{"half', "[]", '{"models": "x", "comparison": {"verdict": 3}}'):
            file.write_text(damaged)
            assert run.page.ask(path).json()["comparison"] is None
        assert [one["name"] for one in state(run)["models"]] == [name]


def test_a_model_that_a_rule_cannot_use_is_refused(tmp_path, camera):
    """A rule names a label that it lacks, or it is in use already; two people at once."""
    with watched(tmp_path, camera, zones=RULE) as run:
        other = learned(run, 1, "red", "green", "blue")
        answer = post(run, f"/model/{other}/place")
        assert answer.status == 409
        assert b"'dark'" in answer.body
        assert answer.body.count(b"\n") == 1
        assert names(run) == ["light-learned-1.json", "light-learned-1.onnx", "light.onnx"]
        run.page.server._learning._in_use._changing.acquire()
        assert post(run, f"/model/{other}/place").body.startswith(b"somebody else is changing the models")
        run.page.server._learning._in_use._changing.release()
        assert post(run, "/back").status == 409


@pytest.mark.parametrize(
    ("error", "status"),
    [(OSError(28, "No space left on device"), 507), (OSError(5, "Input/output error"), 503), (MemoryError(), 500)],
)
def test_a_switch_that_fails_is_undone_whatever_the_error(tmp_path, camera, monkeypatch, error, status):
    """The file in place is the model that the run uses, again."""
    with watched(tmp_path, camera) as run:
        name, before = learned(run), run.model.read_bytes()

        def fail(*_, **__):
            assert run.model.read_bytes() != before
            raise error

        monkeypatch.setattr(run.run, "reload", fail)
        answer = post(run, f"/model/{name}/place")
        assert answer.status == status
        assert answer.body.count(b"\n") <= 1
        assert run.model.read_bytes() == before
        monkeypatch.setattr("edgecls.web.learn.in_use.swap_back", fail)
        lost = post(run, f"/model/{name}/place")
        if isinstance(error, OSError):
            assert b"light.onnx is not the model that runs, and cannot be changed back" in lost.body


def test_who_may_only_look_changes_no_model(tmp_path, camera):
    """But sees everything."""
    passwords = tmp_path / "p.json"
    token = {"Authorization": f"Bearer {add_token(passwords, 'eve', 'view')}"}
    with watched(tmp_path, camera, passwords=passwords) as run:
        name = learned(run)
        assert run.page.ask("/api/learn", **token).json()["models"][0]["name"] == name
        for path in ("", "/cancel", f"/model/{name}/place", f"/model/{name}/shadow", "/shadow/stop", "/back"):
            assert run.page.ask(f"/api/learn{path}", "POST", body="{}", **token).status == 403


def test_without_a_run_nothing_can_be_learned():
    """The page says so."""
    with served() as page:
        found = page.ask("/api/learn").json()
        assert (found["why"], found["model"], found["models"]) == (
            "this page shows no run whose model could be changed",
            None,
            [],
        )
        assert page.ask("/api/learn/model/x.onnx").status == 409


def test_new_models_never_overwrite_one(tmp_path, monkeypatch):
    """Numbers rise, also past files that somebody made by hand; what is not whole is refused; leftovers of killed runs go."""
    place, made = tmp_path / "straße [1].onnx", tmp_path / "made.onnx"
    files = LearnedFiles()
    for name in ("straße [1]-learned-1.json", "straße [1]-learned-7.onnx"):
        (tmp_path / name).write_bytes(b"by hand")
    for number in (8, 9):
        made.write_bytes(tiny.light_model())
        write_record(made)
        assert files.add(place, made).name == f"straße [1]-learned-{number}.onnx"
    assert not made.exists()
    made.write_bytes(tiny.light_model())
    made.with_suffix(".json").write_text("{}")
    with pytest.raises(module.ConfigError, match="not whole"):
        files.add(place, made)
    assert [one.name[-7:] for one in files.beside(place) if not one.why] == ["-9.onnx", "-8.onnx"]
    with work_folder(place) as mine:
        left = mine.with_name(mine.name + "left")
        left.mkdir()
        (left / "lock").touch()
        with work_folder(place) as other:
            assert mine.exists()
            assert not left.exists()
    assert not mine.exists()
    assert not other.exists()


def test_a_disk_that_is_full_at_the_end_leaves_no_model(tmp_path, monkeypatch):
    """Neither the model nor its record has a name then."""
    made = tmp_path / "made.onnx"
    made.write_bytes(tiny.light_model())
    write_record(made)
    replace, done = os.replace, []

    def full(source, target):
        done.append(target)
        if len(done) == 2:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(module.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        LearnedFiles().add(tmp_path / "light.onnx", made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.onnx"]
