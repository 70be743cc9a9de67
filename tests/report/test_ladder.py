"""The ladder of an export in a page."""

from __future__ import annotations

import json
import math

import pytest

from edgecls.errors import ConfigError
from edgecls.report import to_html, write
from edgecls.report.ladder import beside, put_into, section
from tests.report.made import Reader, page


def rung(name, top1=0.98, us=100.0, refused="", **others):
    """Return a rung with the numbers that an export measures."""
    return {
        "name": name, "top1": top1, "macro_recall": 0.97, "worst_recall": 0.7, "worst_class": "stop", "agreement": 0.999,
        "calibration_error": 0.0123, "bytes": 1_064_447, "us": us, "p99_us": 150.0, "us_16": 900.0, "p99_us_16": 990.0,
        "refused": refused, "test_top1": None, "test_macro_recall": None, **others,
    }  # fmt: skip


LADDER = {
    "version": 1, "target": "x86", "processor": "AMD EPYC", "timed_here": True, "chosen": "int8", "tested_on": "",
    "limits": {"max_drop": 0.5, "max_bytes": None, "max_us": None}, "measured_on": "880 held-out pictures",
    "rungs": [rung("keras", us=647.0, refused="reference"), rung("fp32", us=220.0), rung("int8", 0.981, 81.0),
              rung("int8-entropy", 0.9, 82.0, "loses 8.00 points of top-1, at most 0.5")],
    "left_out": [{"name": "int8-mixed", "why": "layer <Conv> is not known"}],
}  # fmt: skip


def test_each_rung_is_a_row_and_the_chosen_one_is_marked():
    """The table has the numbers and reasons; forms that could not be built are listed; empty columns are left out."""
    text = Reader(section(LADDER)).text
    assert "for x86, on 880 held-out pictures, timed on one thread of AMD EPYC" in text
    assert "int8 taken 98.10 % 97.00 % 70.0 % 99.90 % 0.0123 1,064,447 81 150 900 990 yes" in text
    assert "82 150 900 990 loses 8.00 points of top-1, at most 0.5" in text
    assert "int8-mixed: layer <Conv> is not known" in text
    assert "test top-1" not in text


def test_accuracy_on_test_pictures_has_its_column():
    """Rungs without the value have a dash."""
    text = Reader(section({**LADDER, "rungs": [rung("fp32", test_top1=0.9), rung("int8")]})).text
    assert "test top-1" in text
    assert "90.00 %" in text
    assert "990 \u2013 yes" in text


def test_the_chart_shows_all_forms_and_the_allowed_loss():
    """There are three dots, one chosen and one refused; Keras gives the line and has no dot."""
    read = Reader(section(LADDER))
    assert sorted(read.of("circle", "class")) == ["failed", "failed", "mark", "mark", "passed", "passed"]  # with the legend
    assert "0.5 points lost" in read.text
    assert "int8: 98.10 % in 81 \u00b5s" in read.text


def test_one_rung_is_a_table_without_a_chart():
    """There is nothing to compare; a rung needs only a name."""
    read = Reader(section({"rungs": [{"name": "<int8>"}], "chosen": None}))
    assert "svg" not in read.tags
    assert "<int8> yes" in read.text


def test_a_page_shows_the_ladder_that_it_is_given():
    """The page has the section and a link; without a ladder it has neither."""
    assert "#export" in Reader(to_html(page(ladder=LADDER))).of("a", "href")
    assert "#export" not in Reader(to_html(page())).of("a", "href")


def test_a_ladder_is_put_into_an_existing_page(tmp_path):
    """The page equals one that was written with the ladder; a second export replaces the first."""
    file = tmp_path / "report.html"
    write(page(), file)
    put_into(file, {**LADDER, "chosen": "fp32"})
    put_into(file, LADDER)
    assert file.read_text(encoding="utf-8") == to_html(page(ladder=LADDER))


def test_a_name_cannot_imitate_the_place(tmp_path):
    """A class with the name of the comment is escaped."""
    file = tmp_path / "report.html"
    write(page(title="<!-- ladder -->"), file)
    put_into(file, LADDER)
    assert file.read_text(encoding="utf-8") == to_html(page(title="<!-- ladder -->", ladder=LADDER))


def test_a_page_without_the_place_is_refused_and_stays(tmp_path):
    """Another HTML file and a missing file give one line each."""
    file = tmp_path / "report.html"
    file.write_text("<p>mine</p>")
    with pytest.raises(ConfigError, match="expected a report of edgecls with one place for ladder-link, found 0"):
        put_into(file, LADDER)
    assert file.read_text() == "<p>mine</p>"
    with pytest.raises(ConfigError, match="the report cannot be read"):
        put_into(tmp_path / "none.html", LADDER)


def test_the_ladder_beside_a_model_is_found(tmp_path):
    """M.ladder.json beside M.onnx is read; without one the result is None."""
    assert beside(tmp_path / "m.onnx") is None
    (tmp_path / "m.ladder.json").write_text(json.dumps(LADDER))
    assert beside(tmp_path / "m.onnx") == LADDER


@pytest.mark.parametrize(
    "content",
    [
        *("{", "[]", "{}", "3", "null", "[" * 100_000, "NaN", b"\xff", b"\0"),
        *('{"rungs": []}', '{"rungs": [{"name": 1}]}', '{"rungs": [2]}', '{"rungs": {"name": "x"}}'),
        *(
            json.dumps({"rungs": [{"name": "x", "top1": value}]})
            for value in ("high", [], True, 1e300, math.nan, math.inf, 10**400)
        ),
        json.dumps({"rungs": [{"name": "x", "refused": 3}]}),
        *(
            json.dumps({"rungs": [{"name": "x"}], **more})
            for more in ({"target": 3}, {"limits": {"max_drop": "x"}}, {"limits": 3})
        ),
        *(json.dumps({"rungs": [{"name": "x"}], "left_out": value}) for value in (3, [3], [{}], [{"name": "x", "why": 3}])),
    ],
)
def test_a_damaged_ladder_is_named(tmp_path, content):
    """Truncated, of another type, without rungs or names: the message has the file and the fix."""
    file = tmp_path / "m.ladder.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=r"m.ladder.json(:|:1:) .*; export the model again, or remove the file"):
        beside(tmp_path / "m.onnx")
