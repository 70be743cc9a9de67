"""Messages to the operator: library code passes each one, a single line of text, to a `say` function.

The command line passes a function that prints. The default is the logger "edgecls" of the standard `logging` module; Python
prints its warnings on stderr where no program has configured it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeAlias

from edgecls.text.control import visible
from edgecls.text.redaction import redact

Say: TypeAlias = Callable[[str], None]
Progress: TypeAlias = Callable[[str, float], None]
"""Called with what a long task does now, in words, and with the share of it that is done, 0..1."""

LOGGER = logging.getLogger("edgecls")


def log_warning(line: str) -> None:
    """Log a line as a warning, without secrets: what an operator should know of a run."""
    LOGGER.warning("%s", visible(redact(line)))


def log_progress(line: str) -> None:
    """Log a line of a tool that reports what it does: as a warning if it begins with "warning: ", otherwise as information."""
    text = visible(redact(line))
    warned = text.removeprefix("warning: ")
    LOGGER.log(logging.INFO if warned == text else logging.WARNING, "%s", warned)
