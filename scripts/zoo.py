"""Train, export and measure the models of `scripts/recipes`: python scripts/zoo.py DATA [NAME...].

A recipe contains the settings of a training run and a table [zoo]: the application, the test pictures (`test`: a share of the
groups, which training never sees, or data with a test part), folders of pictures of other classes (`unknown`), whether it also
trains on the pictures that `scripts/street_pictures.py` makes (`made`), whether the model is shipped in models/, and its
`limits`, for models/README.md. Test pictures are used only for the final measurement. A linear classifier on the same pixels is
the baseline. All figures go to models/zoo.json, the source of the table.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.dataset import DataConfig, pictures_under, scan, split
from edgecls.errors import ConfigError, EdgeclsError
from edgecls.evaluate import Report, evaluate, share_unknown
from edgecls.export.build import export_model as export
from edgecls.files import whole_file
from edgecls.model.classifier import Classifier
from edgecls.settings import build, read_toml
from edgecls.train.config import NO_AUGMENT, TrainConfig
from scripts import street_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

RECIPES, RUNS, MODELS = Path("scripts/recipes"), Path("runs/zoo"), Path("models")
FIGURES = MODELS / "zoo.json"
BACKEND = extras.backend()
"""The backend of Keras for training."""
TEST_SEED = 1
LINEAR_EPOCHS = 40


@dataclass(frozen=True, slots=True)
class Recipe:
    """One model of the zoo. `test` is the share of the groups to test with (0 to 1), or data with a test part. `data` is the
    folder with all data; `made` tells whether the model also trains on made pictures.
    """

    name: str
    config: TrainConfig
    application: str
    test: float | str
    unknown: tuple[str, ...]
    ship: bool
    data: Path
    made: bool = False

    @property
    def out(self) -> Path:
        """The path of the model."""
        return (MODELS if self.ship else RUNS / self.name) / f"{self.name}.onnx"


def main(arguments: list[str]) -> int:
    """Make the named models, or all whose data exists."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # this process exports, which needs TensorFlow
    data, names = Path(arguments[0]), arguments[1:]
    known = sorted(path.stem for path in RECIPES.glob("*.toml"))
    for name in names:
        if name not in known:
            print(f"error: there is no recipe {name!r}; expected one of {', '.join(known)}", file=sys.stderr)
            return 2
    for name in after_teachers(names or known, known, data):
        recipe = read(name, data)
        if not Path(recipe.config.data.path).exists():
            print(f"{name}: left out, {recipe.config.data.path} does not exist", flush=True)
            continue
        print(f"== {name}", flush=True)
        note(name, make(recipe))
    return 0


def after_teachers(names: Sequence[str], known: Sequence[str], data: Path) -> list[str]:
    """Return the models in the order in which to make them, with missing teachers before their students."""
    order: list[str] = []
    for name in names:
        teachers = [Path(teacher) for teacher in read(name, data).config.teachers]
        missing = [teacher.stem for teacher in teachers if teacher.stem in known and not teacher.exists()]
        order += [one for one in (*after_teachers(missing, known, data), name) if one not in order]
    return order


def read(name: str, data: Path) -> Recipe:
    """Read a recipe whose data is in the folder `data`. Raises ConfigError."""
    path = RECIPES / f"{name}.toml"
    table = read_toml(path)
    zoo = table.pop("zoo")
    table["data"]["path"] = str(data / table["data"]["path"])
    config: TrainConfig = build(TrainConfig, table, str(path))
    test = zoo["test"] if isinstance(zoo["test"], float) else str(data / zoo["test"])
    unknown = tuple(str(data / folder) for folder in zoo["unknown"])
    return Recipe(name, config, zoo["application"], test, unknown, zoo["ship"], data, zoo.get("made", False))


