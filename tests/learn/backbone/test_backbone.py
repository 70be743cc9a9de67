"""A backbone: an int8 file in the cache, and embeddings from it."""

from __future__ import annotations

import hashlib

import numpy as np
import onnxruntime
import pytest

from edgecls.errors import ConfigError, DataError
from edgecls.learn.backbone import BACKBONES, open_backbone
from edgecls.learn.backbone.drawn import drawn_pictures
from edgecls.learn.backbone.graph import lite_graph
from edgecls.model.vet import vet
from edgecls.pretrained import LITE, weights_of
from tests.once import once
from tests.pretrained.installed import needs_weights


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """EfficientNet-Lite0 for pictures of 96 pixels, in a cache of its own."""

    def build(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_CACHE_HOME", str(folder))
            open_backbone("efficientnet-lite0", size=96)
        return folder

    folder = once(tmp_path_factory, "backbone", build)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield open_backbone("efficientnet-lite0", size=96, threads=1)


@needs_weights
def test_it_says_what_it_is(backbone):
    """The file in the cache is the one that it was opened from."""
    assert (backbone.name, backbone.size, backbone.dimensions) == ("efficientnet-lite0", 96, 1280)
    assert backbone.sha256 == hashlib.sha256(backbone.path.read_bytes()).hexdigest()
    assert backbone.path.stat().st_size < 3_900_000


@needs_weights
def test_int8_embeddings_are_close_to_float(backbone):
    """Pictures that were not used to calibrate: the directions of the embeddings agree."""
    pictures = drawn_pictures(16, 96, np.random.default_rng(99))
    graph = lite_graph(LITE["efficientnet-lite0"], weights_of("efficientnet-lite0"))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    expected, found = session.run(None, {"image": pictures})[0], backbone.embed(pictures)
    assert found.dtype == np.float32
    cosines = (expected * found).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
    assert cosines.mean() > 0.9


@needs_weights
def test_its_graph_computes_what_embed_does(backbone):
    """Bit by bit, picture by picture; the graph is one that edgecls lets in."""
    pictures = drawn_pictures(3, 96, np.random.default_rng(1))
    content = backbone.graph().SerializeToString()
    vet(content, "backbone")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [("image", "tensor(uint8)", ["N", 96, 96, 3])]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("embedding", ["N", 1280])]
    np.testing.assert_array_equal(session.run(None, {"image": pictures})[0], backbone.embed(pictures))


@needs_weights
def test_no_pictures_give_no_embeddings(backbone):
    """An empty batch is fine."""
    assert backbone.embed(np.zeros((0, 96, 96, 3), np.uint8)).shape == (0, 1280)


@needs_weights
@pytest.mark.parametrize("pictures", [np.zeros((1, 96, 96, 3), np.float32), np.zeros((1, 96, 64, 3), np.uint8)])
def test_other_arrays_are_refused(backbone, pictures):
    """The message names both shapes."""
    with pytest.raises(DataError, match=r"expected pictures of uint8 \(N, 96, 96, 3\), found"):
        backbone.embed(pictures)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("resnet", None, f"backbone 'resnet' is not known; expected one of {', '.join(BACKBONES)}"),
        ("efficientnet-lite0", 63, "size 63; expected 64 to 1024 pixels"),
        ("efficientnet-lite0", 2000, "size 2000; expected 64 to 1024 pixels"),
    ],
)
def test_other_names_and_sizes_are_refused(name, size, message):
    """Before anything is built."""
    with pytest.raises(ConfigError, match=message):
        open_backbone(name, size=size)
