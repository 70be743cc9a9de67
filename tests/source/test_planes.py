"""Parts of pictures that are made of the planes of video, against the exact picture: converted in float, cut out, averaged."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from edgecls import Frame, InputSpec, image
from edgecls.errors import DataError
from edgecls.frame import Box
from edgecls.source import planes
from edgecls.source.decoded import Scaler, as_frame
from edgecls.source.planes import LAYOUTS, WEIGHTS

HW = (180, 320)
MEAN_LEVELS = 1.5
BT_709, UNNAMED, BT_601, BT_2020 = 1, 2, 6, 9
LIMITED, FULL = 1, 2
BOXES = {
    "whole": Box(0, 0, 320, 180),
    "even": Box(40, 20, 240, 160),
    "odd": Box(41, 21, 241, 161),
    "odd size": Box(40, 21, 191, 132),
    "small": Box(101, 51, 131, 80),
    "last pixels": Box(281, 139, 320, 180),
}


def scene() -> np.ndarray:
    """Colours that change smoothly, with fine grain in their brightness, (180, 320, 3) uint8 blue-green-red."""
    rng = np.random.default_rng(3)
    height, width = HW
    patches = rng.integers(20, 236, (height // 20, width // 20, 3), np.uint8)
    smooth = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth.astype(int) + rng.integers(-12, 13, (height, width, 1)), 0, 255).astype(np.uint8)


def decoded(pixels: str, colors: int = BT_601, levels: int = LIMITED) -> av.VideoFrame:
    """Return the scene as a decoder gives it: with the name of its colours and the range of its levels."""
    to = {} if pixels.startswith("gray") else {"dst_colorspace": "itu709" if colors == BT_709 else "itu601"}
    made = av.VideoFrame.from_ndarray(scene(), format="bgr24").reformat(format=pixels, dst_color_range=levels, **to)
    made.colorspace, made.color_range = colors, levels
    return made


def frame_of(picture: av.VideoFrame, rotation: int = 0, say=lambda _: None) -> Frame:
    return as_frame(picture, Scaler(av, say), "gate", 0, 0.0, 0.0, rotation)


def exact(picture: av.VideoFrame) -> np.ndarray:
    """Return the picture as (H, W, 3) float blue-green-red, its colours enlarged linearly."""
    layout = LAYOUTS[picture.format.name]
    whole = Box(0, 0, picture.width, picture.height)
    y = planes._levels(picture, 0, whole, layout.bits).astype(np.float32)
    if not layout.down:
        return np.repeat(y[..., None], 3, axis=2)
    samples = Box(0, 0, -(-picture.width // layout.across), -(-picture.height // layout.down))
    u, v = (cv2.resize(one.astype(np.float32), y.shape[::-1]) - 128 for one in planes._chroma(picture, samples, layout))
    if picture.color_range == LIMITED and not picture.format.name.startswith("yuvj"):
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    red, blue = WEIGHTS[picture.colorspace]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    return np.clip(np.stack([b, (y - red * r - blue * b) / (1 - red - blue), r], axis=-1), 0, 255)


def levels_off(frame: Frame, right: np.ndarray, box: Box, spec: InputSpec) -> float:
    """Return the mean difference of an input from the exact one."""
    part = right[box.top : box.bottom, box.left : box.right]
    shrinks = part.shape[0] >= spec.height
    want = cv2.resize(part, (spec.width, spec.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return float(np.abs(image.fit_region(frame, box, spec)[..., ::-1] - want).mean())


@pytest.fixture
def no_whole_picture(monkeypatch):
    """Fail if all of a picture is converted."""
    monkeypatch.setattr(Frame, "bgr", lambda _: pytest.fail("all of a picture was converted"))


@pytest.mark.parametrize("pixels", LAYOUTS)
@pytest.mark.parametrize("levels", [LIMITED, FULL])
@pytest.mark.usefixtures("no_whole_picture")
def test_parts_in_every_format_are_within_one_and_a_half_levels(pixels, levels):
    """8 to 16 bits, all samplings, in planes of their own and in turns, limited and full range; anywhere and in any size."""
    picture = decoded(pixels, levels=levels)
    frame, right = frame_of(picture), exact(picture)
    off = {name: levels_off(frame, right, box, InputSpec(60, 80, "rgb")) for name, box in BOXES.items()}
    assert max(off.values()) <= MEAN_LEVELS, off


@pytest.mark.parametrize("colors", [BT_709, UNNAMED, BT_601, BT_2020])
@pytest.mark.usefixtures("no_whole_picture")
def test_the_colours_are_those_that_the_stream_names(colors):
    """Of one that names none they are those of BT.601, as in FFmpeg and OpenCV."""
    picture = decoded("yuv420p", BT_709 if colors == BT_709 else BT_601)
    picture.colorspace = colors
    assert levels_off(frame_of(picture), exact(picture), BOXES["even"], InputSpec(60, 80, "rgb")) <= MEAN_LEVELS
    if colors in (BT_709, UNNAMED, BT_601):  # FFmpeg's own conversion, which `Frame.bgr` is, takes the same
        whole = picture.reformat(format="bgr24").to_ndarray()
        assert np.abs(whole - exact(picture)).mean() <= 3.5
    assert np.abs(exact(decoded("yuv420p", BT_709)) - exact(decoded("yuv420p", BT_601))).mean() < 2  # the same scene


@pytest.mark.usefixtures("no_whole_picture")
def test_the_wrong_colours_would_be_noticed():
    """Of planes of BT.709 that are taken for BT.601, the picture is several levels off."""
    right, wrong = decoded("yuv420p", BT_709), decoded("yuv420p", BT_709)
    wrong.colorspace = BT_601
    assert levels_off(frame_of(wrong), exact(right), BOXES["even"], InputSpec(60, 80, "rgb")) > 2 * MEAN_LEVELS


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "center-crop"])
@pytest.mark.parametrize("interpolation", ["area", "linear"])
@pytest.mark.parametrize("color", ["rgb", "bgr", "gray"])
@pytest.mark.usefixtures("no_whole_picture")
def test_every_kind_of_input_is_the_one_of_the_exact_picture(fit, interpolation, color):
    """Cut, padded, averaged or not, in the order of the model."""
    picture = decoded("yuv420p")
    spec = InputSpec(64, 64, color, fit=fit, interpolation=interpolation)
    right = image.fit(np.rint(exact(picture)).astype(np.uint8), spec)
    assert np.abs(image.fit_region(frame_of(picture), BOXES["whole"], spec).astype(int) - right).mean() <= MEAN_LEVELS


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("box", [Box(11, 40, 131, 220), Box(0, 0, 60, 90)])
@pytest.mark.usefixtures("no_whole_picture")
def test_a_part_of_a_phones_picture_is_cut_where_it_stands_upright(rotation, box):
    """The part is that of the turned picture."""
    picture = decoded("yuv420p")
    frame = frame_of(picture, rotation)
    if rotation == 180:
        box = Box(box.top, box.left, box.bottom, box.right)
    right = np.ascontiguousarray(np.rot90(exact(picture), rotation // 90))
    assert levels_off(frame, right, box, InputSpec(60, 80, "rgb")) <= MEAN_LEVELS


@pytest.mark.usefixtures("no_whole_picture")
@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
def test_a_part_that_is_kept_as_a_picture_is_cut_out_in_its_own_size(box):
    """Pictures that are collected and written show what the model saw."""
    picture = decoded("yuv420p")
    kept = image.cut_out(frame_of(picture), box)
    assert kept.dtype == np.uint8
    assert np.abs(kept - exact(picture)[box.top : box.bottom, box.left : box.right]).mean() <= MEAN_LEVELS


@pytest.mark.usefixtures("no_whole_picture")
def test_neighbours_of_a_part_do_not_show_in_it():
    """A red square in gray: its inside is red to the last pixel, what is beside it gray."""
    picture = np.full((*HW, 3), 128, np.uint8)
    picture[50:100, 80:160] = (40, 40, 200)
    frame = frame_of(av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv444p"))
    inside = image.fit_region(frame, Box(80, 50, 160, 100), InputSpec(50, 80, "bgr"))
    beside = image.fit_region(frame, Box(160, 50, 240, 100), InputSpec(50, 80, "bgr"))
    assert np.abs(inside.astype(int) - (40, 40, 200)).max() <= 3
    assert np.abs(beside.astype(int) - 128).max() <= 3


@pytest.mark.parametrize("box", [Box(10, 10, 10, 20), Box(0, 0, 321, 180), Box(-1, 0, 20, 20), Box(0, 5, 20, 3)])
@pytest.mark.usefixtures("no_whole_picture")
def test_a_box_that_is_not_in_the_frame_is_an_error(box):
    """Empty, too far right, too far left, upside down."""
    with pytest.raises(DataError, match="does not lie inside the picture of 320x180"):
        image.fit_region(frame_of(decoded("yuv420p")), box, InputSpec(32, 32, "rgb"))


@pytest.mark.parametrize(("pixels", "colors"), [("yuyv422", BT_601), ("rgb24", UNNAMED)])
def test_a_format_without_planes_is_converted_and_that_is_said_once(pixels, colors):
    """Packed formats. Whole pictures are shrunk as ever, and nothing is said."""
    picture = decoded(pixels)
    picture.colorspace = colors
    said: list[str] = []
    frame = frame_of(picture, say=said.append)
    image.fit_region(frame, BOXES["whole"], InputSpec(60, 80, "rgb"))
    assert said == []
    right = image.fit(image.crop(frame.bgr(), BOXES["odd"]), InputSpec(60, 80, "rgb"))
    for _ in range(2):
        assert np.array_equal(image.fit_region(frame, BOXES["odd"], InputSpec(60, 80, "rgb")), right)
    assert said == [f"gate: its pictures are {pixels}, so all of each is converted to look at a part of it, which takes longer"]


def test_no_part_shows_what_is_private():
    """A part that an area touches is cut out of the blackened picture; one that is away from all of them is as it was."""
    area = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    frame = frame_of(decoded("yuv420p"))
    painted, spec = frame.painted(image.BlackedOut([area])), InputSpec(40, 40, "rgb")
    for box in (Box(82, 46, 102, 66), Box(60, 30, 120, 90), Box(239, 60, 259, 80), BOXES["whole"]):
        right = image.fit(image.crop(painted.bgr(), box), spec)
        assert np.abs(image.fit_region(painted, box, spec).astype(int) - right).mean() <= 3.5
    assert image.fit_region(painted, Box(82, 46, 102, 66), spec).max() == 0
    away = Box(0, 0, 60, 40)
    assert np.array_equal(image.fit_region(painted, away, spec), image.fit_region(frame, away, spec))
