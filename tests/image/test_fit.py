"""All pixel operations, on pictures small enough to compute by hand."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecls import image
from edgecls.errors import DataError
from edgecls.frame import Box
from edgecls.input_spec import InputSpec
from tests.conftest import ROOT

RED_BGR = (0, 0, 255)


def plain(value, size_hw=(4, 4)):
    """Return a picture of one colour (B, G, R) or gray level."""
    return np.full((*size_hw, 3) if isinstance(value, tuple) else size_hw, value, np.uint8)


def encoded(picture, suffix):
    """Return the bytes of a picture file."""
    return cv2.imencode(suffix, picture)[1].tobytes()


def test_gray_uses_the_luma_weights():
    """Pure blue, green and red become 29, 150 and 76: 0.114, 0.587 and 0.299 of 255."""
    levels = [int(image.gray(plain(c))[0, 0]) for c in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    assert levels == [29, 150, 76]


def test_rgb_and_bgr_models_get_their_own_order():
    """A red picture is (255, 0, 0) for an rgb model and (0, 0, 255) for a bgr one."""
    assert image.fit(plain(RED_BGR), InputSpec(2, 2, "rgb"))[0, 0].tolist() == [255, 0, 0]
    assert image.fit(plain(RED_BGR), InputSpec(2, 2, "bgr"))[0, 0].tolist() == [0, 0, 255]


def test_a_gray_picture_fits_a_colour_model_and_vice_versa():
    """Gray becomes three equal channels; colour becomes one."""
    assert image.fit(plain(90), InputSpec(2, 2, "rgb"))[0, 0].tolist() == [90, 90, 90]
    assert image.fit(plain(RED_BGR), InputSpec(2, 2, "gray")).tolist() == [[[76], [76]], [[76], [76]]]


def test_a_picture_of_the_same_size_is_unchanged():
    """A gray picture that already has the size of the input."""
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    assert image.fit(picture, InputSpec(4, 4))[..., 0].tolist() == picture.tolist()


def test_area_averages_when_shrinking():
    """A checkerboard of 0 and 200 shrinks to uniform 100; linear interpolation at 4x would skip pixels."""
    picture = np.zeros((8, 8), np.uint8)
    picture[::2, ::2] = picture[1::2, 1::2] = 200
    assert set(image.fit(picture, InputSpec(2, 2)).ravel().tolist()) == {100}


def test_area_enlarges_linearly():
    """Enlarging 0, 200 to four columns gives 0, 50, 150, 200: no doubled pixels."""
    picture = np.array([[0, 200]], np.uint8)
    assert image.fit(picture, InputSpec(1, 4))[0, :, 0].tolist() == [0, 50, 150, 200]


def test_area_treats_each_axis_separately():
    """The axis that shrinks is averaged first, then the other one is interpolated: mean of rows, then 0 50 150 200."""
    picture = np.array([[0, 100], [0, 250], [0, 250], [0, 200]], np.uint8)  # means of the columns: 0 and 200
    assert image.fit(picture, InputSpec(1, 4))[0, :, 0].tolist() == [0, 50, 150, 200]


def test_linear_is_linear_both_ways():
    """With linear interpolation, halving eight columns takes the mean of the two around each center."""
    picture = np.array([[0, 10, 20, 30, 40, 50, 60, 70]] * 8, np.uint8)
    found = image.fit(picture, InputSpec(4, 4, interpolation="linear"))
    assert found[0, :, 0].tolist() == [5, 25, 45, 65]


def test_linear_uses_only_two_neighbours():
    """Shrinking 8 columns to 2 with linear uses only columns 1, 2 and 5, 6; area uses all."""
    picture = np.zeros((8, 8), np.uint8)
    picture[:, [0, 3, 4, 7]] = 200
    assert image.fit(picture, InputSpec(8, 2, interpolation="linear"))[0, :, 0].tolist() == [0, 0]
    assert image.fit(picture, InputSpec(8, 2))[0, :, 0].tolist() == [100, 100]


def test_letterbox_keeps_the_aspect_ratio_and_fills_with_gray():
    """A white 4x8 picture in 8x8: rows 2 to 5 are white, the two above and the two below have level 114."""
    found = image.fit(plain(255, (4, 8)), InputSpec(8, 8, fit="letterbox"))[..., 0]
    assert found[:, 0].tolist() == [114, 114, 255, 255, 255, 255, 114, 114]
    assert (found == found[:, :1]).all()


def test_letterbox_of_a_tall_picture_fills_the_sides():
    """A white 8x4 picture in 8x8 has two gray columns on each side, in colour too."""
    found = image.fit(plain((255, 255, 255), (8, 4)), InputSpec(8, 8, "rgb", "letterbox"))
    assert found[0, :, 0].tolist() == [114, 114, 255, 255, 255, 255, 114, 114]
    assert found[0, 0].tolist() == [114, 114, 114]


def test_letterbox_keeps_at_least_one_row():
    """A picture of 1x1000 still fills one row of 8x8."""
    found = image.fit(plain(255, (1, 1000)), InputSpec(8, 8, fit="letterbox"))[..., 0]
    assert (found == 255).sum() == 8


def test_center_crop_takes_the_middle_with_the_aspect_ratio_of_the_input():
    """An input of 4x4 gets columns 2 to 5 of a 4x8 picture."""
    picture = np.tile(np.arange(8, dtype=np.uint8), (4, 1))
    assert image.fit(picture, InputSpec(4, 4, fit="center-crop"))[0, :, 0].tolist() == [2, 3, 4, 5]


def test_center_crop_of_a_tall_picture_takes_the_middle_rows():
    """An input of 4x4 gets rows 2 to 5 of an 8x4 picture."""
    picture = np.tile(np.arange(8, dtype=np.uint8)[:, None], (1, 4))
    assert image.fit(picture, InputSpec(4, 4, fit="center-crop"))[:, 0, 0].tolist() == [2, 3, 4, 5]


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 70), width=st.integers(1, 70), out_h=st.integers(1, 40), out_w=st.integers(1, 40),
    color=st.sampled_from(["gray", "rgb", "bgr"]), fit=st.sampled_from(["stretch", "letterbox", "center-crop"]),
    interpolation=st.sampled_from(["area", "linear"]), channels=st.sampled_from([1, 3]), level=st.integers(0, 255),
)  # fmt: skip
def test_any_size_fits_any_input(height, width, out_h, out_w, color, fit, interpolation, channels, level):
    """The result for a uniform picture has the input's shape, dtype uint8, and only its own level and the border's."""
    picture = np.full((height, width) if channels == 1 else (height, width, 3), level, np.uint8)
    spec = InputSpec(out_h, out_w, color, fit, interpolation)
    found = image.fit(picture, spec)
    assert found.shape == spec.shape
    assert found.dtype == np.uint8
    assert set(found.ravel().tolist()) <= {level} | ({114} if fit == "letterbox" else set())


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)],
)
def test_fit_refuses_other_arrays(picture):
    """Floats, four channels, no pixels or one dimension; the error shows the dtype and shape found."""
    with pytest.raises(DataError, match=r"expected a uint8 picture \(H, W\) or \(H, W, 3\), found \w+ \("):
        image.fit(picture, InputSpec(4, 4))


def test_crop_is_half_open_and_copies_nothing():
    """Box(1, 0, 3, 2) contains columns 1 and 2 of rows 0 and 1, and the result shares their memory."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    part = image.crop(picture, Box(1, 0, 3, 2))
    assert part.tolist() == [[1, 2], [5, 6]]
    assert np.shares_memory(part, picture)


