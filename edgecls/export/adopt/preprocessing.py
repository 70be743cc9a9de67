"""The preprocessing that a network of another tool expects: colour, range of values, layout; and its computation in numpy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layout = Literal["nchw", "nhwc", "nhw", "flat"]
"""The layout of the input: channels first or last, gray without a channel axis, or gray pixels in one row."""


@dataclass(frozen=True, slots=True)
class Values:
    """The scaling of a level of 0..255: (level * unit - mean) / std.

    `mean` and `std` are one number, or one each for red, green and blue.
    """

    unit: float
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


VALUES = {
    "0..1": Values(1 / 255),
    "0..255": Values(1.0),
    "-1..1": Values(1 / 255, (0.5,), (0.5,)),
    "imagenet": Values(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # of the torchvision and timm models
}
"""The usual scalings, by the value of the setting `values`."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One way to preprocess pictures for a network.

    Attributes:
        color: The channel order: "gray", "rgb" or "bgr".
        values: The scaling, a key of VALUES.
        mean: Replaces the mean of the scaling, in the order of the network's channels; () keeps it.
        std: Replaces its standard deviation in the same way.
        divides: Levels are divided by 255, as makers do, instead of multiplied by 1/255, which int8 can leave out. The results
            differ in the last bit, which a graph that is int8 already turns into other scores.
    """

    color: str
    values: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    divides: bool = False

    @property
    def numbers(self) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
        """The unit, and mean and std in the order of the network's channels: one number, or one per channel."""
        row = VALUES[self.values]
        mean, std = (value[::-1] if self.color == "bgr" else value for value in (row.mean, row.std))
        return row.unit, np.array(self.mean or mean, np.float32), np.array(self.std or std, np.float32)

    def of(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scaled values of a batch, (N, height, width, channels) uint8 with the channels in the order of `color`."""
        unit, mean, std = self.numbers
        levels = batch.astype(np.float32)
        scaled = levels / np.float32(1 / unit) if self.divides else levels * np.float32(unit)
        fed: NDArray[np.float32] = ((scaled - mean) / std).astype(np.float32)
        return fed

    @property
    def options(self) -> str:
        """The settings that choose this preprocessing, for messages."""
        given = [
            f" `{name}={','.join(f'{v:g}' for v in value)}`"
            for name, value in (("mean", self.mean), ("std", self.std))
            if value
        ]
        return f"`color={self.color}` `values={self.values}`{''.join(given)}"

    def __str__(self) -> str:
        """Return the preprocessing in words, such as "rgb, 0..1"."""
        given = [
            f"{name} {','.join(f'{v:g}' for v in value)}" for name, value in (("mean", self.mean), ("std", self.std)) if value
        ]
        return ", ".join((self.color, self.values, *given))


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user says about a network; "" or () means not given.

    Attributes:
        labels: A file with one label per line, or "numbers".
        size_hw: Height and width in pixels.
        layout: "nchw" or "nhwc".
        color: The channel order: "gray", "rgb" or "bgr".
        values: The scaling, a key of VALUES.
        mean: The mean, one number or three, in the order of the network's channels.
        std: The standard deviation, in the same way.
        fit: How a picture is brought to the size of the input, see `InputSpec`.
        interpolation: Interpolation when a picture is shrunk, see `InputSpec`.
        output: "logits" or "probabilities".
        output_name: The name of the output to use.
        missing: Other settings that are missing, to be named together with the missing answers.
    """

    labels: str = ""
    size_hw: tuple[int, int] | tuple[()] = ()
    layout: str = ""
    color: str = ""
    values: str = ""
    mean: tuple[float, ...] = field(default=())
    std: tuple[float, ...] = field(default=())
    fit: str = ""
    interpolation: str = ""
    output: str = ""
    output_name: str = ""
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ConfigError for an invalid answer."""
        for name, known in _KNOWN.items():
            value = getattr(self, name)
            if value and value not in known:
                raise ConfigError(f"`{name}={value}`: expected one of {', '.join(known)}")
        for name in ("mean", "std"):
            numbers = getattr(self, name)
            if numbers and (
                len(numbers) not in (1, 3) or not np.isfinite(numbers).all() or (name == "std" and min(numbers) <= 0)
            ):
                raise ConfigError(f"`{name}={','.join(map(str, numbers))}`: expected one number or three"
                                  f"{', above 0' if name == 'std' else ''}")  # fmt: skip
        if (self.mean or self.std) and self.values not in ("", "0..1", "0..255"):
            raise ConfigError(f"`values={self.values}` already has a mean and a std; use 0..1 or 0..255 with `mean` and `std`")

    def agree(self, feed: Feed) -> bool:
        """Return whether a preprocessing does not contradict these answers."""
        pairs = ((self.color, feed.color), (self.values, feed.values), (self.mean, feed.mean), (self.std, feed.std))
        return all(not given or given == value for given, value in pairs)


_KNOWN = {
    "layout": ("nchw", "nhwc"),
    "color": ("gray", "rgb", "bgr"),
    "values": tuple(VALUES),
    "fit": ("stretch", "letterbox", "center-crop"),
    "interpolation": ("area", "linear"),
    "output": ("logits", "probabilities"),
}


def feeds(channels: int, answers: Answers) -> list[Feed]:
    """Return the usual preprocessings for a network with 1 or 3 channels, after those with the mean and std of the user."""
    colors = ("gray",) if channels == 1 else ("rgb", "bgr")
    usual = [Feed(color, name) for name, row in VALUES.items() for color in colors if len(row.mean) in (1, channels)]
    own = [
        Feed(color, name, answers.mean, answers.std)
        for name in ("0..1", "0..255")
        for color in colors
        if (answers.mean or answers.std) and answers.values in ("", name) and answers.color in ("", color)
    ]
    return own + usual
