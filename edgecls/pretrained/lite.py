"""EfficientNet-Lite 0, 1 and 2 as data: which blocks follow one another, and what each is called in the weights.

The family is EfficientNet (Tan and Le 2019) without squeeze-and-excitation, with ReLU6 in place of swish, and with a stem and a
head of the same size in all members, which makes it accurate in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

EPSILON = 1e-3
"""Of all batch normalizations."""
MEAN, SCALE = 127.0, 128.0
"""A level x of a channel, 0..255, enters as (x - MEAN) / SCALE; the channels are red, green, blue."""
STEM, HEAD = 32, 1280
"""Channels after the first convolution, and after the last: the size of an embedding."""
SMALLEST_SIZE = 64
"""The smallest side in pixels: the network halves it five times, so 2x2 cells are left."""
LARGEST_SIZE = 1024


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted residual block: expand by 1x1, filter each channel, project by 1x1.

    Attributes:
        prefix: The beginning of the names of its weights.
        channels: Into the block, and out of it.
        expansion: The factor of the first convolution; 1: there is none.
        kernel: The side of the depthwise kernel.
        stride: 1 or 2.
    """

    prefix: str
    channels: tuple[int, int]
    expansion: int
    kernel: int
    stride: int

    @property
    def adds(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.channels[0] == self.channels[1]


@dataclass(frozen=True)
class Lite:
    """A member of the family.

    Attributes:
        name: As in `--arch`.
        size: The side in pixels of the pictures that it was trained on.
        widths: The channels of the seven stages.
        repeats: The blocks of each stage.
        top1: Its accuracy on ImageNet in float32, as published, 0..1.
    """

    name: str
    size: int
    widths: tuple[int, ...]
    repeats: tuple[int, ...]
    top1: float

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """All blocks in order."""
        found: list[Block] = []
        before = STEM
        for (expansion, kernel, stride), width, repeats in zip(_STAGES, self.widths, self.repeats, strict=True):
            for i in range(repeats):
                found.append(Block(f"_blocks.{len(found)}.", (before, width), expansion, kernel, 1 if i else stride))
                before = width
        return tuple(found)


_STAGES = ((1, 3, 1), (6, 3, 2), (6, 5, 2), (6, 3, 2), (6, 5, 1), (6, 5, 2), (6, 3, 1))
"""Expansion, kernel, and stride of the first block of each stage."""
LITE = {
    row.name: row
    for row in (
        Lite("efficientnet-lite0", 224, (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1), top1=0.751),
        Lite("efficientnet-lite1", 240, (16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1), top1=0.767),
        Lite("efficientnet-lite2", 260, (16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1), top1=0.776),
    )
}
"""By name."""
