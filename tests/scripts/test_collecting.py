"""The script that holds what is collected against pictures at random, in a drawn world."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from edgecls.frame import Box
from tests.conftest import ROOT


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The script as a module, without a network in the cache, so that hashes choose."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    spec = importlib.util.spec_from_file_location("collecting", ROOT / "scripts" / "collecting.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "collecting", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def world(script):
    """Twenty minutes with three classes of objects."""
    return script.world_of(script.drawn_things(3), script.drawn_views(), 0, seconds=1200)


def test_what_is_kept_is_of_every_class_and_kind_of_light(script, world, tmp_path):
    """About as many pictures as were asked for, of moments apart from each other."""
    seconds = script.collected(world, 16, tmp_path / "store")
    assert 8 <= len(seconds) <= 24
    assert {world.kind(second) for second in seconds} == set(script.KINDS)
    assert {world.name(second) for second in seconds} == {spell.name for spell in world.spells}
    assert min(np.diff(sorted(seconds))) >= 1


def test_the_others_choose_as_many(script, world):
    """At random, and by colour, of the middle of the time."""
    assert len(set(script.at_random(world, 10))) == 10
    colours = script.by_color(world, 10)
    assert len(set(colours)) == 10
    assert min(colours) >= 120
    assert max(colours) < 1080


def test_the_contents_are_known(script, world, tmp_path):
    """An empty zone is a wall; labels are those of the spells."""
    empty = next(spell for spell in world.spells if not spell.views)
    shown = next(spell for spell in world.spells if spell.views)
    assert world.name(empty.first_s) == script.EMPTY
    views = world.views[world.kind(empty.first_s)]
    assert any(np.array_equal(world.frame(empty.first_s), view) for view in views)
    assert script.zone_of(world, shown.first_s).shape == (200, 200, 3)
    assert isinstance(script.ZONE, Box)
    folder = script.labelled(world, [empty.first_s, shown.first_s], tmp_path / "store")
    with script.Store(folder) as store:
        assert {entry.label for entry in store.entries()} == {script.EMPTY, shown.name}
