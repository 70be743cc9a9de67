"""The pictures that the recipe street also trains on: drawn ones, varied ones and motion boxes of clips."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edgecls.dataset import DataConfig
from edgecls.input_spec import InputSpec
from edgecls.train.config import TrainConfig
from scripts import street_pictures, zoo
from scripts.drawn_objects import KINDS, SIDE, drawn
from scripts.drawn_solids import Camera
from tests import drawn as shapes

GROUND = np.full((20, 30), 120, np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_drawn_over_its_background(kind):
    """A square with much else than ground in most pictures; the same rng draws the same."""
    made, again = ([drawn(kind, GROUND, np.random.default_rng(seed)) for seed in range(20)] for _ in range(2))
    assert all(picture.shape == (SIDE, SIDE) and picture.dtype == np.uint8 for picture in made)
    assert all((one == other).all() for one, other in zip(made, again, strict=True))
    least = 0.02 if kind == "shadow" else 0.1
    assert np.median([(picture != np.median(picture)).mean() for picture in made]) > least


def test_a_camera_sees_what_is_higher_above_and_what_is_nearer_larger():
    """From the side, a metre up is a metre up in the picture; what is nearer by half the distance is twice as large."""
    camera = Camera(0.0, 0.0, 10.0)
    ground, top, near, near_top = camera.project(np.array([(0, 0, 0), (0, 0, 1), (5, 0, 0), (5, 0, 1)], float))
    assert ground == pytest.approx([0, 0, 10])
    assert top == pytest.approx([0, -1, 10])
    assert near_top[1] - near[1] == pytest.approx(-2)


def test_from_straight_above_heights_do_not_show():
    """A point is where its foot is, but a little nearer."""
    foot, top = Camera(np.pi / 2, 0.0, 1000.0).project(np.array([(0.5, 0, 0), (0.5, 0, 1)], float))
    assert top[:2] == pytest.approx(foot[:2], abs=0.001)
    assert top[2] == pytest.approx(foot[2] - 1)


def test_what_is_filmed_can_still_be_seen():
    """A white square on black stays brighter than its surroundings, however dark, coarse and noisy the picture becomes."""
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[16:48, 16:48] = 255
    rng = np.random.default_rng(0)
    for _ in range(100):
        filmed = street_pictures.as_filmed(picture, rng).astype(float)
        assert filmed[24:40, 24:40].mean() > filmed[:8].mean() + 20
    assert {street_pictures.varied(picture, rng).shape for _ in range(10)} == {(SIDE, SIDE)}


def film(path, wide, high):
    """Write a clip of 6 s in which, after 3 s, a bright thing of this size crosses a gray place."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 240))
    for i in range(60):
        frame = np.full((240, 320, 3), 90, np.uint8)
        left = 20 + 8 * (i - 30)
        if i >= 30:
            frame[100 : 100 + high, left : left + wide] = 220
        writer.write(frame)
    writer.release()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Three classes of drawn photographs, a folder of other things and a clip of something tall."""
    made = tmp_path / "data"
    for first, label in enumerate(("background", "person", "vehicle")):
        for i in range(12):
            shapes.plant(made / "street" / label / f"{i:02d}.png", level=20 * i + first, size_hw=(SIDE, SIDE))
    for i in range(3):
        shapes.plant(made / "scenes" / "coast" / f"{i}.png", level=70 + i)
    (made / "video").mkdir()
    film(made / "video" / "plaza.avi", 20, 60)
    monkeypatch.setattr(street_pictures, "DRAWN", {"person": 2, "vehicle": 1, "shadow": 1, "bird": 2})
    monkeypatch.setattr(
        street_pictures,
        "CLIPS",
        {
            "plaza": (street_pictures.Boxes("person", (0.0, 0.6)), street_pictures.Boxes("vehicle", (1.0, 9.0))),
            "missing": (street_pictures.Boxes("person"),),
        },
    )
    return made


def test_made_pictures_are_added_to_the_training_side_alone(data, tmp_path):
    """Validation and test stay photographs; the training side has each of its photographs, once as it is and once varied, what
    is drawn, and the boxes of the clip with the shape of a person. Things of no class are in a folder of their own.
    """
    config = TrainConfig(DataConfig(str(data / "street")), input=InputSpec(SIDE, SIDE))
    zoo.hold_out(config.data, 0.25, tmp_path / "data.csv")
    config = replace(config, data=replace(config.data, path=str(tmp_path / "data.csv")))
    made = zoo.with_made(config, data, tmp_path)
    with (tmp_path / "with-made.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = defaultdict(list)
    for row in rows:
        found[row["split"], row["class"], row["file"].rpartition("/")[2].partition("-")[0]].append(row["file"])
    kinds = {key[2] for key in found if key[0] in ("val", "test")}
    assert all(kind.endswith(".png") and kind[:2].isdigit() for kind in kinds)
    trained = sum(row["split"] == "train" and "/street/" in row["file"] for row in rows)
    assert sum(len(files) for (_, _, kind), files in found.items() if kind == "varied") == trained
    assert [len(found["train", label, "drawn"]) for label in ("person", "vehicle", "background")] == [2, 1, 1]
    assert len(found["train", "person", "video"]) > 10
    assert not found["train", "vehicle", "video"]
    strangers = {path.name.rpartition("-")[0] for path in (tmp_path / "made" / "stranger").iterdir()}
    assert strangers == {"drawn-bird", "scenes"}
    assert made.stranger_pictures == str(tmp_path / "made" / "stranger")
    sides = made.data.split(made.data.scan())
    assert len(sides.train) == sum(row["split"] == "train" for row in rows)
    kept = (tmp_path / "made" / "person" / "drawn-person-00000.png").stat().st_mtime_ns
    assert zoo.with_made(config, data, tmp_path) == made
    assert (tmp_path / "made" / "person" / "drawn-person-00000.png").stat().st_mtime_ns == kept


def test_a_clip_can_be_left_out(data, tmp_path):
    """As for measuring how well the others prepare for it."""
    street_pictures.make(data, [], tmp_path / "out", without=("plaza",))
    assert not list((tmp_path / "out").rglob("video-*"))
