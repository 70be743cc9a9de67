"""The metadata of classifiers exported by Ultralytics replaces all settings."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgecls import Classifier, ConfigError, InputSpec, ModelError
from edgecls.export.adopt import Check, Watching, adopt
from edgecls.export.adopt.preprocessing import Answers
from tests import foreign


def test_no_option_is_needed(tmp_path):
    """Labels, colour, values, fit and output come from the file; a batch of one becomes any number."""
    lines = []
    made = adopt(foreign.ultralytics(tmp_path / "yolo.onnx"), tmp_path / "m.onnx", Answers(), watching=Watching(lines.append))
    classifier = Classifier.load(tmp_path / "m.onnx")
    assert classifier.card.labels == foreign.LABELS
    assert classifier.card.input == InputSpec(8, 8, "rgb", "center-crop", "area")
    assert str(made.feed) == "rgb, 0..1"
    rng = np.random.default_rng(0)
    pictures = [foreign.picture(label, rng) for label in foreign.LABELS]
    assert [p.label for p in classifier.classify_batch(pictures)] == list(foreign.LABELS)
    assert classifier.card.about == (
        "Ultralytics YOLO11n-cls model on colors; AGPL-3.0 License (https://ultralytics.com/license)"
    )
    assert lines[0].endswith("yolo.onnx: Ultralytics 8.3.99 classifier, ONNX opset 17 by tests")


def test_given_settings_override_the_metadata(tmp_path):
    """The labels, the fit and the text of the user are used."""
    source = foreign.ultralytics(tmp_path / "yolo.onnx")
    adopt(source, tmp_path / "m.onnx", Answers("numbers", fit="stretch"), about="mine")
    card = Classifier.load(tmp_path / "m.onnx").card
    assert (card.labels, card.input.fit, card.about) == (("0", "1", "2", "3"), "stretch", "mine")


def test_a_check_can_contradict_the_metadata(tmp_path):
    """The check finds that the network was trained on BGR although its metadata says RGB."""
    pictures = foreign.write_pictures(tmp_path / "pictures")
    model = onnx.load(foreign.ultralytics(tmp_path / "yolo.onnx"))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    other = foreign.graph(batch=1, ending="Softmax", opset=17, reshape=(1, 3), order="bgr")
    onnx.helper.set_model_props(other, metadata)
    onnx.save(other, tmp_path / "bgr.onnx")
    with pytest.raises(ConfigError, match=r"bgr, 0\.\.1 \(100\.0%\) fits clearly better than rgb, 0\.\.1 \(50\.0%\)"):
        adopt(tmp_path / "bgr.onnx", tmp_path / "m.onnx", Answers(), check=Check(str(pictures)))
    made = adopt(tmp_path / "yolo.onnx", tmp_path / "m.onnx", Answers(), check=Check(str(pictures)))
    assert made.card.metrics["top1"] == 1


def test_names_that_occur_twice_get_their_number(tmp_path):
    """ImageNet, for example, has two classes named crane. The change is reported."""
    lines = []
    names = "{0: 'crane', 1: 'red', 2: 'crane', 3: 'blue'}"
    source = foreign.ultralytics(tmp_path / "yolo.onnx", names=names)
    adopt(source, tmp_path / "m.onnx", Answers(), watching=Watching(lines.append))
    assert Classifier.load(tmp_path / "m.onnx").card.labels == ("crane (0)", "red", "crane (2)", "blue")
    assert "labels that occur twice got their number appended: crane" in lines


def test_pictures_are_stretched_to_a_size_that_is_not_square(tmp_path):
    """Ultralytics' transforms do the same for two different sides."""
    source = foreign.ultralytics(tmp_path / "yolo.onnx", imgsz="[8, 12]")
    model = onnx.load(source)
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 12
    onnx.save(model, source)
    adopt(source, tmp_path / "m.onnx", Answers())
    assert Classifier.load(tmp_path / "m.onnx").card.input == InputSpec(8, 12, "rgb", "stretch", "area")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"task": "detect"}, "its metadata says task 'detect', expected 'classify'; edgecls takes classifiers"),
        ({"names": "{0: 'a', 5: 'b'}"}, "expected one name for each class in its metadata, found \"{0: 'a', 5: 'b'}\""),
        ({"names": "[1, 2]"}, "expected one name for each class in its metadata, found '[1, 2]'"),
        ({"names": "__import__('os')"}, "its metadata 'names' cannot be read"),
        ({"names": "[" * 5000}, "its metadata 'names' cannot be read"),
        ({"names": "{0: 'a', 1: 'b'}"}, "its metadata has 2 labels, the network distinguishes 4; expected one for each"),
        ({"imgsz": "[16, 16]"}, "its input is [1, 3, 8, 8], which does not fit `size_hw`: 16x16 pixels"),
    ],
)
def test_invalid_metadata_is_refused(tmp_path, changes, expected):
    """Another task, invalid names, code, and another size than that of the graph."""
    with pytest.raises((ModelError, ConfigError)) as caught:
        adopt(foreign.ultralytics(tmp_path / "yolo.onnx", **changes), tmp_path / "m.onnx", Answers())
    assert expected in str(caught.value)
    assert not (tmp_path / "m.onnx").exists()
