"""Tests that `edgecls check-config` and `edgecls run` agree on which configurations start."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from tests import tiny
from tests.drawn import gray_levels, write_video

BASE = 'model = "{model}"\ndevice = "cpu"\n{top}\n[[camera]]\nname = "lamp"\nsource = "{video}"\n{more}\n'
STARTS = {
    "plain": {},
    "a shadow": {"top": 'shadow = "other.onnx"'},
    "all kinds of files": {
        "top": 'sinks = ["jsonl:a.jsonl", "csv:b.csv", "sqlite:c.db", "video:d.mp4", "clip:.", "snapshot:."]'
    },
    "a label that it has": {"more": '[camera.state]\nlabels = ["dark"]'},
}
FAILS = {
    "no model": {"model": "none.onnx"},
    "no model but a text": {"model": "text.onnx"},
    "no shadow model": {"top": 'shadow = "none.onnx"'},
    "no shadow model but a text": {"top": 'shadow = { model = "text.onnx", share = 1 }'},
    "a shadow model with a store that is a file": {"top": 'shadow = { model = "other.onnx", store = "text.mp4" }'},
    "no video": {"video": "none.mp4"},
    "no video but a text": {"video": "text.mp4"},
    "an empty folder": {"video": "empty"},
    "no substream": {"more": 'substream = "none.mp4"'},
    "a text as substream": {"more": 'substream = "text.mp4"'},
    "a device as substream": {"more": 'substream = "0"'},
    "an unknown label": {"more": '[camera.state]\nlabels = ["drak"]'},
    "no folder of clips": {"top": 'sinks = ["clip:none"]'},
    "no folder of snapshots": {"top": 'sinks = ["snapshot:none"]'},
    "no folder of lines": {"top": 'sinks = ["jsonl:none/a.jsonl"]'},
    "no folder of a table": {"top": 'sinks = ["csv:none/a.csv"]'},
    "no folder of a database": {"top": 'sinks = ["sqlite:none/a.db"]'},
    "another database": {"top": 'sinks = ["sqlite:text.mp4"]'},
    "no folder of a video": {"top": 'sinks = ["video:none/a.mp4"]'},
    "one file twice": {"top": 'sinks = ["jsonl:a.jsonl", "csv:./a.jsonl"]'},
    "one video by two names": {"top": 'sinks = ["video:{{camera}}.mp4", "video:lamp.mp4"]'},
    "one file of a table and of a video": {"top": 'sinks = ["video:{{camera}}.mp4", "csv:lamp.mp4"]'},
    "a video where another grows": {"top": 'sinks = ["video:.{{camera}}.part.mp4", "video:lamp.mp4"]'},
    "a port in use": {"top": 'sinks = ["prometheus:{port}"]'},
    "no such device": {"top": "", "device": "tensorrt"},
    "a spool that is a file": {"top": 'sinks = ["webhook:http://127.0.0.1:9/"]', "spool": "text.mp4"},
}


@pytest.fixture
def world(light_model, tmp_path, monkeypatch):
    """Return a function that writes a configuration into a folder with a video, where the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path / "spool"))
    write_video(tmp_path / "lamp.avi", gray_levels([20] * 3, (48, 64)))
    for name in ("text.onnx", "text.mp4"):
        (tmp_path / name).write_text("no model, no video, no database " * 40)
    other = ModelCard(tiny.LIGHT_LABELS, InputSpec(height=8, width=8), "fp32", made_with={"note": "other"})
    (tmp_path / "other.onnx").write_bytes(stamp(tiny.light_graph(), other))
    (tmp_path / "empty").mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        def write(case: dict[str, str]) -> None:
            fields = {"model": light_model, "video": "lamp.avi", "top": "", "more": ""} | case
            text = BASE.format(**fields).replace("{port}", str(taken.getsockname()[1]))
            Path("cameras.toml").write_text(text.replace('"cpu"', f'"{case.get("device", "cpu")}"'))
            if "spool" in case:
                monkeypatch.setenv("EDGECLS_SPOOL", case["spool"])

        yield write


