"""The recipes, and what makes models of them."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from edgecls import Classifier
from edgecls.dataset import DataConfig, scan
from edgecls.errors import ConfigError
from edgecls.train.model import build
from scripts import zoo
from tests import drawn
from tests.conftest import ROOT

NAMES = sorted(path.stem for path in (ROOT / "scripts" / "recipes").glob("*.toml"))


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """Recipes name files from the root of the repository."""
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_can_be_read_and_built(name):
    """Its settings are known, its network takes its pictures, its test is a share of the groups or other data."""
    recipe = zoo.read(name, Path("somewhere"))
    assert build(recipe.config, 5).input_shape[1:] == recipe.config.input.shape
    assert recipe.config.about
    assert recipe.application in {"traffic", "security", "medicine", "entertainment"}
    assert isinstance(recipe.test, str) or 0.1 <= recipe.test <= 0.4
    assert recipe.unknown


def test_every_application_has_its_models():
    """Traffic: signs, lights, street. Security: plates, faces, masks. Medicine: blood, brain, lungs. Entertainment: scenes."""
    of = defaultdict(set)
    for name in NAMES:
        of[zoo.read(name, Path("x")).application].add(name)
    assert of == {
        "traffic": {"signs", "signs-tiny", "signs-normalized", "street", "street-crops", "lights"},
        "security": {"plate-chars", "faces", "face-mask"},
        "medicine": {"blood-cells", "brain-mri", "pneumonia"},
        "entertainment": {"scenes"},
    }


def test_the_group_of_a_street_is_a_person_or_a_hundred_frames():
    """Crops of one person stay together, and so do neighbours of a sequence; classes and sequences do not mix."""
    rule = re.compile(zoo.read("street", Path("x")).config.data.group)
    key = {
        name: "/".join(rule.search(name).groups())
        for name in (
            "person/00000_crop001001a.jpg", "person/00001_crop001001b.jpg", "person/00010_crop001003a.jpg",
            "person/01606_person_156a.jpg", "person/02019_person_302d.jpg", "person/00001_person_and_bike_001b.jpg",
            "vehicle/02416_image0000.jpg", "vehicle/02417_image0099.jpg", "vehicle/03355_image0135.jpg",
            "vehicle/05316_182.jpg", "vehicle/07245_4042.jpg", "vehicle/07246_4043.jpg",
            "background/08209_extra1.jpg", "background/08948_extra1721.jpg", "background/11072_image053.jpg",
        )
    }  # fmt: skip
    assert key["person/00000_crop001001a.jpg"] == key["person/00001_crop001001b.jpg"] == "person/crop001001"
    assert key["vehicle/02416_image0000.jpg"] == key["vehicle/02417_image0099.jpg"] != key["vehicle/03355_image0135.jpg"]
    assert key["vehicle/07245_4042.jpg"] == key["vehicle/07246_4043.jpg"] == "vehicle/40"
    assert len(set(key.values())) == len(key) - 3


def test_teachers_are_made_before_those_that_learn_from_them(tmp_path, monkeypatch):
    """Once, and only where they are not there yet."""
    recipe = (ROOT / "scripts" / "recipes" / "lights.toml").read_text()
    for name, teachers in {"a": [], "b": ["a"], "c": ["b", "a"]}.items():
        files = [str(tmp_path / f"{teacher}.onnx") for teacher in teachers]
        (tmp_path / f"{name}.toml").write_text(f"teachers = {json.dumps(files)}\n{recipe}")
    monkeypatch.setattr(zoo, "RECIPES", tmp_path)
    assert zoo.after_teachers(["c", "a"], ["a", "b", "c"], tmp_path) == ["a", "b", "c"]
    (tmp_path / "b.onnx").write_bytes(b"")
    assert zoo.after_teachers(["c"], ["a", "b", "c"], tmp_path) == ["a", "c"]


def test_what_is_held_out_is_a_share_of_the_groups(tmp_path):
    """A fifth of each class is the test part, no group is on both sides, and the file can be trained from."""
    drawn.write_class_folders(tmp_path / "data", pictures=20)
    data = DataConfig(str(tmp_path / "data"), group=r"(\w+/\d\d)\d\.png")  # tens belong together
    zoo.hold_out(data, 0.5, tmp_path / "data.csv")
    with (tmp_path / "data.csv").open() as file:
        rows = list(csv.DictReader(file))
    sides = defaultdict(set)
    for row in rows:
        sides[row["file"][:-5]].add(row["split"])
    assert all(len(found) == 1 for found in sides.values())
    assert sum(row["split"] == "test" for row in rows) == 40
    assert len(scan(tmp_path / "data.csv").of_split("test")) == 40


def test_a_model_is_made_measured_and_noted(tmp_path, monkeypatch):
    """A small recipe gives a model, its figures and those of the linear classifier; given again it goes on where it was."""
    drawn.write_class_folders(tmp_path / "shapes", pictures=30)
    drawn.write_class_folders(tmp_path / "foreign", pictures=3)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "toy.toml").write_text(
        'about = "drawn"\nepochs = 3\nbatch = 16\n[data]\npath = "shapes"\n[layers]\nkernels = [8]\ndense = 32\n'
        '[zoo]\napplication = "traffic"\ntest = 0.25\nunknown = ["foreign", "missing"]\nship = false\n'
    )
    monkeypatch.setattr(zoo, "RECIPES", tmp_path / "recipes")
    monkeypatch.setattr(zoo, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(zoo, "FIGURES", tmp_path / "zoo.json")
    monkeypatch.setattr(zoo, "LINEAR_EPOCHS", 2)
    assert zoo.main([str(tmp_path), "toy"]) == 0
    figures = json.loads((tmp_path / "zoo.json").read_text())["toy"]
    path = tmp_path / "runs" / "toy" / "toy.onnx"
    assert figures["bytes"] == path.stat().st_size
    assert figures["pictures"] == 32
    assert set(figures["unknown"]) == {"foreign"}
    assert 0 <= figures["linear_top1"] <= 1
    assert Classifier.load(path).card.metrics["top1"] == figures["top1"]
    assert zoo.main([str(tmp_path), "toy"]) == 0
    again = json.loads((tmp_path / "zoo.json").read_text())["toy"]
    kept = ("split", "labels", "pictures", "linear_top1", "linear_macro_recall")  # which form is fastest, chance may change
    assert [again[name] for name in kept] == [figures[name] for name in kept]


def test_data_that_is_not_there_is_left_out_and_an_unknown_recipe_refused(tmp_path, capsys):
    """Both are said; nothing is made."""
    assert zoo.main([str(tmp_path), "street"]) == 0
    assert "street: left out" in capsys.readouterr().out
    assert zoo.main([str(tmp_path), "streets"]) == 2
    assert "there is no recipe 'streets'; expected one of blood-cells, " in capsys.readouterr().err


def test_a_wrong_recipe_names_its_setting(tmp_path, monkeypatch):
    """The file and the key stand in the error."""
    (tmp_path / "bad.toml").write_text('epoch = 3\n[data]\npath = "x"\n[zoo]\n')
    monkeypatch.setattr(zoo, "RECIPES", tmp_path)
    with pytest.raises(ConfigError, match=r"bad\.toml: unknown setting epoch; did you mean epochs"):
        zoo.read("bad", tmp_path)
