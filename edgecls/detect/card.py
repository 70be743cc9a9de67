"""The card of a detector: its kind, its input, its classes and its thresholds.

Like the card of a classifier it is stored inside the ONNX file, as another metadata entry, so a device needs only that file.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls.detect.decoders.table import KINDS
from edgecls.detect.input import DetectorInput
from edgecls.errors import ModelError
from edgecls.model.card import MOST_CHARACTERS
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CARD_VERSION = 1
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
            if not name.strip() or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
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
        try:
            fields: dict[str, Any] = loads(text, most=MOST_CHARACTERS)
            version = fields["version"]
            _check_kinds(fields)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{where}: its card is damaged ({error}); adopt the detector again") from error
        if version > CARD_VERSION:
            raise ModelError(f"{where}: its card has version {version}, this edgecls knows {CARD_VERSION}; update edgecls")
        try:
            spec = DetectorInput(**_known(DetectorInput, fields["input"]))
            return DetectorCard(**{**_known(DetectorCard, fields), "classes": tuple(fields["classes"]), "input": spec})
        except (TypeError, KeyError) as error:
            raise ModelError(f"{where}: its card is incomplete ({error}); adopt the detector again") from error
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error


def _is_whole(value: object) -> bool:
    return type(value) is int and value > 0


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("version", "most"), ("a whole number above 0", _is_whole)),
    "classes": ("a list of texts", lambda v: type(v) is list and all(type(name) is str for name in v)),
    **dict.fromkeys(("kind", "values", "scheme", "about"), ("a text", lambda v: type(v) is str)),
    "overlap": ("a number", lambda v: v is None or (isinstance(v, int | float) and not isinstance(v, bool))),
    "made_with": ("a table of texts", lambda v: type(v) is dict and all(type(text) is str for text in v.values())),
    "input": ("a table", lambda v: type(v) is dict),
}
_INPUT_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("height", "width"), ("a whole number", lambda v: type(v) is int)),
    **dict.fromkeys(("color", "fit", "interpolation"), ("a text", lambda v: type(v) is str)),
}
"""The expected type of each field: in words, and as a check. A card may have been edited by hand."""


def _check_kinds(fields: Mapping[str, Any]) -> None:
    """Raise TypeError if a field has the wrong type; missing fields are not checked here."""
    for name, (expected, fits) in _KINDS.items():
        if name in fields and not fits(fields[name]):
            raise TypeError(f"{name} must be {expected}, found {str(fields[name])[:80]!r}")
    for name, (expected, fits) in _INPUT_KINDS.items():
        if name in fields.get("input", {}) and not fits(fields["input"][name]):
            raise TypeError(f"input.{name} must be {expected}, found {str(fields['input'][name])[:80]!r}")


def _known(cls: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(cls)}
    return {name: value for name, value in fields.items() if name in names}
