"""The settings of a training run. The same config, data and machine give the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from edgecls import extras
from edgecls.dataset import DataConfig  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.input_spec import InputSpec
from edgecls.settings import as_table, check, check_limits, limited, some_of
from edgecls.train.outliers import KINDS

Pool = Literal["max", "average"]
Activation = Literal["none", "relu", "tanh", "sigmoid"]
Optimizer = Literal["", "adam", "adamw", "sgd", "rmsprop"]
Keep = Literal["best", "last"]
BestBy = Literal["", "accuracy", "macro-recall", "worst-recall", "mean-ap", "macro-f1"]
OF_CLASSES, OF_LABELS = ("accuracy", "macro-recall", "worst-recall"), ("mean-ap", "macro-f1")
"""What may choose the best epoch, with one class and with several labels a picture. The first is the default."""
Balance = Literal["none", "weights", "sampler", "focal", "logit-adjust"]
Schedule = Literal["", "constant", "cosine"]
Precision = Literal["float32", "bfloat16"]
STRANGER_KINDS = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class Layers:
    """The layers of the network. All but `width` and `normalize` apply to the architecture `classic` alone.

    Attributes:
        kernels: The number of kernels of each convolution block.
        kernel_size: The side of a kernel in pixels.
        pool: "max" or "average".
        pool_window: The side of the pooling window in pixels.
        pool_stride: The stride of pooling in pixels; 0 takes the window.
        pool_bias: Make pooling trainable as in LeNet-5, with a coefficient and a bias per channel.
        pool_activation: The activation after pooling.
        dense: The units of the hidden dense layer.
        width: A factor on the number of kernels, for architectures other than `classic`.
        normalize: Bring each picture to mean 0 and standard deviation 1 before the first layer.
    """

    kernels: tuple[int, ...] = limited((32,), above=0, expected="one or more numbers above 0")
    kernel_size: int = limited(3, above=0)
    pool: Pool = "max"
    pool_window: int = limited(2, above=0)
    pool_stride: int = limited(0, at_least=0, expected="0 (the window) or above")
    pool_bias: bool = False
    pool_activation: Activation = "none"
    dense: int = limited(512, above=0)
    width: float = limited(1.0, above=0, at_most=16)
    normalize: bool = False

    def __post_init__(self) -> None:
        """Validate the settings. Raises ConfigError."""
        check_limits(self)


@dataclass(frozen=True, slots=True)
class Augment:
    """How far a training picture is changed at random each time it is shown. 0 switches a kind of change off.

    Attributes:
        scale: Scale by a factor from 1 - value to 1 + value.
        rotation_deg: Rotate by up to this many degrees in either direction.
        translation: Shift by up to this fraction of the side in each direction.
        brightness: Scale the mean level by a factor from 1 - value to 1 + value.
        contrast: Scale the distance from the mean level, likewise.
        shear: Shear and stretch by up to this fraction of the side.
        blur: The largest sigma of the Gaussian blur, as a fraction of the side.
        noise: The largest standard deviation of the noise, as a fraction of white.
        erase: The largest erased rectangle, as a fraction of each side.
        mirror: The classes whose pictures may be flipped left to right: a label, `LABEL=LABEL` for two that swap, or `all`.
    """

    scale: float = limited(0.05, at_least=0, below=1)
    rotation_deg: float = limited(5.0, at_least=0, at_most=180)
    translation: float = limited(0.05, at_least=0, below=1)
    brightness: float = limited(0.2, at_least=0, below=1)
    contrast: float = limited(0.2, at_least=0, below=1)
    shear: float = limited(0.0, at_least=0, below=1)
    blur: float = limited(0.0, at_least=0, below=1)
    noise: float = limited(0.0, at_least=0, below=1)
    erase: float = limited(0.0, at_least=0, below=1)
    mirror: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Validate the ranges. Raises ConfigError."""
        check_limits(self)


