"""A run at a camera with two streams: what is classified is the main stream, what is watched the small one."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls import ConfigError, Run, read_config
from edgecls.cli.entry import app
from edgecls.store import Store
from tests.source.two import write_h264

MAIN_HW, SUB_HW = (240, 320), (90, 120)
FPS, COUNT = 20, 120
SIGN = (0.7, 0.1, 0.2, 0.3)
"""x, y, width and height of a sign, as fractions of the frame. It is bright in the main stream only, as if it was too small
for the substream; so its label tells where it was read."""


def scene(number, size_hw, *, is_main):
    """Return a gray scene with a sign, and a square that crosses it from frame 60 on: 255 in the main stream, else 210."""
    picture = np.full((*size_hw, 3), 10, np.uint8)
    picture[size_hw[0] // 2 :] = 160
    x, y, w, h = (round(v * side) for v, side in zip(SIGN, size_hw[::-1] * 2, strict=True))
    picture[y : y + h, x : x + w] = 255 if is_main else 0
    if number >= 60:
        left, side = round((number - 60) / 60 * size_hw[1]), size_hw[0] // 4
        picture[size_hw[0] * 6 // 10 :][:side, left : left + side] = 255 if is_main else 210
    return picture


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Six seconds of both."""
    folder = tmp_path_factory.mktemp("two")
    for name, size_hw in (("main", MAIN_HW), ("sub", SUB_HW)):
        pictures = [scene(i, size_hw, is_main=name == "main") for i in range(COUNT)]
        write_h264(folder / f"{name}.mp4", pictures, fps=FPS, gop=FPS)
    return folder


def config(videos, model, tmp_path, *, camera="", sinks="[]"):
    """Return the configuration of one camera with both videos."""
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'model = "{model}"\nquiet = true\nsinks = {sinks}\n[[camera]]\nname = "gate"\nsource = "{videos}/main.mp4"\n'
        f'substream = "{videos}/sub.mp4"\nhealth.off = true\n{camera}',
        encoding="utf-8",
    )
    return read_config(path)


ZONE = f'[[camera.zone]]\nname = "sign"\narea = {list(SIGN)}\nstate = {{ seconds = 0, frames = 1 }}\n'
MOTION = '[camera.motion]\n[[camera.line]]\nname = "mid"\nline = [[0.5, 0.0], [0.5, 1.0]]\n'


def results_of(found):
    """Return the results and the events of a run."""
    with Run(found) as run:
        rows = [(result, events) for result, events in run]
        return [result for result, _ in rows], [event for _, events in rows for event in events] + run.last_events


def test_a_zone_is_classified_from_the_main_stream(videos, light_model, tmp_path):
    """The sign is bright in every frame; its box is in pixels of the substream."""
    results, events = results_of(config(videos, light_model, tmp_path, camera=ZONE))
    assert len(results) == COUNT
    assert {result.detections[0].prediction.label for result in results} == {"bright"}
    assert results[0].detections[0].box == (84, 9, 108, 36)
    assert results[0].frame.size_hw == SUB_HW
    assert [(event.kind, event.region, event.label) for event in events if event.end is None] == [("state", "sign", "bright")]


def test_a_zone_every_few_seconds(videos, light_model, tmp_path):
    """It is classified in the first frame of each two seconds, also without a substream; between them its state goes on."""
    for places in (config, without_substream):
        results, events = results_of(places(videos, light_model, tmp_path, camera=f"{ZONE}every_s = 2\n"))
        assert [result.frame.index for result in results if result.detections] == [0, 40, 80]
        assert [event.label for event in events if event.end is None] == ["bright"]
        assert [event.start.frame for event in events] == [0, 0]


def without_substream(videos, model, tmp_path, **settings):
    """Return the configuration with the main video alone."""
    found = config(videos, model, tmp_path, **settings)
    path = tmp_path / "cameras.toml"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("substream")]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert found.camera[0].substream
    return read_config(path)


