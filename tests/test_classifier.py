"""A model file and its card, loaded and asked."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import Classifier, ModelError
from tests.drawn import gray_levels


@pytest.mark.parametrize(("level", "label"), [(0, "dark"), (128, "dim"), (255, "bright")])
def test_a_plain_picture_gets_its_label(light_model, level, label):
    """Black is dark, half is dim, white is bright, each with a score above 0.99."""
    prediction = Classifier.load(light_model).classify(gray_levels([level])[0])
    assert prediction.label == label
    assert prediction.score > 0.99
    assert [name for name, _ in prediction.top][0] == label


def test_a_file_without_a_card_is_refused(tmp_path):
    """An .onnx file from elsewhere has no card; the error says what makes one."""
    from tests.tiny import light_graph

    path = tmp_path / "foreign.onnx"
    path.write_bytes(light_graph().SerializeToString())
    with pytest.raises(ModelError, match=r"foreign.onnx: expected an .onnx file with an edgecls card.*edgecls export"):
        Classifier.load(path)


def test_one_batch_gives_what_single_pictures_give(light_model):
    """Pictures of several sizes in one batch get the very same probabilities as alone."""
    classifier = Classifier.load(light_model)
    pictures = [np.full((20 + i, 30, 3), 25 * i, np.uint8) for i in range(10)]
    alone = [classifier.classify(picture) for picture in pictures]
    assert classifier.classify_batch(pictures) == alone