def make(recipe: Recipe) -> dict[str, Any]:
    """Train, export and measure a model. Returns its figures for the table."""
    folder = RUNS / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    config, test = recipe.config, str(recipe.test)
    if isinstance(recipe.test, float):
        test = str(folder / "data.csv")
        hold_out(config.data, recipe.test, Path(test))
        config = replace(config, data=replace(config.data, path=test))
    train(with_made(config, recipe.data, folder) if recipe.made else config, folder / "run")
    report = export(folder / "run", recipe.out, test=test, say=print)
    classifier = Classifier.load(recipe.out, device="cpu", threads=1)
    tested = scan(test, group=config.data.group or None)
    found = evaluate(classifier, tested)
    linear = fit_linear(config, folder / "linear", test)
    unknown = {Path(where).name: round(share_unknown(classifier, where), 4) for where in recipe.unknown if Path(where).exists()}
    return {
        "application": recipe.application,
        "shipped": recipe.ship,
        "about": config.about,
        "scheme": report.card.scheme,
        "input": f"{config.input.width}x{config.input.height} {config.input.color}",
        "labels": len(report.card.labels),
        "bytes": recipe.out.stat().st_size,
        "us": round(found.ms * 1000, 1),
        **found.as_metrics(),
        "worst_class": found.worst_class,
        "linear_top1": round(linear.top1, 5),
        "linear_macro_recall": round(linear.macro_recall, 5),
        "unknown": unknown,
        "split": report.card.split,
    }


def hold_out(data: DataConfig, share: float, manifest: Path) -> None:
    """Write a manifest of the data with a share of the groups of each class as its test part."""
    dataset = data.scan()
    sides = split(dataset, fraction=share, seed=TEST_SEED)
    with whole_file(manifest) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "class", "split"))
        for side, items in (("", sides.train), ("test", sides.val)):
            rows.writerows((item.file.resolve(), dataset.labels[item.class_id], side) for item in items if item.file)


def with_made(config: TrainConfig, data: Path, folder: Path) -> TrainConfig:
    """Make further training pictures from the training side of the manifest `config.data.path`, and pictures of no class.

    The validation pictures stay photographs. `scripts/street_pictures.py` tells what is made.
    """
    labels = (dataset := config.data.scan()).labels
    sides = config.data.split(dataset)
    pictures, manifest = folder / "made", folder / "with-made.csv"
    if not pictures.exists():  # whole or not at all, so that a second call can continue
        shutil.rmtree(beside := folder / "made.part", ignore_errors=True)
        street_pictures.make(data, [(item.file, labels[item.class_id]) for item in sides.train if item.file], beside)
        beside.rename(pictures)
    with whole_file(manifest) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "class", "split"))
        for side, items in (("train", sides.train), ("val", sides.val), ("test", dataset.of_split("test"))):
            rows.writerows((item.file.resolve(), labels[item.class_id], side) for item in items if item.file)
        for label in labels:
            rows.writerows((path.resolve(), label, "train") for path in pictures_under(pictures / label))
    stranger = pictures / street_pictures.STRANGER
    group = f"{config.data.group}|/made/(.*)" if config.data.group else ""
    return replace(
        config, data=replace(config.data, path=str(manifest), group=group), stranger_pictures=str(stranger.resolve())
    )


def train(config: TrainConfig, run: Path) -> None:
    """Train, or continue to train, into the folder `run`. Raises ConfigError if that fails.

    Uses a separate process, because Keras has one backend per process and the export needs TensorFlow.
    """
    run.parent.mkdir(parents=True, exist_ok=True)
    settings = run.with_suffix(".toml")
    with whole_file(settings) as beside:
        beside.write_text(config.to_toml(), encoding="utf-8")
    resume = ["--resume"] if (run / "last.keras").exists() else []
    command = [sys.executable, "-m", "edgecls", "train", "--config", str(settings), "--out", str(run), *resume]
    done = subprocess.run(command, env={**os.environ, "KERAS_BACKEND": BACKEND}, check=False)
    if done.returncode:
        raise ConfigError(f"{run}: training ended with exit code {done.returncode}; run the same command to continue")


def fit_linear(config: TrainConfig, run: Path, test: str) -> Report:
    """Measure a linear classifier on the same pixels of the same pictures."""
    plain = TrainConfig(
        config.data, arch="linear", input=config.input, epochs=LINEAR_EPOCHS, batch=64, augment=NO_AUGMENT, seed=config.seed
    )
    train(plain, run)
    export(run, run / "linear.onnx", scheme="fp32", max_drop=100, say=lambda _line: None)
    return evaluate(Classifier.load(run / "linear.onnx", device="cpu"), scan(test, group=config.data.group or None))


def note(name: str, figures: dict[str, Any]) -> None:
    """Store the figures of a model in models/zoo.json."""
    held = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    with whole_file(FIGURES) as beside:
        beside.write_text(json.dumps({**held, name: figures}, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} DATA [NAME...]")
    try:
        sys.exit(main(sys.argv[1:]))
    except EdgeclsError as error:
        sys.exit(f"error: {error}")
