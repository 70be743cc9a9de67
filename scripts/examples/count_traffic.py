"""Count what crosses a line: how many of each class in each direction in each interval, printed and as CSV.

python count_traffic.py models/street.onnx rtsp://camera/1 --line 0 0.6 1 0.6 --every 900 --csv counts.csv

What moves is followed, and counts once, when its middle crosses the line. Several cameras or videos have the same line.
"""

from __future__ import annotations

import argparse
import csv
import signal
import sys
from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import edgecls

if TYPE_CHECKING:
    from collections.abc import Iterator


def count(model: str, sources: list[str], rules: edgecls.Rules) -> Iterator[edgecls.Event]:
    """Give the counts of each interval of each camera and direction as soon as it is over, until the videos end or Ctrl-C."""
    backgrounds: dict[str, edgecls.Motion] = defaultdict(lambda: edgecls.Motion(edgecls.MotionRule()))  # one for each camera
    events = edgecls.Events(rules)
    pipeline = edgecls.Pipeline(edgecls.Classifier.load(model), regions=lambda frame: backgrounds[frame.camera](frame))
    with suppress(KeyboardInterrupt), edgecls.open_source(*sources) as frames:
        for result in pipeline.over(frames):
            yield from (event for event in events.step(edgecls.observe(result)) if event.kind == "count")
    yield from (event for event in events.close() if event.kind == "count")


def when(moment: edgecls.Moment) -> str:
    """The time of day of a camera, the seconds of a video."""
    if moment.at_s is None:
        return f"{moment.time_s:.2f}"
    return datetime.fromtimestamp(moment.at_s).astimezone().isoformat(timespec="seconds")


def main() -> None:
    """Read the command line, print each count, and write it to the table at once."""
    parser = argparse.ArgumentParser(description="Count what crosses a line.")
    parser.add_argument("model", help="an .onnx file of edgecls, such as models/street.onnx")
    parser.add_argument("source", nargs="+", help="a video, an address or a camera's number; NAME= before it names it")
    parser.add_argument("--line", nargs=4, type=float, required=True, metavar=("X1", "Y1", "X2", "Y2"),
                        help="from a point to a point, in fractions of the frame; left is seen from the first")  # fmt: skip
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="seconds of an interval (60)")
    parser.add_argument("--csv", default="counts.csv", metavar="FILE", help="the table that they are added to (counts.csv)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how systemd stops a service: as Ctrl-C does
    x1, y1, x2, y2 = asked.line
    try:
        if not asked.every > 0:
            raise edgecls.ConfigError(f"--every {asked.every:g}: expected more than 0 seconds")
        gate = edgecls.Gate("line", edgecls.Line((x1, y1), (x2, y2)), left="to the left", right="to the right")
        rules = edgecls.Rules(gates=(gate,), count_every_s=asked.every)
        with Path(asked.csv).open("a", newline="", encoding="utf-8") as file:  # what is there stays: it goes on below
            table = csv.writer(file)
            if not file.tell():
                table.writerow(("camera", "from", "to", "direction", "label", "count"))
            for event in count(asked.model, asked.source, rules):
                span = when(event.start), when(event.end or event.start)
                counts = event.counts or {"": 0}  # nothing has crossed: that is worth a row
                table.writerows((event.camera, *span, event.direction, label, n) for label, n in counts.items())
                file.flush()
                said = ", ".join(f"{n} {label}" for label, n in event.counts.items()) or "nothing"
                print(f"{event.camera}  {span[0]} to {span[1]}  {event.direction}: {said}", flush=True)
    except (edgecls.EdgeclsError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
