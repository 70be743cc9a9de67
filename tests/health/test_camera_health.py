"""Tests of camera health with drawn streets that have a fault from one known second to another, or none."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from typing import get_args

import av
import cv2
import numpy as np
import pytest

from edgecls import image
from edgecls.errors import ConfigError
from edgecls.frame import PictureFault, Unfit
from edgecls.health import Health, HealthSettings
from edgecls.regions.motion import Motion, MotionSettings
from tests.run.watched import FPS, HIGH, WIDE, Street, frame_of, street_with, watch

RULE = HealthSettings()
NEAR_S = 0.3
"""Tolerance for the beginning and the end of a fault."""
LATE_S = 0.5
"""How much later than after its seconds a fault is reported, at most: a check may come a fifth of a second after the picture,
and a check right after a change cannot tell."""


def encoded(pictures, codec="libx264", **options):
    """Encode and decode pictures."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width, stream.pix_fmt = HIGH, WIDE, "yuv420p"
        for i, picture in enumerate(pictures):
            planes = np.full((HIGH * 3 // 2, WIDE), 128, np.uint8)
            planes[:HIGH] = picture
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        for frame in container.decode(video=0):
            plane = frame.planes[0]
            yield np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].copy()


# Faults that are found


@pytest.mark.parametrize("fault", get_args(PictureFault))
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_fault_is_found_with_its_beginning_and_its_end(fault, seed):
    """Only this fault, for 25 s among passing cars: begun and ended within 0.3 s, reported when its seconds have passed, and
    its end a second after it.
    """
    seen = watch(street_with(fault, 20, 45, 55, street=Street(seed)))
    ((label, start, end),) = seen.faults
    assert label == fault
    assert start == pytest.approx(20, abs=NEAR_S)
    assert end == pytest.approx(45, abs=NEAR_S)
    (begun, begin), (ended, over) = seen.told
    assert 0 <= begun / FPS - 20 - RULE.begin_s(fault) <= LATE_S
    assert 0 <= ended / FPS - 45 - RULE.clear_s <= LATE_S
    assert begin.id == over.id
    assert (begin.kind, begin.region, begin.camera) == ("health", "frame", "gate")


@pytest.mark.parametrize("fault", get_args(PictureFault))
def test_a_short_symptom_is_no_fault(fault):
    """Half a second less than its seconds."""
    assert watch(street_with(fault, 20, 19.5 + RULE.begin_s(fault), 40)).told == []


@pytest.mark.parametrize("fault", ["defocused", "moved", "covered", "black"])
def test_faults_are_found_in_compressed_pictures(fault):
    """H.264 at a usual rate, and JPEGs of quality 30."""
    for pictures in (
        encoded(street_with(fault, 15, 30, 38), crf="28", g="20", preset="veryfast"),
        (cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0) for p in street_with(fault, 15, 30, 38)),
    ):
        ((label, start, end),) = watch(pictures).faults
        assert label == fault
        assert start == pytest.approx(15, abs=NEAR_S)
        assert end == pytest.approx(30, abs=NEAR_S)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"crf": "28", "g": "20", "preset": "veryfast"}), ("mpeg4", {})])
def test_a_picture_that_is_stuck_before_the_encoder_is_found(codec, options):
    """Each key frame gives the same picture as the one before; the first few from an encoder may differ."""
    ((label, start, end),) = watch(encoded(street_with("frozen", 10, 40, 40), codec, **options)).faults
    assert (label, end) == ("frozen", None)
    assert 10 <= start <= 13


def test_a_loop_is_frozen():
    """Six seconds that are repeated again and again."""
    street = Street()
    loop = [street.seen(street.at(i)) for i in range(6 * FPS)]
    ((label, start, end),) = watch(loop * 5).faults
    assert (label, end) == ("frozen", None)
    assert start == pytest.approx(6, abs=NEAR_S)


