"""The settings of a shadow model, the table [shadow] of cameras.toml."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from edgecls.errors import ConfigError
from edgecls.settings import check_limits, limited
from edgecls.sink import QuotaSettings  # noqa: TC001 - `settings.build` reads the types of the fields

NEVER = "; such a rule can never hold"


@dataclass(frozen=True, slots=True)
class PromoteSettings:
    """When a shadow model takes the place of the model: after `frames` frames that both have seen, of whose labels at least the
    share `agree` is the same, and in every class at least the share `worst`.
    """

    frames: int = limited(2000, at_least=1, expected="a whole number of frames from 1 on; no frame proves nothing")
    agree: float = limited(0.98, above=0, at_most=1, expected="a share above 0 and at most 1" + NEVER)
    worst: float = limited(0.9, at_least=0, at_most=1, expected="a share from 0 to 1" + NEVER)

    def __post_init__(self) -> None:
        """Validate the shares."""
        check_limits(self)
        if self.worst > self.agree:
            raise ConfigError(
                f"worst must be at most agree ({self.agree:g}), because the worst class never agrees more than all together, "
                f"not {self.worst:g}"
            )


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How a new model proves itself: over `frames` frames with labels, the share of `unknown` may rise by at most `unknown`,
    and the mean score fall by at most `score`, else the last good model comes back. 0 frames: no trial.
    """

    frames: int = limited(2000, at_least=0, expected="a whole number of frames from 0 on")
    unknown: float = limited(0.1, at_least=0, at_most=1, expected="a share from 0 to 1")
    score: float = limited(0.1, at_least=0, at_most=1, expected="a difference of scores from 0 to 1")

    def __post_init__(self) -> None:
        """Validate the ranges."""
        check_limits(self)


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """A model that sees the same crops as the model in use, of a `share` of the frames, and changes nothing.

    In cameras.toml, `shadow = "new.onnx"` is short for `shadow = { model = "new.onnx" }`.

    Attributes:
        model: Its .onnx file.
        share: The share of the frames of each camera that it sees, above 0 and at most 1.
        store: The folder of a store, which gets pictures on which the two disagree; "": none.
        per_day: The most pictures of a camera in a day that the store gets.
        quota: How much disk space the store may take. The oldest pictures without a label make room.
        promote: When it takes the place of the model; None: never by itself.
        trial: How a new model proves itself, also one that `edgecls swap` has put in place.
    """

    TEXT_IS: ClassVar[str] = "model"
    model: str
    share: float = limited(0.1, above=0, at_most=1, expected="a share above 0 and at most 1; with 0 nothing is ever compared")
    store: str = ""
    per_day: int = limited(200, at_least=1)
    quota: QuotaSettings | None = None
    promote: PromoteSettings | None = None
    trial: TrialSettings = field(default_factory=TrialSettings)

    def __post_init__(self) -> None:
        """Validate the share and that there is a model."""
        if not self.model:
            raise ConfigError("model is empty; expected the .onnx file of the new model")
        check_limits(self)
