"""Tests of the targets of a batch."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.dataset import DataConfig
from edgecls.errors import ConfigError, DataError, ModelError
from edgecls.input_spec import InputSpec
from edgecls.model.classifier import Classifier
from edgecls.train.config import NO_AUGMENT, Augment, TrainConfig
from edgecls.train.targets import Targets, targets
from tests import tiny
from tests.drawn import plant

BATCH = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 1), np.uint8)
CLASS_IDS = np.random.default_rng(1).integers(0, 3, 200)


def told(made):
    """Return the pictures and targets of the batch, with a fixed rng."""
    return made(BATCH, CLASS_IDS, np.random.default_rng(2))


def test_without_more_the_class_ids_are_told():
    """Without soft targets, batch and class ids are unchanged, also for held-out pictures."""
    shown, ids = told(Targets(3))
    assert shown is BATCH
    assert ids is CLASS_IDS
    assert Targets(3).of_held_out(CLASS_IDS) is CLASS_IDS


def test_smoothing_leaves_a_little_for_every_class():
    """0.3 over three classes gives 0.8 for the right one and 0.1 for the others. Held-out targets are not smoothed."""
    shown, shares = told(Targets(3, smoothing=0.3))
    assert shown is BATCH
    assert shares.dtype == np.float32
    assert shares[np.arange(200), CLASS_IDS] == pytest.approx(0.8)
    assert np.sort(shares, axis=1)[:, :2] == pytest.approx(0.1)
    assert Targets(3, smoothing=0.3).of_held_out(CLASS_IDS).max(axis=1).tolist() == [1.0] * 200


def test_mixup_mixes_pictures_and_shares_alike():
    """Each picture's level is 100 times its class, so a mixed picture has the level given by its shares."""
    batch = (CLASS_IDS * 100).astype(np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    shown, shares = Targets(3, mixup=0.5)(batch, CLASS_IDS, np.random.default_rng(2))
    assert shares.sum(axis=1) == pytest.approx(1)
    assert shown[:, 0, 0, 0].astype(float) == pytest.approx(shares @ [0, 100, 200], abs=0.51)
    assert (shares.max(axis=1) < 0.99).sum() > 50


def test_strangers_belong_to_every_class_alike():
    """About a quarter of the pictures is replaced, with a target of a third per class; the others are unchanged."""
    made = Targets(3, outliers=0.25, outlier_kinds=("shapes",))
    shown, shares = told(made)
    strange = shares.max(axis=1) < 0.5
    assert 30 < strange.sum() < 70
    assert shares[strange] == pytest.approx(1 / 3)
    assert (shown[~strange] == BATCH[~strange]).all()
    assert all((one != other).any() for one, other in zip(shown[strange], BATCH[strange], strict=True))
    assert shares[~strange].argmax(axis=1).tolist() == CLASS_IDS[~strange].tolist()


def test_foreign_pictures_of_a_folder_belong_to_every_class_alike(tmp_path):
    """About half of the outliers are from it, augmented as training pictures are. A folder without pictures is refused."""
    plant(tmp_path / "hens" / "1.png", level=77)
    foreign = {"strangers": 0.5, "stranger_pictures": str(tmp_path / "hens"), "input": InputSpec(8, 8)}
    shown, shares = told(targets(TrainConfig(DataConfig("x"), augment=NO_AUGMENT, **foreign), ("a", "b", "c")))
    taken = (shown == 77).all(axis=(1, 2, 3))
    assert 25 < taken.sum() < 75
    assert shares[taken] == pytest.approx(1 / 3)
    varied, _ = told(targets(TrainConfig(DataConfig("x"), augment=Augment(brightness=0.5), **foreign), ("a", "b", "c")))
    assert len(set(varied[taken, 0, 0, 0].tolist())) > 10
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="expected a folder of pictures of no class, found none"):
        targets(TrainConfig(DataConfig("x"), stranger_pictures=str(tmp_path / "none")), ("a", "b"))


def test_teachers_are_heard_by_their_weight():
    """At weight 1 the targets are the teachers' mean probabilities; at 0.25, a quarter of them and three of the label."""
    teacher = Classifier.from_bytes(tiny.light_model(), "light", device="cpu")
    _, alone = told(Targets(3, teachers=(teacher, teacher), teacher_weight=1.0))
    assert alone == pytest.approx(teacher.probabilities(BATCH), abs=1e-6)
    _, quarter = told(Targets(3, teachers=(teacher,), teacher_weight=0.25))
    assert quarter == pytest.approx(0.25 * alone + 0.75 * np.eye(3)[CLASS_IDS], abs=1e-6)


def config(path, **changes):
    """Return the config of a run with the input of `tiny.light_model`, and with this teacher."""
    return TrainConfig(DataConfig("x"), **{"input": InputSpec(8, 8), "teachers": (str(path),), **changes})


def test_a_teacher_comes_from_its_file(light_model):
    """The teacher is loaded, and the targets are soft."""
    made = targets(config(light_model), ("dark", "dim", "bright"))
    assert made.soft
    assert made.teacher_weight == 0.7
    assert made.teachers[0].card.labels == ("dark", "dim", "bright")


def test_a_teacher_of_something_else_is_refused(light_model, tmp_path):
    """Other labels, another order, another input, a file that is not a model: each has its error."""
    with pytest.raises(
        ConfigError,
        match=r"light\.onnx: its labels differ from those of the data \(expected 2 labels from 'dark' on, found 3 from",
    ):
        targets(config(light_model), ("dark", "bright"))
    with pytest.raises(ConfigError, match="its labels differ from those of the data"):
        targets(config(light_model), ("bright", "dim", "dark"))
    with pytest.raises(
        ConfigError,
        match=r"its input differs from this run\'s \(expected InputSpec\(height=32, .*, found InputSpec\(height=8, ",
    ):
        targets(config(light_model, input=InputSpec()), ("dark", "dim", "bright"))
    with pytest.raises(ModelError, match=r"none\.onnx"):
        targets(config(tmp_path / "none.onnx"), ("dark", "dim", "bright"))
