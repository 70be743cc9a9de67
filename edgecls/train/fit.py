"""Train a model and write its run folder. If a run ends early, the folder holds the best completed epoch so far."""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.dataset import MemoryBudget, Pictures, decode, fingerprint
from edgecls.errors import DataError, TrainError
from edgecls.evaluate import measure
from edgecls.label_report import LabelReport
from edgecls.model.card import ModelCard
from edgecls.text.words import counted
from edgecls.train import backend, folder, gap, stop_signal
from edgecls.train.batches import Batches, HeldOut, served
from edgecls.train.compiled import build_metrics, compiled, compiled_for
from edgecls.train.divergence import guard
from edgecls.train.gap import Gap
from edgecls.train.heads import head_of
from edgecls.train.keeper import keeper
from edgecls.train.model import architecture
from edgecls.train.notes import say_if_few, say_if_slow
from edgecls.train.pretrained import check_settings
from edgecls.train.progress import Watcher
from edgecls.train.report import write_report
from edgecls.train.schedule import learning_rate, stages
from edgecls.train.workers.same import check_batch, check_same_settings
from edgecls.train.workers.team import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.dataset import Dataset, Item, Split
    from edgecls.evaluate import AnyReport
    from edgecls.train.config import TrainConfig
    from edgecls.train.workers.team import Team
    from edgecls.train.workers.worker import Worker


@dataclass(frozen=True, slots=True, eq=False)
class TrainReport:
    """The outcome of a training run.

    Attributes:
        out: The run folder.
        card: The card of the kept model.
        val: Its evaluation on the held-out pictures.
        gap: The gap between its training and its validation accuracy.
        advice: What the gap means and what to try next, in one sentence.
        epochs: The number of completed epochs.
        interrupted: Whether the user stopped the run early.
    """

    out: Path
    card: ModelCard
    val: AnyReport
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
    worker: Worker | None = None,
) -> TrainReport:
    """Train a model and write its run folder.

    Ctrl-C (KeyboardInterrupt) ends the run early: the best epoch so far is kept, and the report says `interrupted`.

    Args:
        config: The settings of the run.
        out: The run folder; it is created if needed.
        resume: Continue the run in `out` after its last completed epoch.
        watcher: Receives messages and progress; None for silence.
        memory_bytes: How much memory the decoded pictures may take; None takes half of the machine's. Pictures beyond it go to
            a temporary file in `out`, with the same result.
        worker: Which of several workers this process is; None: the only one. Worker 0 writes `out`, the others write nothing.

    Returns:
        The outcome of the run.

    Raises:
        DataError: The data cannot be used.
        ConfigError: The settings or the run folder cannot be used.
        TrainError: The loss became NaN or infinite. Completed epochs are kept.
        WorkerError: The other workers cannot be reached, or were started differently.
        KeyboardInterrupt: The run was interrupted before its first epoch was complete.

    Example:
        report = fit(TrainConfig(DataConfig("data/signs"), epochs=20), "runs/signs")
        print(report.val.top1, report.advice)
    """
    watcher = watcher or Watcher()
    out = Path(out)
    check_settings(config, architecture(config.arch).pretrained)
    check_batch(config, worker)
    is_first = worker is None or worker.rank == 0
    with ExitStack() as stack:
        if is_first:
            stack.enter_context(folder.prepared(out, config, resume=resume))
        team = stack.enter_context(joined(worker, watcher.say))
        own = stack.enter_context(team.folder(out))
        check_same_settings(team, config, resume=resume)
        if resume:
            team.receive_run(own)
        if not is_first:
            stack.enter_context(folder.prepared(own, config, resume=resume))
        budget = MemoryBudget(folder=str(own)) if memory_bytes is None else MemoryBudget(memory_bytes, str(own))
        return replace(_fit(config, own, resume, watcher, budget, team), out=out)