@pytest.mark.parametrize("down", [0.04, 0.0])
@pytest.mark.parametrize("right", [0.03, 0.0, -0.2])
def test_a_small_shift_is_found(down, right):
    """By 3 % of the width, or 4 % of the height; without a shift there is no fault."""
    street = Street()
    by = round(down * HIGH), round(right * WIDE)
    faults = watch(street.seen(np.roll(street.at(i), by if i >= 150 else 0, (0, 1))) for i in range(300)).faults
    assert [label for label, _, _ in faults] == (["moved"] if any(by) else [])


def test_the_new_scene_becomes_usual():
    """After a minute the camera is fit again; moving it back is a fault again."""
    street, other = Street(0), Street(7)
    pictures = (street.seen((other if 200 <= i < 1100 else street).at(i)) for i in range(1300))
    first, second = watch(pictures).faults
    assert first[:2] == ("moved", pytest.approx(20, abs=NEAR_S))
    assert first[2] == pytest.approx(20 + RULE.stays_s, abs=1)
    assert second == ("moved", pytest.approx(110, abs=NEAR_S), None)


def test_one_that_was_moved_before_the_night_is_not_moved_all_night():
    """In the dark, the scene cannot be judged. The darkness becomes the fault, and in the morning all is usual."""
    street, other = Street(0), Street(7)

    def pictures():
        for i in range(1400):
            yield street.seen((street if i < 200 else other).at(i) * (0.0 if 400 <= i < 1200 else 1.0))

    seen = watch(pictures())
    assert seen.faults == [
        ("moved", pytest.approx(20, abs=NEAR_S), pytest.approx(40, abs=NEAR_S)),
        ("black", pytest.approx(40, abs=NEAR_S), pytest.approx(120, abs=NEAR_S)),
    ]
    assert seen.told[2][0] / FPS == pytest.approx(20 + RULE.stays_s, abs=1)


def test_a_turning_camera_stays_moved():
    """As long as no scene stays."""
    street = Street()
    pictures = (street.seen(np.roll(street.at(i), (i - 150) * 3 if i >= 150 else 0, 1)) for i in range(1100))
    ((label, start, end),) = watch(pictures, replace(RULE, stays_s=20.0)).faults
    assert (label, end) == ("moved", None)
    assert start == pytest.approx(15, abs=0.5)


def test_a_camera_that_is_covered_from_the_start_is_found():
    """Although its scene is unknown; it is fit when the hand is gone."""
    ((label, start, end),) = watch(street_with("covered", 0, 20, 30)).faults
    assert (label, start) == ("covered", pytest.approx(0, abs=NEAR_S))
    assert end == pytest.approx(20, abs=NEAR_S)


@pytest.mark.parametrize("seed", range(4))
def test_any_faults_in_any_order_each_end(seed):
    """Six random faults, each long enough, with clean seconds between: all are found in order, none overlaps, and the camera is
    fit after the last.
    """
    rng = np.random.default_rng(seed)
    street, pictures, truth = Street(seed), [], []
    for fault in rng.choice(get_args(PictureFault), 6):
        clean, lasts = (int(rng.integers(*bounds)) for bounds in ((80, 150), (130, 300)))
        at = len(pictures)
        pictures += street_with(fault, clean / FPS, (clean + lasts) / FPS, (clean + lasts) / FPS, street=street)
        truth.append((fault, (at + clean) / FPS, len(pictures) / FPS))
    pictures += [street.seen(street.at(i)) for i in range(50)]
    seen = watch(pictures)
    assert [e.end is None for _, e in seen.told] == [True, False] * len(truth)
    for found, true in zip(seen.faults, truth, strict=True):
        assert found == (true[0], pytest.approx(true[1], abs=NEAR_S), pytest.approx(true[2], abs=NEAR_S))


# No false alarms


