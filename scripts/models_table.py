"""Write models/README.md from the cards of the models, the figures of `scripts/zoo` and the limits in the recipes.

The page gives the hash, the data and its licence, the versions and the command to reproduce each model.
`--check` only compares.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from edgecls import Classifier
from edgecls.settings import read_toml

MODELS, RECIPES = Path("models"), Path("scripts/recipes")
HEAD = """# Models

Made by `scripts/models_table.py`. Everything was measured on the exported file itself, on test pictures that neither training
nor export saw (a share of the groups: tracks, slides, persons, frames of one place), when it was made. `us` is the median
of one picture on one thread of {machine}; `edgecls eval` measures it on yours.
`unknown` is the share of pictures of no class that comes out as `unknown`, and of what; `linear` is a linear classifier on the
same pixels. Models without a link are not shipped: `scripts/zoo DATA NAME` makes any of them from its recipe.

"""
COLUMNS = (
    "model", "for", "labels", "input", "format", "top-1", "macro recall", "worst class", "calibration error", "unknown",
    "linear: top-1, macro recall", "bytes", "us",
)  # fmt: skip
MACHINE = "an AMD EPYC with AVX512-VNNI"


def table() -> str:
    """Return the text of models/README.md."""
    figures = {name: as_on_card(name, of) for name, of in noted().items()}
    order = sorted(figures, key=lambda name: (figures[name]["application"] != "traffic", figures[name]["application"], name))
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row(name, figures[name]) for name in order)]
    rows = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return HEAD.format(machine=MACHINE) + rows + "\n\n" + "\n".join(note(name, figures[name]) for name in order)


def noted() -> dict[str, dict[str, Any]]:
    """Return the figures that `scripts/zoo` stored for each model."""
    found: dict[str, dict[str, Any]] = json.loads((MODELS / "zoo.json").read_text(encoding="utf-8"))
    return found


def as_on_card(name: str, of: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of a model. For a shipped model, those on its card replace the stored ones."""
    if not of["shipped"]:
        return of
    classifier = Classifier.load(MODELS / f"{name}.onnx", device="cpu")
    return {**of, **classifier.card.metrics, "scheme": classifier.card.scheme, "bytes": classifier.bytes}


def row(name: str, of: dict[str, Any]) -> tuple[object, ...]:
    """Return a row of the table, with a value for each of COLUMNS."""
    unknown = ", ".join(f"{share:.0%} of {what}" for what, share in of["unknown"].items())
    shown = f"[{name}.onnx]({name}.onnx)" if of["shipped"] else name
    return (
        shown, of["application"], of["labels"], of["input"], of["scheme"], f"{of['top1']:.2%}", f"{of['macro_recall']:.2%}",
        f"{of['worst_recall']:.1%} ({of['worst_class']})", f"{of['calibration_error']:.4f}", unknown,
        f"{of['linear_top1']:.1%}, {of['linear_macro_recall']:.1%}", f"{of['bytes']:,}", f"{of['us']:.0f}",
    )  # fmt: skip


def note(name: str, of: dict[str, Any]) -> str:
    """Return the section about a model; for a shipped model, from its card."""
    lines = [f"## {name}", "", f"Data and terms: {of['about']}"]
    if of["shipped"]:
        path = MODELS / f"{name}.onnx"
        card, content = Classifier.load(path, device="cpu").card, path.read_bytes()
        made = ", ".join(f"{key} {value}" for key, value in sorted(card.made_with.items()))
        lines += ["", f"sha256 `{hashlib.sha256(content).hexdigest()}`", "", f"Training pictures {card.dataset}; {card.split}"]
        lines += ["", f"Measured on {card.measured_on}", "", f"Made with {made}"]
    else:
        lines += ["", f"{of['pictures']:.0f} test pictures; the others: {of['split']}"]
    limits = read_toml(RECIPES / f"{name}.toml")["zoo"].get("limits", "").strip()
    lines += ["", limits] if limits else []
    return "\n".join([*lines, "", f"Made again by `scripts/zoo DATA {name}`", ""])


def main() -> int:
    """Write the page, or compare it with --check."""
    readme = MODELS / "README.md"
    text = table()
    if "--check" not in sys.argv[1:]:
        readme.write_text(text, encoding="utf-8")
        return 0
    problems = [] if readme.exists() and readme.read_text(encoding="utf-8") == text else [f"{readme} does not match the models"]
    problems += [f"{path} has no figures" for path in MODELS.glob("*.onnx") if path.stem not in noted()]
    for problem in problems:
        print(f"error: {problem}; run scripts/zoo or scripts/models_table.py", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
