"""Write models/README.md from the cards inside the model files; `--check` only compares. No mystery binaries."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from edgecls import Classifier

MODELS = Path("models")
HEAD = """# Models

Made by `scripts/models_table.py` from the cards inside the files. Top-1, macro recall and calibration error were measured
on the exported file itself when it was made; `edgecls eval` measures them again, with the milliseconds of your machine.

| model | format | labels | input | top-1 | macro recall | calibration error | bytes | measured on |
|---|---|---|---|---|---|---|---|---|
"""


def table() -> str:
    """Return the text of models/README.md."""
    rows, notes = [], []
    for path in sorted(MODELS.glob("*.onnx")):
        card, content = Classifier.load(path, device="cpu").card, path.read_bytes()
        spec, found = card.input, card.metrics
        rows.append(
            f"| [{path.name}]({path.name}) | {card.scheme} | {len(card.labels)} | {spec.width}x{spec.height} {spec.color} "
            f""
            f"| {found['top1']:.2%} | {found['macro_recall']:.2%} | {found['calibration_error']:.4f} "
            f"| {len(content):,} | {card.measured_on} |"
        )
        made = ", ".join(f"{name} {value}" for name, value in sorted(card.made_with.items()))
        notes.append(
            f"## {path.name}\n\nsha256 `{hashlib.sha256(content).hexdigest()}`\n\nData and terms: {card.about}\n\n"
            f"Training pictures {card.dataset}; {card.split}\n\nMade with {made}\n\nMade again by `scripts/train-{path.stem}`\n"
        )
    return HEAD + "\n".join(rows) + "\n\n" + "\n".join(notes)


def main() -> int:
    """Write the table, or compare it."""
    readme = MODELS / "README.md"
    text = table()
    if "--check" not in sys.argv[1:]:
        readme.write_text(text, encoding="utf-8")
        return 0
    if not readme.exists() or readme.read_text(encoding="utf-8") != text:
        print(f"error: {readme} is not what the models say; run scripts/models_table.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
