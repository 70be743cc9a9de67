"""Everything that decides what a training run gives. The same config, data and machine give the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from edgecls import extras
from edgecls.card import InputSpec
from edgecls.dataset import DataConfig  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.settings import as_table, check

Pool = Literal["max", "average"]
Activation = Literal["none", "relu", "tanh", "sigmoid"]
Optimizer = Literal["", "adam", "adamw", "sgd", "rmsprop"]
Keep = Literal["best", "last"]
BestBy = Literal["accuracy", "macro-recall", "worst-recall"]
Balance = Literal["none", "weights", "sampler", "focal", "logit-adjust"]
Schedule = Literal["", "constant", "cosine"]


@dataclass(frozen=True, slots=True)
class Layers:
    """The classic network, layer by layer; the defaults are the textbook's.

    One convolution block for each number in `kernels`; `pool_stride` 0 is the window; `pool_bias` makes pooling
    trainable as in LeNet-5 (a coefficient and a bias per channel), followed by `pool_activation`.
    """

    kernels: tuple[int, ...] = (32,)
    kernel_size: int = 3
    pool: Pool = "max"
    pool_window: int = 2
    pool_stride: int = 0
    pool_bias: bool = False
    pool_activation: Activation = "none"
    dense: int = 512

    def __post_init__(self) -> None:
        """Refuse what no network can be made of."""
        check("layers.kernels", self.kernels, bool(self.kernels) and min(self.kernels) > 0, "one or more numbers above 0")
        for name in ("kernel_size", "pool_window", "dense"):
            check(f"layers.{name}", getattr(self, name), getattr(self, name) > 0, "above 0")
        check("layers.pool_stride", self.pool_stride, self.pool_stride >= 0, "0 (the window) or above")


@dataclass(frozen=True, slots=True)
class Augment:
    """How far each training picture is changed at random, each time it is seen. 0 switches one kind off.

    `scale`, `brightness` and `contrast`: a factor from 1 - value to 1 + value; `rotation_deg`: degrees to either side;
    `translation`: a fraction of the side, in both directions.
    """

    scale: float = 0.05
    rotation_deg: float = 5.0
    translation: float = 0.05
    brightness: float = 0.2
    contrast: float = 0.2

    def __post_init__(self) -> None:
        """Refuse changes that leave nothing of the picture."""
        for name in ("scale", "translation", "brightness", "contrast"):
            check(f"augment.{name}", getattr(self, name), 0 <= getattr(self, name) < 1, "from 0 to below 1")
        check("augment.rotation_deg", self.rotation_deg, 0 <= self.rotation_deg <= 180, "from 0 to 180")


NO_AUGMENT = Augment(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run.

    `keep` is the epoch that the run is remembered by: the best on the held-out pictures by `best_by`, or the last. With a
    learning rate that falls to zero and few held-out groups the last is the surer choice. After `patience` epochs without a
    better one (0: however many) the run ends. `balance` is what is done for classes with few pictures, see
    `edgecls.train.balance`.

    Of `optimizer`, `schedule`, `rate` (the learning rate), `weight_decay`, `dropout` and `average` (keep the moving average of
    the weights over about an epoch), those that are empty or None are what the architecture trains best with. `about` goes on
    the card: the data's name and terms.
    """

    data: DataConfig
    arch: str = "classic"
    about: str = ""
    seed: int = 0
    epochs: int = 10
    batch: int = 32
    keep: Keep = "best"
    best_by: BestBy = "accuracy"
    patience: int = 0
    balance: Balance = "none"
    optimizer: Optimizer = ""
    schedule: Schedule = ""
    rate: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    average: bool | None = None
    input: InputSpec = field(default_factory=InputSpec)
    layers: Layers = field(default_factory=Layers)
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained with."""
        check("epochs", self.epochs, self.epochs > 0, "above 0")
        check("batch", self.batch, self.batch > 0, "above 0")
        check("patience", self.patience, self.patience >= 0, "0 or above")
        check("rate", self.rate, self.rate is None or self.rate > 0, "above 0")
        check("weight_decay", self.weight_decay, self.weight_decay is None or self.weight_decay >= 0, "0 or above")
        check("dropout", self.dropout, self.dropout is None or 0 <= self.dropout < 1, "from 0 to below 1")

    def to_toml(self) -> str:
        """Return the config as TOML; what is None is left out."""
        writer: Any = extras.load("tomli_w", extra="train", purpose="Training")
        return str(writer.dumps(as_table(self)))
