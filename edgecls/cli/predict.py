"""`edgecls predict`: labels of picture files."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from edgecls.cli.talk import data, say
from edgecls.errors import DataError


def predict(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    top: Annotated[int, typer.Option(min=1, max=5, metavar="N", help="How many labels to show, best first.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a picture.")] = False,
) -> None:
    """Classify pictures. Broken ones are named on stderr; the exit code is then 1."""
    from edgecls import image
    from edgecls.classifier import Classifier

    classifier = Classifier.load(model, device=device)
    broken = 0
    for path in images:
        try:
            prediction = classifier.classify(image.load(path))
        except DataError as error:
            say(f"left out: {error}")
            broken += 1
            continue
        if as_json:
            best = [[label, round(score, 7)] for label, score in prediction.top[:top]]
            data(json.dumps({"file": path, "label": prediction.label, "score": best[0][1], "top": best}, ensure_ascii=False))
        else:
            data(f"{path}: " + ", ".join(f"{label} {score:.1%}" for label, score in prediction.top[:top]))
    if broken:
        raise DataError(f"{broken} of {len(images)} picture(s) could not be read, see above")
