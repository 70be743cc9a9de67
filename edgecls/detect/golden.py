"""The golden picture of a detector: a self-test inside the model file, one picture with the boxes found in it at adoption.

The same file can give other boxes on another machine, without an error; see `edgecls.model.golden`. The picture is smaller than
the input, so the test includes the way through the letterbox and back.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls import image
from edgecls.detect.boxes import Boxes, overlaps
from edgecls.errors import EdgeclsError, ModelError
from edgecls.model.card import family
from edgecls.model.card_fields import MOST_CHARACTERS
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_KEY = "edgecls.detector.golden"
SIZE_HW = (96, 128)
MOST = 20
"""How many boxes are compared, those with the highest scores, however low these are."""
ALIKE = 0.8
"""The least overlap of a box with the expected one; and the least share of the expected boxes that must be found. A few boxes
may differ on a correct machine, where two scores or overlaps are nearly the same.
"""
BOUNDS = {"fp32": 1e-3, "fp16": 1e-2, "int8": 0.05}
"""By number format, the difference of scores that is mere rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenBoxes:
    """The golden picture and what must be found in it.

    Attributes:
        picture: (96, 128, 3) uint8 blue-green-red.
        expected: Its boxes, in pixels of the picture, the best first.
    """

    picture: NDArray[np.uint8]
    expected: Boxes

    def share_found(self, found: Boxes, scheme: str) -> float:
        """Return the share of the expected boxes that were found again, with their class and score, 0 to 1."""
        if not len(self.expected.scores):
            return 1.0
        if not len(found.scores):
            return 0.0
        same_class = self.expected.class_ids[:, None] == found.class_ids[None]
        off = np.abs(self.expected.scores[:, None] - found.scores[None])
        alike = overlaps(self.expected.corners, found.corners) >= ALIKE
        alike |= np.abs(self.expected.corners[:, None] - found.corners[None]).max(axis=2) <= 1
        return float((alike & same_class & (off <= BOUNDS[family(scheme)])).any(axis=1).mean())

    def to_json(self) -> str:
        """Return the golden picture as JSON, with PNG in base64."""
        boxes = self.expected
        rows = zip(boxes.corners.tolist(), boxes.scores.tolist(), boxes.class_ids.tolist(), strict=True)
        record = {
            "picture": base64.b64encode(image.encode_png(self.picture)).decode("ascii"),
            "boxes": [[*(round(n, 3) for n in corners), round(score, 6), class_id] for corners, score, class_id in rows],
        }
        return dumps(record)

    @staticmethod
    def from_json(text: str, where: str) -> GoldenBoxes:
        """Parse a golden picture. Raises ModelError, which names the file `where`, if it is damaged."""
        try:
            record = loads(text, most=MOST_CHARACTERS)
            data = base64.b64decode(record["picture"], validate=True)
            size = (int.from_bytes(data[20:24]), int.from_bytes(data[16:20]))  # a few bytes of PNG may expand to gigabytes
            if not data.startswith(b"\x89PNG") or size != SIZE_HW:
                raise ValueError(f"expected a PNG picture of {SIZE_HW[1]}x{SIZE_HW[0]}")
            picture = image.decode_as_stored(data, where).reshape(*SIZE_HW, 3)
            rows = np.asarray(record["boxes"], np.float64).reshape(-1, 6)
            if not np.isfinite(rows).all():
                raise ValueError("expected boxes with numbers")
        except (ValueError, TypeError, KeyError, OverflowError, EdgeclsError) as error:
            raise ModelError(f"{where}: its golden picture is damaged ({error}); adopt the detector again") from error
        boxes = Boxes(rows[:, :4].astype(np.float32), rows[:, 4].astype(np.float32), rows[:, 5].astype(np.int64))
        return GoldenBoxes(picture, boxes)
