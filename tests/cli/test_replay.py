"""Tests of `edgecls run --config`, `edgecls replay` and `edgecls check-config`: events from a drawn video, and again from its
lines.
"""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.source import open_source
from tests.drawn import gray_levels, write_video
from tests.run.watched import street_with

LEVELS = [20] * 40 + [235] * 40
"""A video at 25 frames a second: dark for 1.6 s, then bright."""
FIRST, LATER = "model = {model!r}\n", '[[camera]]\nname = "lamp"\nsource = {video!r}\n[camera.state]\nseconds = 0.4\n'


def call(*arguments, code=0):
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, done.output
    return done


def events(text):
    """Return the lines of events."""
    return [line for line in text.splitlines() if '"event"' in line]


@pytest.fixture
def config(tmp_path, light_model):
    """Write a cameras.toml for a video of a lamp that is switched on."""
    video = write_video(tmp_path / "light.avi", gray_levels(LEVELS))
    path = tmp_path / "cameras.toml"
    path.write_text((FIRST + LATER).format(model=str(light_model), video=str(video)))
    return path


@pytest.fixture
def labels(config, tmp_path):
    """Return the lines of a run."""
    path = tmp_path / "labels.jsonl"
    path.write_text(call("run", "--config", config).stdout)
    return path


def test_a_run_gives_events_between_its_labels(labels):
    """Dark from the first frame to the 40th, then bright to the last."""
    told = [json.loads(line) for line in events(labels.read_text())]
    ends = [(e["label"], e["start"]["frame"], e["end"]["frame"]) for e in told if e["end"]]
    assert ends == [("dark", 0, 39), ("bright", 40, 79)]
    assert [e["end"] is None for e in told] == [True, False, True, False]
    assert {e["camera"] for e in told} == {"lamp"}
    assert len(labels.read_text().splitlines()) == 80 + 4


def test_a_replay_gives_the_same_events(labels, config):
    """Line by line, from the labels alone."""
    told = call("replay", labels, "--config", config).stdout
    assert events(told) == events(labels.read_text())
    assert call("replay", labels, "--config", config, "--sink", "jsonl:-").stdout == told  # each line once, whoever asks for it


def test_several_runs_in_one_recording_are_replayed_one_after_the_other(config, tmp_path):
    """Three runs append to one file, and the second was killed: the events are those of each run alone."""
    log = tmp_path / "log.jsonl"
    sink = ("run", "--config", config, "--quiet", "--sink", f"jsonl:{log}")
    call(*sink)
    one = log.read_text()
    killed = "".join(one.splitlines(keepends=True)[:30])
    log.write_text(one + killed + one[:20])
    call(*sink)
    assert log.read_text().startswith(one + killed)
    assert log.read_text().count("\n") == 84 + 30 + 84
    told = [json.loads(line) for line in call("replay", log, "--config", config).stdout.splitlines()]
    ends = [(e["label"], e["start"]["frame"], e["end"]["frame"]) for e in told if e["end"]]
    assert ends == [("dark", 0, 39), ("bright", 40, 79), ("dark", 0, 28), ("dark", 0, 39), ("bright", 40, 79)]
    assert [e["end"] is None for e in told] == [True, False] * 5


def test_a_replay_tries_other_rules(labels, config):
    """With a dwell of 1.7 s, neither state is reported."""
    config.write_text(config.read_text() + "dwell_s = 1.7\n")
    done = call("replay", labels, "--config", config)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == "80 frames, 0 lines of events"


