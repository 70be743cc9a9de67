"""One picture of a camera on which its zones and lines can be judged: of a video, one in which something moves.

The first picture of a video often shows an empty road. So about 30 pictures of the first minute are each compared with the
median of those around it, which shows what does not move, and the one that differs most is taken.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.errors import SourceError
from edgecls.image.opencv import cv2
from edgecls.source import open_named, recognize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Picture
    from edgecls.log import Say
    from edgecls.regions.geometry import Polygon
    from edgecls.run.camera import Camera
    from edgecls.source import ReadingSettings

LONGEST_S = 60.0
"""How much of a video is looked at, in seconds."""
FPS = 0.5
FEWEST = 10
"""A video with fewer key frames in that time is decoded as a whole, which takes longer."""
NEAR = 4
"""How many pictures before and after one form the median; so dusk is no motion."""
WIDTH = 160
"""Pictures are compared at this width, in pixels."""
QUALITY = 95
DIFFERS = 25
"""A pixel moves if it differs from the median by more levels than this."""
SMALLEST = 0.003
"""If a smaller share moves in all pictures, the first one is as good as any other."""
LARGEST = 0.6
"""If more than this share seems to move, the light or the camera has changed."""


def picture_of(camera: Camera, *, say: Say) -> tuple[Picture, float | None]:
    """Take a picture of a camera.

    Args:
        camera: The camera. Of a video in which it looks for moving objects, a picture is taken in which something moves.
        say: Called with a one-line message for what could not be read.

    Returns:
        The picture, (H, W, 3) uint8 blue-green-red, and its time in the video in seconds, or None if it is the first one.

    Raises:
        SourceError: There is none.
    """
    reading = replace(camera.private_reading, give_up_after_s=0.0, needed_hw=None, substream="")
    if camera.follows and recognize(camera.source)[0] == "video":
        pictures = []
        if reading.decoder != "opencv":  # which cannot decode key frames only
            pictures = _first_minute(camera, replace(reading, keyframes=True, every=1))
        if len(pictures) < FEWEST:
            pictures = _first_minute(camera, replace(reading, keyframes=False, every=1, fps=FPS))
        best = busiest([small for small, _, _ in pictures], camera.ignore)
        if best is not None:
            _, jpeg, time_s = pictures[best]
            return image.decode(jpeg, f"camera {camera.name}"), time_s
    with open_named({camera.name: (camera.source, reading)}, say=say, on_state=lambda _: None) as frames:
        frame = frames.read()
    if frame is None:
        raise SourceError(f"camera {camera.name}: it sends no picture")
    return frame.bgr(), None


def busiest(pictures: Sequence[Picture], ignore: Sequence[Polygon] = ()) -> int | None:
    """Return the index of the picture in which most moves, or None if hardly anything does in any.

    Args:
        pictures: (H, W) uint8, of a camera that stands still.
        ignore: Areas that do not count.
    """
    if len(pictures) < 3:
        return None
    counts = _outside(ignore, (pictures[0].shape[0], pictures[0].shape[1]))
    shares = []
    for i, one in enumerate(pictures):
        first = max(0, min(i - NEAR, len(pictures) - 2 * NEAR - 1))
        change = one - np.median(np.stack(pictures[first : first + 2 * NEAR + 1]), axis=0)
        change -= np.median(change)  # of the light
        shares.append(float(((np.abs(change) > DIFFERS) & counts).mean()))
    shares = [share if SMALLEST <= share <= LARGEST else 0.0 for share in shares]
    best = int(np.argmax(shares))
    return best if shares[best] else None


def _first_minute(camera: Camera, reading: ReadingSettings) -> list[tuple[Picture, bytes, float]]:
    """Return pictures of the first minute: small and gray, as JPEG (which needs little memory), and their times in seconds.

    What cannot be read is reported when the picture that is shown is read.
    """
    found: list[tuple[Picture, bytes, float]] = []
    place = {camera.name: (camera.source, reading)}
    with suppress(SourceError), open_named(place, say=lambda _: None, on_state=lambda _: None) as frames:
        for frame in frames:
            if frame.time_s > LONGEST_S:
                break
            small = image.overview(frame, WIDTH)
            if not found or small.shape == found[0][0].shape:
                found.append((small, image.encode_jpeg(frame.bgr(), QUALITY), frame.time_s))
    return found


def _outside(ignore: Sequence[Polygon], size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask, (H, W) bool, of what is not ignored."""
    mask = np.ones(size_hw, np.uint8)
    for area in ignore:
        corners = np.array(area.corners) * (size_hw[1], size_hw[0])
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 0)
    return mask.astype(np.bool_)
