"""Count objects that cross a line, by class, direction and interval, and write the counts to a CSV file.

python count_traffic.py models/street.onnx rtsp://camera/1 --line 0 0.6 1 0.6 --every 900 --csv counts.csv

Moving objects are tracked, and count once, when their centers cross the line. All cameras and videos share the line.
"""

from __future__ import annotations

import argparse
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
    """Yield the counts per camera and direction at the end of each interval, until the videos end or Ctrl-C."""
    backgrounds: dict[str, edgecls.Motion] = defaultdict(
        lambda: edgecls.Motion(edgecls.MotionSettings())
    )  # one for each camera
    events = edgecls.Events(rules)
    pipeline = edgecls.Pipeline(edgecls.Classifier.load(model), regions=lambda frame: backgrounds[frame.camera](frame))
    with suppress(KeyboardInterrupt), edgecls.open_source(*sources) as frames:
        for result in pipeline.over(frames):
            yield from (event for event in events.step(edgecls.observe(result)) if event.kind == "count")
    yield from (event for event in events.close() if event.kind == "count")


def when(moment: edgecls.Moment) -> str:
    """Return the time of day for a camera, and the seconds for a video."""
    if moment.at_s is None:
        return f"{moment.time_s:.2f}"
    return datetime.fromtimestamp(moment.at_s).astimezone().isoformat(timespec="seconds")


def main() -> None:
    """Read the command line, print each count and append it to the table."""
    parser = argparse.ArgumentParser(description="Count objects that cross a line.")
    parser.add_argument("model", help="an .onnx file of edgecls, such as models/street.onnx")
    parser.add_argument("source", nargs="+", help="a video, a URL or a camera number, optionally as NAME=SOURCE")
    parser.add_argument("--line", nargs=4, type=float, required=True, metavar=("X1", "Y1", "X2", "Y2"),
                        help="two points, in fractions of the frame; left is as seen from the first")  # fmt: skip
    parser.add_argument("--every", type=float, default=60.0, metavar="S", help="length of an interval in seconds (60)")
    parser.add_argument("--csv", default="counts.csv", metavar="FILE", help="the table to append to (counts.csv)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # systemd stops services with SIGTERM; treat it as Ctrl-C
    x1, y1, x2, y2 = asked.line
    try:
        if not asked.every > 0:
            raise edgecls.ConfigError(f"--every {asked.every:g}: expected more than 0 seconds")
        line = edgecls.CountingLine("line", edgecls.Line((x1, y1), (x2, y2)), left="to the left", right="to the right")
        rules = edgecls.Rules(lines=(line,), count_every_s=asked.every)
        with Path(asked.csv).open("ab") as file:  # append to an existing table
            if not file.tell():
                file.write(edgecls.csv_line(("camera", "from", "to", "direction", "label", "count")))
            for event in count(asked.model, asked.source, rules):
                span = when(event.start), when(event.end or event.start)
                counts = event.counts or {"": 0}  # write a row even if nothing has crossed
                rows = ((event.camera, *span, event.direction, label, n) for label, n in counts.items())
                file.writelines(edgecls.csv_line(row) for row in rows)  # csv_line keeps a label such as =1+1 a text
                file.flush()
                said = ", ".join(f"{n} {label}" for label, n in event.counts.items()) or "nothing"
                print(f"{event.camera}  {span[0]} to {span[1]}  {event.direction}: {said}", flush=True)
    except (edgecls.EdgeclsError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
