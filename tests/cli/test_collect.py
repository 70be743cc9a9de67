"""Tests of `edgecls collect`, and of `edgecls.Collecting` behind it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import edgecls
from edgecls import image
from edgecls.cli.collect import _seconds
from edgecls.cli.entry import app
from edgecls.store import Store


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["collect", *map(str, arguments)])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Write 12 s at 5 frames per second, of which each half second shows another smooth picture."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (160, 120))
    rng = np.random.default_rng(0)
    for i in range(60):
        if i % 2 == 0:
            picture = cv2.resize(rng.integers(0, 256, (9, 12, 3), np.uint8), (160, 120), interpolation=cv2.INTER_CUBIC)
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture(autouse=True)
def _no_network(tmp_path, monkeypatch):
    """Compare pictures by their hashes, whatever is installed here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("edgecls.cli.collect._build_network", lambda: None)


def entries(folder):
    """What a store has."""
    with Store(folder, create=False) as store:
        return list(store.entries())


def test_pictures_are_kept_every_few_seconds(film, tmp_path):
    """0, 3, 6 and 9 s of 12, each of the whole frame at its full size; nothing is said of them."""
    done = call("--source", film, "--every", "3s", "--out", tmp_path / "store")
    assert done.exit_code == 0, done.output
    assert "4 pictures kept" in done.stderr
    kept = entries(tmp_path / "store")
    assert [entry.origin.time_s for entry in kept] == [0, 3, 6, 9]
    assert {entry.size_hw for entry in kept} == {(120, 160)}
    assert {(entry.origin.camera, entry.origin.region, entry.origin.prediction) for entry in kept} == {("film", "frame", "")}
    assert {entry.origin.score for entry in kept} == {None}


def test_zones_are_kept_as_they_were_drawn(film, tmp_path):
    """Without a margin: half of the frame is half of its pixels."""
    done = call(
        "-s", f"yard={film}", "-z", "left=0,0,0.5,1", "-z", "top=0,0,1,0.25", "--every", "6s", "--out", tmp_path / "store"
    )
    assert done.exit_code == 0, done.output
    assert sorted((entry.origin.camera, entry.origin.region, entry.size_hw) for entry in entries(tmp_path / "store")) == [
        *[("yard", "left", (120, 80))] * 2,
        *[("yard", "top", (30, 160))] * 2,
    ]


def test_it_ends_after_enough_pictures(film, tmp_path):
    """--most is not exceeded by more than what was on its way."""
    assert call("-s", film, "--every", "0s", "--most", "3", "--out", tmp_path / "store").exit_code == 0
    assert 3 <= len(entries(tmp_path / "store")) <= 20


def test_a_camera_that_shows_the_same_gives_one_picture(tmp_path):
    """Two minutes of a wall."""
    path = tmp_path / "wall.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 1, (160, 120))
    wall = cv2.resize(np.random.default_rng(1).integers(40, 200, (9, 12, 3), np.uint8), (160, 120))
    for _ in range(120):
        writer.write(wall)
    writer.release()
    assert call("-s", path, "--per-day", "1", "--out", tmp_path / "store").exit_code == 0
    assert len(entries(tmp_path / "store")) == 1


def test_only_moving_scenes_if_wanted(tmp_path):
    """A box crosses a wall from 6 s to 8 s of 12: pictures are from then alone."""
    path = tmp_path / "yard.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (160, 120))
    wall = cv2.resize(np.random.default_rng(1).integers(60, 120, (9, 12, 3), np.uint8), (160, 120))
    for i in range(120):
        picture = wall.copy()
        if 60 <= i < 80:
            picture[40:80, 5 * (i - 60) : 5 * (i - 60) + 40] = 255
        writer.write(picture)
    writer.release()
    assert call("-s", path, "--only-moving", "--every", "1s", "--unlike", "1", "--out", tmp_path / "store").exit_code == 0
    times = [entry.origin.time_s for entry in entries(tmp_path / "store")]
    assert times
    assert all(6 <= time_s <= 8.5 for time_s in times)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1.5h", 5400), ("10", 10), ("2 min", 120)])
def test_times_may_have_units(text, seconds):
    """Seconds without one."""
    assert _seconds(text) == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "store"), "expected --camera or --source"),
        (("--out", "store", "-s", "film.avi", "--every", "often"), "expected a time such as 30s"),
        (("-s", "film.avi"), "--out"),
        (("--out", "store", "-s", "film.avi", "--private", "0,0,1"), "expected X,Y,W,H"),
        (("--out", "store", "-s", "film.avi", "--private", "0,0,1.5,1"), "outside of the frame"),
    ],
)
def test_wrong_usage_is_said_in_one_line(arguments, message):
    """With exit code 2."""
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_a_file_that_does_not_exist_leaves_no_store_open(tmp_path):
    """One line; exit code 1."""
    done = call("-s", tmp_path / "none.mp4", "--out", tmp_path / "store")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_python_collects_too(film, tmp_path):
    """The loop is the user's."""
    with edgecls.Collecting([film], tmp_path / "store", zones={"left": (0, 0, 0.5, 1)}) as collecting:
        while collecting.step():
            pass
    (first, *_) = entries(tmp_path / "store")
    with edgecls.open_source(str(film)) as source:
        frame = next(iter(source))
        assert np.array_equal(image.load(first.path), image.cut_out(frame, edgecls.Box(0, 0, 80, 120)))


def test_private_areas_are_black_in_what_is_kept(film, tmp_path):
    """The left half, of the whole frame and of a zone in it."""
    done = call(
        "-s", film, "-z", "all=0,0,1,1", "-z", "top=0.25,0,0.5,0.5", "--private", "0,0,0.5,1", "--out", tmp_path / "store"
    )
    assert done.exit_code == 0, done.output
    kept = entries(tmp_path / "store")
    assert {entry.origin.region for entry in kept} == {"all", "top"}
    for entry in kept:
        picture = image.load(entry.path)
        middle = picture.shape[1] // 2
        assert picture[:, : middle - 2].max() <= 8
        assert picture[:, middle + 2 :].mean() > 30
