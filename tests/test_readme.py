"""The README is true: its Python runs as written, and every option of every command is in it."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys

import cv2
import pytest
from typer.main import get_command

from edgecls.cli import app
from edgecls.run.config import Camera, Config, read_config
from edgecls.run.health import HealthRule
from edgecls.run.motion import MotionRule
from edgecls.run.rules import Gate, Zone
from edgecls.run.sink import SINKS, Cut, QuotaRule, Shot
from edgecls.run.source import Reading
from edgecls.run.states import StateRule
from edgecls.run.track import TrackRule
from tests.conftest import ROOT
from tests.drawn import gray_levels

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_the_readme_runs_as_written(block, tmp_path):
    """Each block runs in a folder with models/, the demo's clip and a picture, and prints labels of the model."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    (tmp_path / "demo-out").mkdir()
    gantry = ROOT / "scripts" / "gantry.py"
    subprocess.run([sys.executable, gantry, "draw", "demo-out/gantry.mp4", "demo-out/shown.json"], cwd=tmp_path, check=True)
    cv2.imwrite(str(tmp_path / "picture.png"), gray_levels([128])[0])
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "speed limit" in done.stdout or "label=" in done.stdout


def test_the_readme_has_python():
    """There is something for the test above to run."""
    assert len(BLOCKS) >= 2


def test_the_cameras_toml_of_the_readme_is_one(tmp_path):
    """As written, the table of a sink behind it; its tables name every setting that there is."""
    text, sink = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "cameras.toml").write_text(text + sink, encoding="utf-8")
    config = read_config(tmp_path / "cameras.toml", {"CAMERA_USER": "u", "CAMERA_PASSWORD": "p"})
    north, gate = config.camera
    assert (north.follows, gate.follows) == (True, False)
    assert config.sink[0].quota == QuotaRule(20.0, 5.0)
    sinks = {row.settings for row in SINKS.values()}
    rules = (StateRule, TrackRule, MotionRule, HealthRule, Zone, Gate)
    for settings in (Config, Camera, Reading, *rules, Cut, Shot, QuotaRule, *sinks):
        for field in dataclasses.fields(settings):
            assert re.search(rf"\b{field.name}\b", README), f"{settings.__name__}.{field.name} is not in README.md"


COMMANDS = get_command(app).commands


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_readme(command):
    """Each option of each command stands in the README, in backquotes or in a line of commands."""
    section = README
    for parameter in COMMANDS[command].params:
        for name in (*parameter.opts, *parameter.secondary_opts):
            if name.startswith("--"):
                assert re.search(rf"{re.escape(name)}\b", section), f"{command} {name} is not in README.md"
