"""How a foreign network wants its pictures: colour, range of values, layout. Once in numpy, to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Layout = Literal["nchw", "nhwc", "nhw", "flat"]
"""Of the network's input: channels first or last, gray without an axis for channels, or gray in one row."""


@dataclass(frozen=True, slots=True)
class Values:
    """What becomes of a level of 0..255: (level x unit - mean) / std. `mean` and `std` are one number, or one for each of red,
    green and blue.
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
"""The usual suspects, by what `--values` calls them."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One way to feed a network: `color` is "gray", "rgb" or "bgr"; `values` a name in VALUES, whose mean and std are those
    given here in the order of the network's channels, where some are given.
    """

    color: str
    values: str
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def numbers(self) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
        """The unit, and the means and stds in the order of the network's channels: one number, or one for each."""
        row = VALUES[self.values]
        mean, std = (value[::-1] if self.color == "bgr" else value for value in (row.mean, row.std))
        return row.unit, np.array(self.mean or mean, np.float32), np.array(self.std or std, np.float32)

    def of(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, height, width, channels) uint8, its channels in the order of `color` -> the values that the network sees."""
        unit, mean, std = self.numbers
        fed: NDArray[np.float32] = ((batch.astype(np.float32) * np.float32(unit) - mean) / std).astype(np.float32)
        return fed

    @property
    def options(self) -> str:
        """The options that say it."""
        given = [
            f" --{name} {','.join(f'{v:g}' for v in value)}"
            for name, value in (("mean", self.mean), ("std", self.std))
            if value
        ]
        return f"--color {self.color} --values {self.values}{''.join(given)}"

    def __str__(self) -> str:
        """In words."""
        given = [
            f"{name} {','.join(f'{v:g}' for v in value)}" for name, value in (("mean", self.mean), ("std", self.std)) if value
        ]
        return ", ".join((self.color, self.values, *given))


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user says of a model; "" or () is left unsaid.

    `labels` names a file with one label a line, or is "numbers"; `size_hw` in pixels; `output` is "logits" or "probabilities",
    `output_name` the tensor that has them; `mean` and `std` in the order of the network's channels.
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

    def __post_init__(self) -> None:
        """Refuse what is no answer."""
        for name, known in _KNOWN.items():
            said = getattr(self, name)
            if said and said not in known:
                raise ConfigError(f"--{name} {said}: expected one of {', '.join(known)}")
        for name in ("mean", "std"):
            said = getattr(self, name)
            if said and (len(said) not in (1, 3) or not np.isfinite(said).all() or (name == "std" and min(said) <= 0)):
                raise ConfigError(f"--{name} {','.join(map(str, said))}: expected one number or three"
                                  f"{', above 0' if name == 'std' else ''}")  # fmt: skip
        if (self.mean or self.std) and self.values not in ("", "0..1", "0..255"):
            raise ConfigError(
                f"--values {self.values} has a mean and a std of its own; take 0..1 or 0..255 with --mean and --std"
            )

    def agree(self, feed: Feed) -> bool:
        """Whether a feed is one that the user may have meant."""
        pairs = ((self.color, feed.color), (self.values, feed.values), (self.mean, feed.mean), (self.std, feed.std))
        return all(not said or said == taken for said, taken in pairs)


_KNOWN = {
    "layout": ("nchw", "nhwc"),
    "color": ("gray", "rgb", "bgr"),
    "values": tuple(VALUES),
    "fit": ("stretch", "letterbox", "center-crop"),
    "interpolation": ("area", "linear"),
    "output": ("logits", "probabilities"),
}


def feeds(channels: int, answers: Answers) -> list[Feed]:
    """The usual suspects for a network of so many channels, and what the user says if it is none of them."""
    colors = ("gray",) if channels == 1 else ("rgb", "bgr")
    usual = [Feed(color, name) for name, row in VALUES.items() for color in colors if len(row.mean) in (1, channels)]
    own = [
        Feed(color, name, answers.mean, answers.std)
        for name in ("0..1", "0..255")
        for color in colors
        if (answers.mean or answers.std) and answers.values in ("", name) and answers.color in ("", color)
    ]
    return own + usual