@pytest.mark.parametrize("box", [Box(-1, 0, 2, 2), Box(0, 0, 5, 2), Box(2, 0, 2, 2), Box(0, 1, 2, 4), Box(3, 0, 1, 2)])
def test_a_box_outside_the_picture_is_refused(box):
    """For a box that extends beyond the picture or is empty, the error contains the box and the size of the picture."""
    with pytest.raises(DataError, match=r"box \(.*\) does not lie inside the picture of 4x3"):
        image.crop(np.zeros((3, 4), np.uint8), box)


def test_a_picture_file_is_read_as_blue_green_red(tmp_path):
    """A red PNG is (0, 0, 255), even if its path is not ASCII."""
    path = tmp_path / "stra\u00dfe \u4ea4.png"
    path.write_bytes(encoded(plain(RED_BGR), ".png"))
    assert image.load(path)[0, 0].tolist() == [0, 0, 255]


def test_a_gray_file_is_read_in_colour(tmp_path):
    """A one-channel PNG becomes (H, W, 3)."""
    path = tmp_path / "gray.png"
    path.write_bytes(encoded(plain(77), ".png"))
    assert image.load(path).shape == (4, 4, 3)


def test_exif_turns_a_picture_upright(tmp_path):
    """A JPEG of 8x4 pixels whose EXIF states a rotation by 90 degrees is read as 4x8."""
    jpeg = encoded(np.zeros((4, 8, 3), np.uint8), ".jpg")
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    exif = b"Exif\x00\x00" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    assert image.load(path).shape == (8, 4, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"", "the file is empty, expected a picture"),
        (b"this is text", "not a picture that OpenCV can decode (12 bytes)"),
    ],
)
def test_files_that_are_not_pictures_are_refused(tmp_path, content, message):
    """The errors for a missing file, an empty file and a text file differ, and contain the path."""
    path = tmp_path / "bad.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        image.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_truncated_jpeg_is_refused(tmp_path):
    """OpenCV silently fills a truncated JPEG with gray; edgecls states where it ends."""
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), ".jpg")
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"cut.jpg: the JPEG is cut off after {len(whole) // 2} bytes; copy it again"):
        image.load(path)
    path.write_bytes(whole + b"trailing bytes, as some cameras append")
    assert image.load(path).shape == (64, 64, 3)


