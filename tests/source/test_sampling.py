"""Tests of which frames are read."""

from __future__ import annotations

import cv2
import pytest

from edgecls import ConfigError
from edgecls.source import ReadingSettings, open_source
from edgecls.source.sampling import FrameSampler
from tests.drawn import gray_levels, write_video
from tests.run.world import FakeCapture


def chosen(times_s, **options) -> list[float]:
    choice = FrameSampler(ReadingSettings(**options))
    return [time_s for time_s in times_s if choice.wants(time_s)]


def test_each_nth_is_the_first_and_every_nth_after_it():
    """Of ten frames, every=3 reads frames 0, 3, 6 and 9."""
    assert chosen(range(10), every=3) == [0, 3, 6, 9]


@pytest.mark.parametrize("rate", [25.0, 12.5, 30.0])
def test_so_many_a_second_whatever_the_camera_gives(rate):
    """Ten seconds at fps=5 are 50 frames, on average a fifth of a second apart, at any frame rate of the camera."""
    times_s = chosen([i / rate for i in range(int(10 * rate))], fps=5)
    assert len(times_s) == 50
    assert all(i / 5 - 1e-3 <= time_s < (i + 1) / 5 for i, time_s in enumerate(times_s))


def test_a_slow_camera_gives_all_it_has():
    """A camera with 2 frames per second gives all of them at fps=5."""
    assert len(chosen([i / 2 for i in range(8)], fps=5)) == 8


def test_both_together():
    """`every` and `fps` combine: every second frame of 25 per second, at most 5 per second."""
    assert len(chosen([i / 25 for i in range(250)], every=2, fps=5)) == 50


@pytest.mark.parametrize("decoder", ["opencv", "pyav"])
def test_files_keep_index_and_time_of_what_is_left(tmp_path, decoder):
    """A file of 40 frames at 25 per second with fps=5 gives frames 0, 5, 10 ... with the right pictures and times."""
    path = write_video(tmp_path / "v.avi", gray_levels(range(0, 240, 6)))
    with open_source(path, reading=ReadingSettings(decoder=decoder, fps=5)) as source:
        frames = list(source)
    assert [f.index for f in frames] == list(range(0, 40, 5))
    assert [f.time_s for f in frames] == pytest.approx([i / 5 for i in range(8)], abs=1e-3)
    assert all(abs(int(f.bgr().mean()) - 6 * f.index) <= 12 for f in frames)
    assert source.skipped == 0


def test_a_folder_is_thinned_too(tmp_path):
    """Of seven pictures, every=3 opens three; a broken one between them goes unnoticed."""
    for i, picture in enumerate(gray_levels(range(0, 70, 10))):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
    (tmp_path / "1.png").write_bytes(b"broken")
    with open_source(tmp_path, reading=ReadingSettings(every=3), say=pytest.fail) as source:
        assert [f.index for f in source] == [0, 3, 6]


def test_what_is_not_wanted_is_not_converted(monkeypatch):
    """Of 20 camera frames, every=5 makes OpenCV convert 4."""
    capture = FakeCapture(gray_levels(range(20)))
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    with (
        open_source(0, reading=ReadingSettings(every=5, give_up_after_s=0)) as source,
        pytest.raises(OSError, match="after 20"),
    ):
        list(source)
    assert (capture.captured, capture.converted) == (20, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"every": 0},
        {"fps": 0.0},
        {"fps": float("inf")},
        {"fps": float("nan")},
        {"read_timeout_s": 0.0},
        {"open_timeout_s": float("inf")},
        {"give_up_after_s": -1.0},
    ],
)
def test_what_cannot_be_is_refused(options):
    """An invalid rate, step or timeout is rejected by name."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        ReadingSettings(**options)
