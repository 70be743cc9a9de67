"""Classify pictures with an .onnx model and its card."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.errors import ModelError
from edgecls.model import providers, vet
from edgecls.model.answers import Answers, as_answers
from edgecls.model.card import DETECTOR_KEY, METADATA_KEY, ModelCard
from edgecls.model.confidence import UNKNOWN, UNKNOWN_ID
from edgecls.model.device_buffers import Binding
from edgecls.model.golden import GOLDEN_KEY, Golden, OnMismatch, check_choice
from edgecls.model.novelty import NOVELTY_NAME
from edgecls.model.self_test import SelfTest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.frame import Picture, Prediction

INPUT_NAME, OUTPUT_NAME = "image", "probabilities"


class Classifier:
    """A loaded model. It keeps no state between calls and is thread-safe.

    Attributes:
        card: The model card: labels, input, metrics.
        device: The short name of the execution provider, such as "cpu" or "cuda".
        why: Why this device was chosen.
        bytes: The size of the model file in bytes.
        sha256: The hash of its content, in hexadecimal.
        tested: The self-test when it was loaded; None if there was none.

    Example:
        classifier = Classifier.load("signs.onnx")
        prediction = classifier.classify(image.load("stop.png"))
        print(prediction.label, prediction.score)
    """

    def __init__(self, model: bytes, card: ModelCard, opened: providers.Opened) -> None:
        """Use an open session. Call `Classifier.load` instead, which checks that card and session agree."""
        self.card = card
        self.device = opened.device
        self.why = opened.why
        self.bytes = len(model)
        self.sha256 = hashlib.sha256(model).hexdigest()
        self.tested: SelfTest | None = None
        self._where = "the model"
        self._session = opened.session
        provider = providers.PROVIDERS[opened.device]
        largest = providers.LARGEST_BOUND_BATCH
        self._outputs = [OUTPUT_NAME] if card.novelty is None else [OUTPUT_NAME, NOVELTY_NAME]
        memory = provider.memory
        self._binding = Binding(opened.session, memory, self._outputs, largest=largest) if memory else None
        self._lock = threading.Lock() if provider.serial else contextlib.nullcontext()

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Classifier:
        """Load a model file and start it on a device.

        The golden pictures in the file are classified and compared with the results at export, see `edgecls.model.golden`.

        Args:
            path: The .onnx file.
            device: "auto" or a key of `providers.PROVIDERS`.
            threads: CPU threads per inference; None uses one for small inputs, else one per core.
            on_mismatch: If the golden pictures give other results: "stop" raises ModelError, "warn" gives a RuntimeWarning,
                "ignore" skips the check.

        Raises:
            ModelError: The file is not an edgecls model, its card does not match its graph, or its results differ.
            DeviceError: The device is not available.
        """
        return cls.from_bytes(vet.read(path), str(path), device=device, threads=threads, on_mismatch=on_mismatch)

    @classmethod
    def from_bytes(
        cls, model: bytes, where: str, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Classifier:
        """Load a model from the bytes of an .onnx file, like `load`; `where` names it in error messages."""
        check_choice(on_mismatch)
        vet.vet(model, where)
        opened = providers.open_session(model, where, device, threads=threads)
        metadata = opened.session.get_modelmeta().custom_metadata_map
        if DETECTOR_KEY in metadata:
            raise ModelError(f"{where}: it is a detector, expected a classifier; use it as the `detector` of the run")
        if METADATA_KEY not in metadata:
            raise ModelError(
                f"{where}: expected an .onnx file with an edgecls card, found none in its metadata "
                f"({', '.join(sorted(metadata)) or 'empty'}); make one with: edgecls export, or adopt it with: edgecls adopt"
            )
        card = ModelCard.from_json(metadata[METADATA_KEY], where)
        _check_graph(opened, card, where)
        classifier = cls(model, card, opened)
        classifier._where = where
        if GOLDEN_KEY in metadata and on_mismatch != "ignore":
            classifier._check_answers(where, on_mismatch)
        return classifier

    @property
    def has_test(self) -> bool:
        """Whether its file has golden pictures."""
        return GOLDEN_KEY in self._session.get_modelmeta().custom_metadata_map

    def self_test(self) -> SelfTest | None:
        """Ask the model about the golden pictures of its file again; see `edgecls.model.golden`. Any thread may call this.

        Returns:
            The result; None if the file has no golden pictures.

        Raises:
            ModelError: They are damaged, or the model fails.
        """
        metadata = self._session.get_modelmeta().custom_metadata_map
        if GOLDEN_KEY not in metadata:
            return None
        golden = Golden.from_json(metadata[GOLDEN_KEY], self.card.input, len(self.card.labels), self._where)
        return self._asked(golden)

    def classify(self, picture: Picture) -> Prediction:
        """Classify one picture of any size.

        Args:
            picture: (H, W) gray or (H, W, 3) blue-green-red, uint8.

        Raises:
            DataError: The array has another shape or dtype.
        """
        return self.classify_batch([picture])[0]

    def classify_batch(self, pictures: Sequence[Picture]) -> list[Prediction]:
        """Classify several pictures in one run of the model; their sizes may differ. See `classify`."""
        if not pictures:
            return []
        return self.predictions(self.answers(np.stack([image.fit(p, self.card.input) for p in pictures])))

    def probabilities(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the model on prepared pictures.

        Args:
            batch: (N, height, width, channels) uint8, each as `image.fit` returns it.

        Returns:
            Calibrated probabilities, (N, labels) float32.
        """
        return self.answers(batch).probabilities

    def answers(self, batch: NDArray[np.uint8]) -> Answers:
        """Run the model on prepared pictures, like `probabilities`. Returns these, and the novelty if the model computes it."""
        found = self._run(batch)
        return found._replace(probabilities=self.card.confidence.calibrated(found.probabilities))

    def predictions(self, answers: Answers | NDArray[np.float32]) -> list[Prediction]:
        """Turn answers into predictions with the best labels; ties keep the order of the labels.

        A picture that resembles no class gets the label "unknown"; one that shows none of several labels gets "none".

        Args:
            answers: Of N pictures, calibrated; or only their probabilities, (N, labels) float32.

        Returns:
            One prediction per picture.
        """
        answers = as_answers(answers)
        found = self.card.confidence.predictions(self.card.labels, answers.probabilities)
        if answers.novelty is None or self.card.novelty is None:
            return found
        new = self.card.novelty.exceeded(answers.novelty).tolist()
        return [_placed(*each) for each in zip(found, answers.novelty.tolist(), new, strict=True)]

    def _asked(self, golden: Golden) -> SelfTest:
        began = time.perf_counter()
        difference, of_novelty = golden.differences(self._run(golden.pictures))
        ms = (time.perf_counter() - began) * 1e3
        passed = difference <= golden.bound and of_novelty <= golden.novelty_bound
        is_new = difference <= golden.bound and not passed
        what = "the novelty of one" if is_new else "a probability"
        apart, bound = (of_novelty, golden.novelty_bound) if is_new else (difference, golden.bound)
        found = f"{what} of its golden pictures differs by {apart:.3g} (at most {bound:.3g})"
        return SelfTest(passed, len(golden.pictures), found, time.time(), ms)

    def _check_answers(self, where: str, on_mismatch: OnMismatch) -> None:
        self.tested = self.self_test()
        if self.tested is None or self.tested.passed:
            return
        made_with = self.card.made_with.get("onnxruntime", "an unknown version")
        text = (
            f"{where}: gives other answers here than where it was exported: {self.tested.found}, on {self.device} with ONNX "
            f"Runtime {providers.version()} (exported with {made_with}); use another `device` or that version, or export the "
            "model as fp32"
        )
        if on_mismatch == "stop":
            raise ModelError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=4)

    def _run(self, batch: NDArray[np.uint8]) -> Answers:
        if self._binding is not None:
            return Answers(*self._binding.run(batch))
        with self._lock:
            try:
                return Answers(*self._session.run(self._outputs, {INPUT_NAME: batch}))
            except Exception as error:  # ONNX Runtime has no common base class of its errors
                why = " ".join(str(error).split())[:300]
                raise ModelError(f"the model failed on a batch of {len(batch)} pictures ({why}); export it again") from error


def _placed(prediction: Prediction, novelty: float, new: bool) -> Prediction:
    """Return a prediction with its novelty; unknown if that is `new`."""
    if not new or prediction.unknown_by:
        return replace(prediction, novelty=novelty)
    return replace(prediction, label=UNKNOWN, class_id=UNKNOWN_ID, novelty=novelty, unknown_by="novelty")


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
    if card.novelty is not None and len(outputs.get(NOVELTY_NAME, [])) != 1:
        raise ModelError(
            f"{where}: the card promises an output {NOVELTY_NAME!r} of one number per picture, the graph gives "
            f"{', '.join(f'{n} {s}' for n, s in outputs.items())}; export the model again"
        )