def weather(i):
    """Return the brightness over ten minutes: it fades to a fifth and back, sometimes jumps by half, and a lamp lights one
    side.
    """
    gain = 0.6 + 0.4 * np.cos(2 * np.pi * i / 6000)
    gain *= (1.0, 0.5, 1.0, 1.6, 1.0)[i // 170 % 5]
    lamp = np.linspace(0.6, 1.5, WIDE, dtype=np.float32) if i // 400 % 3 == 2 else np.float32(1)
    return gain * lamp


@pytest.mark.parametrize("cars", [1, 8])
def test_ten_minutes_of_weather_and_traffic_are_no_fault(cars):
    """Cars, noise, exposure jumps, lamps, dusk and dawn."""
    street = Street(3, cars=cars, noise=4.0)
    assert watch(street.seen(street.at(i) * weather(i)) for i in range(6000)).told == []


def test_compressed_weather_is_no_fault():
    """Two minutes in H.264 of a low rate, and in JPEGs of low quality."""
    street = Street(4, cars=3)
    pictures = [street.seen(street.at(i) * weather(5 * i)) for i in range(1200)]
    assert watch(encoded(pictures, crf="33", g="40", preset="veryfast")).told == []
    jpegs = (cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 25])[1] for p in pictures)
    assert watch(cv2.imdecode(jpeg, 0) for jpeg in jpegs).told == []


@pytest.mark.parametrize("crf", ["23", "35"])
def test_a_still_scene_is_not_frozen(crf):
    """Nothing moves, and an encoder repeats pictures up to the next key frame."""
    street = Street(0, cars=0, noise=1.0)
    still = (street.seen(street.empty) for _ in range(400))
    assert watch(encoded(still, crf=crf, g="50", preset="veryfast")).told == []


