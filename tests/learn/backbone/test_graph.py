"""The graph of EfficientNet-Lite computes what the network that Google trained does."""

from __future__ import annotations

import os
import zipfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from edgecls.learn.backbone.graph import at_size, lite_graph
from edgecls.pretrained import LITE, weights_of
from tests.learn.backbone.imagenet import DRAWN
from tests.pretrained.installed import needs_weights

SCENES = Path(os.environ.get("EDGECLS_DATA", "")) / "scenes.zip"
RIGHT = {  # folder -> classes of ImageNet that describe it
    "coast": {978: "seashore", 975: "lakeside", 977: "sandbar", 976: "promontory"},
    "mountain": {970: "alp", 979: "valley", 980: "volcano"},
    "bedroom": {831: "studio couch", 564: "four-poster"},
    "kitchen": {651: "microwave", 859: "toaster", 860: "tobacco shop", 827: "stove", 729: "plate rack", 760: "refrigerator"},
}


@cache
def session(name):
    """The float graph of a network."""
    return onnxruntime.InferenceSession(
        lite_graph(LITE[name], weights_of(name)).SerializeToString(), providers=["CPUExecutionProvider"]
    )


def classes(name, pictures):
    """The class ids that the network finds on ImageNet, and their probabilities."""
    weights = weights_of(name)
    logits = session(name).run(None, {"image": pictures})[0] @ weights["_fc.weight"].T + weights["_fc.bias"]
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return logits.argmax(axis=1), shares.max(axis=1) / shares.sum(axis=1)


@needs_weights
@pytest.mark.parametrize("name", LITE)
def test_drawn_things_are_recognized(name):
    """A clock, a honeycomb, a crossword and a stop sign; who ignores strides or padding gets one answer for all."""
    found, _ = classes(name, np.stack([draw() for draw in DRAWN.values()]))
    assert found.tolist() == list(DRAWN)


@needs_weights
@pytest.mark.skipif(not SCENES.is_file(), reason="EDGECLS_DATA names no folder with scenes.zip")
def test_photographs_get_the_classes_of_imagenet():
    """Most coasts are seashores or lakesides, most mountains alps or valleys, most bedrooms have a couch."""
    with zipfile.ZipFile(SCENES) as archive:
        for folder, right in RIGHT.items():
            names = sorted(n for n in archive.namelist() if f"/{folder}/" in n and n.endswith(".jpg"))[:40]
            decoded = [cv2.imdecode(np.frombuffer(archive.read(n), np.uint8), cv2.IMREAD_COLOR_RGB) for n in names]
            found, _ = classes("efficientnet-lite0", np.stack([cv2.resize(p, (224, 224)) for p in decoded]))
            assert np.isin(found, list(right)).mean() >= 0.4, folder


@needs_weights
@pytest.mark.parametrize("size", [64, 96, 97, 130, 224])
def test_any_size_gives_an_embedding(size):
    """Averages of ReLU6, so from 0 to 6. A graph for one size computes the same as that for all."""
    pictures = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    expected = session("efficientnet-lite0").run(None, {"image": pictures})[0]
    assert expected.shape == (2, 1280)
    assert 0 <= expected.min() <= expected.max() <= 6
    fixed = at_size(lite_graph(LITE["efficientnet-lite0"], weights_of("efficientnet-lite0")), size)
    own = onnxruntime.InferenceSession(fixed.SerializeToString(), providers=["CPUExecutionProvider"])
    assert own.get_inputs()[0].shape == ["N", size, size, 3]
    np.testing.assert_allclose(own.run(None, {"image": pictures})[0], expected, atol=1e-4)
