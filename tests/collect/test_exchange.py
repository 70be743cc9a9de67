"""Labelled pictures come into a store and go out of it, in the formats of other tools."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import edgecls
from edgecls import image
from edgecls.collect.exchange import export_pictures, import_pictures
from edgecls.dataset import scan
from edgecls.store import Origin, Store


def noise(seed):
    """A picture like no other."""
    return np.random.default_rng(seed).integers(0, 256, (16, 20, 3), np.uint8)


@pytest.fixture
def store(tmp_path):
    """Two pictures of `open`, one of `closed`, one without a label, an unusable one, and a deleted one."""
    with Store(tmp_path / "store") as opened:
        numbers = [opened.add(noise(i), Origin(camera="gate", prediction="open", score=0.5, model="m")) for i in range(6)]
        opened.label(numbers[:2], "open", author="anna")
        opened.label([numbers[2], numbers[5]], "closed", author="ben")
        opened.reject([numbers[4]])
        opened.entry(numbers[5]).path.unlink()
        yield opened


def pictures_of(folder):
    """The labels of a store, with the pixels of each."""
    with Store(folder, create=False) as store:
        return sorted((entry.label, image.load(entry.path).tobytes()) for entry in store.entries())


@pytest.mark.parametrize("kind", ["folders", "csv", "label-studio", "fiftyone"])
def test_what_goes_out_comes_back(store, tmp_path, kind):
    """Same labels, same pixels. Tasks of Label Studio have the unlabelled picture too. What stays behind is said."""
    lines = []
    assert export_pictures(store, tmp_path / "out", kind, say=lines.append) == (4 if kind == "label-studio" else 3)
    unlabelled = [] if kind == "label-studio" else ["left out: 1 picture without a label"]
    assert lines == [*unlabelled, "left out: 1 picture deleted by hand"]
    with Store(tmp_path / "other") as other:
        done = import_pictures(other, tmp_path / "out", author="me")
    expected = [("closed", 2), ("open", 0), ("open", 1)] + ([("", 3)] if kind == "label-studio" else [])
    assert (done.added, done.labelled, done.left_out) == (len(expected), 0, ())
    assert pictures_of(tmp_path / "other") == sorted((label, noise(i).tobytes()) for label, i in expected)


@pytest.mark.parametrize("kind", ["csv", "label-studio", "fiftyone"])
def test_what_a_model_sees_goes_out_and_comes_back(tmp_path, kind):
    """Without the margin that the person saw, which is not learned; a picture without one has none in the end."""
    with Store(tmp_path / "store") as store:
        boxed = store.add(noise(0), Origin(box=(4, 2, 15, 14)))
        whole = store.add(noise(1))
        store.label([boxed], "open")
        store.label([whole], "closed")
        export_pictures(store, tmp_path / "out", kind)
    with Store(tmp_path / "other") as other:
        assert import_pictures(other, tmp_path / "out").left_out == ()
        found = {entry.label: entry for entry in other.entries()}
    assert (found["open"].origin.box, found["closed"].origin.box) == ((4, 2, 15, 14), None)
    assert [entry.size_hw for entry in found.values()] == [(16, 20)] * 2
    sizes = {item.picture().shape[:2] for item in scan(tmp_path / "other").items}
    assert sizes == {(12, 11), (16, 20)}
    if kind == "csv":
        assert {item.picture().shape[:2] for item in scan(tmp_path / "out", roi=True).items} == sizes


@pytest.mark.parametrize("box", [[0, 0, 200, 10], [3, 3, 3, 9], "all", [1, 2, 3]])
def test_a_box_that_is_none_is_named_and_left_out(store, tmp_path, box):
    """In one line."""
    (tmp_path / "one.png").write_bytes(image.encode_png(noise(50)))
    (tmp_path / "tasks.json").write_text(json.dumps([{"data": {"image": "one.png", "seen_box": box}}]))
    done = import_pictures(store, tmp_path / "tasks.json")
    assert done.added == 0
    (line,) = done.left_out
    assert "one.png" in line
    assert "box" in line
    assert "\n" not in line


def test_a_table_says_everything_that_is_known(store, tmp_path):
    """A row for each labelled picture."""
    export_pictures(store, tmp_path / "out", "csv")
    rows = list(csv.DictReader((tmp_path / "out" / "labels.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["label"], row["camera"], row["prediction"], row["score"], row["author"]) for row in rows] == [
        ("open", "gate", "open", "0.5", "anna"),
        ("open", "gate", "open", "0.5", "anna"),
        ("closed", "gate", "open", "0.5", "ben"),
    ]


def test_exported_folders_are_a_dataset(store, tmp_path):
    """For edgecls and everybody else."""
    export_pictures(store, tmp_path / "out")
    dataset = scan(tmp_path / "out")
    assert dataset.labels == ("closed", "open")
    assert len(dataset.items) == 3


def test_labels_of_label_studio_come_back_to_the_same_pictures(store, tmp_path):
    """The file that was imported there is exported again with annotations: nothing is added, everything is labelled."""
    export_pictures(store, tmp_path / "out", "label-studio")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert tasks[3]["predictions"][0]["result"][0]["value"] == {"choices": ["open"]}
    for task in tasks:
        result = [{"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": ["ajar"]}}]
        cancelled = {"result": [{**result[0], "value": {"choices": ["wrong"]}}], "was_cancelled": True}
        task["annotations"] = [{"result": result, "completed_by": {"id": 7, "email": "eva@example.org"}}, cancelled]
        task["data"]["image"] = f"/data/local-files/?d=somewhere/{task['data']['image']}"
    (tmp_path / "done.json").write_text(json.dumps(tasks))
    done = import_pictures(store, tmp_path / "done.json")
    assert (done.added, done.labelled) == (0, 4)
    assert store.counts() == {"ajar": 4, "closed": 1}
    assert store.entry(1).author == "eva@example.org"
    assert store.undo() == 4


def test_the_small_json_of_label_studio_is_read(store, tmp_path):
    """With the choice in the task itself."""
    (tmp_path / "one.png").write_bytes(image.encode_png(noise(50)))
    (tmp_path / "small.json").write_text(json.dumps([{"image": "one.png", "choice": "open", "annotator": 3}]))
    assert import_pictures(store, tmp_path / "small.json").added == 1
    assert list(store.entries("labelled"))[-1].author == "3"


def test_fiftyone_may_have_names_and_none(store, tmp_path):
    """Instead of numbers."""
    (tmp_path / "f" / "data").mkdir(parents=True)
    for i in range(3):
        (tmp_path / "f" / "data" / f"{i}.png").write_bytes(image.encode_png(noise(60 + i)))
    labels = {"0": "open", "1": {"label": "closed", "confidence": 0.5}, "2": None}
    (tmp_path / "f" / "labels.json").write_text(json.dumps({"classes": None, "labels": labels}))
    before = store.counts()
    import_pictures(store, tmp_path / "f")
    after = store.counts()
    assert {label: after[label] - before[label] for label in after} == {"open": 1, "closed": 1, "": 1}


def test_a_broken_picture_is_named_and_left_out(store, tmp_path):
    """The others come in."""
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "good.png").write_bytes(image.encode_png(noise(70)))
    (tmp_path / "data" / "a" / "bad.png").write_bytes(b"\x89PNG but not really")
    done = import_pictures(store, tmp_path / "data")
    assert done.added == 2
    assert len(done.left_out) == 1
    assert "bad.png" in done.left_out[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected tasks of Label Studio"),
        ("{}", "expected a list of tasks"),
        ('[{"data": {"text": "a"}}]', "task 0 has no picture"),
    ],
)
def test_a_file_that_is_no_list_of_tasks_is_refused(store, tmp_path, content, message):
    """One line each."""
    (tmp_path / "tasks.json").write_text(content)
    with pytest.raises(edgecls.DataError, match=message):
        import_pictures(store, tmp_path / "tasks.json")


def test_a_picture_outside_of_the_folder_is_not_read(store, tmp_path):
    """A task cannot reach files elsewhere."""
    (tmp_path / "secret.png").write_bytes(image.encode_png(noise(80)))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "tasks.json").write_text(json.dumps([{"data": {"image": "../secret.png"}, "label": "open"}]))
    done = import_pictures(store, tmp_path / "in")
    assert done.added == 0
    assert len(done.left_out) == 1


def test_an_export_overwrites_nothing(store, tmp_path):
    """The folder must be new or empty, the format known, and a label must be able to name a folder."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(edgecls.SinkError, match="expected a new or empty folder"):
        export_pictures(store, tmp_path / "out")
    with pytest.raises(edgecls.ConfigError, match="expected one of folders, csv, label-studio, fiftyone"):
        export_pictures(store, tmp_path / "new", "zip")
    store.label([1], "open/closed")
    with pytest.raises(edgecls.SinkError, match="cannot be the name of a folder"):
        export_pictures(store, tmp_path / "new")
