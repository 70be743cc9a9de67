"""Train, export and measure a model with several labels a picture, on pictures that are drawn with this script.

python scripts/several_labels.py OUT [--pictures 2000] [--epochs 12]

OUT/train and OUT/test get pictures with a labels.csv: each shows any of four shapes, or none. The thresholds are chosen on the
held-out pictures of OUT/train, so the numbers on OUT/test, which nothing was chosen by, say how much that flatters them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edgecls.dataset import DataConfig
from edgecls.errors import EdgeclsError
from edgecls.evaluate import evaluate_model
from edgecls.export.build import export_model
from edgecls.input_spec import InputSpec
from edgecls.train.config import TrainConfig
from edgecls.train.fit import fit
from tests.drawn import write_label_table


def main() -> int:
    """Draw, train, export and measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=12)
    chosen = parser.parse_args()
    train, test = (
        write_label_table(chosen.out / name, pictures=chosen.pictures, seed=seed) for seed, name in enumerate(("train", "test"))
    )
    config = TrainConfig(
        DataConfig(str(train), multi_label=True), arch="edge", epochs=chosen.epochs, input=InputSpec(height=48, width=48)
    )
    run = fit(config, chosen.out / "run")
    exported = export_model(run.out, chosen.out / "shapes.onnx")
    found = evaluate_model(exported.out, test, device="cpu").report
    for name, numbers in (("held-out", exported.card.metrics), ("test", found.as_metrics())):
        print(
            f"{name}: macro F1 {numbers['macro_f1']:.2%}, mean AP {numbers['mean_ap']:.2%}, {numbers['pictures']:,.0f} pictures"
        )
    for row in found.classes():
        print(" ".join(map(str, row)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgeclsError as error:
        sys.exit(f"error: {error}")
