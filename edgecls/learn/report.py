"""The HTML page about a learned model: its accuracy with intervals, its confusions, and its most confident mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.learn.accuracy import SHARED_TRAINING
from edgecls.report import Page, of_card, write

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.learn.learn_model import Learned


def write_report(learned: Learned, place: Path, data: str) -> None:
    """Write the page.

    Args:
        learned: The outcome of `learn_model`.
        place: The .html file.
        data: The path of the pictures.
    """
    page = Page(
        title=learned.out.name,
        lead=f"Learned from {sum(share.pictures for share in learned.accuracy.classes):,} pictures of {data}",
        report=learned.report,
        spec=learned.card.input,
        notices=learned.advice,
        worth=1 / SHARED_TRAINING,
        facts=[
            ("Data", data),
            ("Measured on", f"{learned.card.measured_on}: each picture by a head that has not seen its group"),
            ("Right", f"{learned.accuracy.overall}, 95 % interval"),
            *of_card(learned.card),
        ],
    )
    write(page, place)
