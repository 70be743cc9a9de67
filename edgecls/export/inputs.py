"""What an export starts from: the folder of a run, its network, and the pictures that calibrate, decide and measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import __version__, confidence, extras
from edgecls.card import ModelCard
from edgecls.dataset import DataConfig, Pictures, decode, fingerprint
from edgecls.errors import ConfigError, ExportError
from edgecls.evaluate import match_labels
from edgecls.export.convert import check_backend
from edgecls.export.quantize import CALIBRATION_PICTURES
from edgecls.settings import build as build_settings
from edgecls.settings import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.card import InputSpec
    from edgecls.dataset import Item


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Labelled pictures that measure: the model's class for each of their classes, and the fingerprint of their data."""

    pictures: Pictures
    class_ids: Sequence[int]
    fingerprint: str

    def name(self, kind: str) -> str:
        """What a card calls them: how many they are, of which kind, of which data."""
        return f"{len(self.pictures.batch)} {kind} pictures ({self.fingerprint})"


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What every form is made from and measured with: the keras.Model, its card so far, `train` (N, height, width, channels)
    uint8 to calibrate, the held-out pictures that decide, the share of them that may be unknown, perhaps pictures that test,
    and the file that is to be written.
    """

    out: Path
    model: Any
    card: ModelCard
    train: NDArray[np.uint8]
    held_out: Pictures
    reject: float
    tested: Tested | None


def gather(
    run: Path, out: Path, *, calibration: str, test: str, reject: float, target: str, say: Callable[[str], None]
) -> Given:
    """Read all of it. `calibration` says where the run's pictures lie now; "" where they were."""
    keras_file, card, data = _read_run(run)
    check_backend()
    measuring = DataConfig(path=test, roi=data.roi, strict=data.strict)
    tested = tested_pictures(measuring, card.labels, card.input) if test else None
    train, held_out = _pictures(card, replace(data, path=calibration or data.path), say)
    if len(held_out.batch) < confidence.FEWEST_TO_FIT:
        say(f"warning: {len(held_out.batch)} held-out pictures are too few to fit confidence to; scores stay as they are, and "
            "nothing comes out as unknown")  # fmt: skip
    model = _load_keras(keras_file)
    made_with = {**card.made_with, **_versions(), "calibration_pictures": str(len(train)), "target": target}
    card = replace(card, made_with=made_with, measured_on=f"{len(held_out.batch)} held-out pictures")
    return Given(out, model, card, train, held_out, reject, tested)


def _read_run(run: Path) -> tuple[Path, ModelCard, DataConfig]:
    """The Keras file, the card and the data of the folder of a training run, or of the best.keras in it. Raises ConfigError."""
    folder = run.parent if run.suffix == ".keras" else run
    keras_file = run if run.suffix == ".keras" else folder / "best.keras"
    missing = [file.name for file in (keras_file, folder / "card.json", folder / "config.toml") if not file.is_file()]
    if missing:
        raise ConfigError(
            f"{run}: expected the folder of a training run; missing: {', '.join(missing)}; make one with: edgecls train"
        )
    card = ModelCard.from_json((folder / "card.json").read_text(encoding="utf-8"), str(folder / "card.json"))
    config = folder / "config.toml"
    return keras_file, card, build_settings(DataConfig, read_toml(config).get("data", {}), str(config), "data.")


def _load_keras(file: Path) -> Any:
    """The keras.Model of a file. Raises ConfigError."""
    keras = extras.load("keras", extra="export", purpose="Exporting")
    try:
        return keras.saving.load_model(file, compile=False)  # how it was trained does not matter here
    except Exception as error:
        raise ConfigError(f"{file}: Keras cannot load it ({str(error)[:200]}); train again with: edgecls train") from error


def _pictures(card: ModelCard, data: DataConfig, say: Callable[[str], None]) -> tuple[NDArray[np.uint8], Pictures]:
    """Some training pictures to calibrate with, (N, height, width, channels) uint8, and all of the held-out ones.

    Raises ExportError when the data has other classes than the run had.
    """
    dataset = data.scan()
    if dataset.labels != card.labels:
        raise ExportError(
            f"{data.path}: its classes are not those of the run ({len(dataset.labels)} against {len(card.labels)})"
        )
    if fingerprint(dataset) != card.dataset:
        say(f"warning: {data.path} is not what the run was trained on ({fingerprint(dataset)}, the card says {card.dataset})")
    sides = data.split(dataset)
    train = calibration_pictures(sides.train, card.input, data.seed)
    return train, decode(sides.val, card.input, strict=data.strict)


def calibration_pictures(items: Sequence[Item], spec: InputSpec, seed: int) -> NDArray[np.uint8]:
    """(N, height, width, channels) uint8: as many of `items` as tell the range of an activation, chosen by `seed`."""
    chosen = np.random.default_rng(seed).permutation(len(items))[:CALIBRATION_PICTURES]
    return decode([items[i] for i in chosen.tolist()], spec).batch[:]


def tested_pictures(data: DataConfig, labels: Sequence[str], spec: InputSpec) -> Tested:
    """The test part of labelled pictures, or all where they have none, for a model of these labels."""
    dataset = data.scan()
    class_ids = match_labels(dataset, labels)
    found = decode(dataset.of_split("test") or dataset.items, spec, strict=data.strict)
    return Tested(found, class_ids, fingerprint(dataset))


def _versions() -> dict[str, str]:
    packages: dict[str, Any] = {name: extras.load(name, extra="export", purpose="Exporting") for name in
                                ("tensorflow", "tf2onnx", "onnx", "onnxruntime")}  # fmt: skip
    return {"edgecls": __version__, **{name: str(package.__version__) for name, package in packages.items()}}
