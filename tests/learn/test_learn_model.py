"""`learn_model` from drawn shapes to a file, with a stand-in for the backbone."""

from __future__ import annotations

import errno
import shutil

import cv2
import numpy as np
import pytest

import edgecls
from edgecls.errors import ConfigError, DataError
from edgecls.learn.head import Views, normalized
from edgecls.learn.model_file import NORMALIZED, with_head
from tests import drawn
from tests.drawn import plant
from tests.learn import standin


@pytest.fixture
def backbone(monkeypatch, tmp_path):
    """The stand-in, with an empty cache."""
    return standin.use(monkeypatch, tmp_path / "cache")


@pytest.fixture
def shapes(tmp_path):
    """12 pictures each of four shapes, 40 pixels wide."""
    return drawn.write_class_folders(tmp_path / "shapes", pictures=12)


def learn(data, out, **settings):
    """Learn, and return the result with all lines that were said."""
    lines = []
    return edgecls.learn_model(data, out, say=lines.append, **settings), "\n".join(lines)


def test_the_file_is_a_model_like_any_other(backbone, shapes, tmp_path):
    """It classifies, is evaluated, and its card says how it was made and measured."""
    learned, _ = learn(shapes, tmp_path / "m.onnx", about="drawn")
    report = edgecls.evaluate_model(learned.out, shapes, device="cpu").report
    card = edgecls.Classifier.load(learned.out, device="cpu").card
    assert report.top1 > 0.9
    assert card == learned.card
    assert (card.labels, card.about, card.scheme) == (drawn.SHAPES, "drawn", "int8")
    assert card.measured_on == "cross-validation of 48 pictures in 48 groups"
    assert card.metrics["top1_low"] < card.metrics["top1"] < card.metrics["top1_high"]
    assert card.confidence.temperature != 1
    assert card.made_with["backbone"] == "stand-in"


def test_measuring_it_on_its_own_pictures_says_so(backbone, shapes, tmp_path):
    """Not on others, of which one more is enough."""
    learned, _ = learn(shapes, tmp_path / "m.onnx")
    said = []
    edgecls.evaluate_model(learned.out, shapes, device="cpu", say=said.append)
    assert [line.partition(";")[0] for line in said] == ["note: the model was made from these very pictures"]
    plant(shapes / "disc" / "another.png", level=50, size_hw=(40, 40))
    said.clear()
    edgecls.evaluate_model(learned.out, shapes, device="cpu", say=said.append)
    assert said == []


def test_what_was_not_learned_is_unknown(backbone, shapes, tmp_path):
    """Its own pictures keep their labels, noise is unknown by its novelty, and golden pictures check it."""
    learned, _ = learn(shapes, tmp_path / "m.onnx")
    classifier = edgecls.Classifier.load(learned.out, device="cpu")
    noise = np.random.default_rng(0).integers(0, 256, (20, 40, 40, 3)).astype(np.uint8)
    assert (classifier.card.novelty.kept, classifier.card.confidence.reject_below) == (0.9796, 0)  # 48 of 49
    assert edgecls.evaluate_model(learned.out, shapes, device="cpu").report.coverage > 0.95
    assert {p.unknown_by for p in classifier.classify_batch(list(noise))} == {"novelty"}
    assert b'"novelty_bound"' in learned.out.read_bytes()


def test_nothing_is_unknown_where_nothing_may_be_rejected(backbone, shapes, tmp_path):
    """`reject` of 0 leaves the second output out."""
    assert learn(shapes, tmp_path / "m.onnx", reject=0.0)[0].card.novelty is None


def test_the_same_pictures_give_the_same_file(backbone, shapes, tmp_path):
    """Byte by byte, whether embeddings come from the cache or not."""
    first, _ = learn(shapes, tmp_path / "a.onnx")
    second, _ = learn(shapes, tmp_path / "b.onnx")
    assert (first.computed, second.computed) == (48, 0)
    assert first.out.read_bytes() == second.out.read_bytes()


def test_a_new_class_costs_its_own_pictures(backbone, shapes, tmp_path):
    """Embeddings of the others are kept, whatever their files are called now."""
    learn(shapes, tmp_path / "a.onnx")
    before = backbone.embedded
    moved = shutil.move(shapes, tmp_path / "elsewhere")
    for i in range(5):
        plant(tmp_path / "elsewhere" / "plain" / f"{i}.png", level=40 * i, size_hw=(40, 40))
    learned, _ = learn(moved, tmp_path / "b.onnx")
    assert learned.computed == 5
    assert backbone.embedded - before == 15  # each with two crops
    assert "plain" in learned.card.labels


