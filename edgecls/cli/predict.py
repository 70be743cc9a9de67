"""`edgecls predict`: classify picture files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgecls.cli.messages import data, say
from edgecls.errors import DataError
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted


def predict(
    model: Annotated[str, typer.Argument(help="The .onnx file.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Picture files.")],
    top: Annotated[int, typer.Option(min=1, max=5, metavar="N", help="Number of labels to show, best first.")] = 5,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per picture.")] = False,
) -> None:
    """Classify pictures. Exits with 1 if any of them cannot be read."""
    from edgecls import image
    from edgecls.model.classifier import Classifier
    from edgecls.model.confidence import UNKNOWN

    classifier = Classifier.load(model, device=device)
    broken = 0
    noted: list[tuple[str, int]] = []
    for path in images:
        try:
            prediction = classifier.classify(image.load(path, note=lambda name, bits: noted.append((name, bits))))
        except DataError as error:
            say(f"left out: {path}: a folder; give its pictures: {path}/*" if Path(path).is_dir() else f"left out: {error}")
            broken += 1
            continue
        if as_json:
            best = [[label, round(score, 7)] for label, score in prediction.top[:top]]
            record = {"file": path, "label": prediction.label, "score": best[0][1], "top": best}
            if prediction.labels is not None:
                record |= {
                    "score": round(prediction.score, 7),
                    "labels": [[label, round(s, 7)] for label, s in prediction.labels],
                }
            if prediction.novelty is not None:
                record |= {"novelty": round(prediction.novelty, 4)}
            if prediction.unknown_by:
                record |= {"unknown_by": prediction.unknown_by}
            data(dumps(record))
        elif prediction.labels is not None:
            shown = ", ".join(f"{label} {score:.1%}" for label, score in prediction.labels) or prediction.label
            others = [one for one in prediction.top if one not in prediction.labels][: max(0, top - len(prediction.labels))]
            more = f"  (not: {', '.join(f'{label} {score:.1%}' for label, score in others)})" if others else ""
            data(f"{path}: {shown}{more}")
        else:
            nearest = ", ".join(f"{label} {score:.1%}" for label, score in prediction.top[:top])
            data(f"{path}: unknown (nearest: {nearest})" if prediction.label == UNKNOWN else f"{path}: {nearest}")
    if noted:
        say(f"note: {image.few_bits(noted)}")
    if broken:
        raise DataError(f"{broken} of {counted(len(images), 'picture')} could not be read; see above")
