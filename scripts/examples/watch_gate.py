"""Watch a gate, a barrier or a parking bay, and call a function when its state has reliably changed.

python watch_gate.py gate.onnx rtsp://camera/1 --zone 0.4 0.2 0.1 0.3

The label of a single frame may be wrong. A state begins when most frames of the last second agree with a score of 0.8 or more,
and ends when most of them no longer do.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import edgecls

if TYPE_CHECKING:
    from collections.abc import Callable


def on_change(event: edgecls.Event) -> None:
    """Act on a change: switch a relay, call a service, send a message. Called when a state begins and when it ends."""
    if event.end is None:
        print(f"{when(event.start)}  {event.label}", flush=True)
    else:
        print(f"{when(event.end)}  {event.label} ended after {event.duration_s:.2f} s", flush=True)


def watch(
    model: str, source: str, rectangle: list[float], rule: edgecls.StateSettings, call: Callable[[edgecls.Event], None]
) -> None:
    """Classify the zone in every frame and call `call` with each change, until the video ends or Ctrl-C.

    A lost camera is reported on stderr. A state ends if it has not been seen for 10 s.
    """
    x, y, width, height = rectangle
    pipeline = edgecls.Pipeline(edgecls.Classifier.load(model), regions=edgecls.zones({"gate": (x, y, width, height)}))
    zone = edgecls.Zone("gate", edgecls.Polygon.rectangle(x, y, width, height), state=rule)
    events = edgecls.Events(edgecls.Rules(zones=(zone,)))
    with suppress(KeyboardInterrupt), edgecls.open_source(source) as frames:
        for result in pipeline.over(frames):
            for event in events.step(edgecls.observe(result)):
                call(event)
    for event in events.close():
        call(event)


def when(moment: edgecls.Moment) -> str:
    """Return the time of day for a camera, and the seconds for a video."""
    if moment.at_s is None:
        return f"{moment.time_s:.2f}"
    return datetime.fromtimestamp(moment.at_s).astimezone().isoformat(timespec="seconds")


def main() -> None:
    """Read the command line and watch."""
    parser = argparse.ArgumentParser(description="Report changes of a gate.")
    parser.add_argument("model", help="an .onnx file of edgecls whose labels are the states")
    parser.add_argument("source", help="a video, a URL or a camera number")
    parser.add_argument("--zone", nargs=4, type=float, required=True, metavar=("X", "Y", "W", "H"),
                        help="position in fractions of the frame")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=1.0, metavar="S", help="how long a state must be seen, in seconds (1)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # systemd stops services with SIGTERM; treat it as Ctrl-C
    try:
        watch(
            asked.model, asked.source, asked.zone, edgecls.StateSettings(enter=0.8, leave=0.5, seconds=asked.seconds), on_change
        )
    except edgecls.EdgeclsError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
