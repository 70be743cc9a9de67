"""Whole commands are killed with SIGKILL at random moments: nothing acknowledged is lost, the model in place is one whole file.

`EDGECLS_KILLS=30` kills each of them thirty times instead of twice. The commands are forked from a process that has imported
what they need, so they are killed at their work and not while they are loaded.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from edgecls import image
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.model.classifier import Classifier
from edgecls.run.swap import previous_of, rejected_of
from edgecls.store import Store
from tests import tiny
from tests.conftest import ROOT
from tests.drawn import gray_levels, write_video

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
KILLS = int(os.environ.get("EDGECLS_KILLS", "2"))
TRIES = 10
"""A command that ends before it is killed is tried again so often."""
SPEC = InputSpec(height=8, width=8)
FORKING = """
import json, os, signal, sys, time, warnings
import numpy, onnxruntime
import edgecls.cli.collect, edgecls.labelling.positions, edgecls.run.run, edgecls.run.swap
from edgecls.cli.entry import app
from edgecls.errors import MissingExtraError
def none(name=""):
    raise MissingExtraError("a network", extra="pretrained", purpose="Embedding")
edgecls.labelling.positions.open_backbone = none
edgecls.cli.collect._build_network = lambda: None
warnings.simplefilter("ignore", DeprecationWarning)
for line in sys.stdin:
    arguments, after_s = json.loads(line)
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        for stream, (name, mode) in enumerate({"answers.txt": os.O_RDONLY, os.devnull: os.O_WRONLY}.items()):
            os.dup2(os.open(name, mode), stream)
        os.dup2(os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stdin = open(0, closefd=False)
        try:
            app(arguments)
        finally:
            sys.stderr.flush()
            os._exit(0)
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if after_s is not None and time.perf_counter() - began > after_s:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.0005)
    print(json.dumps([os.WIFSIGNALED(ended[1]), time.perf_counter() - began]), flush=True)
