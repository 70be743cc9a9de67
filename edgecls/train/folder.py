"""The folder of a run: what stands in it, and what it takes to go on from there.

best.keras    the weights of the epoch to keep: the best on the held-out pictures, or the last
last.keras    the end of the last whole epoch, with the optimizer's state: where --resume goes on
config.toml   what to train again with
card.json     labels, input, how good it was on what
history.csv   one row an epoch
report.html   all of that to look at, with the curves, what is confused, and the worst mistakes as pictures
"""

from __future__ import annotations

import contextlib
import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecls.card import ModelCard
from edgecls.errors import ConfigError, DataError
from edgecls.files import whole_file
from edgecls.settings import as_table, build, read_toml
from edgecls.train import balance, schedule
from edgecls.train.config import TrainConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from edgecls.train.config import BestBy

HISTORY = (
    *("epoch", "loss", "accuracy", "macro_recall"),
    *("val_loss", "val_accuracy", "val_macro_recall", "val_worst_recall", "seconds"),
)


@contextlib.contextmanager
def prepared(out: Path, config: TrainConfig, *, resume: bool) -> Iterator[None]:
    """Make the folder, or check that `config` can go on in it. Raises ConfigError.

    A folder that was made here and is still empty when the block ends goes again: a run that could not begin leaves nothing.
    """
    held = (out / "best.keras").exists()
    if resume:
        if not (held and (out / "last.keras").exists()):
            raise ConfigError(f"{out}: there is no run to resume (best.keras and last.keras are missing)")
        _check_same(config, build(TrainConfig, read_toml(out / "config.toml"), str(out / "config.toml")), out)
    elif held:
        raise ConfigError(f"{out}: holds a run already; go on with --resume, or take another --out")
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written to ({error.strerror}); take another --out") from error
    try:
        yield
    finally:
        if made and not any(out.iterdir()):
            out.rmdir()


def write_config(out: Path, config: TrainConfig) -> None:
    """Write config.toml."""
    with whole_file(out / "config.toml") as path:
        path.write_text(config.to_toml(), encoding="utf-8")


def write_card(out: Path, card: ModelCard) -> None:
    """Write card.json."""
    with whole_file(out / "card.json") as path:
        path.write_text(card.to_json(indent=2) + "\n", encoding="utf-8")


def read_card(out: Path) -> ModelCard | None:
    """Read card.json; None if there is none, as in a run of edgecls 0.1 that was killed."""
    path = out / "card.json"
    return ModelCard.from_json(path.read_text(encoding="utf-8"), str(path)) if path.exists() else None


def check_same_pictures(out: Path, began: ModelCard, card: ModelCard, where: str) -> None:
    """Raise DataError if the run in `out`, whose card is `began`, has seen other pictures than those of `card`, which lie at
    `where`.
    """
    if began.dataset != card.dataset:
        raise DataError(
            f"{where}: has changed since the run in {out} began ({card.dataset}, its card says {began.dataset}), so it cannot "
            "go on as if nothing had happened; bring the pictures back, or train into another --out"
        )


def save_model(model: Any, path: Path) -> None:
    """Write a Keras model."""
    with whole_file(path) as beside:
        model.save(beside)


def load_model(keras: Any, path: Path) -> Any:
    """Read a Keras model. Raises ConfigError for a damaged file."""
    balance.know_kinds()
    schedule.know_schedule()
    try:
        return keras.saving.load_model(path)
    except Exception as error:
        raise ConfigError(f"{path}: Keras cannot read it ({error}); train again into another --out") from error


def write_history(out: Path, history: Iterable[Mapping[str, float]]) -> None:
    """Write history.csv."""
    with whole_file(out / "history.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY)
        writer.writeheader()
        writer.writerows(history)


def read_history(out: Path, epochs: int) -> list[dict[str, float]]:
    """Read the first `epochs` rows of history.csv. Raises ConfigError where there are fewer."""
    try:
        with (out / "history.csv").open(newline="", encoding="utf-8") as file:
            rows = [{name: float(row[name]) for name in HISTORY} for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(f"{out / 'history.csv'}: cannot be read, so the run cannot be resumed ({error})") from error
    if len(rows) < epochs:
        raise ConfigError(f"{out / 'history.csv'}: has {len(rows)} of {epochs} epochs, so the run cannot be resumed")
    return [{**row, "epoch": int(row["epoch"])} for row in rows[:epochs]]


def rank(row: Mapping[str, float], best_by: BestBy) -> tuple[float, float]:
    """What makes an epoch better than another: a larger share of the held-out pictures; where it is equal, a smaller loss."""
    return row[f"val_{best_by.replace('-', '_')}"], -row["val_loss"]


def _check_same(config: TrainConfig, held: TrainConfig, out: Path) -> None:
    """A run goes on with its own settings: only the number of epochs, the words on the card and the data's place may differ."""
    free = replace(config, epochs=held.epochs, about=held.about, data=replace(config.data, path=held.data.path))
    if free != held:
        new, old = as_table(free), as_table(held)
        name = next(name for name in {**old, **new} if new.get(name) != old.get(name))
        raise ConfigError(f"{out}: --resume goes on with the settings of the run, and {name} differs from its config.toml "
                          f"({new.get(name)!r}, there {old.get(name)!r}); leave it out, or take another --out")  # fmt: skip
