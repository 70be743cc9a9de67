"""The HTML report of a training run: its settings, data, learning curves and accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.report import Page, Training, of_card, of_settings, write
from edgecls.settings import as_table
from edgecls.train.folder import rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edgecls.evaluate import AnyReport
    from edgecls.model.card import ModelCard
    from edgecls.train.config import TrainConfig
    from edgecls.train.gap import Gap

CHOSEN_BY = (
    "The held-out pictures also chose the epoch, so the result is slightly optimistic; measure on others with edgecls eval."
)


def write_report(
    out: Path, card: ModelCard, config: TrainConfig, val: AnyReport, history: Sequence[Mapping[str, float]], *, gap: Gap
) -> None:
    """Write report.html.

    Args:
        out: The run folder.
        card: The card of the kept model.
        config: The settings of the run.
        val: The evaluation of the kept model on the held-out pictures.
        history: The rows of history.csv.
        gap: The gap between training and validation accuracy.
    """
    page = Page(
        title=f"Training run {out.name}",
        lead=f"Measured on {val.pictures:,} held-out pictures of {config.data.path}",
        report=val,
        spec=card.input,
        facts=[("Data", config.data.path), ("Measured on", card.measured_on), ("Keep in mind", CHOSEN_BY), *of_card(card)],
        settings=list(of_settings(as_table(config))),
        training=Training(
            history=history,
            best_epoch=kept_epoch(history, config),
            accuracy=gap.training,
            pictures=gap.training_pictures,
            gap=gap.sentence(config),
        ),
    )
    write(page, out / "report.html")


def kept_epoch(history: Sequence[Mapping[str, float]], config: TrainConfig) -> int:
    """Return the number of the epoch that best.keras holds, from 1."""
    best = history[-1] if config.keep == "last" else max(history, key=lambda row: rank(row, config.best_by))
    return int(best["epoch"])
