"""The objects of a camera: when the detector looks, which boxes count, what they are called."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from edgecls import Box, ClassMap, ConfigError, DetectorSettings, Objects, Polygon, Prediction, Region
from edgecls.detect.boxes import Boxes
from edgecls.detect.naming import labels_of, named
from edgecls.detected import Detected
from edgecls.model.confidence import UNKNOWN
from edgecls.settings import build
from tests.run.world import frame

CLASSES = ("car", "truck", "person", "dog")


class Scripted:
    """A detector that finds what it is told to, and remembers the frames that it saw."""

    def __init__(self, *rows) -> None:
        self.card = SimpleNamespace(classes=CLASSES)
        self.rows = list(rows)
        self.seen: list[int] = []

    def detect(self, one, *, low, wanted=None):
        self.seen.append(one.index)
        rows = self.rows[min(len(self.seen), len(self.rows)) - 1] if self.rows else []
        boxes = Boxes(
            np.array([row[:4] for row in rows], np.float32).reshape(-1, 4),
            np.array([row[4] for row in rows], np.float32),
            np.array([CLASSES.index(row[5]) for row in rows], np.int64),
        )
        boxes = boxes.take(boxes.scores > low)
        return (boxes if wanted is None else boxes.take(np.isin(boxes.class_ids, wanted))).best_first()


def objects(*rows, gate=None, outside=(), lost_s=1.0, **settings):
    """The objects of a camera with a scripted detector."""
    detector = Scripted(*rows)
    return detector, Objects(detector, DetectorSettings("d.onnx", **settings), gate=gate, lost_s=lost_s, outside=outside)


def names(regions) -> list[str]:
    return [region.detected.name for region in regions]


CAR, PERSON = (4, 4, 24, 24, 0.9, "car"), (40, 10, 50, 40, 0.8, "person")


@pytest.mark.parametrize(("fps", "expected"), [
    (25.0, list(range(50))), (100.0, list(range(50))), (12.5, list(range(0, 50, 2))), (5.0, list(range(0, 50, 5))),
    (10.0, [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33, 35, 38, 40, 43, 45, 48]), (1.0, [0, 25]),
])  # fmt: skip
def test_the_detector_looks_at_its_own_rate(fps, expected):
    """Of 50 frames at 25 per second, by media time; the others have no objects."""
    detector, find = objects([CAR], fps=fps)
    found = [names(find(frame(i))) for i in range(50)]
    assert detector.seen == expected
    assert [i for i, one in enumerate(found) if one] == expected


def test_a_stream_that_begins_anew_is_looked_at_at_once():
    """As after a file was played again: its time goes back."""
    detector, find = objects([CAR], fps=1.0)
    for i in (0, 10, 20, 2, 3, 30):
        find(frame(i))
    assert detector.seen == [0, 2, 30]


def test_pictures_by_themselves_are_all_looked_at():
    """Those of a folder have nothing to do with one another, so no low score goes on."""
    detector, find = objects([CAR], [(4, 4, 24, 24, 0.2, "car")], fps=1.0)
    shots = [frame(i) for i in range(3)]
    for one in shots:
        one.single = True
    assert [names(find(one)) for one in shots] == [["car"], [], []]
    assert detector.seen == [0, 1, 2]


def test_a_gate_holds_the_detector_back():
    """It is asked about every frame, since it learns the background, and the detector looks as soon as it opens."""
    asked = []

    def gate(one):
        asked.append(one.index)
        one.left_out = 7
        return [Region("motion", Box(0, 0, 9, 9))] if 7 <= one.index < 12 else []

    detector, find = objects([CAR], fps=12.5, gate=gate)
    shots = [frame(i) for i in range(15)]
    assert [bool(find(one)) for one in shots] == [i in (7, 9, 11) for i in range(15)]
    assert asked == list(range(15))
    assert detector.seen == [7, 9, 11]
    assert {one.left_out for one in shots} == {0}


def test_an_object_that_stands_still_is_looked_at_while_the_gate_is_closed():
    """Twice in `lost_s`, so its track goes on; once it is gone for that long, the detector rests until something moves."""
    moving = [Region("motion", Box(0, 0, 9, 9))]
    detector, find = objects(
        [CAR], [CAR], [CAR], [CAR], [], gate=lambda one: moving if one.index == 10 else [], fps=12.5, lost_s=0.8
    )
    for i in range(100):
        find(frame(i))
    assert detector.seen == [10, 20, 30, 40, 50, 60]
    detector, find = objects([], gate=lambda one: moving if one.index == 10 else [], fps=12.5)
    for i in range(100):
        find(frame(i))
    assert detector.seen == [10]


def test_a_low_score_goes_on_and_begins_nothing():
    """Boxes below `score` count where an object is expected, above `low`, until it is lost, and nowhere else."""
    low_car, lower, low_dog = (5, 4, 25, 24, 0.3, "car"), (6, 4, 26, 24, 0.12, "car"), (40, 4, 50, 14, 0.3, "dog")
    for lost_s, last in ((1.0, ["car"]), (0.05, [])):
        rows = [low_car], [CAR, low_dog], [low_car, low_dog], [low_car], [lower], [low_car]
        _, find = objects(*rows, fps=25.0, lost_s=lost_s)
        assert [names(find(frame(i))) for i in range(6)] == [[], ["car"], ["car"], ["car"], [], last]


def test_an_object_gets_no_second_box_with_a_low_score():
    """Beside its box with a high score, or beside a better low one: it would become a second object."""
    rider, torso, legs = (4, 4, 24, 44, 0.9, "person"), (4, 4, 24, 26, 0.3, "person"), (4, 22, 24, 44, 0.2, "person")
    _, find = objects([rider], [rider, torso, legs], [torso, legs], [legs, PERSON], fps=25.0)
    found = [[(region.box, region.detected.name) for region in find(frame(i))] for i in range(4)]
    assert [len(one) for one in found] == [1, 1, 1, 1]
    assert found[1][0][0] == Box(4, 4, 24, 44)
    assert found[2][0][0] in (Box(4, 4, 24, 26), Box(4, 22, 24, 44))
    assert found[3][0][0] == Box(40, 10, 50, 40)


def test_two_boxes_of_one_name_that_nearly_agree_are_one_object():
    """Ultralytics' suppression keeps both up to an overlap of 0.7."""
    most = (4, 4, 24, 35, 0.6, "person")
    _, find = objects([(4, 4, 24, 48, 0.9, "person"), most, (18, 4, 38, 48, 0.5, "person")])
    assert [region.box.left for region in find(frame(0))] == [4, 18]


