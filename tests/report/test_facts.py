"""What a page says about a model and its data."""

from __future__ import annotations

from edgecls import Classifier
from edgecls.card import InputSpec, ModelCard
from edgecls.dataset import fingerprint, scan
from edgecls.evaluate import evaluate
from edgecls.report import of_card, of_evaluation, of_settings
from tests.drawn import plant


def levels(folder):
    """One dark and one bright picture."""
    plant(folder / "dark" / "0.png", level=0)
    plant(folder / "dark" / "1.png", level=0)
    plant(folder / "bright" / "0.png", level=255)
    return scan(folder)


def test_a_page_of_a_model_file_says_of_what_on_what(light_model, tmp_path):
    """The file's name and bytes, the data's place and fingerprint, the device."""
    dataset, classifier = levels(tmp_path), Classifier.load(light_model, device="cpu")
    page = of_evaluation(light_model, classifier, dataset, evaluate(classifier, dataset))
    facts = dict(page.facts)
    assert page.title == "light.onnx"
    assert facts["Model"] == f"light.onnx, {light_model.stat().st_size:,} bytes"
    assert facts["Measured on"] == f"{tmp_path} ({fingerprint(dataset)})"
    assert (page.device, page.ladder, page.notices) == ("cpu", None, [])


def test_a_file_that_went_away_costs_the_fingerprint_alone(light_model, tmp_path):
    """It is broken in the numbers, and the page says why the data have no fingerprint."""
    dataset, classifier = levels(tmp_path), Classifier.load(light_model, device="cpu")
    (tmp_path / "dark" / "1.png").unlink()
    page = of_evaluation(light_model, classifier, dataset, evaluate(classifier, dataset))
    assert len(page.report.broken) == 1
    assert "no fingerprint: " in dict(page.facts)["Measured on"]
    assert "dark/1.png: cannot be read" in dict(page.facts)["Measured on"]


def test_a_card_in_words():
    """Input, format, data and terms, split, versions in the order of their names."""
    card = ModelCard(("a", "b"), InputSpec(8, 12, "rgb"), "int8", about="drawn; free", made_with={"onnx": "1", "keras": "3"})
    facts = dict(of_card(card))
    assert facts["Input"] == "12x8 rgb, stretch, area"
    assert facts["Data and terms"] == "drawn; free"
    assert facts["Made with"] == "keras 3, onnx 1"


def test_settings_have_dotted_names():
    """As in config.toml; numbers of a list with commas."""
    assert list(of_settings({"epochs": 2, "layers": {"kernels": (8, 16)}})) == [("epochs", "2"), ("layers.kernels", "8, 16")]