"""


class Killer:
    """Runs commands in a folder, and kills them."""

    def __init__(self, folder):
        (folder / "answers.txt").write_text("".join(f"class {i % 3}\n" for i in range(100)))
        own = {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
        self._forking = subprocess.Popen(
            [sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, **own},
        )  # fmt: skip
        self._rng = np.random.default_rng(0)
        self._folder = folder

    def __call__(self, *arguments, before, check):
        """Run a command once to its end, which tells how long it takes, and then kill it again and again within this time.

        Args:
            arguments: The words of the command.
            before: Called before each time.
            check: Called after each time with what the command has said.
        """

        def ran(after_s=None):
            before()
            self._forking.stdin.write(json.dumps([arguments, after_s]) + "\n")
            self._forking.stdin.flush()
            was_killed, seconds = json.loads(self._forking.stdout.readline())
            check((self._folder / "said.txt").read_text())
            return was_killed, seconds

        _, took_s = ran()
        for share in self._rng.random(KILLS):
            for _ in range(TRIES):
                was_killed, seconds = ran(share * took_s)
                if was_killed:
                    break
                took_s = seconds  # it was faster than the time before
            assert was_killed

    def close(self):
        """End the process."""
        self._forking.communicate()


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    """One process for all commands."""
    found = Killer(tmp_path_factory.mktemp("killed"))
    yield found
    found.close()


def light(path, *labels, note=""):
    """Write a model that names dark, dim and bright pictures."""
    card = ModelCard(labels or tiny.LIGHT_LABELS, SPEC, "fp32", made_with={"note": note})
    path.write_bytes(stamp(tiny.light_graph(SPEC), card))
    return path.read_bytes()


@pytest.fixture
def place(tmp_path):
    """A configuration whose shadow disagrees on dim pictures, and is promoted nevertheless."""
    write_video(tmp_path / "lamp.avi", gray_levels([0] * 40 + [128] * 40 + [0] * 40))
    (tmp_path / "cameras.toml").write_text(
        f'model = "{tmp_path}/light.onnx"\n[[camera]]\nname = "lamp"\nsource = "{tmp_path}/lamp.avi"\n'
        "health = { off = true }\n"
        f'[shadow]\nmodel = "{tmp_path}/new.onnx"\nshare = 1\nstore = "{tmp_path}/store"\n'
        "promote = { frames = 50, agree = 0.1, worst = 0 }\n"
    )
    return tmp_path / "light.onnx"


def check_store(folder):
    """Check the database and the files of a store, if there is one. Returns its pictures."""
    if not folder.exists():
        return []
    with Store(folder) as store:
        assert store._db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        entries = list(store.entries())
    assert all(image.load(entry.path).shape[:2] == entry.size_hw for entry in entries)
    return entries


def check_model(place, old, new):
    """Check the models after a swap that may have been killed. Returns whether the new one is in place."""
    data = place.read_bytes()
    assert data in (old, new)
    assert Classifier.load(place).card.labels
    kept = previous_of(place)
    assert data == old or kept.read_bytes() == old
    assert not kept.exists() or kept.read_bytes() == old
    return data == new


def test_swap(killer, place):
    """And `swap --back`, in turn: one of the two is in place, and the last good one is kept once the new one is."""
    old, new = light(place), light(place.with_name("new.onnx"), note="new")
    seen = []

    def begin():
        place.write_bytes(old)
        previous_of(place).unlink(missing_ok=True)

    def begin_back():
        place.write_bytes(new)
        previous_of(place).write_bytes(old)
        rejected_of(place).unlink(missing_ok=True)

    def check_back(_said):
        assert place.read_bytes() in (old, new)
        assert place.read_bytes() == new or rejected_of(place).read_bytes() == new
        assert previous_of(place).read_bytes() == old
        assert Classifier.load(place).card.labels

    command = ("swap", "--config", str(place.with_name("cameras.toml")))
    killer(*command, str(place.with_name("new.onnx")), before=begin, check=lambda _: seen.append(check_model(place, old, new)))
    killer(*command, "--back", before=begin_back, check=check_back)
    assert seen[0]


def test_a_run_that_promotes_its_shadow(killer, place):
    """The store of the disagreements is whole, too."""
    old, new = light(place), light(place.with_name("new.onnx"), "dark", "bright", "dim", note="new")
    seen, kept = [], []

    def begin():
        place.write_bytes(old)
        previous_of(place).unlink(missing_ok=True)

    def check(_said):
        seen.append(check_model(place, old, new))
        kept.append(len(check_store(place.with_name("store"))))

    killer("run", "--config", str(place.with_name("cameras.toml")), "--quiet", before=begin, check=check)
    assert seen[0]
    assert kept[0] >= 1
    assert kept == sorted(kept)


def test_collect(killer, tmp_path):
    """Every row has its file, whole, and nothing is lost that was there."""
    rng = np.random.default_rng(0)
    rough = [rng.integers(0, 256, (9, 12, 3), np.uint8) for _ in range(40)]
    write_video(tmp_path / "film.avi", [cv2.resize(one, (240, 180), interpolation=cv2.INTER_CUBIC) for one in rough])
    kept = []
    out = str(tmp_path / "store")
    killer(
        *("collect", "--source", str(tmp_path / "film.avi"), "--every", "0s", "--unlike", "1", "--out", out),
        before=lambda: None,
        check=lambda _: kept.append(len(check_store(tmp_path / "store"))),
    )
    assert kept[0] >= 20
    assert kept == sorted(kept)


def test_label(killer, tmp_path):
    """What the command has said of the pictures that are left is true after it was killed."""
    with Store(tmp_path / "store") as store:
        numbers = [store.add(np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)) for i in range(60)]

    def begin():
        with Store(tmp_path / "store") as store:
            store.label(numbers, "")

    def check(said):
        left = [int(number) for number in re.findall(r"pictures? of (\d+) left", said)]
        labelled = sum(bool(entry.label) for entry in check_store(tmp_path / "store"))
        done = len(numbers) - left[-1] if left else 0
        assert labelled >= (len(numbers) if "nothing left to label" in said else done)

    killer("label", str(tmp_path / "store"), "--most", "4", before=begin, check=check)
