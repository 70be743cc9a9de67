"""Tests of scripts/container: what the Containerfile says can be done, and runs without root."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatch

import pytest
from typer.main import get_command

from edgecls.cli.entry import app
from tests.conftest import ROOT

FOLDER = ROOT / "scripts" / "container"
TEXT = re.sub(r"\\\n\s*", "", (FOLDER / "Containerfile").read_text(encoding="utf-8"))
LINES = [line for line in TEXT.splitlines() if line.strip() and not line.startswith("#")]
WORDS = {
    "ARG",
    "FROM",
    "WORKDIR",
    "RUN",
    "COPY",
    "ENV",
    "USER",
    "VOLUME",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


def said(word):
    """The values of an instruction, in order."""
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{word} ")]


def seen(path):
    """Whether the build sees a file or folder of the repository."""
    found = False
    for line in (FOLDER / "Containerfile.dockerignore").read_text().splitlines():
        pattern = line.strip().lstrip("!")
        if pattern and not line.startswith("#") and (fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            found = line.startswith("!")
    return found


def test_each_line_is_an_instruction():
    """With the words that docker and podman know."""
    assert {line.partition(" ")[0] for line in LINES} <= WORDS


def test_what_is_copied_is_there_and_seen():
    """And nothing else, such as what a run has recorded, or the history of the repository."""
    sources = [path for value in said("COPY") if "--from" not in value for path in value.split()[:-1]]
    assert len(sources) >= 6
    for path in sources:
        assert (ROOT / path).exists(), path
        assert seen(path), path
    for path in (".git", ".venv", "runs", "tests", "secrets.env", "edgecls/__pycache__"):
        assert not seen(path), path


def test_it_runs_without_root():
    """By a number, which Kubernetes can check; its folder belongs to that user."""
    (user,) = said("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    number = user.partition(":")[0]
    assert f"-o {number} -g {number}" in TEXT
    after = TEXT[TEXT.index("\nUSER ") :]
    assert "\nRUN" not in after


def options_of(words):
    """The options of edgecls among the words of a command, and those that the command knows."""
    command = get_command(app).commands[words[1]]
    return {word for word in words if word.startswith("--")}, {name for one in command.params for name in one.opts}


def test_its_commands_are_known():
    """The health check, which needs no curl, and the run itself; the signals reach it through tini."""
    (check,) = said("HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    assert words[:3] == ["edgecls", "service", "health"]
    entry, run = json.loads(said("ENTRYPOINT")[0]), json.loads(said("CMD")[0])
    assert entry == ["tini", "--", "edgecls"]
    for one in (words, ["edgecls", *run]):
        used, known = options_of(one)
        assert used <= known
    assert run[run.index("--config") + 1] == words[words.index("--config") + 1]
    assert "EDGECLS_SERVICE=container" in TEXT


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_its_packages_have_no_windows_and_are_pinned(device):
    """OpenCV is the one without a screen. Each direct package has its version, apart from those of the GPU."""
    words = [sys.executable, "scripts/container/requirements.py", device, "mqtt", "metrics", "web"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    names = {re.split(r"[<>=\[]", line)[0].lower().replace("_", "-") for line in done.stdout.split("\n") if line}
    assert "opencv-python-headless" in names
    assert "opencv-python" not in names
    pins = (ROOT / "scripts" / "constraints.txt").read_text().lower().replace("_", "-")
    assert {name for name in names if f"{name}==" not in pins} <= {"onnxruntime-gpu"}
    assert "DEVICE=cpu" in TEXT


def test_an_unknown_extra_is_refused():
    """With those that there are."""
    words = [sys.executable, "scripts/container/requirements.py", "cpv"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no extra cpv; expected some of" in done.stderr
