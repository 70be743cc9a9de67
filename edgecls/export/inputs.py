"""Load the inputs of an export: the run folder, its network, and the pictures for calibration, validation and testing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls._version import __version__
from edgecls.dataset import DataConfig, Pictures, decode, fingerprint
from edgecls.dataset.matching import match_labels
from edgecls.errors import ConfigError, ExportError, ModelError
from edgecls.export.convert import check_backend
from edgecls.export.quantize import CALIBRATION_PICTURES
from edgecls.files.advice import of_missing
from edgecls.files.text_file import read_text
from edgecls.model import confidence, vet
from edgecls.model.card import ModelCard
from edgecls.model.vet.keras import TRAINED_WITH, open_keras
from edgecls.settings import build as build_settings
from edgecls.settings import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.dataset import Item
    from edgecls.input_spec import InputSpec


MOST_FITTED, FITTED_BYTES = 5000, 100_000_000
"""The most training pictures to fit a novelty to, and their bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Labelled test pictures, the model's class for each of their classes, and the fingerprint of their data."""

    pictures: Pictures
    class_ids: Sequence[int]
    fingerprint: str

    def name(self, kind: str) -> str:
        """Return the name of these pictures for the card: their number, their kind and their fingerprint."""
        return f"{len(self.pictures.batch)} {kind} pictures ({self.fingerprint})"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What every variant is built from and measured with.

    Attributes:
        out: The file to write.
        model: The keras.Model.
        card: Its card so far.
        train: Calibration pictures, (N, height, width, channels) uint8.
        fitting: Training pictures to fit the novelty to; None to leave it out.
        held_out: The pictures that the choice is based on.
        reject: The share of them that may come out as unknown, 0..1.
        tested: Test pictures, if any.
    """

    out: Path
    model: Any
    card: ModelCard
    train: NDArray[np.uint8]
    fitting: Pictures | None
    held_out: Pictures
    reject: float
    tested: Tested | None


def gather(
    run: Path, out: Path, *, calibration: str, test: str, reject: float, novelty: bool, target: str, say: Callable[[str], None]
) -> Given:
    """Load all inputs. `calibration` is the path of the run's pictures if they have moved; "" if not. With `novelty`, training
    pictures are loaded to fit it to.
    """
    keras_file, card, data = _read_run(run)
    check_backend()
    measuring = DataConfig(path=test, roi=data.roi, strict=data.strict, multi_label=data.multi_label)
    tested = tested_pictures(measuring, card.labels, card.input) if test else None
    fitting, held_out = _pictures(card, replace(data, path=calibration or data.path), say)
    if len(held_out.batch) < confidence.MIN_PICTURES_TO_FIT:
        say(
            f"warning: {len(held_out.batch)} held-out pictures are too few to calibrate the scores; they stay unchanged, and "
            "no picture comes out as unknown by its scores"
        )
    train = fitting.batch[:CALIBRATION_PICTURES]
    model = _load_keras(keras_file, card)
    made_with = {**card.made_with, **_versions(), "calibration_pictures": str(len(train)), "target": target}
    card = replace(card.uncalibrated, made_with=made_with, measured_on=f"{len(held_out.batch)} held-out pictures")
    return Given(out, model, card, train, fitting if novelty and not card.multi_label else None, held_out, reject, tested)


def _read_run(run: Path) -> tuple[Path, ModelCard, DataConfig]:
    """Return the Keras file, the card and the data settings of a run, given its folder or best.keras. Raises ConfigError."""
    folder = run.parent if run.suffix == ".keras" else run
    keras_file = run if run.suffix == ".keras" else folder / "best.keras"
    missing = [file.name for file in (keras_file, folder / "card.json", folder / "config.toml") if not file.is_file()]
    if missing:
        near = "" if folder.exists() else of_missing(folder)
        raise ConfigError(
            f"{run}: expected the folder of a training run; missing: {', '.join(missing)}; make one with: edgecls train{near}"
        )
    card = ModelCard.from_json(read_text(folder / "card.json", error=ModelError), str(folder / "card.json"))
    config = folder / "config.toml"
    return keras_file, card, build_settings(DataConfig, read_toml(config).get("data", {}), str(config), "data.")


def _load_keras(file: Path, card: ModelCard) -> Any:
    """Load a keras.Model and check it against the card of the run. Raises ConfigError."""
    keras = extras.load("keras", extra="export", purpose="Exporting")
    try:
        open_keras(vet.read(file), file.name, own=TRAINED_WITH, compiled=True)
        model = keras.saving.load_model(file, compile=False)  # how it was trained does not matter here
    except Exception as error:
        raise ConfigError(f"{file}: Keras cannot load it ({str(error)[:200]}); train again with: edgecls train") from error
    _check_form(model, card, file)
    return model


def _check_form(model: Any, card: ModelCard, file: Path) -> None:
    """Raise ConfigError if the inputs and outputs of the network are not those on the card of its run."""
    inputs, outputs = (list(getattr(model, name, None) or ()) for name in ("inputs", "outputs"))
    found = [tuple(tensor.shape)[1:] for tensor in (*inputs, *outputs)]
    numbers = [tensor for tensor in inputs if str(tensor.dtype).startswith(("uint", "int", "float", "bfloat"))]
    single = len(inputs) == len(outputs) == len(numbers) == 1 and hasattr(model.output, "shape")
    if not single or found != [card.input.shape, (len(card.labels),)]:
        raise ConfigError(
            f"{file}: expected a network from pictures of {card.input.shape} to {len(card.labels)} probabilities, as the "
            f"card.json beside it says, found one with inputs and outputs of {found}; train again with: edgecls train"
        )


def _pictures(card: ModelCard, data: DataConfig, say: Callable[[str], None]) -> tuple[Pictures, Pictures]:
    """Return a sample of the training pictures, of which the first are for calibration, and all held-out pictures.

    Raises:
        ExportError: The classes of the data are not those of the run.
    """
    dataset = data.scan()
    for line in dataset.notes:
        say(f"note: {line}")
    if dataset.labels != card.labels:
        raise ExportError(
            f"{data.path}: its classes are not those of the run ({len(dataset.labels)} against {len(card.labels)})"
        )
    if fingerprint(dataset) != card.dataset:
        say(f"warning: {data.path} is not what the run was trained on ({fingerprint(dataset)}, the card says {card.dataset})")
    parts = data.split(dataset)
    fitting = sample(parts.train, card.input, data.seed, most=fitting_count(card.input))
    return fitting, decode(parts.val, card.input, strict=data.strict)


def calibration_pictures(items: Sequence[Item], spec: InputSpec, seed: int) -> NDArray[np.uint8]:
    """Return a random sample of `items` to calibrate the ranges of activations with, (N, height, width, channels) uint8."""
    return sample(items, spec, seed, most=CALIBRATION_PICTURES).batch[:]


def sample(items: Sequence[Item], spec: InputSpec, seed: int, *, most: int) -> Pictures:
    """Return at most `most` random items, decoded; the first of a larger sample are those of a smaller one."""
    chosen = np.random.default_rng(seed).permutation(len(items))[:most]
    return decode([items[i] for i in chosen.tolist()], spec)


def fitting_count(spec: InputSpec) -> int:
    """Return how many training pictures to fit a novelty to: MOST_FITTED, or fewer large ones."""
    return max(CALIBRATION_PICTURES, min(MOST_FITTED, FITTED_BYTES // math.prod(spec.shape)))


def tested_pictures(data: DataConfig, labels: Sequence[str], spec: InputSpec) -> Tested:
    """Return the test part of labelled pictures, or all pictures if there is none, for a model with these labels."""
    dataset = data.scan()
    class_ids = match_labels(dataset, labels)
    found = decode(dataset.of_split("test") or dataset.items, spec, strict=data.strict)
    return Tested(found, class_ids, fingerprint(dataset))


def _versions() -> dict[str, str]:
    packages: dict[str, Any] = {name: extras.load(name, extra="export", purpose="Exporting") for name in
                                ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}  # fmt: skip
    return {"edgecls": __version__, **{name: str(package.__version__) for name, package in packages.items()}}
