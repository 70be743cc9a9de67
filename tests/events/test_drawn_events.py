"""Tests of events of drawn videos against the truth: how many are found, how many are right, how precise their times are."""

from __future__ import annotations

import time

import pytest

from edgecls import Classifier, CountingLine, Events, Line, Pipeline, Polygon, Zone, image, observe
from edgecls.run.camera import Camera
from tests.run.drawn_road import LAMP, LINE, Road, road
from tests.tiny import color_model

TOLERANCE_S = 0.3
SEEDS = range(3)
CAMERA = Camera(
    "road",
    0,
    zone=(Zone("lamp", Polygon.rectangle(*LAMP)),),
    line=(CountingLine("line", Line((LINE, 0.0), (LINE, 1.0)), left="east", right="west"),),
    ignore=(Polygon.rectangle(*LAMP),),
)  # fmt: skip
"""The default settings."""


@pytest.fixture(scope="module")
def colors(tmp_path_factory) -> Classifier:
    """Return a model for the drawn colours."""
    path = tmp_path_factory.mktemp("model") / "colors.onnx"
    path.write_bytes(color_model())
    return Classifier.load(path, device="cpu", threads=1)


@pytest.fixture(scope="module")
def films(colors) -> list:
    """Return each video and the events of a run over it."""
    return [(film, happens(colors, film)) for film in map(road, SEEDS)]


def happens(classifier: Classifier, film: Road) -> list:
    """Return all events of a video."""
    pipeline, events = Pipeline(classifier, regions=CAMERA.regions()), Events({"road": CAMERA.rules})
    told = []
    for index, (time_s, picture) in enumerate(film.pictures()):
        frame = image.as_frame(picture, "road", index, time_s=time_s, captured_at=time.monotonic())
        (result,) = pipeline.step([frame])
        told += events.step(observe(result))
    return told + events.close()


def matched(true: list, told: list) -> int:
    """Return how many events match a true one, each once: the same fields, and each time within the tolerance."""
    left, hits = list(true), 0
    for words, *times in told:
        hit = next(
            (
                one
                for one in left
                if one[0] == words and all(abs(a - b) <= TOLERANCE_S for a, b in zip(one[1:], times, strict=True))
            ),
            None,
        )
        if hit is not None:
            left.remove(hit)
            hits += 1
    return hits


def assert_found(true: list, told: list) -> None:
    """Check for precision and recall of 0.98 or more."""
    hits = matched(true, told)
    assert hits >= 0.98 * len(told), f"{len(told) - hits} of {len(told)} were invented"
    assert hits >= 0.98 * len(true), f"{len(true) - hits} of {len(true)} were missed"


def test_crossings_are_those_that_were_drawn(films):
    """Cars, vans and trucks at three speeds, in both directions, with changing light: each once, when it crossed."""
    true = [((i, d.kind, d.goes_to), d.crosses_s) for i, (film, _) in enumerate(films) for d in film.drives]
    told = [((i, e.label, e.direction), e.start.time_s) for i, (_, events) in enumerate(films) for e in events
            if e.kind == "crossing"]  # fmt: skip
    assert len(true) > 60
    assert_found(true, told)


def test_states_are_those_that_were_drawn(films):
    """What the lamp shows, from when to when."""
    true = [
        ((i, shows), since_s, until_s)
        for i, (film, _) in enumerate(films)
        for (since_s, shows), (until_s, _) in zip(film.lamp, (*film.lamp[1:], (film.seconds, "")), strict=True)
    ]
    told = [((i, e.label), e.start.time_s, e.end.time_s) for i, (_, events) in enumerate(films) for e in events
            if e.kind == "state" and e.end]  # fmt: skip
    assert len(true) > 30
    assert_found(true, told)


def test_objects_are_those_that_were_drawn(films):
    """Only vehicles moved, and each is tracked from when it enters to when it leaves."""
    true = [((i, d.kind), d.enters_s, d.leaves_s) for i, (film, _) in enumerate(films) for d in film.drives]
    told = [((i, e.label), e.start.time_s, e.end.time_s) for i, (_, events) in enumerate(films) for e in events
            if e.kind == "object" and e.end]  # fmt: skip
    assert_found(true, told)
