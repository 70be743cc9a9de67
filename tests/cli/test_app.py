"""Tests of what applies to every command."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

import edgecls as package
from edgecls.cli.entry import app
from edgecls.cli.messages import table

COMMANDS = ("train", "export", "adopt", "eval", "predict", "run", "info")


def test_version(edgecls):
    """One line on stdout."""
    done = edgecls("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"edgecls {package.__version__}\n", "")


def test_help_lists_the_commands(edgecls):
    """Each has a line, and -h means the same."""
    done = edgecls("--help")
    assert done.returncode == 0
    assert all(f"  {command} " in done.stdout for command in COMMANDS)
    assert edgecls("-h").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(edgecls, command):
    """The exit code is 0, and the usage is printed."""
    done = edgecls(command, "--help")
    assert done.returncode == 0
    assert done.stdout.strip().startswith(f"Usage: edgecls {command}")


def test_an_unknown_command_is_exit_code_2(edgecls):
    """It is named on stderr."""
    done = edgecls("fly")
    assert done.returncode == 2
    assert "No such command 'fly'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("run", "cameras.toml"), "--config cameras.toml"),
        (("run", "models/street.onnx"), "--model models/street.onnx"),
        (("run", "road.mp4"), "--source road.mp4"),
        (("run", "rtsp://host/1"), "--source rtsp://host/1"),
        (("run", "0"), "--camera 0"),
        (("summary", "labels.jsonl", "cameras.toml"), "--config cameras.toml"),
        (("train", "pictures", "runs/x"), "--out runs/x"),
        (("export", "run", "--out", "a.onnx", "b.onnx"), "--out b.onnx"),
        (("info", "a.onnx", "b.onnx"), ""),
    ],
)
def test_an_argument_too_many_is_said_with_the_option_for_it(arguments, meant):
    """Exit code 2, as before; of a command without such an option the argument alone."""
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert line.startswith("Error: Got unexpected extra argument (")
    assert line.endswith(f"; did you mean {meant}?" if meant else ")")


def test_a_reader_that_leaves_early_is_no_failure(light_model, shapes):
    """`edgecls predict ... | head -1` ends without a message."""
    files = [str(p) for p in sorted(shapes.rglob("*.png"))] * 5
    process = subprocess.Popen(
        [sys.executable, "-m", "edgecls", "predict", str(light_model), *files],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 0
    assert said == ""


def test_a_table_is_aligned():
    """The first column is flush left, the others flush right."""
    assert table(("a", "n"), (("long", "1"), ("b", "200"))) == "a       n\nlong    1\nb     200"


@pytest.mark.parametrize("name", ["x" * 300 + ".pt", "a/" * 2500 + "m.pt"])
def test_a_name_that_the_system_refuses_is_one_line(edgecls, name):
    """Wherever it is used first, with the system's reason."""
    done = edgecls("adopt", name, "--out", "o.onnx")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "File name too long" in done.stderr


@pytest.mark.parametrize(
    ("command", "titles"),
    [
        ("train", ["Arguments", "Run", "Network", "Training", "Input", "Data", "Augmentation", "Several workers", "Options"]),
        ("run", ["What to run", "Where to look", "Outputs", "Device", "Reading", "Options"]),
        ("doctor", ["Arguments", "Options"]),
    ],
)
def test_help_lists_options_in_groups(command, titles):
    """Each option is listed under one heading; --help comes last."""
    text = CliRunner().invoke(app, [command, "--help"]).output
    assert [line[:-1] for line in text.splitlines() if line.endswith(":") and line[0] not in " U"] == titles
    options = [line.split()[0] for line in text.splitlines() if line.startswith("  -")]
    assert len(options) == len(set(options))
    assert "--help" in text.rpartition("Options:")[2]
