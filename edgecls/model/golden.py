"""Golden pictures: a self-test inside the model file, of a few pictures with the results that the model gave at export.

The same file can give other results on another machine: processors without VNNI saturate on 8-bit weights, an accelerator
rounds differently, a new library version has a bug. None of these raises an error. So the file contains the expected results,
and they are checked when it is loaded, in a few milliseconds.
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from edgecls import image
from edgecls.errors import ConfigError, EdgeclsError, ModelError
from edgecls.model.answers import as_answers
from edgecls.model.card import family
from edgecls.model.card_fields import MOST_CHARACTERS
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from edgecls.frame import Batch
    from edgecls.input_spec import InputSpec
    from edgecls.model.answers import Answers

GOLDEN_KEY = "edgecls.model.golden"
MAX_PICTURES = 8
MAX_BYTES = 200_000
"""How many bytes of a model file the golden pictures may take, as PNG."""
SMALLEST_BOUNDS = {"fp32": 1e-3, "fp16": 1e-2, "int8": 0.02}
"""By number format, the difference that is mere rounding on a correct machine. In fp16, a processor without float16 accumulates
in float32, and a GPU does not. In int8, another kernel may round a sum to the neighbouring level; saturation differs by tenths.
"""
SMALLEST_NOVELTY_BOUNDS = {"fp32": 0.01, "fp16": 0.05, "int8": 0.2}
"""The same for a novelty, of which 1 is the limit."""
MARGIN = 2.0
"""A correct machine may differ by this many times the difference between two correct computations at export."""

OnMismatch = Literal["stop", "warn", "ignore"]


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Golden pictures and their expected results.

    Attributes:
        pictures: (N, height, width, channels) uint8.
        probabilities: What the graph gave for them at export, (N, labels) float32.
        bound: The largest acceptable difference of a probability.
        novelty: Their novelty at export, (N,) float32; None if the graph does not compute it.
        novelty_bound: The largest acceptable difference of a novelty.
    """

    pictures: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    bound: float
    novelty: NDArray[np.float32] | None = None
    novelty_bound: float = 0.0

    def difference(self, run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> float:
        """Return the largest difference of a probability when `run` computes them now; infinity if a result is NaN."""
        return _apart(run(self.pictures), self.probabilities)

    def differences(self, answers: Answers) -> tuple[float, float]:
        """Return the largest difference of a probability, and that of a novelty, if it is recorded and computed."""
        checked = self.novelty is not None and answers.novelty is not None
        novelty = _apart(answers.novelty, self.novelty) if checked else 0.0
        return _apart(answers.probabilities, self.probabilities), novelty

    def to_json(self) -> str:
        """Return the golden pictures as JSON, with PNG in base64."""
        record = {
            "pictures": [base64.b64encode(image.encode_png(picture)).decode("ascii") for picture in self.pictures],
            "probabilities": [[round(float(p), 6) for p in row] for row in self.probabilities],
            "bound": self.bound,
        }
        if self.novelty is not None:
            record |= {"novelty": [round(float(n), 5) for n in self.novelty], "novelty_bound": self.novelty_bound}
        return dumps(record)

    @staticmethod
    def from_json(text: str, spec: InputSpec, labels: int, where: str) -> Golden:
        """Parse golden pictures.

        Args:
            text: The JSON.
            spec: The input of the model, which the pictures must match.
            labels: The number of labels.
            where: The name of the file, for error messages.

        Raises:
            ModelError: The text is damaged or does not match the model.
        """
        try:
            record = loads(text, most=MOST_CHARACTERS)
            encoded = [base64.b64decode(picture, validate=True) for picture in record["pictures"][: MAX_PICTURES + 1]]
            _check_sizes(encoded, spec)
            pictures = np.stack([image.decode_as_stored(data, where).reshape(spec.shape) for data in encoded])
            probabilities = np.asarray(record["probabilities"], np.float32).reshape(len(pictures), labels)
            bound = float(record["bound"])
            if not (np.isfinite(probabilities).all() and 0 <= bound < np.inf):
                raise ValueError(f"expected probabilities and a bound for them, found a bound of {bound:g}")
            return Golden(pictures, probabilities, bound, *_novelty_in(record, len(pictures)))
        except (ValueError, TypeError, KeyError, OverflowError, EdgeclsError) as error:
            raise ModelError(f"{where}: its golden pictures are damaged ({error}); export the model again") from error


def _novelty_in(record: Mapping[str, Any], count: int) -> tuple[NDArray[np.float32] | None, float]:
    """Return the novelty of golden pictures and its bound. Raises ValueError if they are not numbers."""
    if "novelty" not in record:
        return None, 0.0
    novelty, bound = np.asarray(record["novelty"], np.float32).reshape(count), float(record["novelty_bound"])
    if not (np.isfinite(novelty).all() and 0 <= bound < np.inf):
        raise ValueError(f"expected novelties and a bound for them, found a bound of {bound:g}")
    return novelty, bound


def _apart(found: NDArray[np.float32] | None, expected: NDArray[np.float32] | None) -> float:
    """Return the largest difference; infinity if a number is NaN, missing or of too many."""
    if found is None or expected is None or found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max())


