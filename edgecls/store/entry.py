"""A picture in a store, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

GROUP_S = 60.0
"""Pictures of one camera without an event that were taken within this many seconds may show the same thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a picture comes from and what a model said of it. Everything may be unknown.

    Attributes:
        camera: The name of the camera.
        region: The zone, "motion" or "frame".
        at_s: When it was taken, in seconds since 1970 (UTC).
        time_s: Its media time in its stream or file, in seconds.
        file: The recording that it is from; "" if the camera was live.
        event: The id of the event that it belongs to.
        track: The id of the track that it shows.
        reason: Why it was kept, such as "doubtful", "unknown", "new", "random" or "imported".
        model: The model that predicted.
        prediction: The label that the model gave.
        score: The score of this label, 0..1.
        embedding: (D,) float32, the position of the picture in the space of a backbone.
        embedded_by: The backbone of the embedding.
        hash: Its perceptual hash of 64 bits; the store computes it if it is not given.
        box: What a model sees of it: left, top, right and bottom in pixels of the picture. The rest is a margin for the person
            who labels it. None: all of it.
    """

    camera: str = ""
    region: str = ""
    at_s: float | None = None
    time_s: float | None = None
    file: str = ""
    event: str = ""
    track: int | None = None
    reason: str = ""
    model: str = ""
    prediction: str = ""
    score: float | None = None
    embedding: NDArray[np.float32] | None = None
    embedded_by: str = ""
    hash: int | None = None
    box: tuple[int, int, int, int] | None = None


UNKNOWN_ORIGIN = Origin()
"""Nothing is known about where a picture comes from."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A picture in a store.

    Attributes:
        id: Its number, which no other picture of the store ever has.
        path: Its file.
        bytes: The size of the file.
        size_hw: Its height and width in pixels.
        origin: Where it comes from.
        label: The label that somebody gave it; "" if it has none.
        is_unusable: Whether somebody said that it shows nothing to learn from.
        author: Who gave the label.
        labelled_at_s: When, in seconds since 1970 (UTC).
    """

    id: int
    path: Path
    bytes: int
    size_hw: tuple[int, int]
    origin: Origin
    label: str = ""
    is_unusable: bool = False
    author: str = ""
    labelled_at_s: float | None = None

    @property
    def group(self) -> str:
        """What must stay on one side of a split: pictures of one event, or of one camera within the same minute."""
        origin = self.origin
        if origin.event:
            return f"event {origin.event}"
        if origin.at_s is None and origin.time_s is None:
            return f"picture {self.id}"
        at_s = origin.at_s if origin.time_s is None or not origin.file else origin.time_s
        return f"{origin.camera} {origin.file} {int((at_s or 0.0) // GROUP_S)}"
