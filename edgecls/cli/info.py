"""`edgecls info`: show the card of a model file."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from edgecls.cli.messages import data
from edgecls.text.strict_json import dumps


def info(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
) -> None:
    """Show the card of a model: labels, input, accuracy, data and its licence, versions."""
    from edgecls.model.classifier import Classifier

    card = Classifier.load(model, device="cpu").card
    content = Path(model).read_bytes()
    record = {
        "file": model,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **dataclasses.asdict(card),
    }
    if as_json:
        data(dumps(record))
        return
    expects = card.input
    data(f"{model}: {len(content):,} bytes, {card.scheme}, {len(card.labels)} labels")
    data(f"input     {expects.width}x{expects.height} {expects.color}, fit {expects.fit}, {expects.interpolation}")
    data(f"labels    {', '.join(card.labels)}")
    data(f"measured  {', '.join(f'{k} {v:g}' for k, v in card.metrics.items()) or '-'} on {card.measured_on or '-'}")
    read = card.confidence
    rejects = f"the best probability at temperature {read.reject_temperature:g} is below {read.reject_below:g}"
    data(f"scores    temperature {read.temperature:g}; unknown {f'if {rejects}' if read.reject_below else 'never'}")
    data(f"about     {card.about or '-'}")
    data(f"dataset   {card.dataset or '-'}; {card.split or '-'}")
    data(f"made with {', '.join(f'{k} {v}' for k, v in card.made_with.items()) or '-'}")
    data(f"sha256    {record['sha256']}")
