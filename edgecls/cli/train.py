"""`edgecls train`: labelled pictures to a trained model."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.talk import data, is_terminal, say
from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def train(
    pictures: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Class folders, a CSV manifest or an npz file.")] = None,
    out: Annotated[str, typer.Option(help="The folder to write the run to.")] = "",
    config: Annotated[str | None, typer.Option(metavar="F.toml", help="Settings from a file, such as the config.toml of a run; options go over it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out after its last whole epoch.")] = False,
    arch: Annotated[str | None, typer.Option(help="classic (the textbook CNN), edge (smaller, faster, better), residual (better still, takes longer) or linear (to compare with).")] = None,
    size: Annotated[str | None, typer.Option(metavar="N|WxH", help="Input size in pixels.  [default: 32]")] = None,
    color: Annotated[str | None, typer.Option(help="gray or rgb.  [default: gray]")] = None,
    fit: Annotated[str | None, typer.Option(help="stretch, letterbox or center-crop.  [default: stretch]")] = None,
    epochs: Annotated[int | None, typer.Option(help="[default: 10]")] = None,
    batch: Annotated[int | None, typer.Option(help="[default: 32]")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything that is drawn by chance.  [default: 0]")] = None,
    keep: Annotated[str | None, typer.Option(help="Which epoch best.keras holds: best (on the held-out pictures) or last.  [default: best]")] = None,
    best_by: Annotated[str | None, typer.Option(help="What makes an epoch the best: accuracy, macro-recall or worst-recall.  [default: accuracy]")] = None,
    patience: Annotated[int | None, typer.Option(metavar="N", help="End after this many epochs without a better one; 0: never.  [default: 0]")] = None,
    balance: Annotated[str | None, typer.Option(help="For classes with few pictures: none, weights, sampler, focal or logit-adjust.  [default: none]")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, adamw, sgd or rmsprop.")] = None,
    schedule: Annotated[str | None, typer.Option(help="Of the learning rate: constant or cosine.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    warmup: Annotated[float | None, typer.Option(metavar="EPOCHS", help="Epochs in which the learning rate rises from nothing.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Share of units left out while training.")] = None,
    average: Annotated[bool | None, typer.Option("--average/--no-average", help="Keep the moving average of the weights over about an epoch.")] = None,
    precision: Annotated[str | None, typer.Option(help="Of the sums while training: float32, or bfloat16, which newer processors and GPUs do faster.  [default: float32]")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Share of all classes in each training picture; 0 is off.  [default: 0]")] = None,
    mixup: Annotated[float | None, typer.Option(metavar="ALPHA", help="Lay each training picture over another; 0 is off, 0.2 is usual.  [default: 0]")] = None,
    strangers: Annotated[float | None, typer.Option(help="Share of the training pictures that are made to be of no class, so that unknown things are found; 0 is off.  [default: 0]")] = None,
    stranger_kinds: Annotated[str | None, typer.Option(metavar="NAME,NAME,...", help="Some of shuffled, part, patchwork, shapes, letters.  [default: all]")] = None,
    teacher: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="An .onnx file of the same labels and input to learn from beside the labels; may be repeated.")] = None,
    teacher_weight: Annotated[float | None, typer.Option(help="How much the teachers' word counts against the labels', 0 to 1.  [default: 0.7]")] = None,
    width: Annotated[float | None, typer.Option(help="edge, residual: so many times the kernels of each layer.  [default: 1]")] = None,
    normalize: Annotated[bool | None, typer.Option("--normalize/--no-normalize", help="Bring each picture to mean 0 and deviation 1 first.")] = None,
    kernels: Annotated[str | None, typer.Option(metavar="N,N,...", help="classic: kernels of each convolution block.  [default: 32]")] = None,
    kernel_size: Annotated[int | None, typer.Option(help="classic: side of a kernel.  [default: 3]")] = None,
    pool: Annotated[str | None, typer.Option(help="classic: max or average.  [default: max]")] = None,
    pool_window: Annotated[int | None, typer.Option(help="classic: side of the pooling window.  [default: 2]")] = None,
    pool_stride: Annotated[int | None, typer.Option(help="classic: step of the pooling window; 0 is its side.  [default: 0]")] = None,
    pool_bias: Annotated[bool | None, typer.Option("--pool-bias/--no-pool-bias", help="classic: trainable coefficient and bias after pooling (LeNet-5).")] = None,
    pool_activation: Annotated[str | None, typer.Option(help="classic: none, relu, tanh or sigmoid after pooling.  [default: none]")] = None,
    dense: Annotated[int | None, typer.Option(help="classic: units of the dense layer.  [default: 512]")] = None,
    augment: Annotated[bool | None, typer.Option("--augment/--no-augment", help="Change training pictures at random; --no-augment switches all kinds off.")] = None,
    augment_scale: Annotated[float | None, typer.Option(help="By up to this share larger or smaller; 0 is off.  [default: 0.05]")] = None,
    augment_rotation: Annotated[float | None, typer.Option(metavar="DEG", help="By up to this many degrees; 0 is off.  [default: 5]")] = None,
    augment_translation: Annotated[float | None, typer.Option(help="By up to this share of the side; 0 is off.  [default: 0.05]")] = None,
    augment_brightness: Annotated[float | None, typer.Option(help="By up to this share; 0 is off.  [default: 0.2]")] = None,
    augment_contrast: Annotated[float | None, typer.Option(help="By up to this share; 0 is off.  [default: 0.2]")] = None,
    augment_shear: Annotated[float | None, typer.Option(help="Lean by up to this share of the side; 0 is off.  [default: 0]")] = None,
    augment_blur: Annotated[float | None, typer.Option(help="By up to this share of the side; 0 is off.  [default: 0]")] = None,
    augment_noise: Annotated[float | None, typer.Option(help="By up to this share of white; 0 is off.  [default: 0]")] = None,
    augment_erase: Annotated[float | None, typer.Option(help="Cover a rectangle of up to this share of each side; 0 is off.  [default: 0]")] = None,
    augment_mirror: Annotated[str | None, typer.Option(metavar="LABEL,LABEL=LABEL,...|all", help="Classes whose pictures may be turned left to right, or into one another.  [default: none]")] = None,
    labels: Annotated[str | None, typer.Option(metavar="FILE", help="One label a line, to rename the classes in their order.")] = None,
    group: Annotated[str | None, typer.Option(metavar="REGEX", help="On the path: its parentheses catch what must stay on one side of the split.")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Share of the pictures to hold out.  [default: 0.15]")] = None,
    roi: Annotated[bool | None, typer.Option("--roi/--no-roi", help="Cut the regions of interest that a manifest names.")] = None,
    strict: Annotated[bool | None, typer.Option("--strict/--no-strict", help="Stop at the first broken picture instead of leaving it out.")] = None,
    memory: Annotated[float | None, typer.Option(metavar="GB", help="What decoded pictures may take; more are kept in a file in --out.  [default: half of the machine's]")] = None,
    about: Annotated[str | None, typer.Option(metavar="TEXT", help="The data's name and terms, for the card.")] = None,
) -> None:  # fmt: skip
    """Train a Keras CNN on labelled pictures.

    Ctrl-C keeps the best epoch so far. Options without a default take what the architecture trains best with.
    """
    if not out:
        raise typer.BadParameter("expected --out, the folder to write the run to")
    from pathlib import Path

    from edgecls.settings import as_table, build, check, merged, read_toml
    from edgecls.train.config import NO_AUGMENT, TrainConfig
    from edgecls.train.fit import fit as fit_model

    check("--memory", memory, memory is None or 0 <= memory < float("inf"), "a number of GB, 0 or above")

    file = str(Path(out) / "config.toml") if resume and config is None else config
    changes = {
        "data": {"path": pictures, "labels": labels, "group": group, "roi": roi, "strict": strict, "val_fraction": val_fraction, "seed": seed},
        "input": {**_size(size), "color": color, "fit": fit},
        "layers": {"kernels": _numbers(kernels), "kernel_size": kernel_size, "pool": pool, "pool_window": pool_window,
                   "pool_stride": pool_stride, "pool_bias": pool_bias, "pool_activation": pool_activation, "dense": dense, "width": width, "normalize": normalize},
        "augment": {"scale": augment_scale, "rotation_deg": augment_rotation, "translation": augment_translation,
                    "brightness": augment_brightness, "contrast": augment_contrast, "shear": augment_shear, "blur": augment_blur,
                    "noise": augment_noise, "erase": augment_erase, "mirror": _texts(augment_mirror)},
        "arch": arch, "about": about, "seed": seed, "epochs": epochs, "batch": batch, "keep": keep, "best_by": best_by,
        "patience": patience, "balance": balance, "optimizer": optimizer,
        "schedule": schedule, "rate": rate, "warmup": warmup, "weight_decay": weight_decay, "dropout": dropout, "average": average,
        "precision": precision, "label_smoothing": label_smoothing, "mixup": mixup, "strangers": strangers,
        "stranger_kinds": _texts(stranger_kinds), "teachers": teacher or None, "teacher_weight": teacher_weight,
    }  # fmt: skip
    off = {"augment": as_table(NO_AUGMENT)} if augment is False else {}
    table = merged(merged(read_toml(file) if file else {}, off), _given(changes))
    if not table.get("data", {}).get("path"):
        raise typer.BadParameter("expected DATA: class folders, a CSV manifest or an npz file")
    settings = build(TrainConfig, table, file or "settings")
    stopped_by: list[int] = [signal.SIGINT]
    signal.signal(signal.SIGTERM, partial(_stop, stopped_by))
    memory_bytes = None if memory is None else int(memory * 1e9)
    report = fit_model(settings, out, resume=resume, watcher=_watcher(), memory_bytes=memory_bytes)
    val = report.val
    data(
        f"{out}: {report.epochs} epochs; on {val.pictures} held-out pictures: top1 {val.top1:.2%}, macro recall {val.macro_recall:.2%}, "
        f"worst class {val.worst_recall:.2%} ({val.worst_class})"
    )
    say(report.advice)
    say(f"{Path(out) / 'report.html'}: curves, what is confused, the worst mistakes as pictures")
    if report.interrupted:
        say(f"stopped early; the best epoch so far is kept, go on with: edgecls train --out {out} --resume")
        raise typer.Exit(128 + stopped_by[-1])


def _watcher() -> Any:
    from edgecls.train.watch import Watcher

    class _Lines(Watcher):
        """One line an epoch."""

        def say(self, line: str) -> None:
            say(line)

        def begin(self, first_epoch: int, epochs: int, batches: int) -> None:  # noqa: ARG002 - as the class above has it
            self.epochs = epochs

        def epoch(self, row: Mapping[str, float], best: bool) -> None:
            say(f"epoch {row['epoch']:.0f}/{self.epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}  "
                f"val loss {row['val_loss']:.4f}  val accuracy {row['val_accuracy']:.2%}  macro recall {row['val_macro_recall']:.2%}  "
                f"{row['seconds']:.1f} s{'  best' if best else ''}")  # fmt: skip

    class _Bar(_Lines):
        """A bar over all batches of the run, with the time that is left."""

        def begin(self, first_epoch: int, epochs: int, batches: int) -> None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self.epochs, self.batches = epochs, batches
            self.done = first_epoch * batches
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("left:"),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, TextColumn("{task.fields[numbers]}"), console=Console(stderr=True), transient=True)
            self.task = self.bar.add_task("batches", total=epochs * batches, completed=self.done, numbers="")
            self.bar.start()

        def batch(self, number: int, logs: Mapping[str, float]) -> None:
            numbers = f"loss {logs.get('loss', 0):.4f} accuracy {logs.get('accuracy', 0):.2%}"
            self.bar.update(self.task, completed=self.done + number + 1, numbers=numbers)

        def epoch(self, row: Mapping[str, float], best: bool) -> None:
            self.done = int(row["epoch"]) * self.batches
            super().epoch(row, best)

        def end(self) -> None:
            self.bar.stop()

    return _Bar() if is_terminal() else _Lines()


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given."""
    inner = {name: _given(value) if isinstance(value, dict) else value for name, value in table.items()}
    return {name: value for name, value in inner.items() if value is not None and value != {}}


def _size(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    width, by, height = text.lower().partition("x")
    if not width.isdecimal() or (by and not height.isdecimal()):
        raise ConfigError(f"--size {text}: expected a number of pixels such as 32, or WIDTHxHEIGHT such as 48x32")
    return {"width": int(width), "height": int(height or width)}


def _texts(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise ConfigError(f"--kernels {text}: expected whole numbers with commas between them, such as 32,64")
    return [int(part) for part in text.split(",")]


def _stop(stopped_by: list[int], number: int, _frame: object) -> None:
    stopped_by.append(number)
    raise KeyboardInterrupt(number)