def _check_sizes(encoded: Sequence[bytes], spec: InputSpec) -> None:
    """Raise ValueError if there are too many pictures or their size is not the model's.

    This is checked before decoding, because a few bytes of PNG can expand to gigabytes. The width and height of a PNG are at
    byte 16 (https://www.w3.org/TR/png-3/#11IHDR).
    """
    if len(encoded) > MAX_PICTURES:
        raise ValueError(f"expected at most {MAX_PICTURES} pictures")
    for data in encoded:
        size = struct.unpack(">II", data[16:24]) if data.startswith(b"\x89PNG") and len(data) >= 24 else (0, 0)
        if size != (spec.width, spec.height):
            raise ValueError(f"expected PNG pictures of {spec.width}x{spec.height}, found {size[0]}x{size[1]}")


def make(
    pictures: Batch,
    class_ids: NDArray[np.int64],
    run: Callable[[NDArray[np.uint8]], Answers | NDArray[np.float32]],
    other: Callable[[NDArray[np.uint8]], Answers | NDArray[np.float32]],
    *,
    scheme: str,
) -> Golden:
    """Choose golden pictures, one each of as many classes as fit, and record their results.

    The bounds are MARGIN times the difference between two correct computations, but at least those of SMALLEST_BOUNDS and
    SMALLEST_NOVELTY_BOUNDS.

    Args:
        pictures: To choose from, (N, height, width, channels) uint8.
        class_ids: Their classes, (N,) int64.
        run: The exported graph: pictures -> answers, or only probabilities, (N, labels).
        other: Another correct computation of the same.
        scheme: The scheme of the export.
    """
    chosen: list[int] = []
    size = 0
    for i in np.unique(class_ids, return_index=True)[1].tolist():
        size += len(image.encode_png(pictures[i]))
        if chosen and (len(chosen) == MAX_PICTURES or size > MAX_BYTES):
            break
        chosen.append(i)
    golden = pictures[chosen]
    found, again = as_answers(run(golden)), as_answers(other(golden))
    one, two = (as_answers(compute(pictures[:256])) for compute in (run, other))
    apart = max(_apart(one.probabilities, two.probabilities), _apart(found.probabilities, again.probabilities))
    bound = round(max(SMALLEST_BOUNDS[family(scheme)], MARGIN * apart), 6)
    if found.novelty is None or again.novelty is None:
        return Golden(golden, found.probabilities, bound)
    apart = MARGIN * _apart(found.novelty, again.novelty)
    return Golden(
        golden, found.probabilities, bound, found.novelty, round(max(SMALLEST_NOVELTY_BOUNDS[family(scheme)], apart), 6)
    )


def check_choice(on_mismatch: str) -> None:
    """Raise ConfigError if `on_mismatch` is not one of the choices."""
    if on_mismatch not in get_args(OnMismatch):
        raise ConfigError(f"on_mismatch {on_mismatch!r} is not known; expected {', '.join(get_args(OnMismatch))}")
