"""The scripts to copy, each run as a person would, on a drawn clip of which everything is known."""

from __future__ import annotations

import ast
import csv
import importlib
import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
import pytest

import edgecls
from tests import tiny
from tests.conftest import ROOT
from tests.drawn import gray_levels, write_video
from tests.live.mqtt_broker import broker, listener
from tests.report.made import Reader

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "scripts" / "examples"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
HIGH, WIDE, FPS = 120, 200, 25
CAR, PERSON = 128, 250
"""The gray levels of things: what the tiny network calls dim and bright."""


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A model that calls a dark picture background, a gray one car and a bright one person."""
    path = tmp_path_factory.mktemp("models") / "street.onnx"
    path.write_bytes(tiny.light_model(labels=("background", "car", "person")))
    return path


@pytest.fixture
def call(tmp_path):
    """Starts a script by its name, with its arguments, in an empty folder, and waits for its end."""

    def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, EXAMPLES / name, *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "EDGECLS_SPOOL": str(tmp_path / "spool")}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def road(frames: int, *things: tuple[int, int, int, int]):
    """Pictures of a road, with squares of 40 pixels that move over it: (level, first frame, first x, step a frame)."""
    pictures = []
    for i in range(frames):
        picture = np.full((HIGH, WIDE, 3), 20, np.uint8)
        picture[::8] += 10
        for level, first, x, step in things:
            left = x + step * (i - first)
            if i >= first:
                picture[40:80, max(0, left) : max(0, min(WIDE, left + 40))] = level
        pictures.append(picture)
    return pictures


def write_h264(path: Path, pictures) -> Path:
    """Write pictures as a camera sends them: H.264, a key frame every second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": str(FPS), "bf": "0", "crf": "10"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_traffic_is_counted_by_class_direction_and_interval(call, street, tmp_path):
    """Two persons to the right and a car to the left in the first 8 s, a car to the right in the next; another video in the
    same run has nothing. The table has what is printed.
    """
    things = ((PERSON, 60, -40, 5), (CAR, 110, 200, -5), (PERSON, 160, -40, 5), (CAR, 210, -40, 5))
    busy = write_video(tmp_path / "busy.avi", road(280, *things))
    quiet = write_video(tmp_path / "quiet.avi", road(100))
    line = ("--line", 0.5, 1, 0.5, 0)  # from the bottom to the top
    done = call("count_traffic.py", street, busy, f"side={quiet}", *line, "--every", 8, "--csv", "c.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = sorted(
            (r["camera"], float(r["from"]), r["direction"], r["label"], int(r["count"])) for r in csv.DictReader(file)
        )
    assert rows == [
        ("busy", 0.0, "to the left", "car", 1),
        ("busy", 0.0, "to the right", "person", 2),
        ("busy", 8.0, "to the left", "", 0),
        ("busy", 8.0, "to the right", "car", 1),
        ("side", 0.0, "to the left", "", 0),
        ("side", 0.0, "to the right", "", 0),
    ]
    assert "busy  0.00 to 7.96  to the right: 2 person" in done.stdout.splitlines()
    assert "side  0.00 to 3.96  to the left: nothing" in done.stdout.splitlines()


def test_a_gate_is_told_of_when_it_has_changed(call, light_model, tmp_path):
    """Dark for 2 s, bright for 3 s with flickers, dark again, in a zone of a picture that is dim elsewhere."""
    levels = [20] * 50 + [20 if i % 9 == 8 else 235 for i in range(75)] + [20] * 50
    pictures = gray_levels([128] * len(levels), (HIGH, WIDE))
    for picture, level in zip(pictures, levels, strict=True):
        picture[30:90, 50:150] = level
    video = write_video(tmp_path / "gate.avi", pictures)
    done = call("watch_gate.py", light_model, video, "--zone", 0.25, 0.25, 0.5, 0.5)
    assert done.returncode == 0, done.stderr
    told = [line.split("  ") for line in done.stdout.splitlines()]
    assert [words.split(" after")[0] for _, words in told] == [
        "dark",
        "dark ended",
        "bright",
        "bright ended",
        "dark",
        "dark ended",
    ]
    times = [float(at) for at, _ in told]
    assert times == pytest.approx([0.0, 1.96, 2.0, 4.96, 5.0, 6.96], abs=0.1)


