"""What a model file promises: its labels, the picture it expects, how it was made and how good it is.

The card travels inside the ONNX file as one metadata entry, so one file is all that a device needs. Nothing in it
depends on the clock: the same pictures, settings and versions give the same card.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgecls.confidence import Confidence
from edgecls.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

METADATA_KEY = "edgecls"
CARD_VERSION = 1

Color = Literal["gray", "rgb", "bgr"]
Fit = Literal["stretch", "letterbox", "center-crop"]
Interpolation = Literal["area", "linear"]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The picture that a model expects. Its graph takes (N, height, width, channels) uint8 and does its own scaling."""

    height: int = 32
    width: int = 32
    color: Color = "gray"
    fit: Fit = "stretch"
    interpolation: Interpolation = "area"

    def __post_init__(self) -> None:
        """Refuse what no function of `edgecls.image` could make."""
        for name, kind in (("color", Color), ("fit", Fit), ("interpolation", Interpolation)):
            if getattr(self, name) not in get_args(kind):
                raise ModelError(f"input {name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}")
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise ModelError(f"input size must be 1 to 4096 pixels a side, not {self.width}x{self.height}")

    @property
    def channels(self) -> int:
        """1 for gray, 3 for colour."""
        return 1 if self.color == "gray" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one input."""
        return self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything about a model that its weights do not say.

    `labels` in the order of the outputs; `scheme` is the number format of the weights (keras, fp32, int8-full); `about` is free
    text (the data's name and terms); `dataset` the fingerprint of the pictures it learned from; `split` says what was held out
    and by which rule; `confidence` how its scores are to be read; `metrics` were measured on this very file, on `measured_on`;
    `made_with` holds versions and settings.
    """

    labels: tuple[str, ...]
    input: InputSpec
    scheme: str
    about: str = ""
    dataset: str = ""
    split: str = ""
    confidence: Confidence = field(default_factory=Confidence)
    metrics: Mapping[str, float] = field(default_factory=dict)
    measured_on: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    version: int = CARD_VERSION

    def __post_init__(self) -> None:
        """Refuse labels that could not be told apart, or not be printed."""
        if len(self.labels) < 2:
            raise ModelError(f"a classifier needs at least 2 labels, the card has {len(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
            raise ModelError(f"labels must differ, the card has {twice[0]!r} twice")
        for label in self.labels:
            if not label.strip() or any(unicodedata.category(sign) == "Cc" for sign in label):
                raise ModelError(f"a label must be a text on one line, the card has {label!r}")

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the card as JSON with sorted keys."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False, indent=indent)

    @staticmethod
    def from_json(text: str, where: str) -> ModelCard:
        """Read a card. `where` names the file in errors. Unknown fields of a later minor change are ignored.

        Raises ModelError for what is no card, or one of a version that this edgecls does not know.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields["version"]
            _check_kinds(fields)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"{where}: its card is damaged ({error}); export the model again") from error
        if version > CARD_VERSION:
            raise ModelError(f"{where}: its card has version {version}, this edgecls knows {CARD_VERSION}; update edgecls")
        try:
            return ModelCard(
                **{
                    **_known(ModelCard, fields),
                    "labels": tuple(fields["labels"]),
                    "input": InputSpec(**_known(InputSpec, fields["input"])),
                    "confidence": Confidence(**_known(Confidence, fields.get("confidence", {}))),
                }
            )
        except (TypeError, KeyError) as error:
            raise ModelError(f"{where}: its card is incomplete ({error}); export the model again") from error
        except ModelError as error:
            raise ModelError(f"{where}: {error}") from error


def family(scheme: str) -> str:
    """What a scheme is a variant of: "int8-full-entropy" is int8."""
    return scheme.partition("-")[0]


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "version": ("a whole number above 0", lambda v: type(v) is int and v > 0),
    "labels": ("a list of texts", lambda v: type(v) is list and all(type(label) is str for label in v)),
    **dict.fromkeys(("scheme", "about", "dataset", "split", "measured_on"), ("a text", lambda v: type(v) is str)),
    "metrics": ("a table of numbers", lambda v: type(v) is dict and all(map(_is_number, v.values()))),
    "made_with": ("a table of texts", lambda v: type(v) is dict and all(type(text) is str for text in v.values())),
    "input": ("a table", lambda v: type(v) is dict),
    "confidence": ("a table", lambda v: type(v) is dict),
    "input.height": ("a whole number", lambda v: type(v) is int),
    "input.width": ("a whole number", lambda v: type(v) is int),
    **dict.fromkeys(("input.color", "input.fit", "input.interpolation"), ("a text", lambda v: type(v) is str)),
    **dict.fromkeys((f"confidence.{f.name}" for f in dataclasses.fields(Confidence)), ("a number", _is_number)),
}
"""By field: what a card that was edited by hand must still have there."""


def _check_kinds(fields: Mapping[str, Any]) -> None:
    """Raise TypeError for a field of another kind than it must be; fields that are not there are not looked at."""
    inner = {f"{table}.{name}": value for table in ("input", "confidence") if isinstance(fields.get(table), dict)
             for name, value in fields[table].items()}  # fmt: skip
    for name, value in (*fields.items(), *inner.items()):
        if name in _KINDS and not _KINDS[name][1](value):
            raise TypeError(f"{name} must be {_KINDS[name][0]}, found {str(value)[:80]!r}")


def _known(cls: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(cls)}
    return {name: value for name, value in fields.items() if name in names}
