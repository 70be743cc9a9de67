"""What a run says of its models at one moment: the shadow's agreement, the trial of a new model, and the last step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from edgecls.run.agreement import Agreement


class Level(NamedTuple):
    """The mean score of a number of labels, and the share of `unknown`."""

    labels: int
    score: float
    unknown: float


class TrialState(NamedTuple):
    """How far the trial of a new model is.

    Attributes:
        frames: The frames with labels so far.
        of: How many the trial lasts.
        now: The level of the new model so far.
        before: The level of the model before, which it must keep.
    """

    frames: int
    of: int
    now: Level
    before: Level


class ModelState(NamedTuple):
    """The models of a run at one moment.

    Attributes:
        model: The .onnx file in use; "" if detectors name all objects.
        shadow: The .onnx file of the shadow that is running; "" if none is.
        agreement: How far both agree since they see the same crops; None without a shadow.
        cost_ms: What the shadow costs, in ms of CPU for each frame that it saw.
        trial: The trial of the model in use; None if it is on none.
        last: The last step in a line, such as "swapped: on trial for 2000 frames"; "" before the first.
        last_at_s: When that was, in seconds since 1970.
    """

    model: str
    shadow: str = ""
    agreement: Agreement | None = None
    cost_ms: float = 0.0
    trial: TrialState | None = None
    last: str = ""
    last_at_s: float | None = None
