"""Files that edgecls 0.2.0 wrote work unchanged; tests/artefacts/v0_2_0/README.md says how they were made."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from edgecls.model import cpu
from edgecls.sink import open_sink, parse_sink, spool_name
from tests.conftest import ROOT
from tests.sink.test_webhook import always, receiver

KEPT = ROOT / "tests" / "artefacts" / "v0_2_0"
MODELS = ("fp32", "fp16", "int8", "int8-s8", "adopted")
LABELS = ("disc", "ring", "square")
TOLERANCE = {"fp32": 1e-3, "adopted": 1e-3, "fp16": 0.01, "int8": 0.05, "int8-s8": 0.05}
"""How far scores may be from those of the processor that the files were made on."""
LONGER_S = 1.0
"""Where something that moved has left, motion may be seen for so much longer than by 0.2.0."""
AT_THE_BORDER_S = 0.3
"""What leaves the frame leaves a zone at its border so much earlier than for 0.2.0: now the middle of the whole object counts,
not that of the part that is still to be seen.
"""
BATCHED = 0.03
"""How far scores of a zone may be from those of another run: they depend on whether something that moves is in its batch."""


def lines(text):
    """The objects of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def named(events):
    """What does not depend on the processor of each event, in an order of its own. Of a presence only whether it has ended."""
    keys = ("event", "camera", "kind", "region", "label", "direction", "track_id")
    return sorted([*(str(e.get(key)) for key in keys), e["start"]["time_s"], end_of(e)] for e in events)


def end_of(event):
    """When an event has ended, -1 if it has not; of a presence 0."""
    end_s = (event["end"] or {}).get("time_s", -1.0)
    return min(end_s, 0.0) if event["kind"] == "presence" else end_s


def presences(events):
    """When each presence has ended, by id."""
    return {e["event"]: e["end"]["time_s"] for e in events if e["kind"] == "presence" and e["end"]}


def without_sign(events):
    """The events of 0.2.0 but for those of a sign whose picture changes: it does not move, so it is no object now."""
    return [e for e in events if (e["kind"], e.get("track_id")) != ("object", 2)]


@pytest.fixture
def kept(tmp_path):
    """A copy of the files, in the folder that the command line runs in."""
    shutil.copytree(KEPT, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_copies_are_small():
    """Less than a megabyte in all."""
    assert sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file()) < 1_000_000


