"""Run two models on the same labelled pictures."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls import metrics
from edgecls.compare.comparison import ClassChange, Comparison, Side
from edgecls.compare.held_out import keys_of, records_of, unseen, with_held_out
from edgecls.dataset import decode, scan
from edgecls.errors import ConfigError, DataError
from edgecls.evaluate import evaluate, share_unknown
from edgecls.log import log_progress
from edgecls.model import vet
from edgecls.model.classifier import Classifier
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.compare.held_out import HeldOut
    from edgecls.dataset import Dataset, Item
    from edgecls.evaluate import Report
    from edgecls.log import Say

ROUNDS = 100
"""How often each model is timed, in turns."""
MOST_NAMED = 5


def compare_models(  # noqa: PLR0913 - each is an option of the command
    old: str | Path, new: str | Path, data: str | Path, *, split: str | None = None, unknown: str | Path | None = None,
    roi: bool = False, strict: bool = False, device: str = "auto", threads: int | None = None,
    held_out: Sequence[str | Path] = (), say: Say = log_progress,
) -> Comparison:  # fmt: skip
    """Compare two models on the same labelled pictures.

    Args:
        old: The .onnx file in use.
        new: The .onnx file that may replace it. Its labels and its input may differ.
        data: Class folders, a store, a CSV manifest or an npz file. Classes that one of the models does not know are left out.
        split: The part to use, "train", "val" or "test"; None takes test if the data has it, else all pictures.
        unknown: A folder of pictures that belong to no class, to compare the shares that come out as unknown.
        roi: Whether to crop pictures to the region of interest in the manifest.
        strict: Stop at the first broken picture instead of leaving it out.
        device: "auto", or the execution provider to run on, such as "cpu"; fails if it is unavailable.
        threads: CPU threads per inference; None uses one for small inputs, else one per core.
        held_out: Records that `edgecls learn --record` has written of one model or both. The answers of cross-validation then
            stand for those to pictures that the model was learned from.
        say: Called with a line about each class and picture that is left out; by default the logger "edgecls".

    Returns:
        The comparison. `Comparison.failures()` is empty if the new model may replace the old one.

    Raises:
        ModelError: A model cannot be used.
        DeviceError: The device is unavailable.
        ConfigError: A model gives several labels for a picture, or a record is that of another model.
        DataError: The pictures cannot be used, or the models have no class of them in common.

    Example:
        >>> import edgecls
        >>> result = edgecls.compare_models("shapes.onnx", "shapes.onnx", "shapes", device="cpu")
        >>> print(result.verdict)
        shapes.onnx is as good as shapes.onnx: it gets 0 pictures right that shapes.onnx gets wrong, and 0 the other way round
        >>> result.failures()
        ()
    """
    models = [Classifier.load(path, device=device, threads=threads) for path in (old, new)]
    names = _names(old, new)
    _check_one_label(names, models)
    dataset, notes = _shared(scan(data, roi=roi), dict(zip(names, models, strict=True)))
    records = records_of([vet.read(path) for path in (old, new)], held_out) if held_out else [None, None]
    if held_out:
        dataset, left_out = unseen(dataset, records)
        notes += left_out
    found = [cast("Report", evaluate(model, dataset, split=split, strict=strict)) for model in models]
    if held_out:
        found = _held_out(found, records, dataset, names, notes)
    reports, items = _same_pictures(found)
    notes += [f"left out: {line}" for line in dict.fromkeys(line for report in reports for line in report.broken)]
    for line in notes:
        say(line)
    shares = [None if unknown is None else share_unknown(model, unknown, strict=strict) for model in models]
    sides = [Side(*each) for each in zip(names, models, reports, _timed(models, items[0]), shares, strict=True)]
    changes = _changes(reports[0], reports[1], dataset.labels)
    return Comparison(str(data), sides[0], sides[1], changes, tuple(notes))


def _check_one_label(names: Sequence[str], models: Sequence[Classifier]) -> None:
    """Raise ConfigError for a model that gives several labels for a picture."""
    for name, model in zip(names, models, strict=True):
        if model.card.multi_label:
            raise ConfigError(
                f"{name}: it gives several labels for a picture, and this comparison needs one; measure both models with: "
                "edgecls eval"
            )


def _names(old: str | Path, new: str | Path) -> tuple[str, str]:
    """Return how the models are called: by the names of their files, or by their paths if those are the same."""
    names = Path(old).name, Path(new).name
    return names if names[0] != names[1] or Path(old) == Path(new) else (str(old), str(new))


def _shared(dataset: Dataset, models: dict[str, Classifier]) -> tuple[Dataset, list[str]]:
    """Return the part of a dataset whose classes are labels of every model, and a line about each class that is left out.

    Raises:
        DataError: There is no such class.
    """
    notes = [f"note: {line}" for line in dataset.notes]
    kept = list(dataset.labels)
    for name, model in models.items():
        known = _known(dataset.labels, model.card.labels)
        lacking = [label for label in dataset.labels if label not in known]
        if lacking:
            more = f" and {len(lacking) - MOST_NAMED} more" if len(lacking) > MOST_NAMED else ""
            notes.append(f"left out: {', '.join(lacking[:MOST_NAMED])}{more}, which {name} has no label for")
        kept = [label for label in kept if label in known]
    if not kept:
        lists = "; ".join(f"{name}: {', '.join(model.card.labels[:MOST_NAMED])}" for name, model in models.items())
        raise DataError(
            f"{dataset.where}: expected a class that is a label of both models, found {', '.join(dataset.labels[:MOST_NAMED])} "
            f"({lists}); name the classes as the models do"
        )
    ids = {label: i for i, label in enumerate(kept)}
    items = tuple(
        replace(item, class_id=ids[dataset.labels[item.class_id]])
        for item in dataset.items
        if dataset.labels[item.class_id] in ids
    )
    return replace(dataset, labels=tuple(kept), items=items), notes


def _known(names: Sequence[str], labels: Sequence[str]) -> set[str]:
    """Return which classes of a dataset are labels of a model: by name, or by number if no name is one."""
    known = set(names) & set(labels)
    if not known and all(name.isdecimal() for name in names):
        return {name for name in names if int(name) < len(labels)}
    return known


def _same_pictures(reports: Sequence[Report]) -> tuple[list[Report], tuple[Item, ...]]:
    """Return the reports on the pictures that both models could be given, in the same order, and these pictures."""
    places = [{item: i for i, item in enumerate(report.items)} for report in reports]
    items = tuple(item for item in reports[0].items if item in places[1])
    chosen = [[place[item] for item in items] for place in places]
    kept = [
        replace(
            report,
            truth=report.truth[rows],
            probabilities=report.probabilities[rows],
            novelty=None if report.novelty is None else report.novelty[rows],
            items=items,
        )
        for report, rows in zip(reports, chosen, strict=True)
    ]
    return kept, items


def _held_out(
    reports: Sequence[Report], records: Sequence[HeldOut | None], dataset: Dataset, names: Sequence[str], notes: list[str]
) -> list[Report]:
    """Return the reports with the answers of cross-validation, and add to the `notes` how many these are."""
    key_of = dict(zip(dataset.items, keys_of(dataset), strict=True))
    found = []
    for report, record, name in zip(reports, records, names, strict=True):
        changed, count = with_held_out(report, record, key_of)
        found.append(changed)
        if count:
            notes.append(f"note: of {name}, the answers to {counted(count, 'picture')} are those of cross-validation")
    return found


def _timed(models: Sequence[Classifier], item: Item) -> list[float]:
    """Return the median time of one picture for each model in milliseconds, measured in turns."""
    batches = [decode([item], model.card.input).batch[:1] for model in models]
    times: list[list[float]] = [[] for _ in models]
    for _ in range(ROUNDS):
        for model, batch, taken in zip(models, batches, times, strict=True):
            began = time.perf_counter()
            model.probabilities(batch)
            taken.append((time.perf_counter() - began) * 1e3)
    return [metrics.percentile(taken, 50) for taken in times]


def _changes(old: Report, new: Report, labels: Sequence[str]) -> tuple[ClassChange, ...]:
    """Return what changed in each class, the largest loss of recall first."""
    class_ids: NDArray[np.int64] = np.array([item.class_id for item in old.items], np.int64)
    found = []
    for class_id, label in enumerate(labels):
        here = class_ids == class_id
        if not here.any():
            continue
        before, after = old.right[here], new.right[here]
        fixed, broken = int((after & ~before).sum()), int((before & ~after).sum())
        found.append(
            ClassChange(
                label, int(here.sum()), float(before.mean()), float(after.mean()), fixed, broken, metrics.mcnemar(fixed, broken)
            )
        )
    adjusted = metrics.holm([change.p for change in found])
    changes = [replace(change, p=p) for change, p in zip(found, adjusted, strict=True)]
    return tuple(sorted(changes, key=lambda change: (change.new - change.old, change.label)))
