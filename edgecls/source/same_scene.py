"""Whether both streams of a camera show the same scene: a substream of another channel would have boxes where nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls import image
from edgecls.frame import Box
from edgecls.input_spec import InputSpec

if TYPE_CHECKING:
    from edgecls.frame import Frame, Picture
    from edgecls.log import Say

SMALL = InputSpec(36, 64)
"""The size at which pictures are compared, whatever their aspect ratios are."""
LEAST = 0.5
"""The least correlation of two pictures of one scene. Those of one moment reach more than 0.9, whatever the compression."""
SURE = 3
"""After so many pictures in a row that do not agree, it is another scene."""
AGAIN_S = 30.0
"""How long, in seconds of media time, a comparison counts."""


class SameScene:
    """Compares main frames with frames of the substream, now and then."""

    def __init__(self, name: str, say: Say) -> None:
        """Begin without a comparison. `say` is called with one line when the scene of the camera `name` differs."""
        self.is_other = False
        self._name = name
        self._say = say
        self._strange = 0
        self._last_s: float | None = None

    def is_due(self, time_s: float) -> bool:
        """Whether to compare the next pictures."""
        return self._last_s is None or self._strange > 0 or not 0 <= time_s - self._last_s < AGAIN_S

    def agrees(self, frame: Frame, sharp: Frame) -> bool:
        """Whether a main frame may be used: False if it shows something else, or may do so."""
        if not self.is_due(frame.time_s):
            return not self.is_other
        alike = image.correlation(*map(shrunk, (frame, sharp)))
        if alike is None:  # flat pictures prove nothing
            return not self.is_other
        self._last_s = frame.time_s
        self._strange = self._strange + 1 if alike < LEAST and not self.is_other else 0
        if alike >= LEAST or self._strange >= SURE:
            self._change(is_other=alike < LEAST)
        return alike >= LEAST

    def _change(self, *, is_other: bool) -> None:
        self._strange = 0
        if is_other and not self.is_other:
            self._say(
                f"{self._name}: source and substream show different scenes; labels and clips are of the substream until they "
                "agree; check the two addresses"
            )
        elif self.is_other and not is_other:
            self._say(f"{self._name}: source and substream show the same scene now")
        self.is_other = is_other


def shrunk(frame: Frame) -> Picture:
    """Return a frame at the size at which streams are compared: (36, 64) uint8 gray."""
    height, width = frame.size_hw
    return image.fit_region(frame, Box(0, 0, width, height), SMALL)[..., 0]
