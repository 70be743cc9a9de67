"""The facts about a model and its data on a page."""

from __future__ import annotations

from edgecls import Classifier
from edgecls.dataset import fingerprint, scan
from edgecls.evaluate import evaluate
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.report import of_card, of_evaluation, of_settings
from tests.drawn import plant


def levels(folder):
    """Return a data set of one dark and one bright picture."""
    plant(folder / "dark" / "0.png", level=0)
    plant(folder / "dark" / "1.png", level=0)
    plant(folder / "bright" / "0.png", level=255)
    return scan(folder)


def test_the_facts_of_an_evaluation(light_model, tmp_path):
    """The page has name and size of the file, path and fingerprint of the data, and the device."""
    dataset, classifier = levels(tmp_path), Classifier.load(light_model, device="cpu")
    page = of_evaluation(light_model, classifier, dataset, evaluate(classifier, dataset))
    facts = dict(page.facts)
    assert page.title == "light.onnx"
    assert facts["Model"] == f"light.onnx, {light_model.stat().st_size:,} bytes"
    assert facts["Measured on"] == f"{tmp_path} ({fingerprint(dataset)})"
    assert (page.device, page.ladder, page.notices) == ("cpu", None, [])


def test_without_a_file_of_the_data_there_is_no_fingerprint(light_model, tmp_path):
    """The missing file counts as broken, and the page says why the data have no fingerprint."""
    dataset, classifier = levels(tmp_path), Classifier.load(light_model, device="cpu")
    (tmp_path / "dark" / "1.png").unlink()
    page = of_evaluation(light_model, classifier, dataset, evaluate(classifier, dataset))
    assert len(page.report.broken) == 1
    assert "no fingerprint: " in dict(page.facts)["Measured on"]
    assert "dark/1.png: cannot be read" in dict(page.facts)["Measured on"]


def test_a_card_in_words():
    """It has input, format, data and licence, split, and the versions sorted by name."""
    card = ModelCard(("a", "b"), InputSpec(8, 12, "rgb"), "int8", about="drawn; free", made_with={"onnx": "1", "keras": "3"})
    facts = dict(of_card(card))
    assert facts["Input"] == "12x8 rgb, stretch, area"
    assert facts["Data and terms"] == "drawn; free"
    assert facts["Made with"] == "keras 3, onnx 1"


def test_settings_have_dotted_names():
    """The names are those of config.toml; lists are separated by commas."""
    assert list(of_settings({"epochs": 2, "layers": {"kernels": (8, 16)}})) == [("epochs", "2"), ("layers.kernels", "8, 16")]