def test_a_truncated_png_is_refused(tmp_path):
    """A PNG that ends in the middle of its pixels is an error, and is not filled."""
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), ".png")
    path = tmp_path / "cut.png"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut.png"):
        image.load(path)


def test_a_model_gets_only_the_planes_that_it_needs():
    """A gray model gets the luma of a frame, a colour model its colour."""
    frame = image.as_frame(plain(RED_BGR), "a", 0, time_s=0.0, captured_at=time.monotonic())
    height, width = frame.size_hw
    box = Box(0, 0, width, height)
    assert image.fit_region(frame, box, InputSpec(1, 1)).tolist() == [[[76]]]
    assert image.fit_region(frame, box, InputSpec(1, 1, "rgb")).tolist() == [[[255, 0, 0]]]


@pytest.mark.parametrize("call", ["cvtColor", ".resize(", "warpAffine", "imread"])
def test_pixel_operations_are_in_one_place(call):
    """Colour conversion, resizing and moving are only in edgecls/image, the warp of augmentation only in train/augment.py."""
    home = {"warpAffine": ("image/", "train/augment.py"), "imread": "nowhere"}.get(call, "image/")
    package = ROOT / "edgecls"
    users = {p.relative_to(package).as_posix() for p in package.rglob("*.py") if call in p.read_text(encoding="utf-8")}
    assert all(user.startswith(home) for user in users)


@pytest.mark.parametrize("size_hw", [(1080, 1920), (1081, 1917), (720, 1280), (577, 769), (300, 3000), (70, 960)])
@pytest.mark.parametrize("side", [8, 32, 60])
@pytest.mark.parametrize("channels", [1, 3])
def test_strong_shrinking_is_area_averaging(size_hw, side, channels):
    """All methods of shrinking differ from INTER_AREA by at most one level, even in a picture full of edges."""
    rng = np.random.default_rng(3)
    checks = np.kron(rng.integers(0, 2, (size_hw[0] // 7 + 1, size_hw[1] // 7 + 1)) * 200, np.ones((7, 7)))
    picture = (checks[: size_hw[0], : size_hw[1]] + rng.integers(0, 56, size_hw)).astype(np.uint8)
    if channels == 3:
        picture = np.dstack([picture, picture[::-1], picture[:, ::-1]])
    spec = InputSpec(side, side, "gray" if channels == 1 else "bgr")
    expected = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).reshape(spec.shape)
    assert np.abs(image.fit(picture, spec).astype(int) - expected).max() <= 1
