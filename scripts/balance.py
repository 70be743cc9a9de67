"""Compare the kinds of `--balance`: macro recall and worst class on held-out pictures, averaged over seeds.

python scripts/balance.py DATA [--seeds 3] [--epochs 15] [--color rgb] [--group REGEX] [--val-fraction 0.3]

All kinds use the same seeds and the same split, and are measured after the last epoch, so the epoch is not selected on
the held-out pictures.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import get_args

from edgecls.dataset import DataConfig
from edgecls.errors import EdgeclsError
from edgecls.input_spec import InputSpec
from edgecls.train.config import Balance, TrainConfig
from edgecls.train.fit import fit


def main() -> int:
    """Train and measure each kind, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--color", default="rgb")
    parser.add_argument("--group", default="")
    parser.add_argument("--val-fraction", type=float, default=0.3)
    arguments = parser.parse_args()
    data = DataConfig(arguments.data, group=arguments.group, val_fraction=arguments.val_fraction)
    print("| balance | macro recall | worst class | top-1 | each seed: macro recall, worst class |")
    print("|---|---|---|---|---|")
    for kind in get_args(Balance):
        found = []
        for seed in range(arguments.seeds):
            config = TrainConfig(
                data, arch="edge", seed=seed, epochs=arguments.epochs, keep="last", balance=kind,
                input=InputSpec(color=arguments.color),
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                report = fit(config, Path(folder) / "run").val
            found.append((report.macro_recall, report.worst_recall, report.top1))
        macro, worst, top1 = (statistics.mean(column) for column in zip(*found, strict=True))
        seeds = "; ".join(f"{m:.2%}, {w:.2%}" for m, w, _ in found)
        print(f"| {kind} | {macro:.2%} | {worst:.2%} | {top1:.2%} | {seeds} |", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EdgeclsError as error:
        sys.exit(f"error: {error}")
