"""Training on every backend of Keras that is installed; the export, on TensorFlow, takes what each of them made.

JAX is in the dev extra. PyTorch is not: it takes 750 MB, and the code that is its own is small.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import onnxruntime
import pytest

from edgecls.errors import ExportError
from edgecls.export.build import export_model
from edgecls.model.card import ModelCard
from tests.conftest import ROOT

TRAIN = """
import json, sys, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="__array__ implementation doesn't accept a copy keyword")  # Keras 3.15's own
from pathlib import Path
import keras, numpy as np
from edgecls.input_spec import InputSpec
from edgecls.dataset import decode
from edgecls.train.config import Augment
from edgecls.train.fit import fit
from tests.runs import Listener, config

data, out = map(Path, sys.argv[1:])
settings = config(data, input=InputSpec(16, 16), augment=Augment(), dropout=0.2, epochs=3, balance="weights", optimizer="adamw",
                  weight_decay=0.01, average=True)
whole, parts = fit(settings, out / "whole"), fit(settings, out / "parts", watcher=Listener(stop_after=1))
assert parts.interrupted
parts = fit(settings, out / "parts", resume=True, memory_bytes=0)
equal = {}
for name in ("last.keras", "best.keras"):
    one, two = (keras.saving.load_model(r.out / name, compile=False).get_weights() for r in (whole, parts))
    equal[name] = all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
held_out = decode(settings.data.split(settings.data.scan()).val, settings.input)
np.save(out / "pictures.npy", held_out.batch)
best = keras.saving.load_model(out / "whole" / "best.keras", compile=False)
np.save(out / "probabilities.npy", best.predict(held_out.batch, verbose=0))
history = (whole.out / "history.csv").read_text().splitlines()
print(json.dumps({"equal": equal, "cards": whole.card == parts.card, "top1": whole.val.top1, "history": history}))
"""
MISSING = {"tensorflow": "tensorflow is not installed", "jax": "jax is not installed", "torch": "there is no PyTorch here"}


@pytest.fixture(scope="module", params=list(MISSING))
def backend(request, shapes, tmp_path_factory):
    """A backend: its name, the folder of its runs, and their messages."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(MISSING[request.param])
    out = tmp_path_factory.mktemp(request.param)
    environment = {**os.environ, "KERAS_BACKEND": request.param,
                   "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}  # fmt: skip
    command = [sys.executable, "-c", TRAIN, shapes, out]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return request.param, out, json.loads(done.stdout)


def test_it_trains_and_a_resumed_run_is_the_run_that_was_not_interrupted(backend):
    """With dropout, averaging, decay, class weights and pictures on disk, weights and cards are equal bit by bit."""
    _, _, said = backend
    assert said["equal"] == {"last.keras": True, "best.keras": True}
    assert said["cards"]


def test_the_measure_of_a_run_is_that_of_its_best_epoch(backend):
    """Validation used the averaged weights, which are in best.keras."""
    _, _, said = backend
    accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(said["history"])]
    assert len(accuracies) == 3
    assert said["top1"] == pytest.approx(max(accuracies), abs=1e-6)


def test_the_card_says_which_it_was(backend):
    """The card has the name and version of the backend."""
    name, out, _ = backend
    card = ModelCard.from_json((out / "whole" / "card.json").read_text(), "card.json")
    assert card.made_with["backend"].startswith(f"{name} ")


def test_tensorflow_exports_what_it_made(backend, tmp_path):
    """The exported model gives the probabilities of the backend within a thousandth."""
    _, out, _ = backend
    export_model(out / "whole", tmp_path / "m.onnx", scheme="fp32", max_drop=100, reject=0)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": np.load(out / "pictures.npy")})
    assert np.abs(found - np.load(out / "probabilities.npy")).max() < 1e-3


def test_an_export_on_another_backend_is_one_line(edgecls, trained):
    """The error says what is needed and how to install it, without JAX."""
    done = edgecls("export", trained.out, "--out", "m.onnx", env={**os.environ, "KERAS_BACKEND": "jax"})
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: exporting needs Keras on TensorFlow, here it is on jax; set KERAS_BACKEND=tensorflow to export, whatever the "
        "backend of the training run was"
    ]


def test_a_process_that_trained_on_another_backend_cannot_export(trained, tmp_path, monkeypatch):
    """Keras chooses its backend once per process."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ExportError, match="here it is on torch; set KERAS_BACKEND=tensorflow to export"):
        export_model(trained.out, tmp_path / "m.onnx")


@pytest.mark.parametrize("name", ["numpy", "openvino", "theano"])
def test_a_backend_that_cannot_train_is_one_line(edgecls, shapes, name):
    """The error names KERAS_BACKEND and the allowed values."""
    done = edgecls("train", shapes, "--out", "run", env={**os.environ, "KERAS_BACKEND": name})
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1] == f"error: KERAS_BACKEND={name} cannot be trained with; expected tensorflow, jax, torch"
    )
