"""Building and escaping HTML."""

from __future__ import annotations

import math

import pytest

from edgecls.report.markup import Markup, escaped, joined, number, percent, prose, table, tag
from tests.report.made import Reader


def test_text_is_escaped_and_markup_is_not():
    """Text cannot open a tag; nested tags are kept."""
    made = tag("p", "<script>a & b</script>", tag("b", '"'))
    assert made == "<p>&lt;script&gt;a &amp; b&lt;/script&gt;<b>&quot;</b></p>"
    assert joined("<", Markup("<br>")) == "&lt;<br>"


def test_attributes_are_escaped_and_named():
    """`_` becomes `-`, a trailing one is removed; None is left out; pixels have at most two decimals."""
    assert tag("i", class_="a", stroke_width=1.50, x=2.0, y=None) == '<i class="a" stroke-width="1.5" x="2"></i>'
    assert tag("img", alt='"><script>') == '<img alt="&quot;&gt;&lt;script&gt;">'


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x00b", "a\ufffdb"), ("\u202egnp.exe", "\ufffdgnp.exe"), ("caf\udce9.png", r"caf\udce9.png")]
)
def test_characters_that_a_page_cannot_hold_are_replaced(text, shown):
    """Control characters, changes of direction, and invalid UTF-8 in file names."""
    assert escaped(text) == shown
    escaped(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("more `label_smoothing`, or `arch=edge`", "more <code>label_smoothing</code>, or <code>arch=edge</code>"),
        ("`size` <b>", "<code>size</code> &lt;b&gt;"),
        ("plain", "plain"),
        ("a ` b", "a ` b"),
    ],
)
def test_settings_of_a_message_are_code(text, markup):
    """What a message sets off by backticks is shown as code, and is escaped like the rest."""
    assert prose(text) == markup


def test_a_table_has_heads_for_columns_and_rows():
    """Screen readers need them to name the row and column of a cell."""
    read = Reader(table(("class", "recall"), [("<stop>", "1")], caption="c"))
    assert read.of("th", "scope") == ["col", "col", "row"]
    assert read.text == "c class recall <stop> 1"


def test_missing_numbers_are_a_dash():
    """None and NaN are a dash."""
    assert (percent(0.98765, 2), percent(None), percent(math.nan)) == ("98.77\u202f%", "\u2013", "\u2013")
    assert (number(1234.5), number(None), number(math.nan, ".2f")) == ("1,234", "\u2013", "\u2013")
