"""Facts on real pictures and foreign networks: DIR/GTSRB and DIR/onnx, where EDGECLS_DATA names DIR; skipped elsewhere."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgecls import Classifier, ConfigError
from edgecls.dataset import DataConfig, decode, scan
from edgecls.dataset.matching import match_labels
from edgecls.export.adopt import Check, adopt
from edgecls.export.adopt.preprocessing import Answers
from tests.conftest import ROOT

DATA = Path(os.environ.get("EDGECLS_DATA", ""))
IMAGES = DATA / "GTSRB" / "Final_Training" / "Images"


@pytest.mark.skipif(not IMAGES.is_dir(), reason="EDGECLS_DATA names no folder with GTSRB/Final_Training/Images")
def test_no_group_of_the_real_data_is_parted():
    """Groups and equal pictures stay on one side, every class trains, and about 15 of 100 pictures are held out."""
    config = DataConfig(str(IMAGES))
    found = config.scan()
    sides = config.split(found)
    assert not {i.group for i in sides.train} & {i.group for i in sides.val}
    assert {i.class_id for i in sides.train} == set(range(len(found.labels)))
    assert 0.1 < len(sides.val) / (len(sides.train) + len(sides.val)) < 0.2


ADOPTED = {
    "mnist.onnx": Answers("numbers", values="0..255"),
    "cifar10-small.onnx": Answers("numbers", color="rgb", values="0..1"),
    "gtsrb-bnn-30x30.onnx": Answers(str(ROOT / "scripts" / "recipes" / "signs.labels"), color="rgb", values="0..255"),
}
FOREIGN = DATA / "onnx"
SIGNS = DATA / "GTSRB" / "Final_Test" / "Images"
needs_foreign = pytest.mark.skipif(not FOREIGN.is_dir(), reason="EDGECLS_DATA names no folder with onnx")
needs_signs = pytest.mark.skipif(not SIGNS.is_dir(), reason="EDGECLS_DATA names no folder with GTSRB/Final_Test/Images")


def direct(name, batch):
    """The probabilities of a run of the file itself for (N, height, width, channels) uint8, fed as ADOPTED says."""
    session = onnxruntime.InferenceSession(str(FOREIGN / name), providers=["CPUExecutionProvider"])
    fed = batch.astype(np.float32) / np.float32(255 if ADOPTED[name].values == "0..1" else 1)
    fed = fed.transpose(0, 3, 1, 2) if name == "mnist.onnx" else fed
    size = 1 if name == "mnist.onnx" else 256
    parts = [fed[i : i + size] for i in range(0, len(fed), size)]
    found = np.concatenate([session.run(None, {session.get_inputs()[0].name: part})[0] for part in parts]).astype(np.float64)
    if name == "gtsrb-bnn-30x30.onnx":
        return found
    powers = np.exp(found - found.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@needs_foreign
@pytest.mark.parametrize("name", ADOPTED)
def test_three_foreign_files_say_what_they_said(tmp_path, name):
    """Pictures drawn by chance get the probabilities of a direct run, in a batch of 40."""
    made = adopt(FOREIGN / name, tmp_path / "m.onnx", ADOPTED[name])
    classifier = Classifier.load(made.out, device="cpu")
    batch = np.random.default_rng(1).integers(0, 256, (40, *classifier.card.input.shape), np.uint8)
    assert classifier.probabilities(batch) == pytest.approx(direct(name, batch), abs=1e-5)


@needs_foreign
@needs_signs
def test_a_foreign_network_is_as_good_as_when_it_is_run_by_hand(tmp_path):
    """About 80 % of GTSRB's test pictures, and the very share of a direct run; the other order of colours is caught."""
    name = "gtsrb-bnn-30x30.onnx"
    check = Check(str(SIGNS))
    made = adopt(FOREIGN / name, tmp_path / "m.onnx", dataclasses.replace(ADOPTED[name], color=""), check=check)
    assert made.card.input.color == "rgb"
    dataset = scan(SIGNS)
    pictures = decode(dataset.items, made.card.input)
    truth = np.asarray(match_labels(dataset, made.card.labels))[pictures.class_ids]
    by_hand = float((direct(name, pictures.batch).argmax(axis=1) == truth).mean())
    assert made.card.metrics["top1"] == pytest.approx(by_hand, abs=1e-5)
    assert by_hand > 0.79
    with pytest.raises(ConfigError, match=r"rgb, 0\.\.255 \(8\d\.\d%\) fits clearly better than bgr, 0\.\.255 \(5\d\.\d%\)"):
        adopt(FOREIGN / name, tmp_path / "bgr.onnx", dataclasses.replace(ADOPTED[name], color="bgr"), check=check)
    assert not (tmp_path / "bgr.onnx").exists()
