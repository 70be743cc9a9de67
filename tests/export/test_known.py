"""Tests of fitting a novelty to what a graph computes, with a small network by chance and drawn pictures."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls import Classifier, ConfigError, InputSpec, ModelCard, image
from edgecls.cli.entry import app
from edgecls.dataset import Item, Pictures
from edgecls.export.convert import stamp
from edgecls.export.features import add_features
from edgecls.export.known import KnownPictures, with_novelty
from edgecls.export.known_model import add_known, is_edgecls
from edgecls.export.novelty import embedding_of
from edgecls.export.quantize import SCHEMES
from edgecls.model import vet
from edgecls.model.golden import GOLDEN_KEY
from tests import tiny

SPEC, LABELS = InputSpec(8, 8), ("left", "right", "top")


def drawn_batch(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures with a bright half, which half is the class, in light noise."""
    rng = np.random.default_rng(seed)
    batch, class_ids = rng.integers(0, 60, (count, 8, 8, 1)), np.arange(count) % 3
    for picture, class_id in zip(batch, class_ids.tolist(), strict=True):
        half = (slice(None), slice(0, 4)) if class_id == 0 else (slice(None), slice(4, 8)) if class_id == 1 else (slice(0, 4),)
        picture[half] += 150
    return batch.astype(np.uint8), class_ids


def foreign_batch(count: int) -> np.ndarray:
    """Pictures of coarse noise."""
    return np.random.default_rng(9).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)


def pictures(count: int, seed: int) -> Pictures:
    batch, class_ids = drawn_batch(count, seed)
    items = tuple(Item(str(i), int(c), str(i)) for i, c in enumerate(class_ids))
    return Pictures(batch, class_ids, items, ())


def classifier(fitted, scheme: str = "fp32", **card) -> Classifier:
    content = stamp(fitted.model, ModelCard(LABELS, SPEC, scheme, novelty=fitted.limit, **card))
    return Classifier.from_bytes(content, "m.onnx", device="cpu")


def known(reject: float = 0.02, held_out: int = 300) -> KnownPictures:
    return KnownPictures(pictures(300, 0), pictures(held_out, 1), reject)


@pytest.mark.parametrize("scheme", ["fp32", "fp16", "int8", "int8-s8"])
def test_every_form_measures_with_what_it_computes_itself(scheme):
    """In float, in float16 and quantized: further known pictures are kept, foreign ones are not, and the file can be vetted."""
    graph = SCHEMES[scheme](tiny.conv_graph(), pictures(64, 2).batch)
    fitted = with_novelty(graph, known())
    vet.vet(fitted.model.SerializeToString(), "m.onnx")
    run = classifier(fitted, scheme)
    new = run.answers(drawn_batch(900, 5)[0])
    assert 0.95 < (new.novelty <= 1).mean() < 1
    assert (run.answers(foreign_batch(200)).novelty > 1).mean() > 0.95
    plain = Classifier.from_bytes(stamp(graph, ModelCard(LABELS, SPEC, scheme)), "m.onnx", device="cpu")
    off = np.abs(plain.probabilities(foreign_batch(20)) - run.probabilities(foreign_batch(20)))
    assert off.max() <= 0.05  # another output keeps ONNX Runtime from fusing some operators of a quantized graph
    assert off.mean() <= 0.01


def test_scores_and_novelty_share_what_may_be_rejected():
    """Both together reject the given share of the held-out pictures, so each rejects less."""
    fitted = with_novelty(tiny.conv_graph(), known(0.1))
    assert 0.05 <= fitted.reject <= 0.1
    assert fitted.limit.kept == pytest.approx(1 - fitted.reject, abs=1e-3)


def test_nothing_to_reject_or_too_few_pictures_leave_the_graph_as_it_is():
    """There is no limit to set."""
    assert with_novelty(tiny.conv_graph(), known(0.0)) is None
    assert with_novelty(tiny.conv_graph(), known(held_out=19)) is None


