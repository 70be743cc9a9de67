"""Tests of motion, tracks and crossings in short drawn worlds. `scripts/worlds.py` measures long ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.drawn_world import WORLDS, World, lanes_of
from scripts.worlds import watch

SECONDS, OBJECTS = 45.0, 6
SPEEDS = {"vehicle": (7.0, 7.0), "person": (1.4, 1.4)}
"""In metres per second: nobody overtakes."""


def few(name: str, seed: int | None = None) -> World:
    """Return a world in which few come, at the same speed and far from each other."""
    seed = seed or (3 if name == "parking" else 1)  # with 1, a car passes one that has just stopped
    kind = replace(WORLDS[name], stands=0.0)
    lanes = lanes_of(kind)
    chosen = lanes[:2] if kind.is_along else (lanes[0], lanes[4])
    chosen = tuple(lane._replace(speed=SPEEDS[lane.of]) for lane in chosen)
    return World(kind, SECONDS, OBJECTS, seed, lanes=chosen, has_pillars=False)


@pytest.mark.parametrize("name", WORLDS)
def test_who_comes_is_one_object_and_crosses_once(name):
    """Persons, cars and lorries in every kind of world: none is missed, invented, or followed in parts."""
    score = watch(few(name))
    assert score.objects[0] >= 4
    assert score.objects == (score.objects[0],) * 3, score.notes
    assert score.crossings == (score.crossings[0],) * 3, score.notes
    assert score.switches == 0, score.notes


@pytest.mark.parametrize("name", ["street", "avenue", "queue"])
def test_a_detector_that_errs_finds_each_once(name):
    """It misses some, finds others with low scores, and finds what is not there, five times a second."""
    score = watch(few(name), detector_fps=5.0)
    assert score.objects == (score.objects[0],) * 3, score.notes
    assert score.crossings == (score.crossings[0],) * 3, score.notes
    assert score.switches == 0, score.notes
