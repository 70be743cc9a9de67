"""HTML as values."""

from __future__ import annotations

import math

import pytest

from edgecls.report.markup import Markup, escaped, joined, number, percent, table, tag
from tests.report.made import Reader


def test_text_is_escaped_and_markup_is_not():
    """A label cannot open a tag; a tag inside another one can."""
    made = tag("p", "<script>a & b</script>", tag("b", '"'))
    assert made == "<p>&lt;script&gt;a &amp; b&lt;/script&gt;<b>&quot;</b></p>"
    assert joined("<", Markup("<br>")) == "&lt;<br>"


def test_attributes_are_escaped_and_named():
    """`_` is `-`, a last one nothing; None is left out; pixels have no more than two digits behind the point."""
    assert tag("i", class_="a", stroke_width=1.50, x=2.0, y=None) == '<i class="a" stroke-width="1.5" x="2"></i>'
    assert tag("img", alt='"><script>') == '<img alt="&quot;&gt;&lt;script&gt;">'


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x00b", "a\ufffdb"), ("\u202egnp.exe", "\ufffdgnp.exe"), ("caf\udce9.png", r"caf\udce9.png")]
)
def test_what_no_page_can_hold_is_shown_otherwise(text, shown):
    """Control characters, turned writing, and half characters of file names that are not UTF-8."""
    assert escaped(text) == shown
    escaped(text).encode("utf-8")


def test_a_table_has_heads_for_columns_and_rows():
    """Screen readers are told what a cell belongs to."""
    read = Reader(table(("class", "recall"), [("<stop>", "1")], caption="c"))
    assert read.of("th", "scope") == ["col", "col", "row"]
    assert read.text == "c class recall <stop> 1"


def test_nothing_is_a_dash():
    """A share of nothing has no number."""
    assert (percent(0.98765, 2), percent(None), percent(math.nan)) == ("98.77\u202f%", "\u2013", "\u2013")
    assert (number(1234.5), number(None), number(math.nan, ".2f")) == ("1,234", "\u2013", "\u2013")
