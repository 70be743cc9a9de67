"""The run folder: its files, and how a run resumes from them.

best.keras    the kept model: the best epoch on the held-out pictures, or the last epoch
last.keras    the last completed epoch with the state of the optimizer, from which a resumed run continues
config.toml   the settings of the run
card.json     labels, input and metrics
history.csv   one row per epoch
report.html   a report with the learning curves, the confusion matrix and the worst mistakes as pictures
"""

from __future__ import annotations

import contextlib
import csv
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecls.dataset.csv_table import read_table
from edgecls.errors import ConfigError, DataError, ModelError
from edgecls.files import whole_file
from edgecls.files.text_file import read_text
from edgecls.model import vet
from edgecls.model.card import ModelCard
from edgecls.model.vet.keras import TRAINED_WITH, open_keras
from edgecls.settings import as_table, build, read_toml
from edgecls.train import balance, label_loss, schedule
from edgecls.train.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edgecls.dataset.csv_table import Row

MAX_VALUE = 1e30
"""A larger loss or time in history.csv means that the file is damaged."""
SLACK = 1e-5
"""Recalls and accuracies are float32 means, which may exceed 1 by rounding."""


@contextlib.contextmanager
def prepared(out: Path, config: TrainConfig, *, resume: bool) -> Iterator[None]:
    """Create the run folder, or check that the run in it can be resumed with `config`.

    A folder that was created here and is still empty at the end is removed: a run that could not start leaves nothing behind.

    Raises:
        ConfigError: The folder cannot be used.
    """
    _check_writable(config, out)
    held = (out / "best.keras").exists()
    if resume:
        if not (held and (out / "last.keras").exists()):
            raise ConfigError(f"{out}: there is no run to resume (best.keras or last.keras is missing)")
        _check_same(config, build(TrainConfig, read_toml(out / "config.toml"), str(out / "config.toml")), out)
    elif held:
        raise ConfigError(f"{out}: already has a run; continue it with `resume`, or choose another `out`")
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written to ({error.strerror}); choose another `out`") from error
    try:
        yield
    finally:
        if made and not any(out.iterdir()):
            out.rmdir()


def _check_writable(config: TrainConfig, out: Path) -> None:
    """Raise ConfigError if config.toml cannot hold a setting, such as a path that is not valid UTF-8."""
    text = config.to_toml()
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        line = text[text.rfind("\n", 0, error.start) + 1 :].split("\n", 1)[0]
        path = out / "config.toml"
        raise ConfigError(f"{path} cannot hold {line!a}, which is not UTF-8; rename the file or folder") from error


def write_config(out: Path, config: TrainConfig) -> None:
    """Write config.toml."""
    with whole_file(out / "config.toml") as path:
        path.write_text(config.to_toml(), encoding="utf-8")


def write_card(out: Path, card: ModelCard) -> None:
    """Write card.json."""
    with whole_file(out / "card.json") as path:
        path.write_text(card.to_json(indent=2) + "\n", encoding="utf-8")


def read_card(out: Path) -> ModelCard | None:
    """Read card.json; None if it does not exist, as in a run of edgecls 0.1 that was killed."""
    path = out / "card.json"
    return ModelCard.from_json(read_text(path, error=ModelError), str(path)) if path.exists() else None


def check_same_pictures(out: Path, began: ModelCard, card: ModelCard, where: str) -> None:
    """Raise DataError if the pictures have changed since the run began.

    Args:
        out: The run folder.
        began: The card of the run.
        card: A card of the pictures as they are now.
        where: The path of the pictures.
    """
    if began.dataset != card.dataset:
        raise DataError(
            f"{where}: has changed since the run in {out} began (expected {began.dataset}, found {card.dataset}), so the run "
            "cannot be resumed; restore the pictures, or train into another `out`"
        )


def save_model(model: Any, path: Path) -> None:
    """Write a Keras model; the file is never left half-written."""
    with whole_file(path) as temporary:
        model.save(temporary)


def load_model(keras: Any, path: Path) -> Any:
    """Read a Keras model. Raises ConfigError if the file is damaged."""
    balance.know_kinds()
    label_loss.know_kinds()
    schedule.know_schedule()
    try:
        open_keras(vet.read(path), path.name, own=TRAINED_WITH, compiled=True)
        return keras.saving.load_model(path)
    except Exception as error:
        raise ConfigError(f"{path}: Keras cannot read it ({error}); train again into another `out`") from error


def write_history(out: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write history.csv."""
    with whole_file(out / "history.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def read_history(out: Path, epochs: int, columns: Sequence[str]) -> list[dict[str, float]]:
    """Read these columns of the first `epochs` rows of history.csv. Raises ConfigError if rows are missing or impossible."""
    path = out / "history.csv"
    try:
        rows = read_table(path).rows
    except DataError as error:
        raise ConfigError(f"{error}; so the run in {out} cannot be resumed") from error
    if len(rows) < epochs:
        raise ConfigError(f"{path}: has {len(rows)} of {epochs} epochs, so the run cannot be resumed")
    return [_epoch(row, columns, number, f"{path}:{row.line}") for number, row in enumerate(rows[:epochs], 1)]


def _epoch(row: Row, columns: Sequence[str], number: int, where: str) -> dict[str, float]:
    """Return the values of a row after checking them."""
    found: dict[str, float] = {}
    for name in columns:
        least, most = (-MAX_VALUE, MAX_VALUE) if name in ("epoch", "loss", "val_loss", "seconds") else (0.0, 1.0 + SLACK)
        try:
            found[name] = float(row.cells.get(name, ""))
        except ValueError:
            found[name] = math.nan
        if not least <= found[name] <= most:
            raise ConfigError(f"{where}: {name} cannot be {row.cells.get(name, '')[:40]!r}, so the run cannot be resumed")
    if found["epoch"] != number:
        raise ConfigError(f"{where}: expected epoch {number}, found {found['epoch']:g}, so the run cannot be resumed")
    return {**found, "epoch": number}


def rank(row: Mapping[str, float], best_by: str) -> tuple[float, float]:
    """Return a sort key for epochs: the higher `best_by` on the held-out pictures is better, then the lower loss."""
    return row[f"val_{best_by.replace('-', '_')}"], -row["val_loss"]


def _check_same(config: TrainConfig, held: TrainConfig, out: Path) -> None:
    """Check that a resumed run keeps its settings. Only `epochs`, `about` and the path of the data may differ."""
    free = replace(config, epochs=held.epochs, about=held.about, data=replace(config.data, path=held.data.path))
    if free != held:
        new, old = as_table(free), as_table(held)
        name = next(name for name in {**old, **new} if new.get(name) != old.get(name))
        raise ConfigError(f"{out}: `resume` continues with the settings of the run, but {name} differs from its config.toml "
                          f"(expected {old.get(name)!r}, found {new.get(name)!r}); omit it, or choose another "
                          "`out`")  # fmt: skip