@pytest.fixture
def yard(tmp_path):
    """A clip of 16 s: a car goes through the zone from 3 s on; from 7 s on a person comes from the left, is in its right
    half from about 8.2 s on, and leaves.
    """
    return write_h264(tmp_path / "yard.mp4", road(400, (CAR, 75, -40, 5), (PERSON, 175, -40, 4)))


def test_a_person_in_the_yard_is_photographed_and_filmed(call, street, yard, tmp_path):
    """One picture with the person in the zone, and one clip that can be decoded and has what was before and after; the car has
    none.
    """
    done = call("security_watch.py", street, yard, "--zone", 0.5, 0, 0.5, 1, "--dwell", 0.5)
    assert done.returncode == 0, done.stderr
    began, ended = done.stdout.splitlines()
    assert "person is there" in began
    assert "person was there for" in ended
    start_s = float(began.split()[0])
    assert start_s == pytest.approx(175 / FPS + (100 + 40 - 20) / 4 / FPS, abs=0.3)
    clips, pictures = list((tmp_path / "alarms").glob("*.mp4")), list((tmp_path / "alarms").glob("*.jpg"))
    assert (len(clips), len(pictures)) == (1, 1)
    said = json.loads(clips[0].with_suffix(".json").read_text())
    assert (said["event"]["kind"], said["event"]["label"]) == ("presence", "person")
    assert said["clip"]["first_s"] <= start_s - 5 + 0.05
    assert said["clip"]["last_s"] >= said["event"]["end"]["time_s"] + 4.9
    with av.open(str(clips[0])) as container:
        shown = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(shown) == said["clip"]["packets"] > 10 * FPS
    middle = shown[round((start_s - said["clip"]["first_s"] + 0.5) * FPS)]
    assert middle[45:75, 100:].max() > 230  # the person is in the zone
    with av.open(str(pictures[0])) as container:
        (picture,) = (frame.to_ndarray(format="gray") for frame in container.decode(video=0))
    assert picture[45:75, 100:].max() > 230


def test_a_broker_hears_of_the_person(call, street, yard, tmp_path):
    """The event comes when it begins and when it has ended, with one id, from a real mosquitto."""
    (tmp_path / "broker").mkdir()
    with broker(tmp_path / "broker") as running, listener(running.port, "yard/+/event") as ears:
        address = f"mqtt://127.0.0.1:{running.port}/yard"
        done = call("security_watch.py", street, yard, "--zone", 0.5, 0, 0.5, 1, "--dwell", 0.5, "--mqtt", address)
        assert done.returncode == 0, done.stderr
        ears.until(lambda came: len(came) >= 2)
    begin, end = (json.loads(payload) for _, payload, _ in ears.came)
    assert (begin["event"], begin["label"], begin["end"]) == (end["event"], "person", None)
    assert end["duration_s"] == pytest.approx(float(done.stdout.split("was there for ")[1].split()[0]), abs=0.06)
    assert (end["region"], end["model"]) == ("yard zone", "street")