def _both() -> tuple[int, int]:
    """Return the exit codes of check-config, which must leave no files behind, and of run."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    checked = CliRunner().invoke(app, ["check-config", "cameras.toml"])
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()} == before
    assert "Traceback" not in checked.output
    ran = CliRunner().invoke(app, ["run", "--config", "cameras.toml", "--quiet"])
    return checked.exit_code, ran.exit_code


@pytest.mark.parametrize("name", STARTS)
def test_a_configuration_that_starts_passes(world, name):
    """Both return 0."""
    world(STARTS[name])
    assert _both() == (0, 0)


@pytest.mark.parametrize("name", FAILS)
def test_a_configuration_that_does_not_start_fails(world, name):
    """Both return 1."""
    world(FAILS[name])
    assert _both() == (1, 1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no model", "1: model: none.onnx: "),
        ("no such device", "2: device: "),
        ("no video", '6: camera "lamp": none.mp4: no such file'),
        ("an empty folder", '6: camera "lamp": empty: '),
        ("an unknown label", '8: camera "lamp": state.labels: '),
        ("no folder of clips", "3: sink 'clip:none': "),
        ("no folder of lines", "3: sink 'jsonl:none/a.jsonl': cannot be written"),
        ("another database", "3: sink 'sqlite:text.mp4': "),
        ("a port in use", "3: sink 'prometheus:"),
        ("one file twice", "3: sinks 'jsonl:a.jsonl' and 'csv:./a.jsonl' would write to the same file"),
    ],
)
def test_errors_are_printed_with_their_line(world, name, told):
    """With the file, the line, and the camera or sink, once each."""
    world(FAILS[name])
    done = CliRunner().invoke(app, ["check-config", "cameras.toml"])
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: cameras.toml:{told}")


def test_settings_that_are_hardly_meant_are_noted_by_both(world):
    """With the line, and exit code 0."""
    world({"more": "ignore = [[0, 0, 1, 0.6]]\n[[camera.line]]\nname = 'x'\nline = [[0, 0.5], [1, 0.5]]"})
    for command in (["check-config", "cameras.toml"], ["run", "--config", "cameras.toml", "--sink", "csv:e.csv", "--quiet"]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0
        (note,) = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
        assert note.startswith('note: cameras.toml:10: camera "lamp": line "x": the line lies in ignored areas')


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="cameras have files on Linux")
@pytest.mark.parametrize("source", ['"{video}"', "{video}"])
def test_a_camera_that_is_not_plugged_in_is_an_error(world, source):
    """By device and by number. A run would wait for it."""
    video = "/dev/video987" if '"' in source else "987"
    world({"video": "X"})
    text = Path("cameras.toml").read_text().replace('"X"', source.format(video=video))
    Path("cameras.toml").write_text(text)
    done = CliRunner().invoke(app, ["check-config", "cameras.toml"])
    assert done.exit_code == 1
    assert f'error: cameras.toml:6: camera "lamp": camera {video}: there is no such device; ' in done.stderr


@pytest.mark.parametrize(("package", "sink"), [("paho", "mqtt://127.0.0.1:9/a"), ("prometheus_client", "prometheus:0")])
def test_a_missing_package_is_an_error(world, monkeypatch, package, sink):
    """The message has the command that installs it."""
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    world({"top": f'sinks = ["{sink}"]'})
    done = CliRunner().invoke(app, ["check-config", "cameras.toml"])
    assert done.exit_code == 1
    assert "pip install" in done.stderr
    assert _both() == (1, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable_is_an_error(world):
    """Both return 1."""
    Path("locked").mkdir(mode=0o500)
    world({"top": 'sinks = ["clip:locked"]'})
    assert _both() == (1, 1)


def test_cameras_and_streams_are_not_opened(world):
    """A run waits for them, so the configuration is valid."""
    world({"video": "rtsp://127.0.0.1:9/none"})
    assert CliRunner().invoke(app, ["check-config", "cameras.toml"]).exit_code == 0
