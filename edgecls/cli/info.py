"""`edgecls info`: show the card of a model file."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.detect.card import DetectorCard
    from edgecls.model.card import ModelCard
    from edgecls.model.confidence import Confidence
    from edgecls.model.several_labels import SeveralLabels


def info(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Show the card of a model: labels, input, accuracy, data and its licence, versions."""
    from edgecls.detect.card import DetectorCard
    from edgecls.detect.detector import Detector
    from edgecls.model import vet
    from edgecls.model.card import DETECTOR_KEY
    from edgecls.model.classifier import Classifier

    content = vet.read(model)
    is_detector = DETECTOR_KEY.encode() in content  # the key of a metadata entry, which is text in the file
    card = (Detector if is_detector else Classifier).from_bytes(content, model, device="cpu").card
    record = {
        "file": model,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **dataclasses.asdict(card),
    }
    if as_json:
        data(dumps(record))
    elif isinstance(card, DetectorCard):
        _show_detector(model, card, len(content))
        data(f"sha256    {record['sha256']}")
    else:
        _show_classifier(model, card, len(content))
        data(f"sha256    {record['sha256']}")


def _show_detector(model: str, card: DetectorCard, size: int) -> None:
    from edgecls.detect.decoders.table import KINDS

    expects = card.input
    overlap = "none here" if card.overlap is None else f"boxes of a class overlap by at most {card.overlap:g}"
    data(f"{model}: {size:,} bytes, {card.scheme}, a detector of {len(card.classes)} classes")
    data(f"kind      {card.kind}: {KINDS[card.kind].about}")
    data(f"input     {expects.width}x{expects.height} {expects.color}, {card.values}, {expects.fit}, {expects.interpolation}")
    data(f"classes   {', '.join(card.classes)}")
    data(f"boxes     at most {card.most} in a frame; suppression: {overlap}")
    data(f"about     {card.about or '-'}")
    data(f"made with {', '.join(f'{k} {v}' for k, v in card.made_with.items()) or '-'}")


def _show_classifier(model: str, card: ModelCard, size: int) -> None:
    expects = card.input
    data(f"{model}: {size:,} bytes, {card.scheme}, {len(card.labels)} labels")
    data(f"input     {expects.width}x{expects.height} {expects.color}, fit {expects.fit}, {expects.interpolation}")
    data(f"labels    {', '.join(card.labels)}")
    data(f"measured  {', '.join(f'{k} {v:g}' for k, v in card.metrics.items()) or '-'} on {card.measured_on or '-'}")
    data(f"scores    {_scores(card.labels, card.confidence)}")
    if card.novelty is not None:
        limit = card.novelty
        data(
            f"novelty   {limit.method}; unknown if above {limit.limit:g}, where {limit.kept:.1%} of the known pictures are kept"
        )
    data(f"about     {card.about or '-'}")
    data(f"dataset   {card.dataset or '-'}; {card.split or '-'}")
    data(f"made with {', '.join(f'{k} {v}' for k, v in card.made_with.items()) or '-'}")


def _scores(labels: Sequence[str], read: Confidence | SeveralLabels) -> str:
    """Return how the outputs of a model are read."""
    from edgecls.model.several_labels import SeveralLabels

    if isinstance(read, SeveralLabels):
        thresholds = ", ".join(f"{label} {threshold:g}" for label, threshold in zip(labels, read.thresholds, strict=True))
        return f"several labels a picture; temperature {read.temperature:g}; given from a probability of: {thresholds}"
    rejects = f"the best probability at temperature {read.reject_temperature:g} is below {read.reject_below:g}"
    return f"temperature {read.temperature:g}; unknown {f'if {rejects}' if read.reject_below else 'never'}"
