"""Everything that decides what a training run gives. The same config, data and machine give the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from edgecls import extras
from edgecls.card import InputSpec
from edgecls.dataset import DataConfig  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.settings import as_table, check
from edgecls.train.strangers import KINDS

Pool = Literal["max", "average"]
Activation = Literal["none", "relu", "tanh", "sigmoid"]
Optimizer = Literal["", "adam", "adamw", "sgd", "rmsprop"]
Keep = Literal["best", "last"]
BestBy = Literal["accuracy", "macro-recall", "worst-recall"]
Balance = Literal["none", "weights", "sampler", "focal", "logit-adjust"]
Schedule = Literal["", "constant", "cosine"]
Precision = Literal["float32", "bfloat16"]
STRANGER_KINDS = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class Layers:
    """The classic network, layer by layer; the defaults are the textbook's. `width` is for the others: so many times the
    kernels of each of their layers. `normalize` brings each picture to mean 0 and deviation 1 before the first layer.

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
    width: float = 1.0
    normalize: bool = False

    def __post_init__(self) -> None:
        """Refuse what no network can be made of."""
        check("layers.kernels", self.kernels, bool(self.kernels) and min(self.kernels) > 0, "one or more numbers above 0")
        for name in ("kernel_size", "pool_window", "dense"):
            check(f"layers.{name}", getattr(self, name), getattr(self, name) > 0, "above 0")
        check("layers.width", self.width, 0 < self.width <= 16, "above 0, up to 16")
        check("layers.pool_stride", self.pool_stride, self.pool_stride >= 0, "0 (the window) or above")


@dataclass(frozen=True, slots=True)
class Augment:
    """How far each training picture is changed at random, each time it is seen. 0 switches one kind off.

    `scale`, `brightness` and `contrast`: a factor from 1 - value to 1 + value; `rotation_deg`: degrees to either side;
    `translation` and `shear`: a fraction of the side, in both directions; `blur`: the largest radius (sigma), a fraction of the
    side; `noise`: the largest deviation, a fraction of white; `erase`: the largest rectangle that is covered, a fraction of
    each side. `mirror` names the classes whose pictures may be turned left to right: a label, `LABEL=LABEL` for two that turn
    into each other, `all`.
    """

    scale: float = 0.05
    rotation_deg: float = 5.0
    translation: float = 0.05
    brightness: float = 0.2
    contrast: float = 0.2
    shear: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    mirror: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse changes that leave nothing of the picture."""
        for name in ("scale", "translation", "brightness", "contrast", "shear", "blur", "noise", "erase"):
            check(f"augment.{name}", getattr(self, name), 0 <= getattr(self, name) < 1, "from 0 to below 1")
        check("augment.rotation_deg", self.rotation_deg, 0 <= self.rotation_deg <= 180, "from 0 to 180")


NO_AUGMENT = Augment(scale=0.0, rotation_deg=0.0, translation=0.0, brightness=0.0, contrast=0.0)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One training run.

    `keep` is the epoch that the run is remembered by: the best on the held-out pictures by `best_by`, or the last. With a
    learning rate that falls to zero and few held-out groups the last is the surer choice. After `patience` epochs without a
    better one (0: however many) the run ends. `balance` is what is done for classes with few pictures, see
    `edgecls.train.balance`.

    Of `optimizer`, `schedule`, `rate` (the learning rate), `warmup` (epochs in which it rises from nothing), `weight_decay`,
    `dropout` and `average` (keep the moving average of the weights over about an epoch), those that are empty or None are what
    the architecture trains best with. `precision` is that of the sums while training; the weights stay in float32.

    `label_smoothing` (the share of all classes in each picture), `mixup` (its alpha; 0: none), `strangers` (the share of
    pictures that are made to be of no class) of `stranger_kinds`, and `teachers` (model files), whose word counts
    `teacher_weight` against the labels', are those of `edgecls.train.targets`. `about` goes on the card: the data's name and
    terms.
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
    warmup: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    average: bool | None = None
    precision: Precision = "float32"
    label_smoothing: float = 0.0
    mixup: float = 0.0
    strangers: float = 0.0
    stranger_kinds: tuple[str, ...] = STRANGER_KINDS
    teachers: tuple[str, ...] = ()
    teacher_weight: float = 0.7
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
        check("warmup", self.warmup, self.warmup is None or 0 <= self.warmup < self.epochs, "from 0 to below the epochs")
        for name in ("label_smoothing", "strangers"):
            check(name, getattr(self, name), 0 <= getattr(self, name) < 1, "from 0 to below 1")
        check("mixup", self.mixup, self.mixup >= 0, "0 or above")
        check("teacher_weight", self.teacher_weight, 0 <= self.teacher_weight <= 1, "from 0 to 1")
        known = bool(self.stranger_kinds) and set(self.stranger_kinds) <= set(STRANGER_KINDS)
        check("stranger_kinds", self.stranger_kinds, known, f"some of {', '.join(STRANGER_KINDS)}")
        check("dropout", self.dropout, self.dropout is None or 0 <= self.dropout < 1, "from 0 to below 1")

    def to_toml(self) -> str:
        """Return the config as TOML; what is None is left out."""
        writer: Any = extras.load("tomli_w", extra="train", purpose="Training")
        return str(writer.dumps(as_table(self)))