def _fit(config: TrainConfig, out: Path, resume: bool, watcher: Watcher, budget: MemoryBudget, team: Team) -> TrainReport:
    head = head_of(config)
    dataset, sides = _divided(config, head.called, watcher)
    card = ModelCard(
        labels=dataset.labels,
        input=config.input,
        scheme="keras",
        about=config.about,
        dataset=fingerprint(dataset),
        split=sides.rule,
    )
    card = card.read_as(head.confidence(len(dataset.labels)))
    same_data = partial(team.agree, where=f"{config.data.path}: ", error=DataError)
    same_data({"labels": list(card.labels), "pictures": card.dataset, "split": card.split})
    began = folder.read_card(out) if resume else None
    if began:
        folder.check_same_pictures(out, began, card, config.data.path)
    train = _decode(sides.train, config, watcher, budget)
    counts = head.counts(train, dataset.labels, config.data.path)
    say_if_few(counts, config, watcher.say)
    val = _decode(sides.val, config, watcher, budget.less(train.memory_bytes))
    same_data({"readable pictures": [len(train.items), len(val.items)], "order": _order(train, val)})
    keras = team.load(config.seed)
    say_if_slow(keras, config, watcher.say)
    interrupted, diverged = False, None
    history: list[dict[str, float]] = []
    with team.training(keras):
        make_targets = head.targets(config, dataset.labels)
        batches = Batches(train, dataset.labels, config, make_targets)
        model = compiled(keras, config, counts, batches.per_epoch, fresh=not resume)
        if resume:
            model = _last(keras, out, model)
            history = folder.read_history(out, int(model.optimizer.iterations) // batches.per_epoch, head.history)
            again = max(0, len(history) - 1)  # the last epoch that was trained, in whose stage the model is
            model.optimizer.learning_rate = learning_rate(config, batches.per_epoch, again)  # config.epochs may have changed
        done = len(history)
        folder.write_config(out, config)
        if not resume:
            folder.write_card(out, card)  # so that a killed run still records which pictures it used
        try:
            held_out = HeldOut(val, dataset.labels, make_targets)
            interrupted = _train(keras, model, config, batches, held_out, history, out, watcher, counts, team)
        except TrainError as error:
            diverged = error
    if not history:
        raise diverged or KeyboardInterrupt
    if interrupted:
        team.dismiss()
    best = folder.load_model(keras, out / "best.keras")
    made_with = _made_with(keras, config, len(history))
    if began and len(history) == done and began.made_with.get("epochs") == made_with["epochs"]:
        made_with = dict(began.made_with)  # no new epoch: the versions of the old card apply, perhaps of another backend
    card = replace(card, made_with=made_with)
    report = _measure(best, dataset.labels, val)
    card = card.read_as(report.confidence)
    train_gap = Gap(*gap.measure(best.predict_on_batch, train, report, config.seed), report.top1, report.pictures)
    card = _finish(out, card, config, report, history, train_gap=train_gap, left_out=train.broken)
    if diverged:
        raise diverged
    return TrainReport(out, card, report, train_gap, train_gap.sentence(config), len(history), interrupted)


def _divided(config: TrainConfig, called: str, watcher: Watcher) -> tuple[Dataset, Split]:
    """Return the pictures, and which of them are for training and which are held out."""
    dataset = config.data.scan()
    for line in dataset.notes:  # first, because the split may reject the data
        watcher.say(f"note: {line}")
    sides = config.data.split(dataset)
    watcher.say(f"{config.data.path}: {len(dataset.labels)} {called}; {sides.rule}")
    for line in sides.warnings:
        watcher.say(f"warning: {line}")
    return dataset, sides


def _decode(items: Sequence[Item], config: TrainConfig, watcher: Watcher, budget: MemoryBudget) -> Pictures:
    pictures = decode(items, config.input, strict=config.data.strict, budget=budget)
    for line in (*(f"left out: {one}" for one in pictures.broken), *(f"note: {one}" for one in pictures.notes)):
        watcher.say(line)
    if not pictures.memory_bytes:
        watcher.say(f"{len(pictures.items)} pictures do not fit into memory; they are kept in a file in {budget.folder}")
    if pictures.broken:
        watcher.say(f"warning: {counted(len(pictures.broken), 'picture')} left out, unreadable; `strict` stops instead")
    return pictures


def _last(keras: Any, out: Path, fresh: Any) -> Any:
    """Load the model of the last completed epoch.

    Keras does not save the state of Dropout's random generator. So it is restored: from the seeds of `fresh`, which was built
    exactly as the run's first model was, advanced by one step per batch.
    """
    model = folder.load_model(keras, out / "last.keras")
    dropouts = [[i for i in m.layers if isinstance(i, keras.layers.Dropout) and i.rate > 0] for m in (fresh, model)]
    for unused, layer in zip(*dropouts, strict=False):
        seed, _ = keras.ops.convert_to_numpy(unused.seed_generator.state).tolist()
        layer.seed_generator.state.assign([seed, int(model.optimizer.iterations)])
    return model


def _train(
    keras: Any, model: Any, config: TrainConfig, batches: Batches, held_out: HeldOut, history: list[dict[str, float]],
    out: Path, watcher: Watcher, counts: NDArray[np.int64], team: Team,
) -> bool:  # fmt: skip
    """Train the epochs that are missing from `history` and append them. Returns whether the user stopped it early."""
    done = len(history)
    if done >= config.epochs:
        watcher.say(f"{out}: all {config.epochs} epochs are already done; to continue, give more `epochs`")
        return False
    between = stop_signal.BetweenBatches()
    callbacks = [
        stop_signal.callback(keras, between),
        guard(keras, out, batches.per_epoch),
        *backend.callbacks(keras, config.seed, batches.per_epoch),
        keeper(keras, config, out, history, watcher),
    ]
    watcher.begin(done, config.epochs, batches.per_epoch)
    try:
        with between:
            for first, end in stages(config):
                if len(history) >= end:
                    continue
                if len(history) == first > 0:
                    compiled_for(keras, model, config, counts, batches.per_epoch, epoch=first)
                _stage(keras, model, batches, held_out, callbacks, len(history), end, team)
    except KeyboardInterrupt:
        return True
    finally:
        watcher.end()
    return False


def _stage(
    keras: Any, model: Any, batches: Batches, held_out: HeldOut, callbacks: list[Any], first: int, end: int, team: Team
) -> None:
    """Train the epochs from `first` to before `end`."""
    build_metrics(model, held_out[0][1])
    # best.keras will hold the averaged weights
    averaging = [keras.callbacks.SwapEMAWeights()] if model.optimizer.use_ema else []
    with served(batches, held_out, first, team.divided(model, batches, held_out)) as (train_data, val_data):
        model.fit(
            train_data,
            steps_per_epoch=batches.per_epoch,
            initial_epoch=first,
            epochs=end,
            validation_data=val_data,
            shuffle=False,  # the batches are shuffled already
            callbacks=[*callbacks, *averaging],
            verbose=0,
        )


def _order(*parts: Pictures) -> list[int]:
    """Return a checksum of the classes of the pictures in their order."""
    return [zlib.crc32(part.class_ids.tobytes()) for part in parts]


def _measure(model: Any, labels: tuple[str, ...], pictures: Pictures) -> AnyReport:
    """Evaluate a model; of several labels a picture, with the thresholds that fit best."""
    report = measure(model.predict_on_batch, labels, pictures, range(len(labels)))
    return report.read_as(report.fitted()) if isinstance(report, LabelReport) else report


def _made_with(keras: Any, config: TrainConfig, epochs: int) -> dict[str, str]:
    made = {"edgecls": __version__, "keras": keras.__version__, "backend": backend.version(keras), "arch": config.arch}
    if architecture(config.arch).pretrained is not None:
        made["weights"] = Path(config.weights).name or "ImageNet"
    return {**made, "epochs": str(epochs), "batch": str(config.batch), "seed": str(config.seed)}


def _finish(
    out: Path, card: ModelCard, config: TrainConfig, val: AnyReport, history: list[dict[str, float]], *, train_gap: Gap,
    left_out: tuple[str, ...],
) -> ModelCard:  # fmt: skip
    card = replace(card, metrics=val.as_metrics(), measured=val.measured, measured_on=f"the {val.pictures} held-out pictures")
    folder.write_card(out, card)
    write_report(out, card, config, replace(val, broken=left_out + val.broken), history, gap=train_gap)
    return card
