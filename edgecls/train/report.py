"""Pictures of a run: learning curves and confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.files import whole_file
from edgecls.train.folder import rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.train.config import BestBy

MOST_NAMED_CLASSES = 60


def draw_curves(history: Sequence[Mapping[str, float]], best_by: BestBy, path: Path) -> None:
    """Draw loss and accuracy over the epochs, training beside validation, the best epoch marked."""
    epochs = [row["epoch"] for row in history]
    figure = _figure(10, 4)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[name] for row in history], marker="o", markersize=3, label="training (augmented)")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], marker="o", markersize=3, label="validation")
        axes.set(xlabel="epoch", title=name)
        axes.grid(alpha=0.3)
        axes.legend()
    best = max(history, key=lambda row: rank(row, best_by))
    figure.suptitle(f"best epoch {best['epoch']:.0f}: {best['val_accuracy']:.2%} of the validation pictures right")
    _write(figure, path)


def draw_confusion(confusion: NDArray[np.int64], labels: Sequence[str], path: Path) -> None:
    """Draw the confusion matrix: row = true class, column = predicted, shade = share of the row."""
    share = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    side = min(16.0, 4 + 0.22 * len(labels))
    figure = _figure(side, side)
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title=f"{np.trace(confusion) / max(1, confusion.sum()):.2%} right")
    if len(labels) <= MOST_NAMED_CLASSES:
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
        axes.set_yticks(range(len(labels)), labels, fontsize=7)
        for row, column in np.argwhere(confusion > 0).tolist():
            shade = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, str(confusion[row, column]), ha="center", va="center", fontsize=5, color=shade)
    _write(figure, path)


def _figure(width_in: float, height_in: float) -> Any:
    figure = extras.load("matplotlib.figure", extra="train", purpose="Training")
    return figure.Figure(figsize=(width_in, height_in), layout="constrained")


def _write(figure: Any, path: Path) -> None:
    with whole_file(path) as beside:
        figure.savefig(beside, dpi=130)
