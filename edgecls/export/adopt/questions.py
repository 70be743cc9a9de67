"""Find the settings that are still missing, to name all of them in one message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecls.errors import ConfigError
from edgecls.export.adopt.preprocessing import VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.export.adopt.preprocessing import Answers

KNOWN_ENDINGS = {"Softmax": "probabilities", "LogSoftmax": "LogSoftmax", "Sigmoid": "Sigmoid", "linear": "logits"}
"""The kind of output, by the last operator."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a network so far.

    Attributes:
        channels: The channels of its pictures; 0: unknown.
        outputs: The number of its outputs; 0: unknown.
        last: Its last operator; None: unknown.
        may_scale: Whether it may scale the levels of the picture itself.
    """

    channels: int = 0
    outputs: int = 0
    last: str | None = None
    may_scale: bool = False


def ask(where: str, missing: Sequence[str]) -> ConfigError:
    """Return the error that names the missing settings."""
    return ConfigError(f"{where}: give what the file does not contain: {'; '.join(missing)}; nothing was written")


def unsaid(answers: Answers, names: Sequence[str], known: Known, *, checked: bool) -> list[str]:
    """Return the missing settings, each with its possible values.

    Args:
        answers: What the user and the file say.
        names: The labels in the file.
        known: What is known about the network.
        checked: Whether there are check pictures, which show colour and values.
    """
    missing = []
    if not answers.labels and not names:
        count = f"{max(2, known.outputs)} labels, one per line" if known.outputs else "one label per line"
        missing.append(f"`labels=FILE` ({count}; or numbers)")
    if known.channels != 1 and not answers.color and not checked:
        missing.append("`color=rgb|bgr`" if known.channels else "`color=gray|rgb|bgr`")
    if not answers.values and not checked and not known.may_scale:
        missing.append(
            "`values=0..1|0..255`" if answers.mean or answers.std else f"`values={'|'.join(VALUES)}` (or with `mean` and `std`)"
        )
    if not answers.output and known.last is not None and known.last not in KNOWN_ENDINGS:
        missing.append(f"`output=logits|probabilities` (its last operator is {known.last or 'not known'})")
    if missing and not checked and (not answers.values or (known.channels != 1 and not answers.color)):
        missing[-1] += "; or give `check=DATA`, labelled pictures that show colour and values"
    missing += answers.missing
    return missing