def test_a_film_has_scenes_chapters_and_a_picture(call, light_model, tmp_path):
    """Bright for 8 s with a dark flicker of half a second, dim for 6 s, dark for 6 s: three scenes, at their times."""
    levels = [235] * 75 + [20] * 12 + [235] * 113 + [128] * 150 + [20] * 150
    film = write_video(tmp_path / "film.avi", gray_levels(levels))
    done = call("tag_film.py", light_model, film)
    assert done.returncode == 0, done.stderr
    table, _, scenes = done.stdout.partition("\n\n")
    assert [line.split()[0] for line in table.splitlines()] == ["bright", "dim", "dark"]
    assert [line.split(" (score")[0] for line in scenes.splitlines()] == [
        "0:00:00 to 0:00:08  bright",
        "0:00:08 to 0:00:14  dim",
        "0:00:14 to 0:00:20  dark",
    ]
    with av.open(str(tmp_path / "film.chapters.txt"), format="ffmetadata") as container:
        chapters = container.chapters()
    assert [chapter["metadata"]["title"] for chapter in chapters] == ["bright", "dim", "dark"]
    bounds = [float(chapter[end] * chapter["time_base"]) for chapter in chapters for end in ("start", "end")]
    assert bounds == pytest.approx([0, 8, 8, 14, 14, 20], abs=0.25)
    drawn = Reader((tmp_path / "film.timeline.svg").read_text())
    assert drawn.of("rect", "class") == ["stretch"] * 3
    assert "film.avi" in drawn.text


