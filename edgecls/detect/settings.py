"""The settings of a detector at a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgecls.detect.class_map import ClassMap  # noqa: TC001 - `settings.build` reads the types of the fields
from edgecls.detected import Names  # noqa: TC001
from edgecls.settings import check, check_limits, limited

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """How a detector finds the objects of a camera.

    Attributes:
        model: The .onnx file, written by `edgecls adopt --detector`.
        fps: The detector runs at most this many times per second of media time. Between its frames objects are tracked.
        score: An object begins with a box of at least this score (0..1).
        low: An object goes on with boxes of at least this score, where it is predicted (ByteTrack, Zhang et al. 2022). Such
            boxes are of objects that are partly hidden or blurred. At most `score`; the same: such boxes are dropped.
        classes: The classes that count: a list, or a table of new names such as { vehicle = ["car", "truck"] }. Default: all.
        gate: "motion" runs the detector only while something moves; objects that it found and that stand still are then looked
            at twice in `lost_s`.
        names: Where labels come from: the "classifier" classifies each box, the "detector" has named it already, or "both": the
            name of the detector and the label of the classifier, such as vehicle/van.
        classify: With names = "both", only objects with these names are classified; others keep the name. Default: all.
        around: Each box is classified twice, tightly and with this share of its longer side added on all sides. 0: tightly
            only.
        max_regions: At most this many boxes per frame, those with the highest scores.
    """

    model: str
    fps: float = limited(5.0, above=0, at_most=1000)
    score: float = limited(0.4, above=0, below=1)
    low: float = limited(0.15, above=0, below=1)
    classes: ClassMap | None = None
    gate: Literal["always", "motion"] = "always"
    names: Names = "classifier"
    classify: tuple[str, ...] = ()
    around: float = limited(0.2, at_least=0, at_most=2, unit="times the longer side")
    max_regions: int = limited(32, at_least=1, at_most=1000)

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check("model", self.model, bool(self.model.strip()), "the .onnx file of a detector")
        check_limits(self)
        check("low", self.low, self.low <= self.score, f"at most score ({self.score:g})")
        good = not self.classify or self.names == "both"
        check("classify", list(self.classify), good, f'left out with names = "{self.names}"; it is for names = "both"')


def detector_settings(given: str | Path | DetectorSettings | None, model: str | Path | None) -> DetectorSettings | None:
    """Return the settings of a detector that is given by its file: with a model both name its objects, else it does."""
    if given is None or isinstance(given, DetectorSettings):
        return given
    return DetectorSettings(str(given), names="both" if model else "detector")
