"""The card of a detector: its kind, its input, its classes and its thresholds.

Like the card of a classifier it is stored inside the ONNX file, as another metadata entry, so a device needs only that file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgecls.detect.decoders.table import KINDS
from edgecls.detect.input import DetectorInput
from edgecls.errors import ModelError
from edgecls.model.card_fields import building_card, is_printable_line, known, read_fields
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgecls.model.card_fields import Kinds

CARD_VERSION = 1
FIX = "adopt the detector again"
MOST_CLASSES = 10_000
MOST_BOXES = 1_000


@dataclass(frozen=True, slots=True)
class DetectorCard:
    """Everything about a detector except its weights.

    Attributes:
        kind: The name of its decoder, a key of `edgecls.detect.decoders.table.KINDS`.
        classes: The names of its classes, in the order of the outputs.
        input: The picture that it takes.
        values: How the graph scales the levels, in words, such as "0..1".
        scheme: The number format of the weights, such as "fp32".
        overlap: The largest intersection over union of two boxes of a class; None if the graph suppresses boxes itself, or if
            its kind needs no suppression.
        most: The largest number of boxes of a frame.
        about: Free text, such as the name and licence of the data.
        made_with: Versions and settings, by name.
        version: The version of the card's format.

    Example:
        card = Detector.load("yolo11n.onnx").card
        print(card.kind, card.classes)
    """

    kind: str
    classes: tuple[str, ...]
    input: DetectorInput
    values: str = ""
    scheme: str = "fp32"
    overlap: float | None = None
    most: int = 300
    about: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    version: int = CARD_VERSION

    def __post_init__(self) -> None:
        """Validate the values. Raises ModelError."""
        if self.kind not in KINDS:
            raise ModelError(f"the card has the kind {self.kind!r}; this edgecls knows {', '.join(KINDS)}; update edgecls")
        if not 1 <= len(self.classes) <= MOST_CLASSES:
            raise ModelError(f"a detector needs 1 to {MOST_CLASSES:,} classes, the card has {len(self.classes)}")
        for name in self.classes:
            if not is_printable_line(name):
                raise ModelError(f"the name of a class must be a text on one line, the card has {name!r}")
        if self.overlap is not None and not 0 <= self.overlap <= 1:
            raise ModelError(f"overlap must be from 0 to 1, the card has {self.overlap:g}")
        if not 1 <= self.most <= MOST_BOXES:
            raise ModelError(f"most must be 1 to {MOST_BOXES:,}, the card has {self.most}")

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the card as JSON with sorted keys."""
        return dumps(dataclasses.asdict(self), sort_keys=True, indent=indent)

    @staticmethod
    def from_json(text: str, where: str) -> DetectorCard:
        """Parse a card. Unknown fields are ignored, because later versions may add some.

        Args:
            text: The JSON.
            where: The name of the file, for error messages.

        Raises:
            ModelError: The text is not a card, or its version is newer than this edgecls.
        """
        fields = read_fields(text, where, _KINDS, version=CARD_VERSION, fix=FIX)
        with building_card(where, FIX):
            spec = DetectorInput(**known(DetectorInput, fields["input"]))
            return DetectorCard(**{**known(DetectorCard, fields), "classes": tuple(fields["classes"]), "input": spec})


def _is_whole(value: object) -> bool:
    return type(value) is int and value > 0


_KINDS: Kinds = {
    **dict.fromkeys(("version", "most"), ("a whole number above 0", _is_whole)),
    "classes": ("a list of texts", lambda v: type(v) is list and all(type(name) is str for name in v)),
    **dict.fromkeys(("kind", "values", "scheme", "about"), ("a text", lambda v: type(v) is str)),
    "overlap": ("a number", lambda v: v is None or (isinstance(v, int | float) and not isinstance(v, bool))),
    "made_with": ("a table of texts", lambda v: type(v) is dict and all(type(text) is str for text in v.values())),
    "input": ("a table", lambda v: type(v) is dict),
    **dict.fromkeys(("input.height", "input.width"), ("a whole number", lambda v: type(v) is int)),
    **dict.fromkeys(("input.color", "input.fit", "input.interpolation"), ("a text", lambda v: type(v) is str)),
}