NO_AUGMENT = Augment(scale=0.0, rotation_deg=0.0, translation=0.0, brightness=0.0, contrast=0.0)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The settings of one training run. Empty strings and None take what the architecture trains best with.

    Attributes:
        data: Where the pictures are and how they are split.
        arch: A name in `edgecls.train.model.ARCHITECTURES`.
        weights: The file with the first weights of a pretrained network; "" takes those of ImageNet.
        head_epochs: How many epochs train the last layer of a pretrained network alone, before all are fine-tuned.
        about: Free text for the model card, such as the name and license of the data.
        seed: Seeds the weights, the order of the pictures and the augmentation.
        epochs: Passes over the training pictures.
        batch: Pictures per batch.
        keep: The epoch whose weights are kept: the "best" on the held-out pictures, or the "last". With a learning rate that
            falls to zero and few held-out groups, the last is the safer choice.
        best_by: The metric that decides which epoch is best: "accuracy", "macro-recall" or "worst-recall"; with several labels
            a picture "mean-ap" or "macro-f1". "" takes the first one.
        patience: Stop after this many epochs without improvement; 0 never stops early.
        balance: How rare classes are helped, see `edgecls.train.balance`.
        optimizer: The Keras optimizer.
        schedule: How the learning rate changes over the run.
        rate: The learning rate.
        warmup: The number of epochs in which the learning rate rises from zero.
        weight_decay: The weight decay of the optimizer.
        dropout: The dropout rate, from 0 to below 1.
        average: Whether to keep an exponential moving average of the weights over about an epoch.
        precision: The number format of the computations; the weights stay in float32.
        label_smoothing: The share of a target that is spread over all classes.
        mixup: The alpha of mixup; 0 switches it off.
        strangers: The share of pictures that are replaced by outliers, which belong to no class.
        stranger_kinds: The kinds of outliers, see `edgecls.train.outliers`.
        stranger_pictures: A folder of pictures that belong to no class, from which half of the outliers are taken; "" for none.
        teachers: Model files to distill from.
        teacher_weight: The weight of the teachers against the labels, 0..1.
        input: The picture that the model takes.
        layers: The layers of the network.
        augment: The random changes to training pictures.

    Example:
        TrainConfig(DataConfig("data/signs"), arch="edge", epochs=20)
    """

    data: DataConfig
    arch: str = "classic"
    weights: str = ""
    head_epochs: int | None = limited(None, at_least=0)
    about: str = ""
    seed: int = 0
    epochs: int = limited(10, above=0)
    batch: int = limited(32, above=0)
    keep: Keep = "best"
    best_by: BestBy = ""
    patience: int = limited(0, at_least=0)
    balance: Balance = "none"
    optimizer: Optimizer = ""
    schedule: Schedule = ""
    rate: float | None = limited(None, above=0)
    warmup: float | None = limited(None, at_least=0)
    weight_decay: float | None = limited(None, at_least=0)
    dropout: float | None = limited(None, at_least=0, below=1)
    average: bool | None = None
    precision: Precision = "float32"
    label_smoothing: float = limited(0.0, at_least=0, below=1)
    mixup: float = limited(0.0, at_least=0)
    strangers: float = limited(0.0, at_least=0, below=1)
    stranger_kinds: tuple[str, ...] = some_of(STRANGER_KINDS, STRANGER_KINDS)
    stranger_pictures: str = ""
    teachers: tuple[str, ...] = ()
    teacher_weight: float = limited(0.7, at_least=0, at_most=1)
    input: InputSpec = field(default_factory=InputSpec)
    layers: Layers = field(default_factory=Layers)
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        """Validate the settings. Raises ConfigError."""
        check_limits(self)
        metrics = OF_LABELS if self.data.multi_label else OF_CLASSES
        if not self.best_by:
            object.__setattr__(self, "best_by", metrics[0])  # so that config.toml says what was used
        kind = "several labels a picture" if self.data.multi_label else "one class a picture"
        check("best_by", self.best_by, self.best_by in metrics, f"{', '.join(metrics)}, with {kind}")
        check("warmup", self.warmup, self.warmup is None or self.warmup < self.epochs, "from 0 to below the epochs")

    def to_toml(self) -> str:
        """Return the config as TOML, without the settings that are None."""
        writer: Any = extras.load("tomli_w", extra="train", purpose="Training")
        return str(writer.dumps(as_table(self)))
