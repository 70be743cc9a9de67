"""`edgecls train`: train a model on labelled pictures."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.messages import data, is_terminal, say
from edgecls.cli.terminal import raw_stderr
from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.evaluate import AnyReport
    from edgecls.train.workers.worker import Worker


def train(
    pictures: Annotated[str | None, typer.Argument(metavar="[DATA]", help="Class folders, a store, a CSV manifest or an npz file.")] = None,
    out: Annotated[str, typer.Option(help="The folder to write the run to.", rich_help_panel="Run")] = "",
    config: Annotated[str | None, typer.Option(metavar="F.toml", help="Settings from a file, such as the config.toml of a run. Options override it.", rich_help_panel="Run")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out after its last complete epoch.", rich_help_panel="Run")] = False,
    arch: Annotated[str | None, typer.Option(help="classic (a textbook CNN), edge (smaller, faster, better), residual (best, but slower), linear (a baseline), or with weights of ImageNet: efficientnet-lite0, -lite1, -lite2, mobilenet-v2, mobilenet-v3-small, efficientnet-v2-b0.", rich_help_panel="Network")] = None,
    weights: Annotated[str | None, typer.Option(metavar="FILE", help="Pretrained networks: a file with their first weights (.pth for efficientnet-lite, .keras or .h5 for the others).  [default: those of ImageNet]", rich_help_panel="Network")] = None,
    head_epochs: Annotated[int | None, typer.Option(metavar="N", help="Pretrained networks: epochs that train the last layer alone, before all layers are fine-tuned.  [default: 3]", rich_help_panel="Training")] = None,
    size: Annotated[str | None, typer.Option(metavar="N|WxH", help="Input size in pixels.  [default: 32; pretrained networks: theirs]", rich_help_panel="Input")] = None,
    color: Annotated[str | None, typer.Option(help="gray or rgb.  [default: gray; pretrained networks: rgb]", rich_help_panel="Input")] = None,
    fit: Annotated[str | None, typer.Option(help="stretch, letterbox or center-crop.  [default: stretch]", rich_help_panel="Input")] = None,
    epochs: Annotated[int | None, typer.Option(help="[default: 10]", rich_help_panel="Training")] = None,
    batch: Annotated[int | None, typer.Option(help="[default: 32]", rich_help_panel="Training")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random generator.  [default: 0]", rich_help_panel="Training")] = None,
    keep: Annotated[str | None, typer.Option(help="Epoch to keep as best.keras: best (on the held-out pictures) or last.  [default: best]", rich_help_panel="Training")] = None,
    best_by: Annotated[str | None, typer.Option(help="Metric that selects the best epoch: accuracy, macro-recall or worst-recall; with --multi-label mean-ap or macro-f1.  [default: the first]", rich_help_panel="Training")] = None,
    patience: Annotated[int | None, typer.Option(metavar="N", help="Stop after this many epochs without improvement; 0: never.  [default: 0]", rich_help_panel="Training")] = None,
    balance: Annotated[str | None, typer.Option(help="Correction for imbalanced classes: none, weights, sampler, focal or logit-adjust.  [default: none]", rich_help_panel="Data")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, adamw, sgd or rmsprop.", rich_help_panel="Training")] = None,
    schedule: Annotated[str | None, typer.Option(help="Learning rate schedule: constant or cosine.", rich_help_panel="Training")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.", rich_help_panel="Training")] = None,
    warmup: Annotated[float | None, typer.Option(metavar="EPOCHS", help="Epochs over which the learning rate rises from 0.", rich_help_panel="Training")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay.", rich_help_panel="Training")] = None,
    dropout: Annotated[float | None, typer.Option(help="Dropout rate, 0 to 1.", rich_help_panel="Network")] = None,
    average: Annotated[bool | None, typer.Option("--average/--no-average", help="Use a moving average of the weights over about one epoch.", rich_help_panel="Training")] = None,
    precision: Annotated[str | None, typer.Option(help="Precision of training: float32, or bfloat16, which is faster on processors and GPUs that have it, and many times slower on others.  [default: float32]", rich_help_panel="Training")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Label smoothing, 0 to 1; 0 is off.  [default: 0]", rich_help_panel="Training")] = None,
    mixup: Annotated[float | None, typer.Option(metavar="ALPHA", help="Mixup of pairs of training pictures; 0 is off, 0.2 is common.  [default: 0]", rich_help_panel="Training")] = None,
    strangers: Annotated[float | None, typer.Option(help="Share of training pictures turned into synthetic outliers of no class, so that unknown objects are recognized; 0 is off.  [default: 0]", rich_help_panel="Data")] = None,
    stranger_kinds: Annotated[str | None, typer.Option(metavar="NAME,NAME,...", help="Kinds of outliers: shuffled, part, patchwork, shapes, letters.  [default: all]", rich_help_panel="Data")] = None,
    stranger_pictures: Annotated[str | None, typer.Option(metavar="FOLDER", help="Pictures of other things, from which half of the outliers are taken.  [default: none]", rich_help_panel="Data")] = None,
    teacher: Annotated[list[str] | None, typer.Option(metavar="MODEL", help="An .onnx file with the same labels and input, for knowledge distillation; may be repeated.", rich_help_panel="Training")] = None,
    teacher_weight: Annotated[float | None, typer.Option(help="Weight of the teachers against the labels, 0 to 1.  [default: 0.7]", rich_help_panel="Training")] = None,
    width: Annotated[float | None, typer.Option(help="edge, residual: factor for the number of kernels in each layer.  [default: 1]", rich_help_panel="Network")] = None,
    normalize: Annotated[bool | None, typer.Option("--normalize/--no-normalize", help="Normalize each picture to mean 0 and standard deviation 1.", rich_help_panel="Input")] = None,
    kernels: Annotated[str | None, typer.Option(metavar="N,N,...", help="classic: number of kernels in each convolution block.  [default: 32]", rich_help_panel="Network")] = None,
    kernel_size: Annotated[int | None, typer.Option(help="classic: side of a kernel in pixels.  [default: 3]", rich_help_panel="Network")] = None,
    pool: Annotated[str | None, typer.Option(help="classic: max or average.  [default: max]", rich_help_panel="Network")] = None,
    pool_window: Annotated[int | None, typer.Option(help="classic: side of the pooling window.  [default: 2]", rich_help_panel="Network")] = None,
    pool_stride: Annotated[int | None, typer.Option(help="classic: stride of the pooling window; 0: its side.  [default: 0]", rich_help_panel="Network")] = None,
    pool_bias: Annotated[bool | None, typer.Option("--pool-bias/--no-pool-bias", help="classic: trainable coefficient and bias after pooling (LeNet-5).", rich_help_panel="Network")] = None,
    pool_activation: Annotated[str | None, typer.Option(help="classic: activation after pooling: none, relu, tanh or sigmoid.  [default: none]", rich_help_panel="Network")] = None,
    dense: Annotated[int | None, typer.Option(help="classic: units of the dense layer.  [default: 512]", rich_help_panel="Network")] = None,
    augment: Annotated[bool | None, typer.Option("--augment/--no-augment", help="Augment training pictures; --no-augment turns off all kinds.", rich_help_panel="Augmentation")] = None,
    augment_scale: Annotated[float | None, typer.Option(help="Maximum change of scale, as a share; 0 is off.  [default: 0.05]", rich_help_panel="Augmentation")] = None,
    augment_rotation_deg: Annotated[float | None, typer.Option("--augment-rotation", metavar="DEG", help="Maximum rotation in degrees; 0 is off.  [default: 5]", rich_help_panel="Augmentation")] = None,
    augment_translation: Annotated[float | None, typer.Option(help="Maximum shift, as a share of the side; 0 is off.  [default: 0.05]", rich_help_panel="Augmentation")] = None,
    augment_brightness: Annotated[float | None, typer.Option(help="Maximum change of brightness, as a share; 0 is off.  [default: 0.2]", rich_help_panel="Augmentation")] = None,
    augment_contrast: Annotated[float | None, typer.Option(help="Maximum change of contrast, as a share; 0 is off.  [default: 0.2]", rich_help_panel="Augmentation")] = None,
    augment_shear: Annotated[float | None, typer.Option(help="Maximum shear, as a share of the side; 0 is off.  [default: 0]", rich_help_panel="Augmentation")] = None,
    augment_blur: Annotated[float | None, typer.Option(help="Maximum blur, as a share of the side; 0 is off.  [default: 0]", rich_help_panel="Augmentation")] = None,
    augment_noise: Annotated[float | None, typer.Option(help="Maximum noise, as a share of white; 0 is off.  [default: 0]", rich_help_panel="Augmentation")] = None,
    augment_erase: Annotated[float | None, typer.Option(help="Maximum erased rectangle, as a share of each side; 0 is off.  [default: 0]", rich_help_panel="Augmentation")] = None,
    augment_mirror: Annotated[str | None, typer.Option(metavar="LABEL,LABEL=LABEL,...|all", help="Classes whose pictures may be mirrored; A=B if mirroring turns A into B.  [default: none]", rich_help_panel="Augmentation")] = None,
    labels: Annotated[str | None, typer.Option(metavar="FILE", help="A file with one label per line, to rename the classes in order.", rich_help_panel="Data")] = None,
    group: Annotated[str | None, typer.Option(metavar="REGEX", help="Applied to each path: pictures with the same match of its parentheses stay on one side of the split.", rich_help_panel="Data")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Share of pictures to hold out for validation.  [default: 0.15]", rich_help_panel="Data")] = None,
    roi: Annotated[bool | None, typer.Option("--roi/--no-roi", help="Crop to the regions of interest in the manifest.", rich_help_panel="Data")] = None,
    strict: Annotated[bool | None, typer.Option("--strict/--no-strict", help="Stop at the first broken picture instead of skipping it.", rich_help_panel="Data")] = None,
    memory: Annotated[float | None, typer.Option(metavar="GB", help="Memory for decoded pictures; if it is not enough, they are stored in a file in --out.  [default: half of the RAM]", rich_help_panel="Data")] = None,
    multi_label: Annotated[bool | None, typer.Option("--multi-label/--no-multi-label", help="A picture may have several labels, or none: DATA is a CSV manifest with a column of 0 and 1 for each label, or one such as car|person.", rich_help_panel="Data")] = None,
    about: Annotated[str | None, typer.Option(metavar="TEXT", help="Name and licence of the data, for the card.", rich_help_panel="Data")] = None,
    workers: Annotated[int, typer.Option(metavar="N", envvar="EDGECLS_WORKERS", help="Train on several workers with JAX, each of which takes its part of every batch. Without --rank, all of them are started on this machine.", rich_help_panel="Several workers")] = 1,
    rank: Annotated[int | None, typer.Option(metavar="N", envvar="EDGECLS_RANK", help="The number of this worker, from 0; worker 0 writes --out.", rich_help_panel="Several workers")] = None,
    coordinator: Annotated[str, typer.Option(metavar="HOST:PORT", envvar="EDGECLS_COORDINATOR", help="The address of worker 0, with --rank.", rich_help_panel="Several workers")] = "",
    join_wait: Annotated[float, typer.Option(metavar="S", help="How long to wait for the other workers, in seconds.", rich_help_panel="Several workers")] = 300.0,
) -> None:  # fmt: skip
    """Train a Keras CNN on labelled pictures.

    Ctrl-C keeps the best epoch so far. Options without a default depend on the architecture.
    """
    if not out:
        raise typer.BadParameter("expected --out, the folder to write the run to")
    from pathlib import Path

    from edgecls.cli.workers import launch, this_worker
    from edgecls.settings import check, read_toml
    from edgecls.train.train_model import train_model

    worker = this_worker(workers, rank, coordinator, join_wait)
    if workers > 1 and worker is None:
        raise typer.Exit(launch(workers, memory))
    check("--memory", memory, memory is None or 0 <= memory < float("inf"), "a number of GB, 0 or above")
    file = str(Path(out) / "config.toml") if resume and config is None else config
    changes: dict[str, Any] = {
        "data": {"path": pictures, "labels": labels, "group": group, "roi": roi, "strict": strict, "val_fraction": val_fraction, "seed": seed, "multi_label": multi_label},
        "input": {**_size(size), "color": color, "fit": fit},
        "layers": {"kernels": _numbers(kernels), "kernel_size": kernel_size, "pool": pool, "pool_window": pool_window,
                   "pool_stride": pool_stride, "pool_bias": pool_bias, "pool_activation": pool_activation, "dense": dense, "width": width, "normalize": normalize},
        "augment": {"scale": augment_scale, "rotation_deg": augment_rotation_deg, "translation": augment_translation,
                    "brightness": augment_brightness, "contrast": augment_contrast, "shear": augment_shear, "blur": augment_blur,
                    "noise": augment_noise, "erase": augment_erase, "mirror": _texts(augment_mirror)},
        "arch": arch, "weights": weights, "head_epochs": head_epochs, "about": about, "seed": seed, "epochs": epochs, "batch": batch, "keep": keep, "best_by": best_by,
        "patience": patience, "balance": balance, "optimizer": optimizer,
        "schedule": schedule, "rate": rate, "warmup": warmup, "weight_decay": weight_decay, "dropout": dropout, "average": average,
        "precision": precision, "label_smoothing": label_smoothing, "mixup": mixup, "strangers": strangers,
        "stranger_kinds": _texts(stranger_kinds), "stranger_pictures": stranger_pictures, "teachers": teacher or None, "teacher_weight": teacher_weight,
    }  # fmt: skip
    if not pictures:
        held = read_toml(file).get("data", {}) if file else {}
        if isinstance(held, dict) and not held.get("path"):
            raise typer.BadParameter("expected DATA: class folders, a CSV manifest or an npz file")
    if augment is False:
        from edgecls.settings import as_table
        from edgecls.train.config import NO_AUGMENT

        changes["augment"] = {**as_table(NO_AUGMENT), **_given(changes["augment"])}
    stopped_by: list[int] = [signal.SIGINT]
    signal.signal(signal.SIGTERM, partial(_stop, stopped_by))
    given = _given(changes)
    report = train_model(
        given.pop("data", None),
        out,
        config=config,
        resume=resume,
        watcher=_watcher(worker),
        memory_gb=memory,
        worker=worker,
        **given,
    )
    if worker is not None and worker.rank != 0:
        return  # worker 0 says the same
    val = report.val
    data(f"{out}: {report.epochs} epochs; on {val.pictures} held-out pictures: {_numbers_of(val)}")
    say(report.advice)
    say(
        f"{Path(out) / 'report.html'}: curves, {'thresholds' if report.card.multi_label else 'confusion matrix'}, most confident mistakes"
    )
    if report.interrupted:
        say(f"stopped early; the best epoch so far is kept. To continue: edgecls train --out {out} --resume")
        raise typer.Exit(128 + stopped_by[-1])


def _numbers_of(val: AnyReport) -> str:
    from edgecls.label_report import LabelReport
    from edgecls.report import certainty

    if isinstance(val, LabelReport):
        return f"macro F1 {val.macro_f1:.2%}, mean AP {val.mean_ap:.2%}, all labels right {val.top1:.2%}; worst label {val.worst_class}"
    sure = certainty(val)
    return f"top1 {val.top1:.2%}{f' ({sure})' if sure else ''}, macro recall {val.macro_recall:.2%}, worst class {val.worst_recall:.2%} ({val.worst_class})"


def _watcher(worker: Worker | None) -> Any:
    from edgecls.train.progress import Watcher

    class _Messages(Watcher):
        """Prints messages."""

        def say(self, line: str) -> None:
            say(line)

    class _Lines(_Messages):
        """Prints one line per epoch."""

        def begin(self, first_epoch: int, epochs: int, batches: int) -> None:  # noqa: ARG002 - the interface of Watcher
            self.epochs = epochs

        def epoch(self, row: Mapping[str, float], best: bool) -> None:
            if "val_mean_ap" in row:
                held_out = f"val mean AP {row['val_mean_ap']:.2%}  macro F1 {row['val_macro_f1']:.2%}"
                say(f"epoch {row['epoch']:.0f}/{self.epochs}  loss {row['loss']:.4f}  mean AP {row['mean_ap']:.2%}  "
                    f"val loss {row['val_loss']:.4f}  {held_out}  {row['seconds']:.1f} s{'  best' if best else ''}")  # fmt: skip
                return
            say(f"epoch {row['epoch']:.0f}/{self.epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}  "
                f"val loss {row['val_loss']:.4f}  val accuracy {row['val_accuracy']:.2%}  macro recall {row['val_macro_recall']:.2%}  "
                f"{row['seconds']:.1f} s{'  best' if best else ''}")  # fmt: skip

    class _Bar(_Lines):
        """Shows a progress bar over all batches of the run, with the remaining time."""

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
            self.bar = Progress(
                *columns, TextColumn("{task.fields[numbers]}"), console=Console(file=raw_stderr()), transient=True
            )
            self.task = self.bar.add_task("batches", total=epochs * batches, completed=self.done, numbers="")
            self.bar.start()

        def batch(self, number: int, logs: Mapping[str, float]) -> None:
            name, column = ("mean AP", "mean_ap") if "mean_ap" in logs else ("accuracy", "accuracy")
            numbers = f"loss {logs.get('loss', 0):.4f} {name} {logs.get(column, 0):.2%}"
            self.bar.update(self.task, completed=self.done + number + 1, numbers=numbers)

        def epoch(self, row: Mapping[str, float], best: bool) -> None:
            self.done = int(row["epoch"]) * self.batches
            super().epoch(row, best)

        def end(self) -> None:
            self.bar.stop()

    if worker is not None and worker.rank != 0:
        return _Messages()  # worker 0 shows the epochs
    return _Bar() if is_terminal() else _Lines()


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    """Remove options that were not given."""
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
        raise ConfigError(f"--kernels {text}: expected whole numbers separated by commas, such as 32,64")
    return [int(part) for part in text.split(",")]


def _stop(stopped_by: list[int], number: int, _frame: object) -> None:
    stopped_by.append(number)
    raise KeyboardInterrupt(number)
