"""What a detector says of a region, besides its box."""

from __future__ import annotations

from typing import Literal, NamedTuple

Names = Literal["classifier", "detector", "both"]
"""Where the label of an object comes from."""


class Detected(NamedTuple):
    """What a detector says of a region: the name of its class, its score (0..1), and where the label comes from."""

    name: str
    score: float
    names: Names = "classifier"
