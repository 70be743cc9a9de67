"""Tests of the background in small drawn worlds, in which it is known what is background."""

from __future__ import annotations

import numpy as np
import pytest

from edgecls.regions.background import Background

FPS = 10
HIGH, WIDE = 90, 160
RNG = np.random.default_rng(3)
GROUND = np.clip(100 + 30 * np.sin(np.arange(WIDE) / 9) + RNG.normal(0, 8, (HIGH, WIDE)), 0, 255)
"""Uneven like a real place."""


def noisy(picture, index):
    """Return a picture as a camera delivers it."""
    return np.clip(picture + np.random.default_rng(index).normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def with_square(left, top=30, side=24, level=220.0):
    """Return the ground with a bright square on it."""
    picture = GROUND.copy()
    picture[top : top + side, left : left + side] = level
    return picture


def watch(background, pictures, first=0):
    """Return the foreground of each picture. All foreground counts as objects."""
    found = []
    for index, picture in enumerate(pictures, first):
        foreground = background.foreground(noisy(picture, index), index / FPS)
        if foreground is not None:
            background.update(foreground, foreground, index / FPS)
        found.append(foreground)
    return found


def shares(found):
    """Return the share of each picture that is foreground; None where there is no answer."""
    return [None if one is None else (one > 0).mean() for one in found]


def settled(**settings):
    """Return a background that has seen the empty ground for ten seconds, and the number of pictures."""
    background = Background(warm_up_s=2.0, absorb_s=settings.get("absorb_s", 60.0))
    watch(background, [GROUND] * 100)
    return background, 100


BLACK, WHITE = np.zeros((HIGH, WIDE)), np.full((HIGH, WIDE), 255.0)
NOISE = RNG.integers(0, 256, (HIGH, WIDE)).astype(float)
OTHER = GROUND[::-1, ::-1]


@pytest.mark.parametrize(
    "odd", [[BLACK], [WHITE], [NOISE] * 3, [BLACK] * 10, [OTHER] * 4], ids=["black", "white", "noise", "10 black", "cut"]
)
def test_odd_first_frames_do_not_blind_it(odd):
    """The background is that of a camera that started well, and so is the foreground when something comes."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    found = watch(background, [*odd, *[GROUND] * 40, *[with_square(left) for left in range(40, 80, 4)]])
    assert np.abs(background.picture.astype(int) - GROUND).mean() < 3
    square = 24 * 24 / GROUND.size
    assert shares(found)[-10:] == pytest.approx([square] * 10, rel=0.1)


@pytest.mark.parametrize("level", [0.0, 90.0, 255.0])
def test_a_plain_scene_is_a_background_too(level):
    """Even one without any noise, such as a dark room, in which a square appears."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    plain = np.full((HIGH, WIDE), level)
    square = plain.copy()
    square[30:54, 60:84] = 150
    found = []
    for index, picture in enumerate([plain] * 50 + [square] * 5):
        foreground = background.foreground(picture.astype(np.uint8), index / FPS)
        if foreground is not None:
            background.update(foreground, foreground, index / FPS)
        found.append(foreground)
    assert shares(found)[-10:] == pytest.approx([0.0] * 5 + [24 * 24 / GROUND.size] * 5, rel=0.05)


def test_a_camera_that_is_black_for_long_at_the_start_sees_within_seconds_of_light():
    """Black for five seconds, then the ground."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    found = shares(watch(background, [BLACK] * 50 + [GROUND] * 40))
    assert found[-20:] == [0.0] * 20
    assert np.abs(background.picture.astype(int) - GROUND).mean() < 3


def test_nothing_is_reported_while_it_learns():
    """For the two seconds of the warm-up."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    found = shares(watch(background, [GROUND] * 30))
    assert found[:20] == [None] * 20
    assert found[21:] == [0.0] * 9


@pytest.mark.parametrize(
    "odd", [[BLACK], [WHITE], [NOISE] * 2, [GROUND * 2 + 80] * 3], ids=["black", "white", "noise", "flash"]
)
def test_odd_frames_in_between_are_left_out(odd):
    """They have no answer, and after them all is as before, with the square where it is."""
    background, first = settled()
    found = shares(watch(background, [with_square(60)] * 3 + odd + [with_square(60)] * 20, first))
    assert found[3 : 3 + len(odd)] == [None] * len(odd)
    assert found[3 + len(odd) :] == pytest.approx([24 * 24 / GROUND.size] * 20, rel=0.1)


@pytest.mark.parametrize("lit", [GROUND * 0.6, GROUND + 40, OTHER], ids=["darker", "brighter", "another view"])
def test_what_changes_at_once_and_stays_is_learned_within_two_seconds(lit):
    """A lamp, an exposure, a camera that has been turned: never an object."""
    background, first = settled()
    found = shares(watch(background, [lit] * 40, first))
    assert not any(found[:1])
    assert found[20:] == [0.0] * 20


def test_an_object_that_stands_still_stays_foreground_until_it_is_absorbed():
    """For 12 s, and a little longer; then it is background."""
    background, first = settled(absorb_s=12.0)
    found = shares(watch(background, [with_square(x) for x in range(20, 60, 4)] + [with_square(60)] * 180, first))
    square = 24 * 24 / GROUND.size
    assert found[10:120] == pytest.approx([square] * 110, rel=0.1)
    assert found[-20:] == [0.0] * 20


@pytest.mark.parametrize("noise", [2, 5, 9])
def test_somebody_small_who_stands_is_not_taken_in_piece_by_piece(noise):
    """8 x 24 pixels for 20 s; the noise of the camera changes some of them in each frame."""
    background, first = settled()
    rng = np.random.default_rng(noise)
    seen = []
    for index in range(first, first + 200):
        left = min(60, 2 * (index - first))
        picture = GROUND + rng.normal(0, 2, GROUND.shape)
        picture[30:54, left : left + 8] = 35 + rng.normal(0, noise, (24, 8))
        foreground = background.foreground(np.clip(picture, 0, 255).astype(np.uint8), index / FPS)
        background.update(foreground, foreground, index / FPS)
        seen.append((foreground > 0).sum())
    assert min(seen[40:]) > 0.85 * 8 * 24


@pytest.mark.parametrize("seconds", [1.5, 2.5, 8.0])
def test_an_object_that_was_there_at_the_start_leaves_no_ghost(seconds):
    """Its place is background three seconds after it has left, however long it was there."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    found = shares(watch(background, [with_square(60)] * round(seconds * FPS) + [GROUND] * 60))
    assert found[-30:] == [0.0] * 30


def test_the_light_of_the_day_is_followed():
    """A third brighter within 40 s."""
    background, first = settled()
    found = shares(watch(background, [GROUND * (1 + i / 1200) for i in range(400)], first))
    assert max(found) == 0.0


def test_a_camera_that_sways_by_a_pixel_sees_nothing_move():
    """Even over an edge of 100 levels."""
    road = GROUND.copy()
    road[:, 80:] += 100
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    watch(background, [road] * 50)
    found = shares(watch(background, [np.roll(road, i % 3 - 1, axis=1) for i in range(20)], 50))
    assert max(found) < 0.02  # the columns at the border come from the other side


def test_a_darker_object_is_found_whole():
    """Also where it is more than half as bright as the ground (70 to 130)."""
    background, first = settled()
    found = shares(watch(background, [with_square(left, level=40.0) for left in range(40, 80, 4)], first))
    assert min(found) > 0.8 * 24 * 24 / GROUND.size


def test_pictures_of_another_size_start_it_again():
    """As when a camera changes its resolution."""
    background, first = settled()
    small = background.foreground(noisy(GROUND[::2, ::2], first), first / FPS)
    assert small is None
    assert background.unwatched == "warm-up"


@pytest.mark.parametrize("size_hw", [(1, 1), (2, 3), (7, 40), (90, 160)])
def test_any_frames_in_any_order_have_an_answer(size_hw):
    """Plain, black, white, striped, random and lit ones: a mask of zeros and 255, or none."""
    rng = np.random.default_rng(5)
    scene = rng.integers(0, 256, size_hw)
    kinds = [
        lambda: np.zeros(size_hw),
        lambda: np.full(size_hw, 255),
        lambda: np.full(size_hw, rng.integers(256)),
        lambda: np.indices(size_hw)[1] % 2 * 255,
        lambda: rng.integers(0, 256, size_hw),
        lambda: np.clip(scene * rng.uniform(0, 3), 0, 255),
        lambda: scene,
    ]
    background, time_s = Background(warm_up_s=0.5, absorb_s=3.0), 0.0
    for _ in range(100):
        picture = kinds[rng.integers(len(kinds))]().astype(np.uint8)
        for _ in range(rng.integers(1, 12)):
            time_s += 0.1
            found = background.foreground(picture, time_s)
            if found is not None:
                assert found.shape == size_hw
                assert set(np.unique(found).tolist()) <= {0, 255}
                background.update(found, found, time_s)
    assert np.isfinite(background.picture).all()


def test_a_clip_that_begins_with_another_view_is_learned_from_where_its_own_begins():
    """Half a second of it, then the warm-up as usual."""
    background = Background(warm_up_s=2.0, absorb_s=60.0)
    pictures = [picture.astype(np.uint8) for picture in [OTHER] * 5 + [GROUND] * 30]
    seen = [background.foreground(picture, i / 10) is not None for i, picture in enumerate(pictures)]
    assert seen.index(True) == pytest.approx(26, abs=1)
    assert np.abs(background.picture.astype(int) - GROUND).mean() < 3
