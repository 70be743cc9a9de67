"""The tables of the documents that scripts/reference.py makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import reference
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """The script is run there."""
    monkeypatch.chdir(ROOT)


def test_a_table_takes_the_place_of_what_is_old():
    """What stands around it stays."""
    page = "before\n<!-- options: info -->\n| old |\n<!-- end -->\nafter\n"
    made = reference.made(page)
    assert made.startswith("before\n<!-- options: info -->\n| option |")
    assert made.endswith("<!-- end -->\nafter\n")
    assert "old" not in made
    assert reference.made(made) == made


def test_options_show_their_values_and_defaults():
    """A number, a text with a bar in it, a switch with its opposite, a default that the help says itself."""
    run, train = reference.table("options: run"), reference.table("options: train")
    assert "| `--every N` | 1 |" in run
    assert "| `--quiet, -q` |  |" in run
    assert "| `--size N\\|WxH` | 32; pretrained networks: theirs |" in train
    assert "| `--average, --no-average` |" in train
    assert "[default" not in train


def test_settings_show_kinds_choices_and_defaults():
    """A required one, a choice, points, and a setting of a table within a table."""
    line, state, sink = (reference.table(f"settings: {name}") for name in ("camera.line", "camera.state", "sink"))
    assert "| `line` | 2 times 2 numbers | required |" in line
    assert '| `unknown` | `state`, `ignore` | `"state"` |' in state
    assert "| `cut.pre_s` | number | `5` |" in sink


@pytest.mark.parametrize("place", ["options: fly", "settings: camera.fly"])
def test_a_place_for_what_is_not_there_is_refused(place):
    """A command or a table that is gone."""
    with pytest.raises(reference.OutdatedError, match="fly"):
        reference.table(place)


def test_a_page_that_lacks_a_table_is_refused(monkeypatch):
    """So is a word for a setting that is none."""
    with pytest.raises(reference.OutdatedError, match=r"no page in docs has a table for .*options: run"):
        reference.check_complete({Path("docs/a.md"): "nothing"})
    pages = {path: path.read_text(encoding="utf-8") for path in Path("docs").glob("*.md")}
    reference.check_complete(pages)
    words = {**reference.words(), "camera.fly": "flies"}
    monkeypatch.setattr(reference, "words", lambda: words)
    with pytest.raises(reference.OutdatedError, match=r"camera\.fly"):
        reference.check_complete(pages)