def test_the_whole_frame_is_classified_from_the_substream(videos, light_model, tmp_path):
    """It is only shrunk, so nothing of the main stream is decoded."""
    results, _ = results_of(config(videos, light_model, tmp_path))
    assert {result.frame.sharp for result in results} == {None}
    assert {len(result.detections) for result in results} == {1}


def test_an_object_is_found_in_one_stream_and_classified_from_the_other(videos, light_model, tmp_path):
    """Its track, its crossing and its label; the snapshot and the collected picture show it with the pixels of the main stream,
    and the clip has its size.
    """
    sinks = f'["snapshot:{tmp_path}/shots?shows=crop", "clip:{tmp_path}/clips", "collect:{tmp_path}/store?margin=0"]'
    for folder in ("shots", "clips"):
        (tmp_path / folder).mkdir()
    _, events = results_of(config(videos, light_model, tmp_path, camera=MOTION, sinks=sinks))
    crossings = [event for event in events if event.kind == "crossing"]
    objects = [event for event in events if event.kind == "object" and event.end is not None]
    assert [event.label for event in (*crossings, *objects)] == ["bright", "bright"]
    assert objects[0].view.size_hw == SUB_HW
    shots = [json.loads(path.read_text()) for path in sorted((tmp_path / "shots").glob("*.json"))]
    assert {tuple(shot["snapshot"]["size_hw"]) for shot in shots} == {MAIN_HW}
    for path in (tmp_path / "shots").glob("*.jpg"):
        picture = cv2.imread(str(path))
        assert picture.shape[0] > 50
        assert picture.mean() > 200
    with Store(tmp_path / "store", create=False) as store:
        (entry,) = store.entries()
    assert entry.size_hw[0] > 50
    clips = sorted((tmp_path / "clips").glob("*.mp4"))
    assert clips
    for clip in clips:
        assert cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FRAME_HEIGHT) == MAIN_HW[0]


def test_a_run_is_the_same_each_time(videos, light_model, tmp_path):
    """The same files give the same events, though another thread reads ahead."""

    def told():
        return results_of(config(videos, light_model, tmp_path, camera=ZONE + MOTION))[1]

    assert told() == told()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            'source = 0\nsubstream = "rtsp://10.0.0.7/2"',
            "substream: expected two network streams or two videos, but 0 is a camera",
        ),
        ('source = "rtsp://10.0.0.7/1"\nsubstream = "rtsp://10.0.0.7/1"', "substream: is the same as source"),
        (
            'source = "rtsp://10.0.0.7/1"\nsubstream = "rtsp://10.0.0.7/2"\nreading.decoder = "opencv"',
            "two streams of a camera",
        ),
    ],
)
def test_what_is_refused(tmp_path, light_model, lines, expected):
    """One line that names the file and the camera."""
    path = tmp_path / "cameras.toml"
    path.write_text(f'model = "{light_model}"\n[[camera]]\nname = "gate"\n{lines}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cameras\.toml") as found:
        read_config(path)
    assert expected in str(found.value)
    assert "\n" not in str(found.value)


def test_both_streams_as_options(videos, light_model):
    """With `--substream`, a zone is classified from the main stream, as with a file of cameras."""
    options = ["--source", f"gate={videos}/main.mp4", "--zone", f"sign={','.join(map(str, SIGN))}", "--fps", "5"]
    done = CliRunner().invoke(app, ["run", "--model", str(light_model), *options, "--substream", f"{videos}/sub.mp4"])
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    labels = [line["detections"][0]["label"] for line in lines if "detections" in line]
    assert set(labels) == {"bright"}
    assert len(labels) == 30


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--config", "cameras.toml"], "put substream into"),
        (["--source", "a.mp4", "--source", "b.mp4"], "belongs to one camera, and there are 2"),
        (["--source", "rtsp://10.0.0.7/1"], "expected two network streams or two videos"),
    ],
)
def test_options_that_do_not_go_with_a_substream(options, expected, light_model):
    """Said in words, before anything is opened."""
    done = CliRunner().invoke(app, ["run", "--model", str(light_model), *options, "--substream", "sub.mp4"])
    assert done.exit_code != 0
    assert expected in " ".join((done.stderr + str(done.exception)).replace("│", " ").split())
