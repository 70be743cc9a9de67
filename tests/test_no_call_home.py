"""Nothing is sent that the user did not name: neither by edgecls nor by what it imports."""

from __future__ import annotations

import ast
import os
import shutil
import sys

import cv2
import numpy as np
import pytest

from edgecls import extras
from tests.conftest import ROOT
from tests.live import quiet_network

TOGETHER = """
import pathlib, subprocess, sys
running = [(line, subprocess.Popen(line, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
           for line in pathlib.Path("commands").read_text().splitlines()]
said = [(line, process.communicate()[1], process.returncode) for line, process in running]
sys.exit("".join(f"{line}: {words}" for line, words, code in said if code) or None)
"""


def hear(folder, *command):
    """Run a command in a network of its own. Returns how it ended and what was heard. Skips where that cannot be made."""
    for tool, package in (("unshare", "util-linux"), ("mount", "mount"), ("ip", "iproute2")):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool}, of the package {package}, is not installed")
    if not quiet_network.alone():
        (pytest.fail if os.environ.get("EDGECLS_CI") else pytest.skip)("a network namespace cannot be made here")
    (folder / "home").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_") and name != extras.TELEMETRY}
    environment = {**kept, "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    return quiet_network.heard(*command, env=environment)


def test_names_and_plain_addresses_are_heard(tmp_path):
    """The test below could fail: by a name that is looked up, a connection, and a datagram that nobody answers."""
    ask = (
        "import contextlib, socket\n"
        "socket.getaddrinfo('example.com', 443)\n"
        "with contextlib.suppress(OSError): socket.create_connection(('203.0.113.5', 443), 1)\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('203.0.113.6', 9999))\n"
    )
    ended, found = hear(tmp_path, sys.executable, "-c", ask)
    assert ended.returncode == 0, ended.stderr
    assert {"name example.com", "packet tcp 203.0.113.5:443", "packet udp 203.0.113.6:9999"} <= set(found)


def test_no_command_calls_anybody(tmp_path, monkeypatch):
    """Running a model, looking at this machine, and loading what trains and exports: nobody is asked or connected to,
    and nothing is left in the home folder.
    """
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(5):
        writer.write(np.full((48, 64, 3), level * 40, np.uint8))
    writer.release()
    cv2.imwrite(str(tmp_path / "p.png"), np.zeros((48, 48, 3), np.uint8))
    python, model = sys.executable, ROOT / "models" / "street.onnx"
    commands = [
        f"{python} -m edgecls info {model}",
        f"{python} -m edgecls predict {model} p.png",
        f"{python} -m edgecls run --device cpu -m {model} -s v.avi",
        f"{python} -m edgecls doctor || true",
        f"{python} -c 'from edgecls import extras\nextras.load(\"keras\", extra=\"train\", purpose=\"x\")'".replace("\n", "; "),
        f"{python} -c 'from edgecls import extras; extras.load(\"onnxruntime.quantization\", extra=\"export\", purpose=\"x\");"
        " extras.load(\"tf2onnx\", extra=\"export\", purpose=\"x\"); import time; time.sleep(3)'",
    ]  # fmt: skip
    (tmp_path / "commands").write_text("\n".join(commands), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ended, found = hear(tmp_path, sys.executable, "-c", TOGETHER)
    assert ended.returncode == 0, ended.stderr
    assert found == []
    assert [str(path) for path in (tmp_path / "home").rglob("*") if "icrosoft" in str(path) or "onnx" in str(path)] == []


def test_onnx_runtime_is_imported_in_one_place():
    """`extras.load` switches its telemetry off first; elsewhere it may be imported for its types alone."""
    found = []
    for path in (ROOT / "edgecls").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typed = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in typed:
                names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                found += [str(path) for name in names if name.split(".")[0] == "onnxruntime"]
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                found += [str(path) for argument in node.args if "onnxruntime" in ast.unparse(argument)]
    assert found == []


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("1", "1"), ("", "1"), ("0", "0")])
def test_telemetry_is_off_unless_the_environment_asks_for_it(monkeypatch, given, kept):
    """ORT_DISABLE_TELEMETRY=0 is the one way to ask."""
    monkeypatch.delenv(extras.TELEMETRY, raising=False)
    if given is not None:
        monkeypatch.setenv(extras.TELEMETRY, given)
    extras.load("json", extra="cpu", purpose="Testing")
    assert os.environ[extras.TELEMETRY] == kept
    assert extras.sends_telemetry() == (kept == "0")