def test_titles_of_chapters_may_have_any_character(tmp_path, monkeypatch):
    """What FFmpeg takes for its own signs is escaped."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import tag_film

    label = "day=bright; #1 \\ sea"
    moments = edgecls.Moment(0, 0.0), edgecls.Moment(50, 2.0)
    shown = edgecls.Shown("film", "frame", *moments, 51, 2.0, (edgecls.Stretch(label, *moments, 0.9),))
    (tmp_path / "c.txt").write_text(tag_film.chapters(shown))
    with av.open(str(tmp_path / "c.txt"), format="ffmetadata") as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == [label]


def test_no_label_or_camera_becomes_a_formula(call, tmp_path):
    """A spreadsheet would calculate what begins with = + - or @: it gets an apostrophe, which `read_cell` takes off again."""
    labels = ("background", '=HYPERLINK("http://example.com")', "@SUM(1)")
    (tmp_path / "odd.onnx").write_bytes(tiny.light_model(labels=labels))
    film = write_video(tmp_path / "@road.avi", road(230, (PERSON, 60, -40, 5), (CAR, 140, -40, 5)))
    done = call("count_traffic.py", "odd.onnx", film, "--line", 0.5, 1, 0.5, 0)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "counts.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"]]
    assert len(rows) == 2
    assert all(row["label"].startswith("'") and row["camera"] == "'@road" for row in rows)
    assert {edgecls.read_cell(row["label"]) for row in rows} == set(labels[1:])


BAD = {
    "count_traffic.py": (
        (("no.onnx", "no.mp4", "--line", 0, 0, 1, 1), "no.onnx"),
        (("{model}", "no.mp4", "--line", 0, 0, 1, 1), "no.mp4: no such file"),
        (("{model}", "no.mp4", "--line", 0, 0.6, 0, 0.6), "the line goes from (0, 0.6) to (0, 0.6); expected two different"),
        (("{model}", "no.mp4", "--line", 0, 0, 1, 1, "--every", -1), "--every -1: expected more than 0 seconds"),
        (("{model}", "no.mp4", "--line", 0, 0, 1, 1, "--every", 0), "--every 0: expected more than 0 seconds"),
        (("{model}", "no.mp4", "--line", 0, 0, 1, 1, "--csv", "no/c.csv"), "no/c.csv"),
    ),
    "watch_gate.py": (
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1), "no.mp4: no such file"),
        (("{model}", "no.mp4", "--zone", 0, 0, 2, 1), "fractions of the frame"),
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1, "--seconds", -1), "seconds"),
    ),
    "security_watch.py": (
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1), "no.mp4: no such file"),
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1, "--label", "dog"), "has no label 'dog'; expected one of background, car"),
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1, "--mqtt", "broker"), "sink 'broker' is not known"),
        (("{model}", "no.mp4", "--zone", 0, 0, 1, 1, "--out", "no/such"), "no/such"),
    ),
    "tag_film.py": (
        (("{model}", "no.mp4"), "no.mp4: no such file"),
        (("{model}", "{film}", "--gap", -1), "gap"),
        (("{model}", "{model}"), "not a video that can be decoded"),
    ),
}


def test_a_table_that_is_there_is_added_to(call, street, tmp_path):
    """A source that is not there costs no row, another run adds its own, and the header stands once."""
    film, line = write_video(tmp_path / "film.avi", road(30)), ("--line", 0.5, 1, 0.5, 0)
    assert call("count_traffic.py", street, film, *line).returncode == 0
    before = (tmp_path / "counts.csv").read_text()
    assert call("count_traffic.py", street, "no.mp4", *line).returncode == 1
    assert (tmp_path / "counts.csv").read_text() == before
    assert call("count_traffic.py", street, film, *line).returncode == 0
    header, *rows = before.splitlines()
    assert (tmp_path / "counts.csv").read_text().splitlines() == [header, *rows, *rows]
    assert len(rows) == 2


RUNS = {
    "count_traffic.py": ("{model}", "{film}", "--line", 0.5, 1, 0.5, 0, "--every", 1e6),
    "watch_gate.py": ("{model}", "{film}", "--zone", 0, 0, 1, 1),
    "security_watch.py": ("{model}", "{film}", "--zone", 0, 0, 1, 1),
    "tag_film.py": ("{model}", "{film}", "--least", 0),
}
LAST = {
    "count_traffic.py": "to the left: nothing",
    "watch_gate.py": "background ended after",
    "security_watch.py": "person was there for",
    "tag_film.py": "background (score",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_them_with_what_they_have(street, name, number, tmp_path, monkeypatch, capsys):
    """In the middle of a film, at a frame that takes part in what is told: what goes on ends there, and no traceback."""
    film = write_h264(tmp_path / "film.mp4", road(160, (PERSON, 80, -40, 3)))
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name, *(str(a).format(model=street, film=film) for a in RUNS[name])])
    over = edgecls.Pipeline.over

    def stopped(self, frames):
        for result in over(self, frames):
            if result.frame.index == 135:
                signal.raise_signal(number)
            yield result

    monkeypatch.setattr(edgecls.Pipeline, "over", stopped)
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        importlib.import_module(name.removesuffix(".py")).main()
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
    assert LAST[name] in capsys.readouterr().out
    assert name != "tag_film.py" or (tmp_path / "film.chapters.txt").is_file()


def test_a_film_may_be_the_folder_one_is_in(street, tmp_path, monkeypatch, capsys):
    """What `.` shows is written beside that folder, by its name."""
    monkeypatch.syspath_prepend(EXAMPLES)
    import tag_film

    (tmp_path / "scenes").mkdir()
    for i, picture in enumerate(road(3)):
        cv2.imwrite(str(tmp_path / "scenes" / f"{i}.png"), picture)
    monkeypatch.chdir(tmp_path / "scenes")
    monkeypatch.setattr(sys, "argv", ["tag_film.py", str(street), ".", "--least", "0"])
    tag_film.main()
    assert {path.name for path in tmp_path.glob("scenes.*")} == {"scenes.chapters.txt", "scenes.timeline.svg"}
    assert "background" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_one_line(call, street, name, tmp_path):
    """Exit code 1 and what is wrong, no traceback."""
    film = write_video(tmp_path / "film.avi", gray_levels([128] * 5))
    for arguments, text in BAD[name]:
        done = call(name, *(str(a).format(model=street, film=film) for a in arguments))
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
        assert text in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_they_need_public_names_alone(name):
    """Each imports edgecls and nothing below it, uses names of its __all__ only, stays short, and is in the documents."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module for module in imported if module.split(".")[0] not in sys.stdlib_module_names} == {"edgecls"}
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "edgecls"}
    assert used <= set(edgecls.__all__)
    assert len(text.splitlines()) <= 80
    assert f"scripts/examples/{name}" in (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
