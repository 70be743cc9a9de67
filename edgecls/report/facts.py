"""The facts about a model and its data on a page, as (name, value) pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.dataset import fingerprint
from edgecls.errors import DataError
from edgecls.report import ladder
from edgecls.report.markup import percent
from edgecls.report.page import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgecls.dataset import Dataset
    from edgecls.evaluate import AnyReport
    from edgecls.model.card import ModelCard
    from edgecls.model.classifier import Classifier


def of_card(card: ModelCard) -> list[tuple[str, str]]:
    """Return the facts on a card."""
    spec = card.input
    return [
        ("Labels", str(len(card.labels))),
        ("Input", f"{spec.width}x{spec.height} {spec.color}, {spec.fit}, {spec.interpolation}"),
        ("Format", card.scheme),
        ("Data and terms", card.about),
        ("Training pictures", card.dataset),
        ("Split", card.split),
        ("Made with", ", ".join(f"{name} {value}" for name, value in sorted(card.made_with.items()))),
    ]


def of_settings(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings by their dotted names, as in config.toml."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from of_settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def of_evaluation(
    model: str | Path, classifier: Classifier, dataset: Dataset, report: AnyReport, *, foreign_unknown: float | None = None
) -> Page:
    """Return the page about a model file and its evaluation on labelled pictures, with the ladder beside the file, if any.

    Raises:
        ConfigError: The ladder cannot be read.
    """
    card, seen, name = classifier.card, _fingerprint(dataset), Path(model).name
    known = {
        key: percent(card.metrics[key], 2) for key in ("top1", "macro_recall", "macro_f1", "mean_ap") if key in card.metrics
    }
    on_card = ", ".join(f"{key} {value}" for key, value in known.items())
    notice = "These are the pictures of the training run: the model has seen them, so the numbers are too good."
    return Page(
        title=name,
        lead=f"Measured on {report.pictures:,} pictures of {dataset.where}",
        report=report,
        spec=card.input,
        notices=[notice] if seen == card.dataset else [],
        facts=[
            ("Model", f"{name}, {classifier.bytes:,} bytes"),
            ("Measured on", f"{dataset.where} ({seen})"),
            ("Its card says", f"{on_card} on {card.measured_on}" if on_card else ""),
            *of_card(card),
        ],
        device=classifier.device,
        foreign_unknown=foreign_unknown,
        ladder=ladder.beside(model),
    )


def _fingerprint(dataset: Dataset) -> str:
    """Return the fingerprint of the data, or the reason if there is none: a picture that is left out may be a missing file."""
    try:
        return fingerprint(dataset)
    except DataError as error:
        return f"no fingerprint: {error}"
