"""Find objects with an .onnx detector and its card."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgecls import image
from edgecls.detect.card import DetectorCard
from edgecls.detect.decoders.table import KINDS, decode
from edgecls.detect.golden import ALIKE, GOLDEN_KEY, GoldenBoxes
from edgecls.detect.letterbox import prepare
from edgecls.detect.nms import suppress
from edgecls.errors import ModelError
from edgecls.frame import Box
from edgecls.model import providers, vet
from edgecls.model.card import DETECTOR_KEY, METADATA_KEY
from edgecls.model.golden import OnMismatch, check_choice
from edgecls.model.self_test import SelfTest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgecls.detect.boxes import Boxes
    from edgecls.frame import Frame, Picture

INPUT_NAME = "image"
SCORE = 0.25
"""The usual lowest score."""


class Found(NamedTuple):
    """An object: the name of its class, the score of the detector (0..1), and its box in pixels of the frame."""

    name: str
    score: float
    box: Box


class Detector:
    """A loaded detector. It keeps no state between calls and is thread-safe.

    Attributes:
        card: The card: kind, classes, input.
        device: The short name of the execution provider, such as "cpu" or "cuda".
        why: Why this device was chosen.
        bytes: The size of the model file in bytes.
        sha256: The hash of its content, in hexadecimal.
        tested: The self-test when it was loaded; None if there was none.

    Example:
        detector = edgecls.Detector.load("yolo11n.onnx")
        with edgecls.open_source("street.mp4") as source:
            for frame in source:
                print(detector(frame))
    """

    def __init__(self, model: bytes, card: DetectorCard, opened: providers.Opened) -> None:
        """Use an open session. Call `Detector.load` instead, which checks that card and session agree."""
        self.card = card
        self.device = opened.device
        self.why = opened.why
        self.bytes = len(model)
        self.sha256 = hashlib.sha256(model).hexdigest()
        self.tested: SelfTest | None = None
        self._where = "the detector"
        self._kind = KINDS[card.kind]
        self._session = opened.session
        self._roles = [output.name for output in opened.session.get_outputs()]
        self._lock = threading.Lock() if providers.PROVIDERS[opened.device].serial else contextlib.nullcontext()

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Detector:
        """Load a detector that `edgecls adopt --detector` wrote, and start it on a device.

        Objects are found in its golden picture and compared with those at adoption, see `edgecls.detect.golden`.

        Args:
            path: The .onnx file.
            device: "auto" or a key of `providers.PROVIDERS`.
            threads: CPU threads per inference; None uses one for small inputs, else one per core.
            on_mismatch: If the golden picture gives other boxes: "stop" raises ModelError, "warn" gives a RuntimeWarning,
                "ignore" skips the check.

        Raises:
            ModelError: The file is not an adopted detector, its card does not match its graph, or its boxes differ.
            DeviceError: The device is not available.
        """
        return cls.from_bytes(vet.read(path), str(path), device=device, threads=threads, on_mismatch=on_mismatch)

    @classmethod
    def from_bytes(
        cls, model: bytes, where: str, *, device: str = "auto", threads: int | None = None, on_mismatch: OnMismatch = "stop"
    ) -> Detector:
        """Load a detector from the bytes of an .onnx file, like `load`; `where` names it in error messages."""
        check_choice(on_mismatch)
        vet.vet(model, where)
        opened = providers.open_session(model, where, device, threads=threads, cheap_on_cpu=True)
        metadata = opened.session.get_modelmeta().custom_metadata_map
        if METADATA_KEY in metadata:
            raise ModelError(f"{where}: it is a classifier, expected a detector; use it as the `model` of the run")
        if DETECTOR_KEY not in metadata:
            raise ModelError(
                f"{where}: expected a detector with an edgecls card, found none in its metadata "
                f"({', '.join(sorted(metadata)) or 'empty'}); make one with: edgecls adopt --detector {where} --out D.onnx"
            )
        card = DetectorCard.from_json(metadata[DETECTOR_KEY], where)
        _check_graph(opened, card, where)
        detector = cls(model, card, opened)
        detector._where = where
        if GOLDEN_KEY in metadata and on_mismatch != "ignore":
            detector._check_boxes(where, on_mismatch)
        return detector

    @property
    def has_test(self) -> bool:
        """Whether its file has a golden picture."""
        return GOLDEN_KEY in self._session.get_modelmeta().custom_metadata_map

    def self_test(self) -> SelfTest | None:
        """Find the objects of the golden picture of the file again; None if it has none. Raises ModelError if it is damaged."""
        metadata = self._session.get_modelmeta().custom_metadata_map
        if GOLDEN_KEY not in metadata:
            return None
        golden = GoldenBoxes.from_json(metadata[GOLDEN_KEY], self._where)
        frame = image.as_frame(golden.picture, "", 0, time_s=0.0, captured_at=0.0)
        began = time.perf_counter()
        share = golden.share_found(self.detect(frame, low=0.0), self.card.scheme)
        ms = (time.perf_counter() - began) * 1e3
        found = f"{share:.0%} of the boxes in its golden picture are the same (at least {ALIKE:.0%})"
        return SelfTest(share >= ALIKE, 1, found, time.time(), ms)

    def __call__(self, frame: Frame, *, score: float = SCORE) -> list[Found]:
        """Find the objects of a frame with at least this score, the best first."""
        boxes = self.detect(frame, low=score)
        rows = zip(boxes.class_ids.tolist(), boxes.scores.tolist(), whole(boxes.corners, frame.size_hw), strict=True)
        return [Found(self.card.classes[class_id], one, box) for class_id, one, box in rows]

    def find(self, picture: Picture, *, score: float = SCORE) -> list[Found]:
        """Find the objects of a picture, (H, W, 3) uint8 blue-green-red. See `__call__`."""
        return self(image.as_frame(picture, "", 0, time_s=0.0, captured_at=time.time()), score=score)

    def detect(self, frame: Frame, *, low: float, wanted: NDArray[np.int64] | None = None) -> Boxes:
        """Find the objects of a frame as arrays.

        Args:
            frame: The frame.
            low: The score that boxes exceed, 0 to 1.
            wanted: The classes that count. None: all.

        Returns:
            The boxes that the maker's own post-processing gives, in pixels of the frame and clipped to it, the best first.
        """
        picture, placement = prepare(frame, self.card.input)
        found = self.boxes(self.outputs(picture), low, wanted)
        return found._replace(corners=placement.back(found.corners, frame.size_hw))

    def outputs(self, picture: Picture) -> dict[str, NDArray[Any]]:
        """Run the graph on a prepared picture. Returns its outputs, by their roles for the decoder.

        Args:
            picture: (height, width, 3) uint8, as `edgecls.detect.letterbox.prepare` returns it.

        Raises:
            ModelError: The graph fails.
        """
        with self._lock:
            try:
                values = self._session.run(self._roles, {INPUT_NAME: picture[None]})
            except Exception as error:  # ONNX Runtime has no common base class of its errors
                why = " ".join(str(error).split())[:300]
                raise ModelError(f"the detector failed on a picture ({why}); adopt it again") from error
        return dict(zip(self._roles, map(np.asarray, values), strict=True))

    def boxes(self, outputs: dict[str, NDArray[Any]], low: float, wanted: NDArray[np.int64] | None = None) -> Boxes:
        """Decode the outputs of the graph. Returns boxes in pixels of the input, the best first; see `detect`."""
        try:
            found = decode(self._kind, outputs, self.card.input.size_hw, low)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            shapes = ", ".join(f"{role} {list(value.shape)}" for role, value in outputs.items())
            raise ModelError(f"outputs {shapes} are not those of {self._kind.name}; adopt the detector again") from error
        found = found.take(found.class_ids < len(self.card.classes))
        if wanted is not None:
            found = found.take(np.isin(found.class_ids, wanted))
        if self.card.overlap is None:
            return found.best_first(self.card.most)
        return suppress(found, self.card.overlap, self.card.most)

    def _check_boxes(self, where: str, on_mismatch: OnMismatch) -> None:
        self.tested = self.self_test()
        if self.tested is None or self.tested.passed:
            return
        text = (
            f"{where}: finds other boxes here than where it was adopted: {self.tested.found}, on {self.device} with ONNX "
            f"Runtime {providers.version()} (adopted with "
            f"{self.card.made_with.get('onnxruntime', 'an unknown version')}); use another `device` or that version"
        )
        if on_mismatch == "stop":
            raise ModelError(text)
        warnings.warn(text, RuntimeWarning, stacklevel=4)


def whole(corners: NDArray[np.float32], size_hw: tuple[int, int]) -> list[Box]:
    """Return boxes in whole pixels, inside a frame of this height and width and at least a pixel wide and high."""
    height, width = size_hw
    left, top, right, bottom = np.rint(corners).astype(np.int64).T
    left, top = np.clip(left, 0, width - 1), np.clip(top, 0, height - 1)
    right, bottom = np.clip(right, left + 1, width), np.clip(bottom, top + 1, height)
    return [Box(*row) for row in np.stack([left, top, right, bottom], axis=1).tolist()]


def _check_graph(opened: providers.Opened, card: DetectorCard, where: str) -> None:
    inputs = {i.name: (i.type, list(i.shape)) for i in opened.session.get_inputs()}
    if inputs != {INPUT_NAME: ("tensor(uint8)", [1, *card.input.shape])}:
        raise ModelError(
            f"{where}: the card promises an input {INPUT_NAME!r} of uint8 (1, {', '.join(map(str, card.input.shape))}), "
            f"the graph has {', '.join(f'{n} {t} {s}' for n, (t, s) in inputs.items())}; adopt the detector again"
        )
