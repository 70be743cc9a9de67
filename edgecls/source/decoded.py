"""Make `Frame` objects from PyAV's decoded frames.

A grayscale model reads the decoder's Y plane directly, without conversion or copy. OpenCV's reader converts every frame to
colour first, which takes about as long as decoding it and is useless for such a model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from edgecls import image
from edgecls.errors import SourceError
from edgecls.frame import Box, Frame
from edgecls.picture import is_averaged
from edgecls.source import planes

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.frame import Picture
    from edgecls.input_spec import Color, Interpolation

Made = TypeVar("Made", bound="Picture | None")

FULL_RANGE_FORMATS = frozenset({"gray", "gray10le", "gray12le", "gray16le", "yuvj420p", "yuvj422p", "yuvj444p"})
FULL_RANGE = 2  # AVCOL_RANGE_JPEG


AVERAGED = 0x20 | 0x2000 | 0x40000
"""SWS_AREA | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND: each pixel is the average of its area, as exactly as FFmpeg can."""
LEAST_PIXELS = 16_000
"""Planes with fewer pixels are brought to size by OpenCV, as it takes FFmpeg's scaler longer to begin; halved ones too."""
KEPT_TABLES = 64


class Scaler:
    """FFmpeg's scaler, which computes its tables once per size and format. It may be used from several threads."""

    def __init__(self, av: Any, say: Callable[[str], None] = lambda _: None) -> None:
        """Take PyAV, and what is called with one line about pictures whose parts take long."""
        self._av = av
        self._say = say
        self._kept: OrderedDict[tuple[int | str, ...], Any] = OrderedDict()
        knows_threads = int(av.__version__.split(".")[0]) >= 17
        self._options: dict[str, int] = {"threads": 1} if knows_threads else {}  # more threads would take the decoder's cores
        self._turn = threading.Lock()

    def picture(self, decoded: Any, height: int, width: int, pixels: str) -> Picture:
        """Return a decoded frame in another size or pixel format: "gray", "bgr24" or "rgb24"."""
        options = dict(self._options)
        if (height, width) != (decoded.height, decoded.width):
            options["interpolation"] = AVERAGED
        with self._turn:
            made = self._tables(decoded.height, decoded.width, height, width, pixels).reformat(
                decoded, width, height, pixels, **options
            )
        return np.asarray(made.to_ndarray(), np.uint8)

    def plane(self, plane: Picture, size_hw: tuple[int, int], interpolation: Interpolation) -> Picture:
        """Return one plane of a picture, (H, W) uint8, in another size, as `edgecls.image.resized` does it."""
        height, width = size_hw
        shrinks = height <= plane.shape[0] and width <= plane.shape[1] and size_hw != plane.shape
        is_half = plane.shape == (2 * height, 2 * width)
        if not shrinks or is_half or interpolation != "area" or plane.size < LEAST_PIXELS:
            return image.resized(plane, height, width, interpolation)
        return self.picture(self._av.VideoFrame.from_numpy_buffer(plane, "gray"), height, width, "gray")

    def say_whole(self, camera: str, pixels: str) -> None:
        """Say once that parts of pictures cannot be made by themselves."""
        say, self._say = self._say, lambda _: None
        say(f"{camera}: its pictures are {pixels}, so all of each is converted to look at a part of it, which takes longer")

    def _tables(self, *key: int | str) -> Any:
        found = self._kept.pop(key, None) or self._av.video.reformatter.VideoReformatter()
        self._kept[key] = found
        if len(self._kept) > KEPT_TABLES:
            self._kept.popitem(last=False)
        return found


def as_frame(
    decoded: Any, scaler: Scaler, camera: str, index: int, time_s: float, captured_at: float, rotation: int | None = None
) -> Frame:
    """Make an upright frame from a decoded one. Colour, gray and parts in other sizes are made on first use.

    Phones store the orientation with the pictures; `rotation` is for decoders that do not pass it on.
    """
    turns = round(((getattr(decoded, "rotation", 0) if rotation is None else rotation) or 0) / 90) % 4
    high, wide = decoded.height, decoded.width
    pixels = decoded.format.name
    limited = pixels in planes.LAYOUTS and pixels not in FULL_RANGE_FORMATS and decoded.color_range != FULL_RANGE

    def made(make: Callable[[], Made]) -> Made:
        try:
            return _turned(make(), turns)
        except (ValueError, ArithmeticError, MemoryError, RuntimeError, OSError) as error:
            why = f"{pixels}, {wide}x{high}"
            raise SourceError(f"{camera}: frame {index} cannot be converted to a picture ({why})") from error

    def part(box: Box, size_hw: tuple[int, int], color: Color, interpolation: Interpolation) -> Picture | None:
        stored, size_hw = _stored(box, high, wide, turns), size_hw[::-1] if turns % 2 else size_hw
        found = made(lambda: planes.part(decoded, stored, size_hw, color, interpolation, scaler.plane, limited=limited))
        if found is not None:
            return found
        if stored != (0, 0, wide, high):
            scaler.say_whole(camera, pixels)
        elif is_averaged(size_hw, (high, wide), interpolation):
            return made(lambda: scaler.picture(decoded, *size_hw, "gray" if color == "gray" else f"{color}24"))
        return None

    return Frame(
        camera,
        index,
        time_s=time_s,
        captured_at=captured_at,
        size_hw=(wide, high) if turns % 2 else (high, wide),
        bgr=lambda: made(lambda: scaler.picture(decoded, high, wide, "bgr24")),
        plane=lambda: made(lambda: planes.luma(decoded)),
        part=part,
        limited=limited,
    )


def _turned(picture: Made, turns: int) -> Made:
    return picture if picture is None or not turns else np.ascontiguousarray(np.rot90(picture, turns))  # type: ignore[return-value]


def _stored(box: Box, high: int, wide: int, turns: int) -> Box:
    """Return where a box of the upright picture lies in the stored one, which is `high` and `wide`."""
    left, top, right, bottom = box
    return (
        box,
        Box(wide - bottom, left, wide - top, right),
        Box(wide - right, high - bottom, wide - left, high - top),
        Box(top, high - right, bottom, high - left),
    )[turns]
