"""Model files that went bad: cards, golden pictures, our own graphs, those of others."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np

from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model import golden
from edgecls.model.card import METADATA_KEY, ModelCard
from edgecls.model.confidence import Confidence
from tests import foreign as others
from tests import tiny
from tests.fuzz import mutations as m
from tests.fuzz.case import Case, Seed
from tests.fuzz.containers import in_metadata, in_protobuf
from tests.fuzz.values import in_json

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fuzz.case import Change

CARD = ModelCard(
    tiny.LIGHT_LABELS, InputSpec(height=8, width=8), "fp32", about="drawn", dataset="sha256:0", split="by name",
    confidence=Confidence(temperature=1.5, reject_below=0.3), metrics={"top1": 0.9, "macro_recall": 0.8},
    measured_on="9 pictures", made_with={"edgecls": "0.1", "onnxruntime": "1"},
)  # fmt: skip


def _of_model(good: Path, data: bytes, *changes: Change) -> list[Seed]:
    """A model of ours in each command that reads one."""
    picture = good / "pictures" / "disc" / "000.png"
    commands = (
        ("info", "m.onnx", "--json"), ("info", "m.onnx"), ("predict", "m.onnx", picture),
        ("run", "--model", "m.onnx", "--source", picture.parent, "--on-mismatch", "warn"),
    )  # fmt: skip
    return [Seed(Case(argv, {"m.onnx": data}), "m.onnx", changes) for argv in commands]


def _whole() -> bytes:
    """A model with all that a card can have, and golden pictures."""
    pictures = np.stack([np.full((8, 8, 1), level, np.uint8) for level in (0, 128, 255)])
    kept = golden.Golden(pictures, np.eye(3, dtype=np.float32), 0.02)
    return stamp(tiny.light_graph(), CARD, kept)


def cards(good: Path) -> list[Seed]:
    """What a model says of itself."""
    texts = (in_json, in_json, m.in_words, m.in_bytes)
    return _of_model(good, stamp(tiny.light_graph(), CARD), in_metadata(METADATA_KEY, *texts)) + _of_model(
        good, _whole(), in_metadata(golden.GOLDEN_KEY, *texts)
    )


def graphs(good: Path) -> list[Seed]:
    """What a model computes."""
    conv = stamp(tiny.conv_graph(), ModelCard(tiny.LIGHT_LABELS, InputSpec(height=8, width=8), "fp32"))
    changes = (in_protobuf, in_protobuf, m.in_bytes)
    return _of_model(good, tiny.light_model(), *changes) + _of_model(good, conv, *changes)


def foreign(good: Path) -> list[Seed]:
    """Graphs of other tools, what they say of themselves, and files that are refused by their kind."""
    answers = ("--labels", good / "words.txt", "--color", "rgb", "--values", "0..1")
    plain = Case(
        ("adopt", "f.onnx", "--out", "o.onnx", *answers, "--output", "logits"), {"f.onnx": others.graph().SerializeToString()}
    )
    yolo = Case(("adopt", "f.onnx", "--out", "o.onnx"), {"f.onnx": _ultralytics(good)})
    words = [in_metadata(key, m.in_words, m.in_bytes) for key in ("names", "imgsz", "task")]
    return [
        Seed(plain, "f.onnx", (in_protobuf, in_protobuf, m.in_bytes)),
        Seed(yolo, "f.onnx", (in_protobuf, *words)),
        *(
            Seed(Case(("adopt", name, "--out", "o.onnx", *answers), {name: data}), name, (m.in_bytes,), 1)
            for name, data in _strange()
        ),
    ]


def _ultralytics(good: Path) -> bytes:
    path = others.ultralytics(good / "yolo.onnx")
    data = path.read_bytes()
    path.unlink()
    return data


def _strange() -> list[tuple[str, bytes]]:
    """Beginnings of files of other tools, by their names and by other ones."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02}q\x00.")
    torch, lite = buffer.getvalue(), b"\x1c\0\0\0TFL3" + bytes(64)
    files = [
        ("m.pt", torch),
        ("m.onnx", torch),
        ("m.keras", torch),
        ("m.tflite", lite),
        ("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(99)),
    ]
    return [*files, ("m/saved_model.pb", b"\x08\x01"), ("m.pb", b"\x0a\x01"), ("m.onnx", b"{}"), ("m.onnx", b"<html>")]
