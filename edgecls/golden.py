"""A few pictures with the answers that a model gave where it was exported, to see whether it gives them here.

The same file can compute something else on another machine: processors without VNNI saturate on 8-bit weights, an accelerator
rounds otherwise, a new version of a library has a mistake. None of that is an error to anybody. So the file carries what it
should say, and asks itself when it is loaded, in a few milliseconds.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from edgecls import image
from edgecls.card import family
from edgecls.errors import ConfigError, EdgeclsError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.card import InputSpec
    from edgecls.frame import Batch

GOLDEN_KEY = "edgecls.golden"
MOST_PICTURES = 8
MOST_BYTES = 200_000
"""So much of a file may its golden pictures take, as PNG."""
SMALLEST_BOUNDS = {"fp32": 1e-3, "fp16": 1e-2, "int8": 0.02}
"""By family of schemes: what is rounding on any right machine. In fp16 a processor without float16 sums in float32, and a GPU
does not. In int8 another kernel may round a sum to the level beside it; what saturates is off by tenths."""
MARGIN = 2.0
"""A right machine may differ so many times as much as two right ways of computing differed at the export."""

OnMismatch = Literal["stop", "warn", "ignore"]


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """`pictures` (N, height, width, channels) uint8, the `probabilities` (N, labels) that the graph gave for them, and the
    `bound` that no probability may be off by.
    """

    pictures: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    bound: float

    def difference(self, run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> float:
        """The largest difference of a probability; `run` is the graph. NaN answers differ by infinity."""
        found = run(self.pictures)
        if found.shape != self.probabilities.shape or not np.isfinite(found).all():
            return float("inf")
        return float(np.abs(found - self.probabilities).max())

    def to_json(self) -> str:
        """Return it as text, the pictures as PNG."""
        record = {
            "pictures": [base64.b64encode(image.encode_png(picture)).decode("ascii") for picture in self.pictures],
            "probabilities": [[round(float(p), 6) for p in row] for row in self.probabilities],
            "bound": self.bound,
        }
        return json.dumps(record)

    @staticmethod
    def from_json(text: str, spec: InputSpec, labels: int, where: str) -> Golden:
        """Read it; `spec` and `labels` say what shapes it must have. Raises ModelError for what it does not hold."""
        try:
            record = json.loads(text)
            encoded = [base64.b64decode(picture, validate=True) for picture in record["pictures"][: MOST_PICTURES + 1]]
            _check_sizes(encoded, spec)
            pictures = np.stack([image.decode_as_stored(data, where).reshape(spec.shape) for data in encoded])
            probabilities = np.asarray(record["probabilities"], np.float32).reshape(len(pictures), labels)
            bound = float(record["bound"])
            if not (np.isfinite(probabilities).all() and 0 <= bound < np.inf):
                raise ValueError(f"expected probabilities and a bound for them, found a bound of {bound:g}")
            return Golden(pictures, probabilities, bound)
        except (ValueError, TypeError, KeyError, RecursionError, EdgeclsError) as error:
            raise ModelError(f"{where}: its golden pictures are damaged ({error}); export the model again") from error


def _check_sizes(encoded: Sequence[bytes], spec: InputSpec) -> None:
    """Raise ValueError for more pictures than `make` takes, or larger ones than the model's, before they are unpacked: a few
    bytes of PNG can hold a picture of gigabytes. Its width and height stand at byte 16 (https://www.w3.org/TR/png-3/#11IHDR).
    """
    if len(encoded) > MOST_PICTURES:
        raise ValueError(f"expected at most {MOST_PICTURES} pictures")
    for data in encoded:
        size = struct.unpack(">II", data[16:24]) if data.startswith(b"\x89PNG") and len(data) >= 24 else (0, 0)
        if size != (spec.width, spec.height):
            raise ValueError(f"expected PNG pictures of {spec.width}x{spec.height}, found {size[0]}x{size[1]}")


def make(
    pictures: Batch,
    class_ids: NDArray[np.int64],
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    other: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    scheme: str,
) -> Golden:
    """Take some of `pictures`, of as many classes as can be, and what `run` says of them. `other` computes the same in another
    right way: how far the two are apart is the measure for what a machine may be off, and SMALLEST_BOUNDS of the `scheme` at
    least.
    """
    chosen: list[int] = []
    size = 0
    for i in np.unique(class_ids, return_index=True)[1].tolist():
        size += len(image.encode_png(pictures[i]))
        if chosen and (len(chosen) == MOST_PICTURES or size > MOST_BYTES):
            break
        chosen.append(i)
    taken = pictures[chosen]
    found = run(taken)
    apart = max(float(np.abs(run(pictures[:256]) - other(pictures[:256])).max()), float(np.abs(found - other(taken)).max()))
    return Golden(taken, found, round(max(SMALLEST_BOUNDS[family(scheme)], MARGIN * apart), 6))


def check_choice(on_mismatch: str) -> None:
    """Raise ConfigError for what is no way to answer a mismatch."""
    if on_mismatch not in get_args(OnMismatch):
        raise ConfigError(f"on_mismatch {on_mismatch!r} is not known; expected {', '.join(get_args(OnMismatch))}")
