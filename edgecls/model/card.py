"""The model card: the labels of a model, the input that it expects, how it was made and how accurate it is.

The card is stored inside the ONNX file as one metadata entry, so a device needs only that file. It contains no dates: the same
pictures, settings and versions give the same card.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ModelError
from edgecls.input_spec import InputSpec
from edgecls.model.card_fields import building_card, is_printable_line, known, read_fields
from edgecls.model.confidence import Confidence
from edgecls.model.measured import Measured
from edgecls.model.novelty import NoveltyLimit
from edgecls.model.several_labels import SeveralLabels
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.model.answers import Answers
    from edgecls.model.card_fields import Kinds

MAX_NUMBER = 1e30
"""A larger number on a card is an error."""
METADATA_KEY = "edgecls"
DETECTOR_KEY = "edgecls.detector"
"""The entry of the card of a detector, see `edgecls.detect.card`."""
CARD_VERSION = 1
SEVERAL_LABELS_VERSION = 2
"""The version of the card of a model with several labels, which older versions of edgecls must not read as one label."""
READ_AS = {"softmax": Confidence, "sigmoid": SeveralLabels}
"""How outputs are read, by the kind of outputs."""
Outputs = Literal["softmax", "sigmoid"]
FIX = "export the model again"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything about a model except its weights.

    Attributes:
        labels: The labels in the order of the outputs.
        input: The picture that the model takes.
        scheme: The number format of the weights, such as "keras", "fp32" or "int8-full".
        about: Free text, such as the name and license of the data.
        dataset: The fingerprint of the training data.
        split: How the held-out pictures were chosen, in words.
        outputs: "softmax": probabilities of classes, of which a picture has one; "sigmoid": a probability for each label, of
            which a picture may have several, or none.
        confidence: How the outputs are read: calibration and thresholds. Its type goes with `outputs`.
        novelty: From which novelty on a picture is unknown; None if the graph does not compute it.
        metrics: The results of evaluating this very file, by name.
        measured_on: The pictures behind `metrics`, in words.
        measured: What they say of each class and of the scores; None if it was not measured, and on older cards.
        made_with: Versions and settings, by name.
        version: The version of the card's format.

    Example:
        card = Classifier.load("signs.onnx").card
        print(card.labels, card.metrics["top1"])
    """

    labels: tuple[str, ...]
    input: InputSpec
    scheme: str
    about: str = ""
    dataset: str = ""
    split: str = ""
    outputs: Outputs = "softmax"
    confidence: Confidence | SeveralLabels = field(default_factory=Confidence)
    novelty: NoveltyLimit | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    measured_on: str = ""
    made_with: Mapping[str, str] = field(default_factory=dict)
    version: int = CARD_VERSION
    measured: Measured | None = None

    def __post_init__(self) -> None:
        """Check that labels are distinct and printable. Raises ModelError."""
        if len(self.labels) < (2 if self.novelty is None else 1):
            raise ModelError(f"a classifier needs at least 2 labels, the card has {len(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            twice = sorted({label for label in self.labels if self.labels.count(label) > 1})
            raise ModelError(f"labels must be unique, the card has {twice[0]!r} twice")
        for label in self.labels:
            if not is_printable_line(label):
                raise ModelError(f"a label must be a text on one line, the card has {label!r}")
        if type(self.confidence) is not READ_AS.get(self.outputs):
            raise ModelError(f"outputs {self.outputs!r}: expected {' or '.join(READ_AS)} with the confidence that goes with it")
        if isinstance(self.confidence, SeveralLabels) and len(self.confidence.thresholds) != len(self.labels):
            found = len(self.confidence.thresholds)
            raise ModelError(f"expected a threshold for each of {len(self.labels)} labels, the card has {found}")

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels, or none."""
        return self.outputs == "sigmoid"

    @property
    def uncalibrated(self) -> ModelCard:
        """The card with the confidence that changes nothing."""
        return self.read_as(SeveralLabels.even(len(self.labels)) if self.multi_label else Confidence())

    def read_as(self, confidence: Confidence | SeveralLabels) -> ModelCard:
        """Return the card with another confidence, and the outputs and the version that go with it."""
        outputs: Outputs = "sigmoid" if isinstance(confidence, SeveralLabels) else "softmax"
        version = max(self.version, SEVERAL_LABELS_VERSION) if outputs == "sigmoid" else self.version
        return dataclasses.replace(self, outputs=outputs, confidence=confidence, version=version)

    def unknown(self, answers: Answers) -> NDArray[np.bool_]:
        """Return whether each picture is of no class, (N,), given calibrated answers: no label stands out, or it is too new."""
        unsure = self.confidence.unknown(answers.probabilities)
        return unsure if answers.novelty is None or self.novelty is None else unsure | self.novelty.exceeded(answers.novelty)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the card as JSON with sorted keys."""
        fields = dataclasses.asdict(self)
        if self.measured is None:  # the card of an older model stays the same text, of which others keep a hash
            del fields["measured"]
        return dumps(fields, sort_keys=True, indent=indent)

    @staticmethod
    def from_json(text: str, where: str) -> ModelCard:
        """Parse a card. Unknown fields are ignored, because later versions may add some.

        Args:
            text: The JSON.
            where: The name of the file, for error messages.

        Raises:
            ModelError: The text is not a card, or its version is newer than this edgecls.
        """
        fields = read_fields(text, where, _KINDS, version=SEVERAL_LABELS_VERSION, fix=FIX)
        read_as = READ_AS.get(fields.get("outputs", "softmax"), Confidence)
        with building_card(where, FIX):
            novelty, measured = fields.get("novelty"), fields.get("measured")
            return ModelCard(
                **{
                    **known(ModelCard, fields),
                    "labels": tuple(fields["labels"]),
                    "input": InputSpec(**known(InputSpec, fields["input"])),
                    "confidence": read_as(**_tuples(known(read_as, fields.get("confidence", {})))),
                    "novelty": NoveltyLimit(**_tuples(known(NoveltyLimit, novelty))) if novelty else None,
                    "measured": Measured.from_record(measured, len(fields["labels"])) if measured else None,
                }
            )


def family(scheme: str) -> str:
    """Return the number format of a scheme: "int8" for "int8-full-entropy"."""
    return scheme.partition("-")[0]


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields with tuples in place of lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER


_KINDS: Kinds = {
    "version": ("a whole number above 0", lambda v: type(v) is int and v > 0),
    "labels": ("a list of texts", lambda v: type(v) is list and all(type(label) is str for label in v)),
    **dict.fromkeys(("scheme", "about", "dataset", "split", "measured_on", "outputs"), ("a text", lambda v: type(v) is str)),
    "metrics": ("a table of numbers", lambda v: type(v) is dict and all(map(_is_number, v.values()))),
    "made_with": ("a table of texts", lambda v: type(v) is dict and all(type(text) is str for text in v.values())),
    "input": ("a table", lambda v: type(v) is dict),
    "confidence": ("a table", lambda v: type(v) is dict),
    "novelty": ("a table or null", lambda v: v is None or type(v) is dict),
    "measured": ("a table or null", lambda v: v is None or type(v) is dict),
    "novelty.method": ("a text", lambda v: type(v) is str),
    **dict.fromkeys(("novelty.limit", "novelty.kept"), ("a number", _is_number)),
    "novelty.quantiles": ("a list of numbers", lambda v: type(v) is list and all(map(_is_number, v))),
    "input.height": ("a whole number", lambda v: type(v) is int),
    "input.width": ("a whole number", lambda v: type(v) is int),
    **dict.fromkeys(("input.color", "input.fit", "input.interpolation"), ("a text", lambda v: type(v) is str)),
    **dict.fromkeys((f"confidence.{f.name}" for f in dataclasses.fields(Confidence)), ("a number", _is_number)),
    "confidence.thresholds": ("a list of numbers", lambda v: type(v) is list and all(map(_is_number, v))),
}
