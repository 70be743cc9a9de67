"""Long recordings that are labelled in spans: which are done, and what is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgecls.archive.task import Outcome, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.archive.parts import Part, Stamp
    from edgecls.archive.recordings import Recording


@dataclass
class Split:
    """One recording that is labelled in spans. `missing` are the tasks of those that are not done, `parts` those that
    are.
    """

    recording: Recording
    outcome: Outcome
    missing: set[Task] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, recording: Recording, outcome: Outcome, there: Sequence[tuple[Part, Stamp]]) -> Split:
        """Return what is missing of a recording that is to be split.

        Args:
            recording: The recording.
            outcome: How it is split.
            there: Its parts in the archive.
        """
        count = len(outcome.spans)
        done = {
            (part.index, stamp.first)
            for part, stamp in there
            if part.count == count and stamp.sha256 == outcome.sha256 and stamp.is_of(recording)
            if stamp.began_us == outcome.began_us
        }
        tasks = (
            Task(recording, span=span, sha256=outcome.sha256, began_us=outcome.began_us)
            for span in outcome.spans
            if (span.index, span.first) not in done
        )
        return cls(recording, outcome, set(tasks), [part for part, _ in there if part.count == count])

    def next_tasks(self) -> list[Task]:
        """Return the tasks that are left, in order: spans, or the last one, which joins them."""
        if self.missing:
            return sorted(self.missing, key=lambda task: 0 if task.span is None else task.span.index)
        return [Task(self.recording, began_us=self.outcome.began_us, joins=len(self.outcome.spans))]