def test_a_lorry_before_the_lens_is_no_fault():
    """It fills four fifths of the picture for 4 s, plain and close, again and again."""
    street = Street()

    def pictures():
        for i in range(600):
            picture = street.at(i)
            if i >= 150 and i % 100 < 40:
                picture[:, : WIDE * 4 // 5] = 140
                picture[40:44, : WIDE * 4 // 5] = 90
            yield street.seen(picture)

    assert watch(pictures()).told == []


def test_a_name_and_a_clock_in_the_picture_hide_no_cover():
    """The text that the camera writes into its pictures stays sharp."""
    street = Street()

    def pictures(fault):
        for i, picture in enumerate(street_with(fault, 20, 35, 40, street=street)):
            cv2.putText(picture, f"GATE {i // FPS:05}", (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
            yield picture

    for fault in ("covered", "defocused", "moved"):
        ((label, start, end),) = watch(pictures(fault)).faults
        assert (label, start, end) == (fault, pytest.approx(20, abs=NEAR_S), pytest.approx(35, abs=NEAR_S))


# Rates, gaps, settings


@pytest.mark.parametrize(("fps", "first", "last"), [(0.5, 30, 60), (2, 60, 100), (25, 375, 700)])
def test_seconds_hold_at_any_rate(fps, first, last):
    """A picture every two seconds, as with key frames only, or 25 per second; a slow camera needs three that show it."""
    street = Street()
    black = (street.seen(street.at(i) * (0 if first <= i < last else 1)) for i in range(last + first))
    seen = watch(black, fps=fps)
    ((label, start, end),) = seen.faults
    assert label == "black"
    assert start == pytest.approx(first / fps, abs=max(NEAR_S, 1 / fps))
    assert end == pytest.approx(last / fps, abs=max(NEAR_S, 1 / fps))
    assert seen.told[0][0] - first <= max(3, (RULE.black_s + LATE_S) * fps)


def test_an_outage_proves_nothing():
    """A black picture before and after a minute without pictures is not a minute of black; the same picture twice is not
    frozen.
    """
    street, health = Street(), Health()
    for i in range(100):
        assert health(frame_of(street.seen(street.at(i)), i)) is None
    dark = street.seen(street.empty * 0)
    assert health(frame_of(dark, 100)) is None
    assert health(frame_of(dark, 700)) is None
    last = street.seen(street.at(701))
    assert [health(frame_of(last, i)) for i in (702, 1402, 1404, 1406)] == [None] * 4
    assert [health(frame_of(street.seen(street.at(i)), i)) for i in range(1408, 1416)] == [None] * 8


def test_each_camera_has_its_own_settings_and_history():
    """A black camera does not affect another; one is not checked."""
    street, health = Street(), Health({"off": HealthSettings(off=True), "calm": HealthSettings(ignore=("black",))})
    for i in range(50):
        dark, frame = street.seen(street.empty * 0), frame_of(street.seen(street.at(i)), i)
        found = {}
        for name, picture in (("gate", dark), ("off", dark), ("calm", dark), ("good", None)):
            one = frame if picture is None else frame_of(picture, i)
            one.camera = name
            found[name] = health(one)
    assert found["gate"].fault == "black"
    assert (found["off"], found["good"]) == (None, None)
    assert found["calm"] is None or found["calm"].fault != "black"


def test_pictures_of_a_folder_have_no_faults():
    """Nor can tiny pictures be judged."""
    health = Health()
    for i in range(60):
        one = frame_of(np.zeros((HIGH, WIDE), np.uint8), i)
        one.single = True
        assert health(one) is None
        tiny = frame_of(np.zeros((24, 31), np.uint8), i)
        tiny.camera = "tiny"
        assert health(tiny) is None


@pytest.mark.parametrize("size_hw", [(32, 32), (33, 200), (480, 640), (1080, 1920), (1920, 1080)])
def test_pictures_of_any_size_are_checked(size_hw):
    """Noise that turns black is black."""
    rng, health, found = np.random.default_rng(0), Health(), None
    for i in range(60):
        picture = rng.integers(0, 255 if i < 20 else 3, size_hw).astype(np.uint8)
        found = health(frame_of(picture, i))
    assert found is not None
    assert found.fault == "black"
    assert found.since.frame == 20


def test_another_size_is_learned_anew():
    """A camera that changes its resolution is not "moved"."""
    street = Street()

    def pictures():
        for i in range(300):
            picture = street.seen(street.at(i))
            yield picture if i < 150 else cv2.resize(picture, (480, 270))

    assert watch(pictures()).told == []


def test_one_small_picture_serves_motion_and_health():
    """It is made once per frame, and both use it."""
    made = []
    street = Street()
    picture = cv2.resize(street.seen(street.at(0)), (1280, 720))
    one = frame_of(picture, 0)
    one._make_plane = lambda: made.append(1) or picture
    small = image.overview(one, 320)
    assert image.overview(one, 320) is small
    assert not small.flags.writeable
    Health()(one)
    Motion(MotionSettings())(one)
    assert list(one.overviews) == [320]
    assert one.bare().overviews == {}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"black_s": -1.0}, "black_s must be 0 or more seconds, not -1.0"),
        ({"clear_s": float("nan")}, "clear_s must be 0 or more seconds, not nan"),
        ({"warm_up_s": 90.0}, "learn_s must be more seconds than warm_up_s (90), not 60.0"),
        ({"stays_s": 4.0}, "stays_s must be more seconds than moved_s (5), not 4.0"),
        (
            {"ignore": ("blurred",)},
            "ignore: unknown fault 'blurred'; expected some of black, overexposed, covered, frozen, defocused, moved",
        ),
    ],
)
def test_invalid_settings_are_rejected(wrong, said):
    """One line each."""
    with pytest.raises(ConfigError) as error:
        HealthSettings(**wrong)
    assert str(error.value) == said


# What the result contains: see also test_pipeline, test_detector


def test_the_result_has_the_times_and_classify_anyway():
    """The first and last frame that showed the fault, and whether it is classified anyway."""
    street, health = Street(), Health({"gate": HealthSettings(classify_anyway=True)})
    found = [health(frame_of(p, i)) for i, p in enumerate(street_with("black", 10, 14, 20, street=street))]
    assert found[119] is None
    assert isinstance(found[130], Unfit)
    assert (found[130].fault, found[130].since.frame, found[130].last.frame) == ("black", 100, 130)
    assert found[145].last.frame == 138
    assert found[130].classified
    assert found[160] is None
