"""Tests that the model gets the same input through PyAV as through plain OpenCV: colour, converted to gray, shrunk by
INTER_AREA.

The plain path is not exact: for 4:2:0 of limited range, OpenCV's conversion is 0.7 to 1.2 levels too dark on average, the Y
plane 0.0, compared with a conversion in float. So a score near the border of two labels may fall to either side; the labels
compared here are those of pictures that the model knows.
"""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

from edgecls import Box, Classifier, Frame, InputSpec, image
from edgecls.regions.regions import parse_zones, zones
from edgecls.source import ReadingSettings, open_source
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from edgecls.frame import Picture

MEAN_LEVELS = 1.5
SAME_LABELS = 0.995
FORMATS = [
    *(("libx264", pixels) for pixels in ("yuv420p", "yuvj420p", "nv12", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le")),
    ("libx265", "yuv420p"),
    ("libx265", "yuv420p10le"),
    ("mpeg4", "yuv420p"),
    ("mjpeg", "yuvj420p"),
    ("mjpeg", "yuvj422p"),
    ("libvpx-vp9", "yuv420p"),
    *(("rawvideo", pixels) for pixels in ("nv12", "gray", "yuyv422", "rgb24")),
    *(("ffv1", pixels) for pixels in ("yuv420p12le", "gray10le", "bgr0")),
]
"""Pairs (codec, pixel format) of cameras and files; the last ones have no Y plane."""


def encode(source: Path, path: Path, codec: str, pixels: str, frames: int | None = None) -> Path:
    """Transcode a video to a codec and a pixel format. Skips the test if this FFmpeg cannot write it."""
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    options = {"crf": "20", "preset": "ultrafast", "x265-params": "log-level=none", "cpu-used": "8", "deadline": "realtime"}
    with av.open(str(source)) as read, av.open(str(path), "w") as written:
        video = read.streams.video[0]
        stream = written.add_stream(codec, rate=25, options=options if codec.startswith("lib") else {})
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, pixels
        if not codec.startswith("lib"):
            stream.bit_rate = 8_000_000
        for index, frame in enumerate(islice(read.decode(video), frames)):
            made = frame.reformat(format=pixels)
            made.pts, made.time_base = index, Fraction(1, 25)
            written.mux(stream.encode(made))
        written.mux(stream.encode(None))
    return path


def plain_inputs(path: Path, box: Box | None, side: int = 32) -> Iterator[Picture]:
    """Return the inputs of a model from a plain OpenCV loop."""
    capture = cv2.VideoCapture(str(path))
    while (read := capture.read())[0]:
        gray = cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY)
        part = gray if box is None else gray[box.top : box.bottom, box.left : box.right]
        yield cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)[..., None]
    capture.release()


def inputs(path: Path, classifier: Classifier, box: Box | None, reading: ReadingSettings) -> Iterator[Picture]:
    """Return the inputs of a model from a run."""
    with open_source(path, reading=reading) as source:
        for frame in source:
            whole = Box(0, 0, frame.size_hw[1], frame.size_hw[0])
            yield image.fit_region(frame, box or whole, classifier.card.input)


