"""Find the events of a recording whose spans were labelled by several workers: from its labels, in order, without a picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.archive.event_rows import EventRows
from edgecls.archive.parts import PartWriter, load_parquet, part_of, read_stamp
from edgecls.archive.schema import EVENTS, observations
from edgecls.archive.task import Job, Outcome, Task
from edgecls.events.detector import Events

if TYPE_CHECKING:
    from collections.abc import Callable


def join(job: Job, task: Task, tell: Callable[[int], None]) -> Outcome:
    """Write the events of a recording whose labels are all there. With them it is done. Raises SinkError."""
    _, pq = load_parquet()
    recording = task.recording
    parts = [part_of(Path(job.out), recording, task.began_us, i, task.joins) for i in range(task.joins)]
    stamps = [read_stamp(part.labels) for part in parts]
    found = Events({recording.camera: job.rules_of(recording.camera).rules}, model=job.config.model_name)
    with PartWriter(parts[0].events, EVENTS) as writer:
        events = EventRows(writer, task.began_us)
        for part in parts:
            with pq.ParquetFile(part.labels) as file:
                for i in range(file.num_row_groups):
                    tell(0)
                    for seen in observations(recording.camera, recording.address, file.read_row_group(i).to_pylist()):
                        events.add(found.step(seen))
        events.add(found.close())
        events.end()
        frames, media_s = sum(stamp.frames for stamp in stamps), max(stamp.media_s for stamp in stamps)
        writer.finish(replace(stamps[0], frames=frames, first=0, media_s=media_s))
    return Outcome("done", 0, writer.count, media_s, parts=tuple(str(part.labels) for part in parts))
