"""What whoever looks at the page should know of the run besides its cameras, in sentences, while it lasts.

A sink that delivers nothing, such as one whose broker is gone or whose disk is full; a cameras.toml that could not be reloaded;
and for a minute that another model is in place.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.text.redaction import public_text

if TYPE_CHECKING:
    from edgecls.run.run import Run

SWAPPED_S = 60.0
"""How long another model is news."""


class Notices:
    """The notices of a run. Called, it returns them.

    Attributes:
        fault: Why the last reload failed; "" if it did not.
    """

    def __init__(self, run: Run, path: str | None = None) -> None:
        """Look at a run; `path` is its cameras.toml, of which notices say the name only."""
        self._path = path
        self.fault = ""
        self._run = run
        self._model = run.classifier
        self._swapped_at: float | None = None

    def __call__(self) -> list[str]:
        """Return the notices, each in one line without secrets."""
        run, now = self._run, time.monotonic()
        if run.classifier is not self._model:
            self._model, self._swapped_at = run.classifier, now
        found = [_of_sink(name, sink.trouble) for name, sink in run.named_sinks.items() if sink.trouble]
        if self.fault:
            found.append(self.fault.replace(self._path, Path(self._path).name) if self._path else self.fault)
        if self._swapped_at is not None and now - self._swapped_at < SWAPPED_S:
            found.append(f"The model in use is now {run.config.model_name}.")
        return [public_text(one) for one in found]


def _of_sink(name: str, trouble: str) -> str:
    """Return what troubles a sink, which is named unless the trouble begins with its address or file."""
    name, trouble = public_text(name), public_text(trouble)
    target = name if "://" in name else name.partition(":")[2]
    return trouble if target and trouble.startswith(target) else f"{name}: {trouble}"
