"""A package that is not installed is one sentence with the command that installs it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from edgecls import extras
from edgecls.errors import MissingExtraError
from tests.conftest import ROOT

BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
sys.argv = ["edgecls", *{arguments!r}]
from edgecls.cli import main
main()
"""


def without(blocked, *arguments):
    """Run the command line in a Python that lacks the packages `blocked`."""
    code = BLOCKER.format(blocked=set(blocked), arguments=list(map(str, arguments)))
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_missing_package_names_its_extra(monkeypatch):
    """The error says what needs which package and the command that brings it; the cause is kept."""
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingExtraError, match=r"^Training needs keras, .*: pip install 'edgecls\[train\]'$") as caught:
        extras.load("keras", extra="train", purpose="Training")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_a_package_misses_is_named_itself(tmp_path, monkeypatch):
    """Where a package is there but one that it imports is not, the error names the one that is not."""
    (tmp_path / "halfway.py").write_text("import gone_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match="needs gone_package, which"):
        extras.load("halfway", extra="train", purpose="Training")


def test_loading_gives_the_module_and_stderr_back(capfd):
    """What a package's C++ side writes while it loads is dropped; afterwards stderr works as before."""
    assert extras.load("json", extra="train", purpose="Testing").dumps([1]) == "[1]"
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


@pytest.mark.parametrize(
    ("blocked", "command", "message"),
    [
        (["keras"], "train", "error: Training needs keras, which is not installed: pip install 'edgecls[train]'"),
        (["tensorflow"], "train", "error: Training needs tensorflow, which is not installed: pip install 'edgecls[train]'"),
        (["tomli_w"], "train", "needs tomli_w, which is not installed: pip install 'edgecls[train]'"),
        (["onnxruntime"], "info", "Running a model needs onnxruntime, which is not installed: pip install 'edgecls[cpu]'"),
        (["cv2"], "predict", "(or opencv-python-headless), which is not installed: pip install 'edgecls[cpu]'"),
        (["pyarrow"], "archive", "Writing an archive needs pyarrow, which is not installed: pip install 'edgecls[archive]'"),
        (["tf2onnx"], "export", "error: Exporting needs tf2onnx, which is not installed: pip install 'edgecls[export]'"),
    ],
)  # fmt: skip
def test_the_command_line_says_how_to_install_what_is_missing(
    blocked, command, message, shapes, light_model, trained, tmp_path
):
    """Each command without its package ends with exit code 1 and one line on stderr, and writes nothing."""
    arguments = {
        "train": ("train", shapes, "--out", tmp_path / "run", "--epochs", 1),
        "info": ("info", light_model),
        "predict": ("predict", light_model, shapes / "disc" / "000.png"),
        "archive": ("archive", light_model, shapes, "--out", tmp_path / "out"),
        "export": ("export", trained.out, "--out", tmp_path / "m.onnx"),
    }[command]
    done = without(blocked, *arguments)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_missing_backend_names_the_extra_that_brings_it(shapes, tmp_path, monkeypatch, name):
    """Where KERAS_BACKEND names what is not there, the command is that of this backend, and what is there is offered."""
    monkeypatch.setenv("KERAS_BACKEND", name)
    done = without(["jax", "torch"], "train", shapes, "--out", tmp_path / "run", "--epochs", 1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: Training needs {name}, which is not installed: pip install 'edgecls[train-{name}]', "
        "or train with what is there: KERAS_BACKEND=tensorflow"
    )


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_another_backend_needs_no_tensorflow(shapes, tmp_path, monkeypatch):
    """With KERAS_BACKEND=jax a machine without TensorFlow trains."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    done = without(["tensorflow"], "train", shapes, "--out", tmp_path / "run", "--epochs", 1, "--size", 16)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "best.keras").is_file()