def test_a_damaged_cache_is_computed_again(backbone, shapes, tmp_path):
    """A file of another length, or with something else than numbers, is no embedding."""
    first, _ = learn(shapes, tmp_path / "a.onnx")
    files = sorted((tmp_path / "cache").rglob("embeddings/??/*"))
    files[0].write_bytes(b"short")
    files[1].write_bytes(np.full(files[1].stat().st_size // 4, np.nan, "<f4").tobytes())
    second, _ = learn(shapes, tmp_path / "b.onnx")
    assert second.computed == 2
    assert first.out.read_bytes() == second.out.read_bytes()


def test_a_cache_that_cannot_be_touched_is_still_read(backbone, shapes, tmp_path, monkeypatch):
    """On a read-only disk, or made by another user."""
    learn(shapes, tmp_path / "a.onnx")

    def refused(*_args, **_kwargs):
        raise PermissionError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("edgecls.learn.embeddings.os.utime", refused)
    assert learn(shapes, tmp_path / "b.onnx")[0].computed == 0


def test_the_graph_computes_what_the_head_does(backbone):
    """Normalized embeddings and probabilities, to rounding."""
    pictures = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    rows = normalized(backbone.embed(pictures))
    head = Views(rows[:, None], np.array([0, 0, 1, 1, 2, 2]), 3).fit(np.arange(6), 1e-3)
    model = with_head(backbone, head)
    np.testing.assert_allclose(standin.value_of(model, NORMALIZED, {"image": pictures}), rows, atol=1e-5)
    found = standin.value_of(model, "probabilities", {"image": pictures})
    np.testing.assert_allclose(found, head.probabilities(rows), atol=1e-5)


def test_a_class_with_one_picture_is_used(backbone, shapes, tmp_path):
    """Its accuracy is unknown, and the advice says so."""
    (shapes / "single").mkdir()
    cv2.imwrite(str(shapes / "single" / "a.png"), np.full((40, 40, 3), (0, 0, 255), np.uint8))
    learned, _ = learn(shapes, tmp_path / "m.onnx")
    assert learned.accuracy.classes[drawn.SHAPES.index("ring")].scored == 12
    assert next(share for share in learned.accuracy.classes if share.label == "single").value is None
    assert any("single picture or group of it: single" in line for line in learned.advice)


def test_a_picture_in_two_classes_is_named_and_left_out(backbone, shapes, tmp_path):
    """Neither label can be trusted; `strict` stops."""
    shutil.copy(shapes / "disc" / "000.png", shapes / "ring" / "copy.png")
    learned, said = learn(shapes, tmp_path / "m.onnx")
    assert "disc/000.png as 'disc' and ring/copy.png as 'ring'); left out of learning" in said
    assert learned.accuracy.overall.pictures == 47
    with pytest.raises(DataError, match="in more than one class"):
        learn({"path": str(shapes), "strict": True}, tmp_path / "m.onnx")


def test_copies_are_one_group(backbone, shapes, tmp_path):
    """Else a picture would be tested with its copy."""
    for i in range(6):
        shutil.copy(shapes / "disc" / f"{i:03}.png", shapes / "disc" / f"copy{i}.png")
    learned, _ = learn(shapes, tmp_path / "m.onnx")
    assert (learned.accuracy.overall.scored, learned.accuracy.groups) == (54, 48)


def test_classes_that_cannot_be_told_apart_are_named(backbone, tmp_path):
    """Two folders of discs."""
    for seed, name in enumerate(("left", "right")):
        drawn.write_class_folders(tmp_path / str(seed), pictures=40, names=["disc"], seed=seed)
        shutil.copytree(tmp_path / str(seed) / "disc", tmp_path / "data" / name)
    learned, _ = learn(tmp_path / "data", tmp_path / "m.onnx")
    assert any(line.startswith("left and right cannot be told apart: of their 80 pictures") for line in learned.advice)


def test_broken_and_small_pictures_are_reported(backbone, shapes, tmp_path):
    """The first are left out, the second used."""
    (shapes / "disc" / "broken.png").write_bytes(b"no picture")
    cv2.imwrite(str(shapes / "ring" / "tiny.png"), np.zeros((20, 30, 3), np.uint8))
    learned, said = learn(shapes, tmp_path / "m.onnx")
    assert "left out: " in said
    assert "broken.png" in said
    assert "warning: 1 picture of 49 smaller than 32 pixels (ring/tiny.png, 30x20)" in said
    assert learned.accuracy.overall.pictures == 49


def test_a_class_without_a_readable_picture_stops(backbone, shapes, tmp_path):
    """The message names the class and a broken picture."""
    (shapes / "odd").mkdir()
    (shapes / "odd" / "x.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"class 'odd' has no picture that can be read \(the first broken one: .*x\.png"):
        learn(shapes, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_test_pictures_are_left_aside(backbone, tmp_path):
    """Those of a test part are neither learned nor scored."""
    for part, count in (("train", 8), ("test", 3)):
        drawn.write_class_folders(tmp_path / "data" / part, pictures=count, seed=count)
    learned, said = learn(tmp_path / "data", tmp_path / "m.onnx")
    assert "12 test pictures left aside" in said
    assert learned.accuracy.overall.pictures == 32


def test_few_pictures_give_little_advice(backbone, tmp_path):
    """Of three a class: class means, a wide interval, no forecast, no class called worse."""
    data = drawn.write_class_folders(tmp_path / "data", pictures=3, names=("disc", "stripes"))
    learned, _ = learn(data, tmp_path / "m.onnx")
    assert learned.card.made_with["head"] == "class means"
    assert learned.accuracy.overall.interval.half > 0.2
    assert learned.curve.forecasts == ()
    (advice,) = learned.advice
    assert advice.startswith("6 pictures cannot say more exactly how good the model is.")


def test_pictures_of_no_class_are_unknown(backbone, shapes, tmp_path):
    """By a distance in the graph; known ones keep their labels. With `reject=0` nothing is unknown."""
    learned, _ = learn(shapes, tmp_path / "m.onnx")
    foreign = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    model = edgecls.Classifier.load(learned.out, device="cpu")
    assert learned.card.novelty.kept == 0.9796
    assert model.classify(foreign).label == "unknown"
    assert edgecls.evaluate_model(learned.out, shapes, device="cpu").report.coverage > 0.9
    plain, _ = learn(shapes, tmp_path / "plain.onnx", reject=0)
    assert plain.card.novelty is None


def test_a_single_class_knows_what_does_not_belong_to_it(backbone, tmp_path):
    """Its accuracy is unknown; other pictures are."""
    data = drawn.write_class_folders(tmp_path / "data", pictures=30, names=["disc"])
    learned, _ = learn(data, tmp_path / "m.onnx")
    assert learned.card.labels == ("disc",)
    assert learned.accuracy.overall.value is None
    assert learned.advice == ("disc is the only class: whatever is unlike its 30 pictures is unknown.",)
    model = edgecls.Classifier.load(learned.out, device="cpu")
    assert model.classify(np.full((40, 40, 3), (255, 0, 0), np.uint8)).label == "unknown"
    assert edgecls.evaluate_model(learned.out, data, device="cpu").report.coverage > 0.9
    with pytest.raises(ConfigError, match="a single class can only tell what is unknown"):
        learn(data, tmp_path / "m.onnx", reject=0)


def test_a_single_class_of_few_pictures_promises_little(backbone, tmp_path):
    """The advice says that their limit is rough, and what helps."""
    data = drawn.write_class_folders(tmp_path / "data", pictures=5, names=["disc"])
    (advice,) = learn(data, tmp_path / "m.onnx")[0].advice
    assert advice.startswith("disc is the only class: whatever is unlike its 5 pictures is unknown. So few set a rough limit")
    assert advice.endswith("Give 20 or more, from several days.")


def test_mirrored_classes_must_stay_themselves(backbone, shapes, tmp_path):
    """Two classes that swap are rejected, and so are unknown ones."""
    with pytest.raises(ConfigError, match="'disc' becomes another class"):
        learn(shapes, tmp_path / "m.onnx", mirror=("disc=ring",))
    with pytest.raises(ConfigError, match="'cube' is no label"):
        learn(shapes, tmp_path / "m.onnx", mirror=("cube",))
    assert learn(shapes, tmp_path / "m.onnx", mirror=("all",))[0].computed == 48


def test_settings_are_checked_first(backbone, shapes, tmp_path):
    """Before any picture is embedded."""
    with pytest.raises(ConfigError, match="reject 2"):
        learn(shapes, tmp_path / "m.onnx", reject=2)
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        learn(shapes, tmp_path / "m.tflite")
    assert backbone.embedded == 0
