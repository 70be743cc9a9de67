"""The models of a run on its page: what the files say, what they lack, and what happens to them meanwhile."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest

from edgecls.web.login.passwords import add_token
from edgecls.web.models.drift_record import HELPS, drift_records
from tests.conftest import ROOT
from tests.drift.simulated import simulated
from tests.tiny import light_model
from tests.web.models_run import LABELS, measured, models_page, write_model
from tests.web.served import served


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a run with a model of 43 labels and a bare shadow."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "schatten.onnx", is_bare=True)
    drifts = (simulated("gate"), simulated("Hof-Süd", days=1))
    with models_page(folder, count=43, config=f'[shadow]\nmodel = "{folder}/schatten.onnx"\n', drifts=drifts) as (found, _run):
        yield found


def answer(page, path, method="GET", **more):
    """Return an answer, after comparing it with the description of the API."""
    found = page.ask(path, method, **more)
    assert found.status == 200, found.body
    description = page.ask("/api/openapi.json").json()
    operation = description["paths"][path if "models/" not in path else "/api/models/{model}/test"][method.lower()]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(found.json(), {**schema, "components": description["components"]})
    return found.json()


def test_a_card_is_told_in_full(page):
    """With classes, confusions, reliability, the ladder, thresholds, and the accuracy with its interval."""
    model, _ = answer(page, "/api/models")["models"]
    found = measured(43)
    assert (model["role"], model["name"], model["kind"]) == ("model", "licht.onnx", "classifier")
    assert model["labels"][:3] == list(LABELS)
    assert [one["pictures"] for one in model["classes"]] == list(found.pictures)
    assert [round(one["recall"] * one["pictures"]) for one in model["classes"]] == list(found.right)
    assert [(one["truth"], one["given"], one["pictures"]) for one in model["confusions"]] == list(found.confusions)
    assert [one["pictures"] for one in model["reliability"]] == [one[0] for one in found.bins]
    assert model["accuracy"]["low"] < model["accuracy"]["value"] < model["accuracy"]["high"]
    assert [rung["name"] for rung in model["ladder"]["rungs"]] == ["keras", "fp32", "int8"]
    assert "below 0.25" in model["confidence"]
    assert (model["lacks"], model["fault"], model["ladder_fault"]) == ("", "", "")


def test_what_a_file_does_not_say_is_said_in_one_sentence(page):
    """Of a card of an older edgecls as of one without anything."""
    _, bare = page.ask("/api/models").json()["models"]
    assert (bare["role"], bare["accuracy"], bare["ladder"], bare["self_test"]) == ("shadow", None, None, None)
    assert (bare["classes"], bare["reliability"], bare["confusions"]) == ([], [], [])
    assert bare["lacks"].startswith("This file says nothing of a self-test, its accuracy, its single classes")
    assert bare["lacks"].count(".") == 1


def test_a_self_test_is_done_again(page):
    """On the loaded model, with its time; a file without golden pictures has none."""
    model, bare = page.ask("/api/models").json()["models"]
    assert model["self_test"]["passed"]
    again = answer(page, f"/api/models/{model['model']}/test", "POST")
    assert again["passed"]
    assert again["pictures"] == 3
    assert again["at_s"] > model["self_test"]["at_s"]
    assert page.ask("/api/models").json()["models"][0]["self_test"] == again
    refused = page.ask(f"/api/models/{bare['model']}/test", "POST")
    assert (refused.status, refused.body.count(b"\n")) == (409, 1)


def test_a_report_cannot_run_anything(page):
    """The one beside the model is served, in a sandbox; another one is not there, and no address names a file."""
    model, bare = page.ask("/api/models").json()["models"]
    found = page.ask(f"/api/models/{model['model']}/report")
    assert found.body.startswith(b"<h1>Report</h1>")
    assert "sandbox" in found.headers["content-security-policy"]
    assert "script-src" not in found.headers["content-security-policy"]
    assert not bare["has_report"]
    for name in (bare["model"], "licht.onnx", "..%2f..%2fetc%2fpasswd", "%00"):
        assert page.ask(f"/api/models/{name}/report").status == 404
        assert page.ask(f"/api/models/{name}/test", "POST").status in (404, 409)


def test_drift_has_a_state_a_chart_and_what_helps(page):
    """A dirty lens that is two days old; a camera that is still learning, with how long to go."""
    gate, yard = answer(page, "/api/drift")["cameras"]
    assert (gate["state"], gate["cause"], gate["helps"]) == ("drift", "lens", HELPS["lens"])
    (sharpness,) = [one for one in gate["distances"] if one["what"] == "sharpness"]
    assert [distance > limit for _, distance, limit in sharpness["hours"]][::20][-1]
    assert not sharpness["hours"][0][1] > sharpness["hours"][0][2]
    assert len({at for at, _, _ in sharpness["hours"]}) == len(sharpness["hours"]) > 15
    assert (yard["state"], yard["learn_h"]) == ("learning", 48)
    assert 23 <= yard["left_h"] <= 25


def test_every_cause_of_drift_has_advice_in_the_words_of_its_document():
    """The table of docs/drift.md has the same causes."""
    table = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")
    for cause, advice in HELPS.items():
        assert f"| `{cause}` |" in table
        assert advice.endswith(".")
    assert drift_records(None) == []


def test_files_that_change_meanwhile_are_noticed(tmp_path):
    """Replaced, deleted, and a ladder that belongs to another model; the run goes on with what it has loaded."""
    with models_page(tmp_path) as (page, _run):
        path = tmp_path / "licht.onnx"
        kept = path.read_bytes()

        def fault():
            (model,) = page.ask("/api/models").json()["models"]
            assert model["labels"] == list(LABELS)
            return model["fault"]

        path.write_bytes(light_model())
        assert fault().startswith("Another file is in its place")
        path.write_bytes(b"no model")
        assert fault().startswith("Another file is in its place")
        path.unlink()
        assert fault().startswith("The file has been deleted")
        path.write_bytes(kept)
        assert fault() == ""
        ladder = path.with_suffix(".ladder.json")
        record = json.loads(ladder.read_text(encoding="utf-8"))
        for text, why in ((json.dumps({**record, "chosen": "int8"}), "belongs to another model"), ("{", "cannot be read")):
            ladder.write_text(text, encoding="utf-8")
            (model,) = page.ask("/api/models").json()["models"]
            assert model["ladder"] is None
            assert why in model["ladder_fault"]
        path.with_suffix(".html").unlink()
        path.with_suffix(".html").symlink_to("/etc/passwd")
        (model,) = page.ask("/api/models").json()["models"]
        assert not model["has_report"]
        assert page.ask(f"/api/models/{model['model']}/report").status == 404


def test_a_page_without_a_run_says_so():
    """In one sentence each."""
    with served() as page:
        assert page.ask("/api/models").json()["why"].startswith("This page is not that of a run")
        assert page.ask("/api/drift").json() == {"cameras": []}
        assert answer(page, "/api/machine")["cameras"] == []
        assert page.ask("/api/machine/bench", "POST").status == 409


def test_who_may_only_look_starts_nothing(tmp_path):
    """Neither a self-test nor the doctor nor the bench, but sees everything."""
    with models_page(tmp_path, passwords=tmp_path / "p.json") as (page, _run):
        assert page.ask("/api/models").status == 401
        token = {"Authorization": f"Bearer {add_token(tmp_path / 'p.json', 'script', 'view')}"}
        (model,) = page.ask("/api/models", **token).json()["models"]
        for path in (
            f"/api/models/{model['model']}/test",
            "/api/machine/doctor",
            "/api/machine/bench",
            "/api/machine/bench/cancel",
        ):
            assert page.ask(path, "POST", **token).status == 403
        for path in ("/api/drift", "/api/machine", "/api/machine/doctor", "/api/machine/bench"):
            assert page.ask(path, **token).status == 200


def test_the_shipped_models_say_what_their_older_cards_know(tmp_path):
    """A card of an older edgecls is read, and says what it lacks."""
    for name in ("signs.onnx", "signs.ladder.json"):
        shutil.copy(ROOT / "models" / name, tmp_path / name.replace("signs", "licht"))
    with models_page(tmp_path) as (page, _run):
        (model,) = page.ask("/api/models").json()["models"]
        assert len(model["labels"]) == 43
        assert model["accuracy"]["value"] == pytest.approx(0.99066)
        assert model["ladder"]["chosen"] == "int8"
        assert "its single classes" in model["lacks"]