def test_the_given_graph_stays_as_it_was():
    """A ladder builds all its forms from one graph."""
    graph = tiny.conv_graph()
    before = graph.SerializeToString()
    with_novelty(graph, known())
    assert graph.SerializeToString() == before


def test_the_features_are_stages_and_embedding():
    """Of one convolution and a dense layer: the means of its channels, and what the last layer reads."""
    graph = tiny.conv_graph()
    assert embedding_of(graph) == "hidden"
    assert list(add_features(graph).values()) == [3.0, 1.0]


def test_an_embedding_that_only_arranges_a_stage_is_not_used_again():
    """Of a graph whose last layer reads the flattened convolution, the means of its channels are enough."""
    graph = tiny.conv_graph()
    last = next(node for node in graph.graph.node if node.name == "last")
    last.input[0] = "flat"
    assert embedding_of(graph) == "flat"
    assert list(add_features(graph).values()) == [3.0]


@pytest.fixture
def model(tmp_path):
    """A model file without a novelty."""
    path = tmp_path / "plain.onnx"
    path.write_bytes(stamp(tiny.conv_graph(), ModelCard(LABELS, SPEC, "fp32")))
    return path


@pytest.fixture
def folders(tmp_path):
    """Class folders with 40 pictures of each class."""
    for i, (picture, class_id) in enumerate(zip(*drawn_batch(120, 3), strict=True)):
        file = tmp_path / "known" / LABELS[class_id] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image.encode_png(picture))
    return tmp_path / "known"


def test_a_model_gets_a_novelty_from_pictures(model, folders, tmp_path):
    """The labels and probabilities stay, foreign pictures are unknown, and golden pictures check the new output too."""
    made = add_known(model, tmp_path / "strict.onnx", folders)
    before, after = Classifier.load(model, device="cpu"), Classifier.load(made.out, device="cpu")
    batch = drawn_batch(300, 7)[0]
    assert np.array_equal(before.probabilities(batch), after.probabilities(batch))
    assert np.mean([p.label != "unknown" for p in after.predictions(after.answers(batch))]) > 0.93
    assert {p.unknown_by for p in after.predictions(after.answers(foreign_batch(50)))} == {"novelty"}
    assert after.card.novelty == made.card.novelty
    assert after.card.made_with["novelty_pictures"] == "120"
    assert b'"novelty_bound"' in made.out.read_bytes()
    assert GOLDEN_KEY.encode() in made.out.read_bytes()


def test_a_second_time_replaces_the_first(model, folders, tmp_path):
    """The graph does not grow."""
    out = tmp_path / "strict.onnx"
    first, again = add_known(model, out, folders), add_known(out, out, folders)
    assert again.bytes == first.bytes
    assert again.card == first.card


def test_too_few_pictures_are_an_error(model, tmp_path):
    """In one line, with how many it takes."""
    for label in LABELS:
        (tmp_path / "few" / label).mkdir(parents=True)
        (tmp_path / "few" / label / "1.png").write_bytes(image.encode_png(drawn_batch(1, 0)[0][0]))
    with pytest.raises(ConfigError, match=r"found 3 pictures in .*few, expected at least 20; nothing was written"):
        add_known(model, tmp_path / "out.onnx", tmp_path / "few")
    assert not (tmp_path / "out.onnx").exists()


def test_on_the_command_line(model, folders, tmp_path):
    """`edgecls adopt --known` takes a model of edgecls, and `edgecls info` shows the limit."""
    out = tmp_path / "strict.onnx"
    assert is_edgecls(model)
    done = CliRunner().invoke(app, ["adopt", str(model), "--known", str(folders), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "98.0% of 120 known pictures stay below the limit" in done.output
    shown = CliRunner().invoke(app, ["info", str(out)])
    assert "novelty   mahalanobis; unknown if above 1, where 98.0% of the known pictures are kept" in shown.output
