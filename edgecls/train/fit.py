"""Train: pictures in, a run folder out. Whatever ends a run early, the folder holds the best whole epoch so far."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import __version__
from edgecls.card import ModelCard
from edgecls.dataset import Pictures, Room, decode, fingerprint
from edgecls.errors import TrainError
from edgecls.evaluate import Report, measure
from edgecls.train import backend, balance, folder, gap, interrupt
from edgecls.train.batches import Batches, HeldOut, served
from edgecls.train.divergence import guard
from edgecls.train.gap import Gap
from edgecls.train.model import architecture, build
from edgecls.train.report import write_report
from edgecls.train.schedule import learning_rate
from edgecls.train.targets import targets
from edgecls.train.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecls.dataset import Item
    from edgecls.train.config import TrainConfig

AVERAGED = 2, 500
"""Batches that the moving average of the weights is over, at least and at most: an epoch where that lies between."""
NORMALIZED = 10, 100
"""Batches, as above, that the moving means and deviations are over that validation normalizes with.

Keras takes 0.99 always. A hundred pictures are seven batches an epoch: for dozens of epochs validation would normalize with
what the untrained network gave, and every picture would be of one class.
"""


@dataclass(frozen=True, slots=True, eq=False)
class TrainReport:
    """What a run gave: its folder, its card, its measure on the held-out pictures, how far that lies under the training ones,
    what this means in a sentence, its epochs, and whether it was cut short.
    """

    out: Path
    card: ModelCard
    val: Report
    gap: Gap
    advice: str
    epochs: int
    interrupted: bool


def fit(
    config: TrainConfig,
    out: str | Path,
    *,
    resume: bool = False,
    watcher: Watcher | None = None,
    memory_bytes: int | None = None,
) -> TrainReport:
    """Train a model and write the run folder `out`.

    With `resume` the run that `out` holds goes on after its last whole epoch. KeyboardInterrupt ends the run early:
    the best epoch so far is kept and reported as `interrupted`. Decoded pictures that take more than `memory_bytes` (None: half
    of the machine's) are kept in a file in `out` while the run lasts; the result is the same. Raises DataError, ConfigError,
    TrainError where the loss is no number any more (what whole epochs there are is kept), and KeyboardInterrupt when not one
    epoch was whole.
    """
    watcher = watcher or Watcher()
    out = Path(out)
    architecture(config.arch)
    with folder.prepared(out, config, resume=resume):
        room = Room(folder=str(out)) if memory_bytes is None else Room(memory_bytes, str(out))
        return _fit(config, out, resume, watcher, room)


def _fit(config: TrainConfig, out: Path, resume: bool, watcher: Watcher, room: Room) -> TrainReport:
    dataset = config.data.scan()
    sides = config.data.split(dataset)
    watcher.say(f"{config.data.path}: {len(dataset.labels)} classes; {sides.rule}")
    for line in sides.warnings:
        watcher.say(f"warning: {line}")
    card = ModelCard(
        labels=dataset.labels,
        input=config.input,
        scheme="keras",
        about=config.about,
        dataset=fingerprint(dataset),
        split=sides.rule,
    )
    began = folder.read_card(out) if resume else None
    if began:
        folder.check_same_pictures(out, began, card, config.data.path)
    train = _decode(sides.train, config, watcher, room)
    counts = train.counts(dataset.labels, config.data.path)
    val = _decode(sides.val, config, watcher, room.less(train.memory_bytes))
    keras = backend.load(config.seed)
    told = targets(config, dataset.labels)
    batches = Batches(train, dataset.labels, config, told)
    model = _compiled(keras, config, counts, batches.per_epoch)
    history: list[dict[str, float]] = []
    if resume:
        model = _last(keras, out, model)
        model.optimizer.learning_rate = learning_rate(config, batches.per_epoch)  # of so many epochs as are wanted now
        history = folder.read_history(out, int(model.optimizer.iterations) // batches.per_epoch)
    done = len(history)
    folder.write_config(out, config)
    if not resume:
        folder.write_card(out, card)  # says which pictures these are, should the run be killed
    interrupted, broke_down = False, None
    try:
        interrupted = _train(keras, model, config, batches, HeldOut(val, told), history, out, watcher)
    except TrainError as error:
        broke_down = error
    if not history:
        raise broke_down or KeyboardInterrupt
    best = folder.load_model(keras, out / "best.keras")
    made_with = _made_with(keras, config, len(history))
    if began and len(history) == done and began.made_with.get("epochs") == made_with["epochs"]:
        made_with = dict(began.made_with)  # all was trained before, perhaps by another backend
    card = replace(card, made_with=made_with)
    report = _measure(best, dataset.labels, val)
    known = Gap(*gap.measure(best.predict_on_batch, train, config.seed), report.top1, report.pictures)
    card = _finish(out, card, config, report, history, known=known, left_out=train.broken)
    if broke_down:
        raise broke_down
    return TrainReport(out, card, report, known, known.sentence(config), len(history), interrupted)


def _decode(items: Sequence[Item], config: TrainConfig, watcher: Watcher, room: Room) -> Pictures:
    pictures = decode(items, config.input, strict=config.data.strict, room=room)
    for line in pictures.broken:
        watcher.say(f"left out: {line}")
    if not pictures.memory_bytes:
        watcher.say(f"{len(pictures.items)} pictures take more memory than they may, and are kept in a file in {room.folder}")
    if pictures.broken:
        watcher.say(f"warning: {len(pictures.broken)} picture(s) could not be read and were left out; --strict stops instead")
    return pictures


def _compiled(keras: Any, config: TrainConfig, counts: list[int], batches: int) -> Any:
    """The network with its optimizer and loss; `counts` are the training pictures of each class, `batches` an epoch are what
    the weights are averaged over.
    """
    row = architecture(config.arch)
    with _sums_in(keras, config.precision):
        model = build(config, len(counts))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _momentum(batches, NORMALIZED)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
            "rmsprop": keras.optimizers.RMSprop}[config.optimizer or row.optimizer]  # fmt: skip
    decay = row.weight_decay if config.weight_decay is None else config.weight_decay
    model.compile(
        optimizer=kind(
            learning_rate=learning_rate(config, batches),
            weight_decay=decay or (0.0 if kind is keras.optimizers.AdamW else None),  # AdamW takes no None
            use_ema=row.average if config.average is None else config.average,
            ema_momentum=_momentum(batches, AVERAGED),
        ),
        loss=balance.loss(config.balance, counts),
        metrics=["accuracy", *balance.recalls(len(counts))],
    )
    return model


def _momentum(batches: int, limits: tuple[int, int]) -> float:
    """Of a moving average over an epoch of so many batches, within limits."""
    return 1 - 1 / min(max(batches, limits[0]), limits[1])


@contextlib.contextmanager
def _sums_in(keras: Any, precision: str) -> Iterator[None]:
    """Layers that are made in the block compute in `precision`; their weights are float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "float32" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _last(keras: Any, out: Path, fresh: Any) -> Any:
    """The model at the end of the last whole epoch. Keras saves no state of Dropout's chance, so it is set to where it was:
    the seeds of `fresh`, which was built as the run's first model was, one step further for each batch.
    """
    model = folder.load_model(keras, out / "last.keras")
    dropouts = [[i for i in m.layers if isinstance(i, keras.layers.Dropout) and i.rate > 0] for m in (fresh, model)]
    for begun, layer in zip(*dropouts, strict=False):
        seed, _ = keras.ops.convert_to_numpy(begun.seed_generator.state).tolist()
        layer.seed_generator.state.assign([seed, int(model.optimizer.iterations)])
    return model


def _train(
    keras: Any, model: Any, config: TrainConfig, batches: Batches, held_out: HeldOut, history: list[dict[str, float]],
    out: Path, watcher: Watcher,
) -> bool:  # fmt: skip
    """Train the epochs that `history` lacks, growing it. Returns whether the user ended it early."""
    done = len(history)
    if done >= config.epochs:
        watcher.say(f"{out}: all {config.epochs} epochs are done already; give more --epochs to go on")
        return False
    between = interrupt.BetweenBatches()
    callbacks = [
        interrupt.callback(keras, between),
        guard(keras, out, batches.per_epoch),
        *backend.callbacks(keras, config.seed, batches.per_epoch),
        _keeper(keras, config, out, history, watcher),
    ]
    if model.optimizer.use_ema:
        callbacks.append(keras.callbacks.SwapEMAWeights())  # validation sees the average, as best.keras will hold it
    watcher.begin(done, config.epochs, batches.per_epoch)
    try:
        with between, served(batches, held_out, done) as (shown, measured):
            model.fit(
                shown,
                steps_per_epoch=batches.per_epoch,
                initial_epoch=done,
                epochs=config.epochs,
                validation_data=measured,
                shuffle=False,  # the batches are shuffled already
                callbacks=callbacks,
                verbose=0,
            )
    except KeyboardInterrupt:
        return True
    finally:
        watcher.end()
    return False


def _keeper(keras: Any, config: TrainConfig, out: Path, history: list[dict[str, float]], watcher: Watcher) -> Any:
    """A Keras callback that writes best.keras (if this epoch is the one to keep), history.csv and last.keras after each."""

    class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            watcher.batch(batch, logs or {})

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            numbers = {name: float((logs or {})[name]) for name in folder.HISTORY[1:-1]}
            row = {"epoch": epoch + 1, **numbers, "seconds": round(time.perf_counter() - self.began, 2)}
            ranks = [folder.rank(old, config.best_by) for old in history]
            best = all(folder.rank(row, config.best_by) > old for old in ranks)
            if best or config.keep == "last":
                _save_best(keras, self.model, config, out / "best.keras")
            history.append(row)
            folder.write_history(out, history)  # before last.keras, whose count of batches says how much of it holds
            folder.save_model(self.model, out / "last.keras")
            watcher.epoch(row, best or config.keep == "last")
            since = 0 if best else len(ranks) - max(range(len(ranks)), key=ranks.__getitem__)
            if config.patience and since >= config.patience:
                watcher.say(f"no better epoch in {since}: stopped; --patience 0 goes on")
                self.model.stop_training = True

    return _Keeper()


def _save_best(keras: Any, model: Any, config: TrainConfig, path: Path) -> None:
    """Save the weights that validation saw: their moving average, where the optimizer keeps one. Layers that compute in less
    than float32 do so to train fast; what is kept computes in float32.
    """
    trained = model.get_weights() if model.optimizer.use_ema else None
    if trained is not None:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    kept = model
    if config.precision != "float32":
        with _sums_in(keras, "float32"):
            kept = build(config, model.output_shape[-1])
        kept.set_weights(model.get_weights())
    folder.save_model(kept, path)
    if trained is not None:
        model.set_weights(trained)


def _measure(model: Any, labels: tuple[str, ...], pictures: Pictures) -> Report:
    return measure(model.predict_on_batch, labels, pictures, range(len(labels)))


def _made_with(keras: Any, config: TrainConfig, epochs: int) -> dict[str, str]:
    made = {"edgecls": __version__, "keras": keras.__version__, "backend": backend.version(keras), "arch": config.arch}
    return {**made, "epochs": str(epochs), "batch": str(config.batch), "seed": str(config.seed)}


def _finish(
    out: Path, card: ModelCard, config: TrainConfig, val: Report, history: list[dict[str, float]], *, known: Gap,
    left_out: tuple[str, ...],
) -> ModelCard:  # fmt: skip
    card = replace(card, metrics=val.as_metrics(), measured_on=f"the {val.pictures} held-out pictures")
    folder.write_card(out, card)
    write_report(out, card, config, replace(val, broken=left_out + val.broken), history, gap=known)
    return card
