"""The picture of a camera on which its lines are judged."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls import CountingLine, Line, Polygon, ReadingSettings, SourceError
from edgecls.run.camera import Camera
from edgecls.run.moment import busiest, picture_of
from tests.drawn import write_video

LINE = (CountingLine("x", Line((0.0, 0.5), (1.0, 0.5))),)
EMPTY = 90
WIDTHS = {20: 10, 21: 20, 22: 40, 23: 24, 24: 12}
"""How wide the car is in these seconds of the video; in the others the road is empty."""


def road(second: int) -> np.ndarray:
    """A road of 64x96 pixels with noise, which becomes brighter, and a lamp at the upper edge that goes on after 30 s."""
    rng = np.random.default_rng(second)
    picture = rng.normal(EMPTY + second / 2, 2, (64, 96)).astype(np.uint8)
    picture[30:50, 10 : 10 + WIDTHS.get(second, 0)] = 220
    if second > 30:
        picture[:12, 80:] = 250
    return np.repeat(picture[..., None], 3, 2)


@pytest.fixture
def video(tmp_path):
    """40 s at one frame per second, in which one car passes."""
    return str(write_video(tmp_path / "road.avi", [road(second) for second in range(40)], fps=1.0))


def test_of_a_video_with_a_line_it_is_one_in_which_most_moves(video):
    """The second in which the car is largest, or a neighbour, not the empty road of the beginning."""
    for decoder in ("pyav", "opencv"):
        picture, time_s = picture_of(Camera("a", video, line=LINE, reading=ReadingSettings(decoder=decoder)), say=print)
        assert time_s in (21.0, 22.0, 23.0)
        assert abs(int(picture[40, 20].mean()) - 220) < 10


def test_otherwise_it_is_the_first_one(video, tmp_path):
    """Without lines, of a picture, and of a video in which nothing moves."""
    still = str(write_video(tmp_path / "still.avi", [road(0)] * 20, fps=1.0))
    for camera in (Camera("a", video), Camera("a", still, line=LINE)):
        picture, time_s = picture_of(camera, say=print)
        assert time_s is None
        assert picture.shape == (64, 96, 3)
        assert abs(int(picture[40, 20].mean()) - EMPTY) < 10


def test_what_cannot_be_read_is_an_error(tmp_path):
    """As without looking for motion."""
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(SourceError, match="not a video that can be decoded"):
        picture_of(Camera("a", str(tmp_path / "text.mp4"), line=LINE), say=print)


def test_ignored_areas_do_not_count():
    """A lamp that fills them is no reason to take a picture."""
    pictures = [road(second)[..., 0] for second in (0, 1, 2, 3, 20, 31)]
    assert busiest(pictures, [Polygon.rectangle(0, 0, 1, 0.4)]) == 4
    assert busiest(pictures, [Polygon.rectangle(0, 0.4, 1, 0.6)]) == 5
    assert busiest(pictures, [Polygon.rectangle(0, 0, 1, 1)]) is None
    assert busiest(pictures[:2]) is None


def test_a_change_of_everything_is_no_motion():
    """A cut, or a light that is switched off."""
    scene = np.tile(np.linspace(20, 230, 96).astype(np.uint8), (64, 1))
    car = scene.copy()
    car[30:50, 10:40] = 250
    assert busiest([*[scene] * 10, scene[:, ::-1], car]) == 11
    assert busiest([*[scene] * 10, scene[:, ::-1]]) is None