def both(path: Path, classifier: Classifier, box: Box | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of a run and of the plain loop, (frames, 32, 32, 1) each, equally many."""
    ours, plain = np.stack(list(inputs(path, classifier, box, ReadingSettings()))), np.stack(list(plain_inputs(path, box)))
    assert ours.shape == plain.shape
    return ours, plain


def mean_levels(ours: np.ndarray, plain: np.ndarray) -> float:
    return float(np.abs(ours.astype(int) - plain).mean())


@pytest.fixture(scope="module")
def signs() -> Classifier:
    """Return the model in the repository."""
    return Classifier.load(ROOT / "models" / "signs.onnx", device="cpu")


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    """Return the script that draws the demo's clip: a camera that watches a speed-limit sign."""
    spec = importlib.util.spec_from_file_location("gantry", ROOT / "scripts" / "gantry.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def gantry(demo, tmp_path_factory) -> Path:
    """Return the first four scenes of that clip at half length: bright, shaking, dusk, noise; 176 frames."""
    clip = tmp_path_factory.mktemp("gantry") / "gantry.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SCENES", [(label, seconds / 2, *rest) for label, seconds, *rest in demo.SCENES[:4]])
        demo.draw_clip(clip, clip.with_suffix(".json"))
    return clip


@pytest.fixture(scope="module")
def sign_zone(demo) -> str:
    """Return the rectangle of the sign, as `--zone` takes it."""
    return demo.zone()


def suffix(codec: str) -> str:
    return {"rawvideo": ".nut", "mjpeg": ".avi", "mpeg4": ".avi"}.get(codec, ".mkv")


@pytest.mark.parametrize(("codec", "pixels"), FORMATS)
def test_every_format_gives_the_picture_and_the_label_of_the_plain_path(tmp_path, signs, gantry, sign_zone, codec, pixels):
    """The inputs differ by at most 1.5 levels on average, and at least 99.5 % of the labels are equal."""
    clip = encode(gantry, tmp_path / f"clip{suffix(codec)}", codec, pixels)
    with open_source(clip) as source:
        (region,) = zones(parse_zones([sign_zone]))(source.read())
    ours, plain = both(clip, signs, region.box)
    assert len(ours) == 176
    assert mean_levels(ours, plain) <= MEAN_LEVELS
    labels = [signs.probabilities(batch).argmax(1) for batch in (ours, plain)]
    assert (labels[0] == labels[1]).mean() >= SAME_LABELS


def large_inputs(path: Path, spec: InputSpec) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of a larger model from a run, and from `fit` of OpenCV's colour picture."""
    capture = cv2.VideoCapture(str(path))
    ours, plain = [], []
    with open_source(path) as source:
        for frame in source:
            ours.append(image.fit_region(frame, Box(0, 0, frame.size_hw[1], frame.size_hw[0]), spec))
            plain.append(image.fit(capture.read()[1], spec))
    return np.stack(ours), np.stack(plain)


@pytest.mark.parametrize(("codec", "pixels"), FORMATS)
@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_the_decoders_own_scaler_gives_the_picture_of_the_plain_path(tmp_path, gantry, monkeypatch, codec, pixels, color):
    """For whole frames at 224x224, in colour and gray, no large picture is made, and the input is within 1.5 levels."""
    clip = encode(gantry, tmp_path / f"clip{suffix(codec)}", codec, pixels, frames=25)
    for large in ("bgr", "plane"):
        monkeypatch.setattr(Frame, large, lambda _: pytest.fail("a large picture was made"))
    ours, plain = large_inputs(clip, InputSpec(150, 224, color))
    assert ours.shape == (25, 150, 224, 3 if color == "rgb" else 1)
    assert mean_levels(ours, plain) <= MEAN_LEVELS


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "center-crop"])
def test_the_decoders_own_scaler_keeps_the_shape_that_is_asked_for(gantry, fit):
    """Padding and crop are where `fit` puts them."""
    ours, plain = large_inputs(gantry, InputSpec(150, 150, "rgb", fit=fit))
    assert mean_levels(ours, plain) <= MEAN_LEVELS


@pytest.mark.parametrize("name", ["car-detection.mp4", "vtest.avi"])
@pytest.mark.parametrize(("codec", "pixels"), [("", ""), *FORMATS])
def test_real_clips_in_every_format(tmp_path, real_videos, signs, name, codec, pixels):
    """Each real clip, original and transcoded to every format, is within 1.5 levels on average."""
    clip = real_videos / name
    if codec:
        clip = encode(clip, tmp_path / f"clip{suffix(codec)}", codec, pixels)
    assert mean_levels(*both(clip, signs)) <= MEAN_LEVELS


def test_motion_jpeg_that_is_decoded_small_is_the_same_picture(tmp_path, signs, gantry):
    """FFmpeg's JPEG decoder at half the frame's size is within 1.5 levels on average."""
    clip = encode(gantry, tmp_path / "clip.avi", "mjpeg", "yuvj420p", frames=50)
    plain = np.stack(list(plain_inputs(clip, None)))
    small = np.stack(list(inputs(clip, signs, None, ReadingSettings(needed_hw=(32, 32)))))
    assert 0 < mean_levels(small, plain) <= MEAN_LEVELS


@pytest.mark.parametrize("halvings", [1, 2, 3])
def test_a_jpeg_that_is_decoded_small_is_the_same_picture(signs, gantry, halvings):
    """OpenCV's JPEG decoder at a half, a quarter and an eighth, for pictures large enough for it."""
    capture = cv2.VideoCapture(str(gantry))
    read = [capture.read()[1] for _ in range(20)]
    large = [cv2.resize(picture, None, fx=2 ** (halvings - 1), fy=2 ** (halvings - 1)) for picture in read]
    assert ReadingSettings(needed_hw=(32, 32)).halvings(*large[0].shape[:2]) == halvings
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in large]
    small, whole = (
        np.stack([image.fit(image.decode(jpeg, "a", halvings=times), signs.card.input) for jpeg in jpegs])
        for times in (halvings, 0)
    )
    assert 0 < mean_levels(small, whole) <= MEAN_LEVELS
