"""An .onnx file and its card -> predictions."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls import image, providers, vet
from edgecls.binding import Binding
from edgecls.card import METADATA_KEY, ModelCard
from edgecls.confidence import UNKNOWN, UNKNOWN_ID
from edgecls.errors import ModelError
from edgecls.frame import Picture, Prediction
from edgecls.golden import GOLDEN_KEY, Golden, OnMismatch, check_choice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

INPUT_NAME, OUTPUT_NAME = "image", "probabilities"
TOP = 5


class Classifier:
    """A loaded model. It keeps no state between calls and may be shared by threads.

    `card` is what the file promises, `device` the short name of the provider that runs it, `why` the reason it was
    taken, `bytes` the size of the file.
    """

    def __init__(self, model: bytes, card: ModelCard, opened: providers.Opened) -> None:
        """Take a started session. Use `Classifier.load`, which checks that card and session agree."""
        self.card = card
        self.device = opened.device
        self.why = opened.why
        self.bytes = len(model)
        self._session = opened.session
        provider = providers.PROVIDERS[opened.device]
        largest = providers.LARGEST_BOUND_BATCH
        self._binding = Binding(opened.session, provider.memory, largest=largest) if provider.memory else None
        self._turn = threading.Lock() if provider.serial else contextlib.nullcontext()

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Classifier:
        """Load a model file on a device, "auto" or a key of `providers.PROVIDERS`; `threads` as in `providers.open_session`.

        The model is asked about its golden pictures, and where its answers are not those of the export, `on_mismatch` says what
        happens: "stop" raises, "warn" warns (a RuntimeWarning), "ignore" does not ask.

        Raises ModelError for a file that is no model of edgecls, whose card does not fit its graph, or that gives other answers
        here, DeviceError for a device that cannot be had.
        """
        return cls.from_bytes(vet.read(path), str(path), device=device, threads=threads, on_mismatch=on_mismatch)

    @classmethod
    def from_bytes(
        cls, model: bytes, where: str, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Classifier:
        """Load a model from the bytes of an .onnx file; `where` names it in errors."""
        check_choice(on_mismatch)
        vet.vet(model, where)
        opened = providers.open_session(model, where, device, threads=threads)
        metadata = opened.session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{where}: expected an .onnx file with an edgecls card, found none in its metadata "
                f"({', '.join(sorted(metadata)) or 'empty'}); make one with: edgecls export, or adopt it with: edgecls adopt"
            )
        card = ModelCard.from_json(metadata[METADATA_KEY], where)
        _check_graph(opened, card, where)
        classifier = cls(model, card, opened)
        if GOLDEN_KEY in metadata and on_mismatch != "ignore":
            golden = Golden.from_json(metadata[GOLDEN_KEY], card.input, len(card.labels), where)
            classifier._check_answers(golden, where, on_mismatch)
        return classifier

    def classify(self, picture: Picture) -> Prediction:
        """Classify one picture of any size: (H, W) gray or (H, W, 3) blue-green-red, uint8."""
        return self.classify_batch([picture])[0]

    def classify_batch(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """Classify pictures of any sizes in one run of the model."""
        if not pictures:
            return []
        return self.predictions(self.probabilities(np.stack([image.fit(p, self.card.input) for p in pictures])))

    def probabilities(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the model. `batch`: (N, height, width, channels) uint8 as of `image.fit`. Returns (N, labels), calibrated."""
        return self.card.confidence.calibrated(self._run(batch))

    def predictions(self, probabilities: NDArray[np.float32]) -> list[Prediction]:
        """Name the best labels of each row of `probabilities`, (N, labels); equal scores in the order of the labels. What
        resembles nothing that the model knows is `unknown`.
        """
        labels = self.card.labels
        predictions = []
        for row, unknown in zip(probabilities, self.card.confidence.unknown(probabilities).tolist(), strict=True):
            best = np.argsort(-row, kind="stable")[:TOP].tolist()
            top = tuple((labels[i], float(row[i])) for i in best)
            label, class_id = (UNKNOWN, UNKNOWN_ID) if unknown else (top[0][0], best[0])
            predictions.append(Prediction(label, top[0][1], class_id, top))
        return predictions

    def _check_answers(self, golden: Golden, where: str, on_mismatch: OnMismatch) -> None:
        difference = golden.difference(self._run)
        if difference <= golden.bound:
            return
        made_with = self.card.made_with.get("onnxruntime", "an unknown one")
        text = (
            f"{where}: gives other answers here than where it was exported: a probability of its golden pictures is off by "
            f"{difference:.3g} (at most {golden.bound:.3g}), on {self.device} with ONNX Runtime {providers.version()} "
            f"(made with {made_with}); take another --device, the version it was made with, or export it with --scheme fp32"
        )
        if on_mismatch == "stop":
            raise ModelError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=4)

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._binding is not None:
            return self._binding.run(batch)
        with self._turn:
            return cast("NDArray[np.float32]", self._session.run([OUTPUT_NAME], {INPUT_NAME: batch})[0])


def _check_graph(opened: providers.Opened, card: ModelCard, where: str) -> None:
    inputs = {i.name: (i.type, list(i.shape)) for i in opened.session.get_inputs()}
    outputs = {o.name: list(o.shape) for o in opened.session.get_outputs()}
    kind, shape = inputs.get(INPUT_NAME, ("nothing", []))
    if kind != "tensor(uint8)" or shape[1:] != list(card.input.shape):
        raise ModelError(
            f"{where}: the card promises an input {INPUT_NAME!r} of uint8 (N, {', '.join(map(str, card.input.shape))}), "
            f"the graph has {', '.join(f'{n} {t} {s}' for n, (t, s) in inputs.items())}; export the model again"
        )
    if outputs.get(OUTPUT_NAME, [])[1:] != [len(card.labels)]:
        raise ModelError(
            f"{where}: the card has {len(card.labels)} labels, the graph gives "
            f"{', '.join(f'{n} {s}' for n, s in outputs.items())}; export the model again with its labels"
        )
