"""How a part of a run that has something to say is heard: it calls a function with one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeAlias

Say: TypeAlias = Callable[[str], None]


def say_on_stderr(line: str) -> None:
    """Print a line on stderr: the default of a library call that has something to say."""
    print(line, file=sys.stderr)  # noqa: T201 - this is the place that prints
