"""The answers of cross-validation to the pictures that a model was learned from: each by a head that had not seen its group.

`edgecls learn` fits its model to all pictures, so its answers to them say nothing about others. In a comparison on the same
pictures, those of cross-validation stand for them. A picture that was never held out says nothing, and neither does one that
belongs to the group of a learned picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.dataset import merged_groups
from edgecls.errors import ConfigError, DataError
from edgecls.files import read_regular
from edgecls.text.strict_json import loads
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Dataset, Item
    from edgecls.dataset.items import Roi
    from edgecls.evaluate import Report

DIGITS = 5
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What cross-validation says of the pictures that a model was learned from.

    Attributes:
        model: The SHA-256 of the model file.
        labels: Its labels.
        answers: The probabilities of the labels, (classes,), by `picture_key`; None for a picture that was never held out.
    """

    model: str
    labels: tuple[str, ...]
    answers: Mapping[str, NDArray[np.float32] | None]

    def as_record(self) -> dict[str, Any]:
        """Return it as values for JSON, which `read_held_out` takes."""
        rows = {key: None if row is None else np.round(row.astype(float), DIGITS).tolist() for key, row in self.answers.items()}
        return {"model_sha256": self.model, "labels": list(self.labels), "held_out": rows}


def picture_key(digest: str, roi: Roi | None) -> str:
    """Return what tells a picture from all others: its content, and the part of it that is classified."""
    return digest[:24] if roi is None else f"{digest[:24]} {','.join('-' if side is None else f'{side:g}' for side in roi)}"


def read_held_out(path: str | Path) -> HeldOut:
    """Read the file that `edgecls learn --record` has written. Raises ConfigError."""
    data = read_regular(Path(path), error=ConfigError, most_bytes=MOST_BYTES)
    try:
        record = loads(data.decode("utf-8"))
        labels = tuple(map(str, record["labels"]))
        answers = {str(key): _row(row, len(labels)) for key, row in record["held_out"].items()}
        return HeldOut(str(record["model_sha256"]), labels, answers)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: expected a record that edgecls learn --record has written ({error!r})") from error


def records_of(models: Sequence[bytes], paths: Sequence[str | Path]) -> list[HeldOut | None]:
    """Return the record of each model, None where there is none. Raises ConfigError for a record of another model.

    Args:
        models: The contents of the model files.
        paths: The files of the records.
    """
    digests = [hashlib.sha256(data).hexdigest() for data in models]
    found: list[HeldOut | None] = [None] * len(models)
    for path in paths:
        record = read_held_out(path)
        if record.model not in digests:
            raise ConfigError(f"{path}: is the record of another model, or the model has changed since; learn it again")
        found = [record if record.model == digest else one for digest, one in zip(digests, found, strict=True)]
    return found


def unseen(dataset: Dataset, records: Sequence[HeldOut | None]) -> tuple[Dataset, list[str]]:
    """Return the part of a dataset on which no model has an advantage, and a line about each kind of picture left out.

    Raises:
        DataError: There is no such picture.
    """
    keys = keys_of(dataset)
    groups = merged_groups(dataset, dataset.items)
    never: set[int] = set()
    beside: set[int] = set()
    for record in filter(None, records):
        for group in groups:
            learned = [i for i in group if keys[i] in record.answers]
            never.update(i for i in learned if record.answers[keys[i]] is None)
            beside.update(set(group) - set(learned) if learned else ())
    if len(never | beside) == len(dataset.items):
        raise DataError(f"{dataset.where}: the models have learned from every picture, and none was held out; label more")
    notes = [
        f"left out: {counted(len(of), 'picture')} {why}"
        for of, why in ((never, "that no fold of cross-validation held out"), (beside - never, "alike to learned ones"))
        if of
    ]
    kept = tuple(item for i, item in enumerate(dataset.items) if i not in never | beside)
    return replace(dataset, items=kept), notes


def keys_of(dataset: Dataset) -> list[str]:
    """Return the `picture_key` of each picture of a dataset."""
    return [picture_key(digest, item.roi) for item, digest in zip(dataset.items, dataset.hashes, strict=True)]


def with_held_out(report: Report, record: HeldOut | None, key_of: Mapping[Item, str]) -> tuple[Report, int]:
    """Return a report with the answers of cross-validation in place of those to learned pictures, and how many these are.

    Novelty is left out: no fold has measured it.
    """
    plain = replace(report, novelty=None, novelty_limit=None)
    if record is None:
        return plain, 0
    rows, replaced = report.probabilities.copy(), 0
    for i, item in enumerate(report.items):
        row = record.answers.get(key_of[item])
        if row is not None:
            rows[i], replaced = row, replaced + 1
    return replace(plain, probabilities=rows), replaced


def _row(values: Any, classes: int) -> NDArray[np.float32] | None:
    if values is None:
        return None
    row = np.array(values, np.float32)
    if row.shape != (classes,) or not np.isfinite(row).all():
        raise ValueError(f"expected {classes} probabilities")
    return row
