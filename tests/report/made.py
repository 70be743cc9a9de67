"""Reports with known results, and an HTML parser that checks that pages are well-formed."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.dataset import Item
from edgecls.evaluate import Report
from edgecls.input_spec import InputSpec
from edgecls.report import Page
from edgecls.report.markup import VOID

if TYPE_CHECKING:
    from collections.abc import Sequence

SPEC = InputSpec(height=4, width=6)


def report(
    answers: Sequence[tuple[int, int, float]], labels: Sequence[str] = ("dark", "dim", "bright"), **others: Any
) -> Report:
    """A report of (true class, label given, its score): the other labels share what is left. The pictures are plain."""
    rows = np.array([[(1 - score) / (len(labels) - 1)] * len(labels) for _, _, score in answers], np.float32)
    for row, (_, given, score) in zip(rows, answers, strict=True):
        row[given] = score
    items = tuple(
        Item(f"{labels[truth]}/{i}.png", truth, "", pixels=np.full((5, 5, 3), (10, 20, i % 200), np.uint8))
        for i, (truth, _, _) in enumerate(answers)
    )
    given = {"ms": 0.1, "p99_ms": 0.2, "broken": (), "items": items, **others}
    return Report(tuple(labels), np.array([truth for truth, _, _ in answers]), rows, **given)


ANSWERS = ((0, 0, 0.9), (0, 0, 0.8), (0, 1, 0.7), (1, 1, 0.95), (1, 0, 0.99), (2, 2, 0.6))
"""Four of six are right; the most confident mistake is number 4, then number 2."""


def page(found: Report | None = None, **others: Any) -> Page:
    """Return a page about a report, by default about ANSWERS."""
    given = {"title": "a model", "lead": "on pictures", "spec": SPEC, **others}
    return Page(report=found or report(ANSWERS), **given)


class Reader(HTMLParser):
    """Reads a page, and fails where a tag is not closed: `text` is what is shown, with plain spaces, `tags` what was opened,
    `values` (tag, name, value) of all attributes.
    """

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.values: list[tuple[str, str, str]] = []
        self.shown: list[str] = []
        self.feed(content)
        self.close()
        assert self.open == [], f"not closed: {self.open}"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"twice in {tag}: {names}"
        self.tags.append(tag)
        self.values += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} is closed and was not opened"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.shown.append(data)

    def of(self, tag: str, name: str) -> list[str]:
        """Return the values of an attribute in all tags of one kind."""
        return [value for t, n, value in self.values if (t, n) == (tag, name)]
