"""Match the classes of a dataset with the labels of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.dataset.listing import some
from edgecls.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.dataset.items import Dataset

MOST_NAMED = 5


def match_labels(dataset: Dataset, labels: Sequence[str]) -> list[int]:
    """Return the model's class for each class of a dataset: by name, or by number if the names are numbers.

    Raises:
        DataError: The model lacks a class of the dataset.
    """
    index = {label: i for i, label in enumerate(labels)}
    if all(name in index for name in dataset.labels):
        return [index[name] for name in dataset.labels]
    if all(name.isdecimal() and int(name) < len(labels) for name in dataset.labels):
        return [int(name) for name in dataset.labels]
    unmatched = next(name for name in dataset.labels if name not in index)
    kind = "label" if dataset.multi_label else "class"
    many = not dataset.multi_label and any(set(unmatched.split(sign)) & index.keys() for sign in "|;,")
    raise DataError(
        f"{dataset.where}: {kind} {unmatched!r} is not a label of the model ({some(labels, MOST_NAMED)}); "
        + (
            "the model gives one label for a picture, and this data several"
            if many
            else f"rename the {kind}, number them all in the order of the model's labels, or learn a model that has it"
        )
    )