def test_moving_objects_are_tracked_and_replayed(tmp_path, light_model):
    """A bright square crosses a line in a drawn video: one crossing, and the same one from the lines."""
    pictures = []
    for i in range(100):
        picture = np.full((120, 200, 3), 60, np.uint8)
        picture[::8] += 10
        if i >= 60:
            left = 4 * (i - 60)
            picture[40:80, left : left + 40] = 250
        pictures.append(picture)
    video = write_video(tmp_path / "road.avi", pictures)
    config, labels = tmp_path / "cameras.toml", tmp_path / "labels.jsonl"
    config.write_text(
        f'model = "{light_model}"\nsinks = ["jsonl:{labels}"]\n[[camera]]\nname = "road"\nsource = "{video}"\n'
        '[[camera.line]]\nname = "middle"\nline = [[0.5, 0.0], [0.5, 1.0]]\nleft = "out"\nright = "in"\n'
    )
    call("run", "--config", config, "--quiet")
    told = [json.loads(line) for line in events(labels.read_text())]
    (crossing,) = [e for e in told if e["kind"] == "crossing"]
    assert (crossing["direction"], crossing["label"], crossing["track_id"]) == ("out", "bright", 1)
    assert abs(crossing["start"]["frame"] - 80) <= 2
    assert events(call("replay", labels, "--config", config).stdout) == events(labels.read_text())


def test_a_replay_does_not_write_over_what_it_reads(labels, config):
    """Writing to its recording or configuration is an error, and both stay unchanged."""
    before = labels.read_bytes(), config.read_bytes()
    for sink in (f"jsonl:{labels}", f"csv:{labels.parent}/x/../{labels.name}", f"sqlite:{config}"):
        done = call("replay", labels, "--config", config, "--sink", sink, code=1)
        assert done.stderr.startswith(f"error: sink '{sink}' would write to ")
    assert (labels.read_bytes(), config.read_bytes()) == before