def test_a_run_is_resumed_and_exported(kept, edgecls):
    """Training goes on after the last epoch, with the loss, schedule and average that Keras has by name in the files."""
    done = edgecls("train", "--out", "run", "--resume", "--epochs", "26")
    assert done.returncode == 0, done.stderr
    history = (kept / "run" / "history.csv").read_text().splitlines()
    before = (KEPT / "run" / "history.csv").read_text().splitlines()
    assert history[: len(before)] == before
    assert len(history) == len(before) + 1
    made = edgecls("export", "run", "--out", "new.onnx", "--scheme", "fp32", "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["parity"]["agreement"] == 1.0


def test_a_run_is_exported_to_the_same_model(kept, edgecls):
    """Without any training: the same answers as the export of 0.2.0."""
    done = edgecls("export", "run", "--out", "again.onnx", "--scheme", "fp32", "--max-drop", "20")
    assert done.returncode == 0, done.stderr
    answers = [
        edgecls("predict", model, "disc.png", "ring.png", "square.png", "--json") for model in ("fp32.onnx", "again.onnx")
    ]
    old, new = (lines(answer.stdout) for answer in answers)
    assert [found["label"] for found in new] == [found["label"] for found in old]
    assert [found["score"] for found in new] == pytest.approx([found["score"] for found in old], abs=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_a_model_gives_the_answers_of_then(model, kept, edgecls):
    """Labels and scores of the kept pictures."""
    if model == "int8-s8" and cpu.this().saturates:
        pytest.skip("int8-s8 is for ARM: 8-bit weights give wrong answers on a processor without VNNI")
    expected = json.loads((KEPT / "predicted.json").read_text())[model]
    done = edgecls("predict", f"{model}.onnx", "disc.png", "ring.png", "square.png", "--json")
    assert done.returncode == 0, done.stderr
    found = lines(done.stdout)
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    scores = [[dict(one["top"])[label] for label in LABELS] for one in (*found, *expected)]
    for new, old in zip(scores[:3], scores[3:], strict=True):
        assert new == pytest.approx(old, abs=TOLERANCE[model])


@pytest.mark.parametrize("model", MODELS)
def test_the_card_of_a_model_is_read(model, kept, edgecls):
    """`info` knows its labels, its input and what made it."""
    card = json.loads(edgecls("info", f"{model}.onnx", "--json").stdout)
    assert tuple(card["labels"]) == LABELS
    assert (card["input"]["height"], card["input"]["width"], card["input"]["color"]) == (24, 24, "gray")
    assert card["made_with"]["edgecls"] == "0.2.0"


def test_cameras_toml_is_valid(kept, edgecls):
    """A file with every table: all that it names is there, and it would run."""
    for folder in ("clips", "snapshots"):
        (kept / folder).mkdir()
    done = edgecls(
        "check-config",
        "cameras.toml",
        "--json",
        env=environment(kept, EDGECLS_TEST_PASSWORD="not a real one"),  # noqa: S106
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cameras_run_as_then(kept, edgecls):
    """The same labels of all frames, and the same events but for what is no object any more."""
    text = (kept / "recorded.toml").read_text()
    (kept / "now.toml").write_text(text[: text.index('[[camera]]\nname = "away"')].replace("labels.jsonl", "now.jsonl"))
    done = edgecls("run", "--config", "now.toml", env=environment(kept))
    assert done.returncode == 0, done.stderr
    old, new = (lines((kept / name).read_text()) for name in ("labels.jsonl", "now.jsonl"))
    idle, still = frames(new), frames(old)  # of the yard only frames in which nothing moves have detections, which are none
    assert idle.keys() <= still.keys()
    assert all(camera == "yard" and (camera, i - round(LONGER_S * 10)) not in still for camera, i in still.keys() - idle.keys())
    for key in idle:
        found, detections = ([d for d in one[key] if d["region"] != "motion"] for one in (idle, still))
        assert [(d["region"], d["label"]) for d in found] == [(d["region"], d["label"]) for d in detections]
        assert [d["score"] for d in found] == pytest.approx([d["score"] for d in detections], abs=BATCHED)
    expected = [e for e in lines((kept / "replayed.jsonl").read_text()) if e["camera"] != "away"]
    events = [one for one in new if "event" in one]
    assert named(events) == named(without_sign(expected))
    assert presences(events) == pytest.approx(presences(expected), abs=AT_THE_BORDER_S)


def test_a_recording_gives_its_events(kept, edgecls):
    """Those that it holds, which are those that 0.2.0 finds in it; those of states as the same lines."""
    done = edgecls("replay", "labels.jsonl", "--config", "recorded.toml")
    assert done.returncode == 0, done.stderr
    expected, found = lines((kept / "replayed.jsonl").read_text()), lines(done.stdout)
    assert named(found) == named(without_sign(expected))
    assert presences(found) == pytest.approx(presences(expected), abs=AT_THE_BORDER_S)
    assert [e for e in found if e["kind"] == "state"] == [e for e in expected if e["kind"] == "state"]
    recorded = [one for one in lines((kept / "labels.jsonl").read_text()) if "event" in one]
    assert len(recorded) == 19
    assert {tuple(row) for row in named(without_sign(recorded))} < {tuple(row) for row in named(found)}


def test_a_recording_adds_up_to_the_same(kept, edgecls):
    """The summary of 0.2.0, key by key, but for what moves; lines are judged besides."""
    done = edgecls("summary", "labels.jsonl", "--config", "recorded.toml", "--json")
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), json.loads((kept / "summary.json").read_text())
    assert [line["crossings"] for line in found.pop("lines")] == [{"east": 1, "west": 0}]
    moving, before = ([r for r in one["regions"] if r["region"] == "motion"] for one in (found, expected))
    assert [label["label"] for label in moving[0]["labels"]] == ["square"]
    assert {label["label"] for label in before[0]["labels"]} == {"square", "ring"}
    assert found.pop("drift") == []
    for one in (found, expected):
        one["regions"] = [region for region in one["regions"] if region["region"] not in ("motion", "road")]
    assert found == expected


def test_a_spool_is_found_by_its_address_and_emptied_in_order(kept):
    """What a server did not take from 0.2.0 it gets now: events and changes of state, the oldest first."""
    (spool,) = (kept / "spool").iterdir()
    assert spool_name(parse_sink("webhook:http://127.0.0.1:9/hook")) == spool.name
    heard, answer = always(200)
    with receiver(answer) as url:
        address = f"webhook:http://{url}"
        spool.rename(spool.with_name(spool_name(parse_sink(address))))
        with open_sink(address, spool=spool.parent):
            deadline = time.monotonic() + 20
            while len(heard) < 22 and time.monotonic() < deadline:
                time.sleep(0.02)
    got = [json.loads(request.body) for request in heard]
    kept_lines = [one for one in lines((kept / "labels.jsonl").read_text()) if "event" in one or "state" in one]
    assert len(got) == 22
    assert [(one.get("event"), one.get("state"), one.get("end")) for one in got] == [
        (one.get("event"), one.get("state"), one.get("end")) for one in kept_lines
    ]


def environment(folder, **more):
    """The environment of this process, with a folder for events that wait."""
    return {**os.environ, "EDGECLS_SPOOL": str(folder / "waiting"), **more}


def frames(found):
    """The detections of each frame, by camera and number."""
    return {(one["camera"], one["frame"]): one["detections"] for one in found if "detections" in one}
