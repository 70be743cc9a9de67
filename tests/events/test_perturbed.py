"""Faulty frames change no count: black, white, flashed, noisy and cut ones, and jumps in the middle."""

from __future__ import annotations

from dataclasses import replace

import cv2
import pytest

from edgecls import CountingLine, Line
from scripts.drawn_world import WORLDS, World, lanes_of
from scripts.perturbed import FAULTS, count

FPS = 12.5
LINES = (CountingLine("line", Line((0.42, 0.0), (0.42, 1.0))),)


@pytest.fixture(scope="module")
def clip():
    """Return the pictures of a street with four vehicles in 30 s."""
    kind = WORLDS["street"]
    lanes = (lanes_of(kind)[0]._replace(speed=(7.0, 7.0)),)
    world = World(replace(kind, stands=0.0), 30.0, 4, 1, lanes=lanes, has_pillars=False, fps=FPS)
    return [cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA) for _, picture, _ in world.frames()]


@pytest.fixture(scope="module")
def plain(clip):
    """Return what is counted without faults."""
    return count(clip, LINES, FPS)


def test_the_clip_has_something_to_count(plain):
    """Four vehicles cross the line."""
    assert (plain.crossings.total(), plain.objects) == (4, 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_no_count(clip, plain, fault):
    """Neither crossings nor objects."""
    assert count(FAULTS[fault](clip), LINES, FPS) == plain