def test_without_a_lower_score_there_is_one_threshold():
    """`low` as high as `score`."""
    _, find = objects([CAR], [(5, 4, 25, 24, 0.3, "car")], fps=25.0, low=0.4)
    assert [names(find(frame(i))) for i in range(2)] == [["car"], []]


def test_objects_are_regions_from_left_to_right():
    """Called motion, in whole pixels, with the name and the score of the detector and a box around for the second view."""
    _, find = objects([PERSON, (3.6, 4.4, 23.6, 24.2, 0.9, "car")])
    car, person = find(frame(0))
    assert car == Region("motion", Box(4, 4, 24, 24), Box(0, 0, 28, 28), Detected("car", pytest.approx(0.9), "classifier"))
    assert (person.box, person.around) == (Box(40, 10, 50, 40), Box(34, 4, 56, 46))
    _, find = objects([CAR], around=0.0)
    assert find(frame(0))[0].around is None
    _, find = objects([CAR], names="detector")
    assert find(frame(0))[0].around is None


def test_areas_to_ignore_have_no_objects():
    """By the center of the box, as with motion."""
    _, find = objects([CAR, PERSON], outside=[Polygon.rectangle(0.5, 0, 0.5, 1)])
    assert names(find(frame(0))) == ["car"]


def test_classes_are_chosen_and_renamed():
    """Two classes with one name are one object, if their boxes are nearly the same."""
    truck = (4, 5, 24, 25, 0.7, "truck")
    _, find = objects([CAR, truck, PERSON], classes=ClassMap({"vehicle": ("car", "truck")}))
    assert names(find(frame(0))) == ["vehicle"]
    _, find = objects([CAR, PERSON], classes=ClassMap.from_setting(["car", "truck"]))
    assert names(find(frame(0))) == ["car"]


@pytest.mark.parametrize(("second", "expected"), [
    ((4, 5, 24, 25, 0.7, "truck"), ["car"]), ((4, 4, 24, 24, 0.95, "truck"), ["truck"]),
    ((4, 8, 24, 24, 0.7, "person"), ["car", "person"]), ((5, 4, 25, 24, 0.3, "truck"), ["car"]),
])  # fmt: skip
def test_an_object_that_is_found_as_two_classes_is_one(second, expected):
    """A van is often a car and a truck at the same place. The higher score wins. A rider covers less of the motorcycle."""
    _, find = objects([CAR], [CAR, second], fps=25.0)
    find(frame(0))
    assert names(find(frame(1))) == expected


def test_only_the_best_boxes_of_a_crowd_are_passed_on():
    """The others are counted."""
    crowd = [(x, 4, x + 4, 12, 0.9 - x / 200, "person") for x in range(0, 60, 6)]
    _, find = objects(crowd, max_regions=3)
    shot = frame(0)
    assert [region.box.left for region in find(shot)] == [0, 6, 12]
    assert shot.left_out == 7


