"""The page as a whole: whole, quiet, true."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from edgecls.confidence import Confidence
from edgecls.errors import ConfigError
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
    """The only sources are data: URIs, the only links are to places in the page; there is no http in any of them."""
    read = Reader(to_html(page(training=TRAINING, settings=[("epochs", "2")], facts=[("Terms", "see https://example.org")])))
    sources = [value for _, name, value in read.values if name in ("src", "href", "data", "action", "poster", "srcset")]
    assert sources
    assert all(value.startswith(("data:image/png;base64,", "#")) for value in sources)
    assert not {"link", "iframe", "object", "embed", "base", "form"} & set(read.tags)
    assert "see https://example.org" in read.text
    style = re.search(r"<style>(.*?)</style>", to_html(page()), re.DOTALL).group(1)
    assert not re.search(r"url\(|@import|http", style)


def test_links_lead_to_sections():
    """Each link has the place that it names, and ids are there once."""
    read = Reader(to_html(page(training=TRAINING)))
    ids = [value for _, name, value in read.values if name == "id"]
    assert len(set(ids)) == len(ids)
    assert [f"#{i}" for i in ids] == read.of("a", "href")
    assert ids == ["learning", "classes", "confidence", "mistakes", "about"]


def test_the_browser_is_told_to_fetch_nothing_and_to_run_one_script():
    """The policy allows what is in the page, and the hash of the script is that of the script."""
    content = to_html(page())
    policy = Reader(content).of("meta", "content")[0]
    script = re.search(r"<script>(.*?)</script>", content, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def test_names_are_text_wherever_they_stand():
    """A class, a file, a title, a broken picture and a setting that look like code are shown as they are."""
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
    """4 of 6 are right; the recalls 2/3, 1/2 and 1 have the mean 13/18; the worst class is named with its pictures."""
    text = Reader(to_html(page())).text
    assert "Top-1 66.67 % 4 of 6 right" in text
    assert "Macro recall 72.22 % every class counts alike" in text
    assert "Worst class 50.0 % dim (2 pictures)" in text
    assert "Given a label 100.0 % all are given a label" in text
    assert "Pictures 6 all could be read" in text
    assert "Of no class" not in text


def test_what_is_unknown_is_in_the_numbers_and_on_the_curve():
    """Under 0.75 two of six are unknown: 66.7 % are given a label, and one of those four is wrong."""
    found = report(ANSWERS, confidence=Confidence(reject_temperature=1.0, reject_below=0.75))
    text = Reader(to_html(page(found, foreign_unknown=0.5))).text
    assert "Given a label 66.7 % 25.00 % of them wrong; the rest is unknown" in text
    assert "At the threshold of this model: 66.7 % answered, 25.00 % of them wrong." in text
    assert "Of no class 50.0 % of the pictures of no class come out as unknown" in text
    assert "lies under 0.75" in text
    assert text.count("comes out as unknown") == 1


def test_a_model_to_which_all_is_unknown_has_no_risk():
    """A dash, and a sentence where the point would be."""
    text = Reader(to_html(page(report(ANSWERS, confidence=Confidence(reject_temperature=1.0, reject_below=1.0))))).text
    assert "Given a label 0.0 % \u2013 of them wrong" in text
    assert "no picture is answered at this threshold" in text


def test_no_mistakes_are_said_to_be_none():
    """A page of a model that is always right says so, and names no confused pair."""
    text = Reader(to_html(page(report([(0, 0, 0.9), (1, 1, 0.9), (2, 2, 0.9)])))).text
    assert "None: all 3 pictures are right." in text
    assert "No class was taken for another one." in text


def test_only_one_class_is_there():
    """The others are named, and their rows have dashes."""
    text = Reader(to_html(page(report([(1, 1, 0.9)] * 3)))).text
    assert "Classes without a picture here, of which nothing is known: dark, bright." in text
    assert "dark 0 \u2013 \u2013" in text


def test_scores_that_are_no_numbers_are_said_first():
    """A model that has diverged gets a page with one warning, and with dashes where a number would be."""
    found = report(ANSWERS)
    text = Reader(to_html(page(replace(found, probabilities=np.full((6, 3), np.nan, np.float32))))).text
    assert "6 of 6 pictures have no score (NaN): the model has diverged" in text
    assert "Calibration error \u2013" in text


def test_losses_that_are_no_numbers_leave_a_page():
    """Epochs with NaN and infinite loss are gaps in the curves."""
    history = [{**row, "loss": float("nan"), "val_loss": float("inf")} for row in HISTORY]
    text = Reader(to_html(page(training=replace(TRAINING, history=history)))).text
    assert "After the last epoch: training \u2013" in text
    assert "accuracy over 2 epochs" in text


def test_a_run_of_one_epoch_has_curves_of_one_point():
    """A dot for each line."""
    read = Reader(to_html(page(training=replace(TRAINING, history=HISTORY[:1], best_epoch=1))))
    assert [value for value in read.of("circle", "class") if value.endswith("alone")] == [
        "train alone", "val alone", "train alone", "val alone", "train alone", "val alone", "val thin alone",
    ]  # fmt: skip


def test_a_run_says_how_it_learned():
    """The sentence about the gap, three charts with their last values, the epoch that is kept."""
    text = Reader(to_html(page(training=TRAINING))).text
    assert "gap 30 points: overfitting" in text
    assert "loss over 2 epochs After the last epoch: training 1; validation 1.2. Epoch 2 was kept." in text
    assert "worst class 30.0 %" in text
    assert text.count("kept: 2") == 3
    assert "on its training pictures 90.00 %" in text


def test_broken_pictures_are_named_up_to_a_number():
    """200 of 203 by name, the rest by count."""
    text = Reader(to_html(page(report(ANSWERS, broken=tuple(f"{i}.png: empty" for i in range(203)))))).text
    assert "203 could not be read and are in no number here:" in text
    assert "199.png: empty" in text
    assert "200.png" not in text
    assert "and 3 more" in text


@pytest.mark.parametrize("name", ["report.txt", "report", "none/report.html", "folder.html"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, name):
    """Another ending, a folder that is not there, a folder in place of a file."""
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ConfigError, match=r"^report .*(expected a file that ends in .html|does not exist or cannot be)"):
        check_place(tmp_path / name)


def test_a_write_that_fails_leaves_nothing(tmp_path):
    """A folder that went away in the meantime is one line."""
    with pytest.raises(ConfigError, match=r"report .*gone/r.html: cannot be written \(No such file or directory\)"):
        write(page(), tmp_path / "gone" / "r.html")
    write(page(), tmp_path / "r.html")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == to_html(page())
