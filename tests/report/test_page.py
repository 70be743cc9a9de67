"""The page as a whole: valid HTML that loads nothing, with the right numbers."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from edgecls.errors import ConfigError
from edgecls.model.confidence import Confidence
from edgecls.report import Training, check_place, to_html, write
from tests.report.made import ANSWERS, Reader, page, report

HISTORY = [
    {"epoch": 1, "loss": 2.0, "accuracy": 0.4, "macro_recall": 0.4, "val_loss": 1.5, "val_accuracy": 0.5,
     "val_macro_recall": 0.5, "val_worst_recall": 0.1, "seconds": 1.0},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.8, "macro_recall": 0.7, "val_loss": 1.2, "val_accuracy": 0.6,
     "val_macro_recall": 0.55, "val_worst_recall": 0.3, "seconds": 1.0},
]  # fmt: skip
TRAINING = Training(HISTORY, best_epoch=2, accuracy=0.9, pictures=40, gap="gap 30 points: overfitting")


def test_every_tag_is_closed_and_nothing_is_fetched():
    """All sources are data: URIs, all links lead to sections of the page, and none contains http."""
    read = Reader(to_html(page(training=TRAINING, settings=[("epochs", "2")], facts=[("Terms", "see https://example.org")])))
    sources = [value for _, name, value in read.values if name in ("src", "href", "data", "action", "poster", "srcset")]
    assert sources
    assert all(value.startswith(("data:image/png;base64,", "#")) for value in sources)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(read.tags)
    assert "see https://example.org" in read.text
    style = re.search(r"<style>(.*?)</style>", to_html(page()), re.DOTALL).group(1)
    assert not re.search(r"url\(|@import|http", style)


def test_links_lead_to_sections():
    """The target of each link exists, and ids are unique."""
    read = Reader(to_html(page(training=TRAINING)))
    ids = [value for _, name, value in read.values if name == "id"]
    assert len(set(ids)) == len(ids)
    assert [f"#{i}" for i in ids] == read.of("a", "href")
    assert ids == ["learning", "classes", "confidence", "mistakes", "about"]


def test_the_policy_allows_no_requests_and_one_script():
    """The Content-Security-Policy has the hash of the script in the page."""
    content = to_html(page())
    policy = Reader(content).of("meta", "content")[0]
    script = re.search(r"<script>(.*?)</script>", content, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def test_names_are_escaped_everywhere():
    """Classes, files, titles, broken pictures and settings that look like code are shown as text."""
    code = "<script>alert(1)</script>"
    labels = (code, '" onload="x', "-->")
    found = report(ANSWERS, labels, broken=(f"{code}.png: not a picture",))
    found = replace(found, items=tuple(replace(item, name=code) for item in found.items))
    made = to_html(page(found, title=code, lead=code, notices=[code], facts=[(code, code)], settings=[(code, code)]))
    read = Reader(made)
    assert read.tags.count("script") == 1
    assert made.count("<script>") == 1
    assert not [name for _, name, _ in read.values if name.startswith("on")]
    assert read.text.count(code) > 10


def test_the_headline_numbers():
    """4 of 6 are right; the recalls 2/3, 1/2 and 1 have the mean 13/18; the worst class has its number of pictures."""
    text = Reader(to_html(page())).text
    assert "Top-1 66.67 % 4 of 6 right" in text
    assert "Macro recall 72.22 % every class counts alike" in text
    assert "Worst class 50.0 % dim (2 pictures)" in text
    assert "Given a label 100.0 % all are given a label" in text
    assert "Pictures 6 all could be read" in text
    assert "Of no class" not in text


def test_unknown_pictures_are_in_the_numbers_and_on_the_curve():
    """With the threshold 0.75 two of six are unknown: 66.7 % get a label, and one of these four is wrong."""
    found = report(ANSWERS, confidence=Confidence(reject_temperature=1.0, reject_below=0.75))
    text = Reader(to_html(page(found, foreign_unknown=0.5))).text
    assert "Given a label 66.7 % 25.00 % of them wrong; the rest is unknown" in text
    assert "At the threshold of this model: 66.7 % answered, 25.00 % of them wrong." in text
    assert "Of no class 50.0 % of the pictures of no class are unknown" in text
    assert "is below 0.75" in text
    assert text.count("classified as unknown") == 1


def test_a_model_that_answers_nothing_has_no_risk():
    """The risk is a dash, and the chart has a sentence instead of the point."""
    text = Reader(to_html(page(report(ANSWERS, confidence=Confidence(reject_temperature=1.0, reject_below=1.0))))).text
    assert "Given a label 0.0 % \u2013 of them wrong" in text
    assert "no picture is answered at this threshold" in text


def test_a_model_without_mistakes():
    """The page says that all pictures are right, and that no classes are confused."""
    text = Reader(to_html(page(report([(0, 0, 0.9), (1, 1, 0.9), (2, 2, 0.9)])))).text
    assert "None: all 3 pictures are right." in text
    assert "No class was taken for another one." in text


def test_classes_without_pictures():
    """They are named, and their rows have dashes."""
    text = Reader(to_html(page(report([(1, 1, 0.9)] * 3)))).text
    assert "Classes without a picture here, about which nothing is known: dark, bright." in text
    assert "dark 0 \u2013 \u2013" in text


def test_scores_of_nan_cause_a_warning():
    """The page of a model that has diverged has a warning, and dashes instead of numbers."""
    found = report(ANSWERS)
    text = Reader(to_html(page(replace(found, probabilities=np.full((6, 3), np.nan, np.float32))))).text
    assert "6 of 6 pictures have no score (NaN): the model has diverged" in text
    assert "Calibration error \u2013" in text


def test_losses_of_nan_are_gaps():
    """Epochs with NaN and infinite loss are gaps in the curves."""
    history = [{**row, "loss": float("nan"), "val_loss": float("inf")} for row in HISTORY]
    text = Reader(to_html(page(training=replace(TRAINING, history=history)))).text
    assert "After the last epoch: training \u2013" in text
    assert "accuracy over 2 epochs" in text


def test_a_run_of_one_epoch_has_curves_of_one_point():
    """Each line is a dot."""
    read = Reader(to_html(page(training=replace(TRAINING, history=HISTORY[:1], best_epoch=1))))
    assert [value for value in read.of("circle", "class") if value.endswith("alone")] == [
        "train alone", "val alone", "train alone", "val alone", "train alone", "val alone", "val thin alone",
    ]  # fmt: skip


def test_the_learning_section_of_a_run():
    """It has the sentence about the gap, three charts with their last values, and the kept epoch."""
    text = Reader(to_html(page(training=TRAINING))).text
    assert "gap 30 points: overfitting" in text
    assert "loss over 2 epochs After the last epoch: training 1; validation 1.2. Epoch 2 was kept." in text
    assert "worst class 30.0 %" in text
    assert text.count("kept: 2") == 3
    assert "on its training pictures 90.00 %" in text


def test_broken_pictures_are_named_up_to_a_number():
    """200 of 203 are named, the others counted."""
    text = Reader(to_html(page(report(ANSWERS, broken=tuple(f"{i}.png: empty" for i in range(203)))))).text
    assert "203 could not be read and are not in any number here:" in text
    assert "199.png: empty" in text
    assert "200.png" not in text
    assert "and 3 more" in text


@pytest.mark.parametrize("name", ["report.txt", "report", "none/report.html", "folder.html"])
def test_a_path_that_cannot_be_written_is_refused_first(tmp_path, name):
    """Another file extension, a folder that does not exist, and a folder instead of a file."""
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(
        ConfigError, match=r"^report .*(expected a file name that ends in .html|does not exist; create it first)"
    ):
        check_place(tmp_path / name)


def test_a_write_that_fails_leaves_nothing(tmp_path):
    """A folder that was removed in the meantime gives one line."""
    with pytest.raises(ConfigError, match=r"report .*gone/r.html: cannot be written \(No such file or directory\)"):
        write(page(), tmp_path / "gone" / "r.html")
    write(page(), tmp_path / "r.html")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == to_html(page())
