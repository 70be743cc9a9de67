"""Frames, predictions and results: the types that all other modules exchange.

A `Frame` carries functions that make its pixels, not the pixels themselves: a gray model on a decoder that has a Y
plane never pays for colour, and a sink that draws pays for it once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from edgecls.event import Moment
from edgecls.picture import FULL_RANGE as FULL_RANGE  # others import these from here
from edgecls.picture import Batch as Batch
from edgecls.picture import Box as Box
from edgecls.picture import Picture as Picture
from edgecls.picture import painted_part
from edgecls.prediction import Prediction as Prediction  # noqa: TC001 - others import it from here

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.detected import Detected
    from edgecls.event import Moment
    from edgecls.input_spec import Color, Interpolation
    from edgecls.overlay import Overlay
    from edgecls.picture import MakePart, Paint
    from edgecls.video.packets import Packets

WHOLE_FRAME = "frame"
"""The name of the region that is all of a frame."""
Unwatched = Literal["", "warm-up", "everything moves"]
"""Why motion was not looked at: the background is learned for the first time, or again as nearly all of the frame moved."""


class Region(NamedTuple):
    """A named part of a frame to classify. If there is a box `around` it, both are classified and combined into one label.

    `detected` is what a detector says of it, if one found it.
    """

    name: str
    box: Box
    around: Box | None = None
    detected: Detected | None = None


class Frame:
    """One picture from a source, with the time it belongs to.

    `camera` is the source's name; `index` counts frames captured from 0, skipped ones included; `time_s` is media time,
    seconds from the start of the stream; `captured_at` is `time.monotonic()` when the frame left the source;
    `at_s` is that moment in seconds since 1970 (UTC) where the source is live, else None;
    `size_hw` is (height, width) in pixels; `file` names the video, or the picture of a folder, and is empty where the source
    is live; `single` says that it is a picture by itself, which has nothing to do with the frame before it;
    `limited` says that the levels of `plane` go from 16 to 235; `packets` are the last seconds of its stream as they came,
    where the source was asked to keep them; `paint` is what was done to its pixels, such as blacking out private areas, None
    if they are as the camera sent them; `overviews` the small gray pictures of all of it that were made so far, by their
    width (`edgecls.image.fit.overview`); `left_out` counts what moves in it and is not classified, as too much does;
    `foreground` is what moves in it, (H, W) bool of a small picture, None where nobody looked for motion (`Motion`), and
    `unwatched` says why its motion was not looked at. Of a camera with two streams, `sharp` is the frame of the main stream at
    this moment, where that is decoded, and `ask_sharp` asks for it (`edgecls.regions.sharp.is_ready`).
    """

    __slots__ = (
        "_bgr", "_luma", "_make_bgr", "_make_part", "_make_plane", "_plane", "ask_sharp", "at_s", "camera",
        "captured_at", "file", "foreground", "index", "left_out", "limited", "overviews", "packets", "paint",
        "sharp", "single", "size_hw", "time_s", "unwatched",
    )  # fmt: skip

    def __init__(
        self,
        camera: str,
        index: int,
        *,
        time_s: float,
        captured_at: float,
        size_hw: tuple[int, int],
        bgr: Callable[[], Picture],
        plane: Callable[[], Picture],
        part: MakePart | None = None,
        limited: bool = False,
        file: str = "",
    ) -> None:
        """Store the functions that make the pixels on first use: `bgr`, `plane` (gray), and `part` if there is a way to it."""
        self.camera = camera
        self.index = index
        self.time_s = time_s
        self.captured_at = captured_at
        self.size_hw = size_hw
        self.file = file
        self.single = False
        self.left_out = 0
        self.foreground: NDArray[np.bool_] | None = None
        self.unwatched: Unwatched = ""
        self.at_s: float | None = None
        self.packets: Packets | None = None
        self.paint: Paint | None = None
        self.overviews: dict[int, Picture] = {}
        self.sharp: Frame | None = None
        self.ask_sharp: Callable[[Frame, float], bool] | None = None
        self._make_bgr = bgr
        self.limited = limited
        self._make_plane = plane
        self._make_part = part
        self._bgr: Picture | None = None
        self._luma: Picture | None = None
        self._plane: Picture | None = None

    def plane(self) -> Picture:
        """Return the gray picture as the decoder gave it: (H, W) uint8, levels 16..235 if `limited`, read-only."""
        if self._plane is None:
            self._plane = _read_only(self._make_plane())
        return self._plane

    def luma(self) -> Picture:
        """Return the gray picture: (H, W) uint8, full range, read-only."""
        if self._luma is None:
            self._luma = _read_only(FULL_RANGE[self.plane()]) if self.limited else self.plane()
        return self._luma

    def bgr(self) -> Picture:
        """Return the colour picture: (H, W, 3) uint8 blue-green-red, read-only; copy it to draw on it."""
        if self._bgr is None:
            self._bgr = _read_only(self._make_bgr())
        return self._bgr

    def part(self, box: Box, size_hw: tuple[int, int], color: Color, interpolation: Interpolation) -> Picture | None:
        """Return a part of the picture in a size, without making all of the large one.

        Args:
            box: The part, in pixels.
            size_hw: Height and width of the result.
            color: "gray", "rgb" or "bgr".
            interpolation: "area" or "linear", as in `InputSpec`.

        Returns:
            (height, width) gray or (height, width, 3), uint8, full range. None where the decoder has no such way.
        """
        return None if self._make_part is None else self._make_part(box, size_hw, color, interpolation)

    def at(self, index: int, time_s: float, *, at_s: float | None = None) -> Frame:
        """Return the same picture at another index and time of its stream; `at_s` is Unix time if the source is live."""
        moved = copy.copy(self)
        moved.index, moved.time_s, moved.at_s = index, time_s, at_s
        return moved

    @property
    def public_packets(self) -> Packets | None:
        """The packets to show or to copy: none of a frame whose pixels were painted over, which can be seen in them."""
        return self.packets if self.paint is None else None

    def painted(self, paint: Paint) -> Frame:
        """Return the frame with `paint` applied to every picture of it, in whatever size. It gives no others."""
        painted, bgr, plane, part = copy.copy(self), self._make_bgr, self._make_plane, self._make_part
        painted.paint = paint
        painted._make_bgr, painted._make_plane = lambda: paint(bgr()), lambda: paint(plane())
        painted._make_part = None if part is None else painted_part(part, paint, self.size_hw)
        painted._bgr = painted._luma = painted._plane = None
        painted.overviews, painted.sharp, painted.ask_sharp = {}, None, None
        return painted

    def bare(self) -> Frame:
        """Return the frame without its pixels, which takes almost no memory. Index, times, size and packets are kept."""
        bare = copy.copy(self)
        bare._make_bgr = bare._make_plane = _no_picture
        bare._make_part = bare._bgr = bare._luma = bare._plane = None
        bare.overviews, bare.foreground, bare.sharp, bare.ask_sharp = {}, None, None, None
        return bare

    def __repr__(self) -> str:
        """Name the camera, the index and the time."""
        height, width = self.size_hw
        return f"Frame({self.camera!r}, {self.index}, time_s={self.time_s:.3f}, {width}x{height})"


State = Literal["connecting", "live", "stalled", "lost", "ended"]
"""The connection state of a camera.