def test_only_some_objects_are_classified():
    """With names of both, those in `classify`; the others keep what the detector calls them."""
    _, find = objects([CAR, PERSON], names="both", classify=("car",))
    assert [region.detected.names for region in find(frame(0))] == ["both", "detector"]


@pytest.mark.parametrize(("names_of", "expected"), [
    ("detector", ("car", 0.8)), ("classifier", ("van", 0.5)), ("both", ("car/van", 0.4)),
])  # fmt: skip
def test_a_label_comes_from_the_detector_the_classifier_or_both(names_of, expected):
    """With both, the scores are multiplied."""
    classified = Prediction("van", 0.5, 1, (("van", 0.5), ("bus", 0.25)))
    found = named(Detected("car", 0.8, names_of), None if names_of == "detector" else classified)
    assert (found.label, found.score) == (expected[0], pytest.approx(expected[1]))
    if names_of == "both":
        assert found.top == (("car/van", 0.4), ("car/bus", 0.2))


def test_what_the_classifier_does_not_know_keeps_the_name_of_the_detector():
    """It is a car at least."""
    unknown = Prediction(UNKNOWN, 0.3, -1, (("van", 0.3),))
    assert named(Detected("car", 0.8, "both"), unknown).label == "car"
    assert named(Detected("car", 0.8, "classifier"), unknown).label == UNKNOWN


def test_what_the_classifier_takes_for_background_keeps_the_name_of_the_detector():
    """A detector has found an object, so it is never vehicle/background; and a label that both say stands once."""
    background, person = (Prediction(label, 0.9, 0, ((label, 0.9), ("van", 0.1))) for label in ("background", "person"))
    car = named(Detected("car", 0.8, "both"), background)
    assert (car.label, car.score) == ("car", 0.8)
    assert named(Detected("car", 0.8, "classifier"), background).label == "background"
    both = named(Detected("person", 0.5, "both"), person)
    assert (both.label, both.score) == ("person", pytest.approx(0.45))
    assert [label for label, _ in both.top] == ["person", "person/van"]


def test_the_labels_that_can_occur_are_known():
    """For the rules to be checked against."""
    both = DetectorSettings("d.onnx", names="both", classify=("car",))
    assert labels_of(both, ("car", "dog"), ("van", "bus")) == {"car", "dog", "car/van", "car/bus"}
    assert labels_of(both, ("car",), ("background", "car", "van")) == {"car", "car/van"}
    assert labels_of(DetectorSettings("d.onnx"), ("car",), ("van",)) == {"van"}
    assert labels_of(DetectorSettings("d.onnx", names="detector"), ("car",), ("van",)) == {"car"}


@pytest.mark.parametrize(("settings", "message"), [
    ({"classes": ClassMap({"cars": ("cars",)})}, r"classes: d\.onnx has no class 'cars'; did you mean 'car'\?"),
    ({"classes": ClassMap({"x": ("zebra",)})}, r"classes: d\.onnx has no class 'zebra'; it has car, truck, person, dog$"),
    ({"names": "both", "classify": ("bus",)}, r"classify: d\.onnx finds no 'bus'; it finds car, dog, person, truck"),
])  # fmt: skip
def test_classes_that_the_detector_does_not_have_are_refused(settings, message):
    """With the closest one, or all."""
    with pytest.raises(ConfigError, match=message):
        objects([], **settings)


@pytest.mark.parametrize(("table", "message"), [
    ({"model": ""}, "model must be the .onnx file of a detector"),
    ({"fps": 0}, r"fps must be .*above 0"),
    ({"low": 0.5}, r"low must be at most score \(0\.4\), not 0\.5"),
    ({"gate": "never"}, "gate must be one of always, motion, not 'never'"),
    ({"names": "mine"}, "names must be one of classifier, detector, both, not 'mine'"),
    ({"classify": ["car"]}, 'classify must be left out with names = "classifier"'),
    ({"classes": ["car", "car"]}, "classes: the class 'car' is named twice"),
    ({"classes": {"a": ["car"], "b": "car"}}, "classes: the class 'car' is named twice"),
    ({"classes": []}, "classes: expected one class or more"),
    ({"classes": {"a": []}}, "classes: expected one class or more"),
    ({"classes": {"": "car"}}, "classes: expected names, found an empty one"),
    ({"classes": [1]}, "classes: expected a list of classes"),
    ({"classes": "car"}, "classes: expected a list of classes"),
])  # fmt: skip
def test_settings_that_cannot_be_are_refused(table, message):
    """In one line, with the setting."""
    with pytest.raises(ConfigError, match=message):
        build(DetectorSettings, {"model": "d.onnx", **table}, "cameras.toml")