def test_invalid_lines_are_one_line(config, tmp_path):
    """With the number of the line. A missing file is an error, too. Other lines of a run are skipped."""
    (tmp_path / "bad.jsonl").write_text('{"camera": "lamp", "state": "live", "why": "", "at_s": 1.0}\n\n{"frame": 3}\n')
    done = call("replay", tmp_path / "bad.jsonl", "--config", config, code=1)
    assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / 'bad.jsonl'}:3: not a line of edgecls run (KeyError")
    done = call("replay", tmp_path / "none.jsonl", "--config", config, code=1)
    assert "none.jsonl: cannot be read (No such file" in done.stderr
    done = call("replay", tmp_path / "bad.jsonl", "--config", tmp_path / "none.toml", code=1)
    assert "none.toml: cannot be read" in done.stderr


def test_a_config_is_checked_without_a_camera(tmp_path):
    """It shows what would run, without passwords, or the invalid line."""
    path = tmp_path / "cameras.toml"
    text = (
        'model = "m.onnx"\nsinks = ["jsonl:x.jsonl"]\n[[camera]]\nname = "a"\nsource = "rtsp://u:secret@host/1"\n'
        '[[camera.zone]]\nname = "bay"\narea = [0, 0, 0.5, 0.5]\n[[camera]]\nname = "b"\nsource = 0\nwhen = "motion"\n'
    )
    path.write_text(text)
    assert call("check-config", path, code=1).stdout.splitlines() == [  # there is no m.onnx
        f"{path}: 2 cameras, model m.onnx, device auto",
        "  a: rtsp://***@host/1: zone bay",
        "  b: 0: the whole frame, while something moves",
        "  to jsonl:x.jsonl",
    ]
    found = json.loads(call("check-config", path, "--json", code=1).stdout)
    assert [camera["name"] for camera in found["cameras"]] == ["a", "b"]
    path.write_text(text.replace("0.5, 0.5", "0.5, 5.5"))
    done = call("check-config", path, code=1)
    assert f'{path}:8: camera "a": zone "bay": area: [0, 0, 0.5, 5.5] reaches from' in done.stderr


def test_files_and_labels_of_a_config_are_checked(light_model, tmp_path):
    """A missing file or folder, or an unknown label, is an error, as in `edgecls run`. All errors are reported at once."""
    path = tmp_path / "cameras.toml"
    text = (
        f'model = "{light_model}"\nsinks = ["clip:none/clips", "csv:none/e.csv", "mqtt://broker/traffic"]\n[[camera]]\n'
        'name = "lamp"\nsource = "none.mp4"\n[camera.state]\nlabels = ["bright", "unknown"]\n'
    )
    path.write_text(text)
    errors = [line for line in call("check-config", path, code=1).stderr.splitlines() if line.startswith("error")]
    assert len(errors) == 3
    places = ('5: camera "lamp": none.mp4', "2: sink 'clip:none/clips'", "2: sink 'csv:none/e.csv'")
    for line, place in zip(errors, places, strict=True):
        assert line.startswith(f"error: {path}:{place}")
    path.write_text(text.replace(str(light_model), "none.onnx"))
    assert f"error: {path}:1: model: none.onnx" in call("check-config", path, code=1).stderr
    path.write_text(f'model = "{light_model}"\n[[camera]]\nname = "lamp"\nsource = 0\n[camera.state]\nlabels = ["brigt"]\n')
    said = f"error: {path}:6: camera \"lamp\": state.labels: {light_model} has no label 'brigt'; did you mean 'bright'?"
    for verb in (["check-config"], ["run", "--config"]):
        assert said in call(*verb, path, code=1).stderr.splitlines()


def test_zones_and_lines_are_drawn(light_model, tmp_path):
    """On a picture of each camera. A camera without a picture is an error; the others get theirs."""
    lamp = write_video(tmp_path / "lamp.avi", gray_levels([100] * 5, (120, 160)))
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'model = "{light_model}"\n[[camera]]\nname = "none"\nsource = "none.mp4"\n[[camera]]\nname = "lamp"\n'
        f'source = "{lamp}"\n[[camera.zone]]\nname = "bay"\narea = [0.25, 0.25, 0.5, 0.5]\n'
    )
    done = call("check-config", path, "--pictures", tmp_path, code=1)
    assert "error: none.mp4: no such file" in done.stderr
    drawn = cv2.imread(str(tmp_path / "lamp.jpg"))
    with open_source(lamp) as frames:
        changed = np.abs(drawn.astype(int) - frames.read().bgr()).max(axis=2) > 40
    height, width = changed.shape
    assert changed[height // 2, width // 4]
    assert not changed[height * 45 // 100, width * 45 // 100]  # between the lines of the grid
    call("check-config", path, "--pictures", tmp_path / "missing" / "too", code=1)
    assert (tmp_path / "missing" / "too" / "lamp.jpg").is_file()


def test_sinks_of_tables_are_checked_and_shown(tmp_path):
    """As the equivalent text, without passwords."""
    path = tmp_path / "cameras.toml"
    path.write_text(
        'model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\n[[sink]]\nkind = "clip"\npath = "clips"\n'
        'quota = {most_gb = 20}\n[[sink]]\nkind = "webhook"\nto = "https://u:secret@h/"\n'
    )
    assert call("check-config", path, code=1).stdout.splitlines()[2:] == [
        "  to clip:clips?most_gb=20",
        "  to webhook:https://***@h/",
    ]


def test_the_schema_is_printed():
    """Without a file. Without both, the usage is shown."""
    assert json.loads(call("check-config", "--schema").stdout)["title"] == "cameras.toml of edgecls"
    assert "expected a CAMERAS.toml to check, or --schema" in call("check-config", code=2).output


def test_options_can_be_set_in_the_file(config, tmp_path):
    """quiet, sinks, device and threads of the file apply to the run; the command line overrides them."""
    text = config.read_text().replace("[[camera]]", "QUIET\ndevice = 'cpu'\nthreads = 1\non_mismatch = 'ignore'\n[[camera]]")
    config.write_text(text.replace("QUIET", f"quiet = true\nsinks = ['jsonl:{tmp_path}/out.jsonl']"))
    done = call("run", "--config", config)
    assert done.stdout == ""
    assert "device" not in done.stderr  # printed only for auto
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 84
    assert "device 'tpu' is not known" in call("run", "--config", config, "--device", "tpu", code=1).stderr
    config.write_text(text.replace("QUIET", "").replace("'cpu'", "'tpu'"))
    assert "device 'tpu' is not known" in call("run", "--config", config, code=1).stderr
    assert len(call("run", "--config", config, "--device", "cpu", "--sink", "jsonl:-").stdout.splitlines()) == 84


def test_a_config_cannot_be_combined_with_cameras(config):
    """Of the command line."""
    done = call("run", "--config", config, "--camera", 0, code=2)
    assert "cannot be combined with --config" in done.output
    assert "belong in [camera.reading]" in call("run", "--config", config, "--fps", 5, code=2).output
    assert "expected --model" in call("run", "--camera", 0, code=2).output


@pytest.fixture
def street(tmp_path, light_model):
    """Write a cameras.toml for a video of a street whose camera is black from 8 s to 12 s."""
    seen = street_with("black", 8, 12, 16)
    video = write_video(tmp_path / "street.avi", [np.dstack([picture] * 3) for picture in seen], fps=10)
    path = tmp_path / "cameras.toml"
    path.write_text(f"model = {str(light_model)!r}\n[[camera]]\nname = 'gate'\nsource = {str(video)!r}\n")
    return path


def test_a_run_says_why_it_gives_no_labels_and_is_replayed(street, tmp_path):
    """There is no label from the third black second to one second after the last, an event of it, and byte for byte the same in
    the replay.
    """
    labels = tmp_path / "labels.jsonl"
    labels.write_text(call("run", "--config", street).stdout)
    lines = [json.loads(line) for line in labels.read_text().splitlines() if '"frame"' in line and '"event"' not in line]
    unfit = [line["frame"] for line in lines if line.get("unfit")]
    assert unfit == list(range(unfit[0], unfit[-1] + 1))
    assert (unfit[0], unfit[-1]) == (pytest.approx(100, abs=3), pytest.approx(129, abs=3))
    assert {line["label"] for line in lines if line["frame"] in unfit} == {None}
    assert all(line["label"] for line in lines if line["frame"] not in unfit)
    told = [json.loads(line) for line in events(labels.read_text())]
    ends = [(e["label"], e["start"]["frame"], e["end"]["frame"]) for e in told if e["kind"] == "health" and e["end"]]
    assert ends == [("black", 80, 118)]
    assert events(call("replay", labels, "--config", street).stdout) == events(labels.read_text())
    street.write_text(street.read_text() + "[camera.health]\noff = true\n")
    assert "health" not in call("replay", labels, "--config", street).stdout
    assert "health checks off" in call("check-config", street).stdout
    assert '"unfit"' not in call("run", "--config", street).stdout


def test_a_run_classifies_anyway_if_it_is_asked(street, tmp_path):
    """Every frame has a label, and the fault is still reported and replayed."""
    street.write_text(street.read_text() + "[camera.health]\nclassify_anyway = true\n")
    labels = tmp_path / "labels.jsonl"
    labels.write_text(call("run", "--config", street).stdout)
    assert '"label": null' not in labels.read_text()
    assert labels.read_text().count('"classified": true') == pytest.approx(30, abs=4)
    assert events(call("replay", labels, "--config", street).stdout) == events(labels.read_text())


def test_a_lost_camera_is_replayed(config, tmp_path):
    """From the lines of its states, in order with those of its frames."""
    states = [("connecting", 1.0), ("live", 2.0), ("lost", 4.0), ("live", 9.0)]
    lines = [json.dumps({"camera": "lamp", "state": state, "why": "", "at_s": at_s}) for state, at_s in states]
    frames = [
        json.dumps({"camera": "lamp", "frame": frame, "time_s": time_s, "at_s": at_s, "detections": []})
        for frame, time_s, at_s in ((5, 1.0, 3.0), (6, 7.5, 9.5))
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join([*lines[:2], frames[0], *lines[2:], frames[1]]))
    begin, end = (
        json.loads(line) for line in call("replay", tmp_path / "labels.jsonl", "--config", config).stdout.splitlines()
    )
    assert (begin["label"], begin["start"]) == ("lost", {"frame": 5, "time_s": 1.0, "at_s": 4.0})
    assert (end["event"], end["end"], end["duration_s"]) == (begin["event"], {"frame": 6, "time_s": 7.5, "at_s": 9.5}, 6.5)


def test_health_on_the_command_line(street, light_model):
    """A run without --config checks it only on request; with --config it is set in the file."""
    video = street.parent / "street.avi"
    assert '"unfit"' not in call("run", "--model", light_model, "--source", video).stdout
    assert '"unfit": {"fault": "black"' in call("run", "--model", light_model, "--source", video, "--health").stdout
    assert "see [camera.health]" in call("run", "--config", street, "--health", code=2).output