connecting   no picture has come yet
live         pictures come
stalled      connected, but nothing came for the read timeout; it is opened again
lost         the connection broke or was refused; it is opened again
ended        no picture will come any more
"""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A change of a camera's state: the reason, in one line without secrets, and when, as Unix time in seconds."""

    camera: str
    state: State
    why: str
    at_s: float

    def __str__(self) -> str:
        """Say it in one line."""
        again = "; trying again until pictures come" if self.state in ("lost", "stalled") else ""
        return f"{self.camera}: {self.state}" + (f" ({self.why})" if self.why else "") + again


@dataclass(frozen=True, slots=True)
class Detection:
    """A prediction for one region of a frame. `box_score` is the score of the detector that found it (0..1), if one did;
    `shadow` is what a shadow model says of the same crop, if it was asked.
    """

    box: Box
    prediction: Prediction
    region: str
    box_score: float | None = None
    shadow: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one frame took, in milliseconds: looking at it and shrinking its regions, its share of the batch's inference,
    and its age (from leaving the source to having its labels). `shadow_ms` is the CPU time of a shadow model; None if it
    did not see the frame.
    """

    fit_ms: float
    infer_ms: float
    age_ms: float
    shadow_ms: float | None = None


PictureFault = Literal["black", "overexposed", "covered", "frozen", "defocused", "moved"]
"""The faults that the pictures of a camera may have.

black         nothing but dark
overexposed   nearly all of it white
covered       something right before the lens: one tone, nothing stands out, and the usual scene is gone
frozen        the same pictures again and again while frames come
defocused     far less sharp than this camera usually is
moved         another scene than usual, or the same one in another place; after a while that is the usual one
"""


@dataclass(frozen=True, slots=True)
class Unfit:
    """That a camera's pictures cannot be trusted: which fault they show, since which frame, and the last frame so far in which
    that was seen. `classified` says that they are classified all the same.
    """

    fault: PictureFault
    since: Moment
    last: Moment
    classified: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A frame with everything said about it: what every sink and script receives. No regions, no detections; and none of a
    camera that is `unfit`, unless it was asked for them. `overlay` is what a run with rules draws besides (`edgecls.Site`),
    and `model` the name of the model, as in its events.
    """

    frame: Frame
    detections: tuple[Detection, ...]
    timing: Timing
    unfit: Unfit | None = None
    overlay: Overlay | None = None
    model: str = ""

    @property
    def left_out(self) -> int:
        """How many boxes of what moves were not classified, because there were more than `MotionSettings.max_regions`."""
        return self.frame.left_out


def _no_picture() -> Picture:
    raise TypeError("this frame was made without its picture by bare()")


def _read_only(picture: Picture) -> Picture:
    view = picture.view()
    view.flags.writeable = False
    return view


MOTION, LEFT, REMOVED = "motion", "left object", "removed object"
"""The names of the regions that move, and of those where something was left behind or is missing."""
END = "the end of the stream"
GONE = "it was taken out of the configuration"
"""Why a camera or a file has ended as it should; any other reason is a failure."""
