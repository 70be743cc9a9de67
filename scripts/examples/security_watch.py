"""Watch a yard: whoever is in it for a while is photographed and filmed, and a message goes to an MQTT broker.

python security_watch.py models/street.onnx rtsp://camera/1 --zone 0.1 0.3 0.8 0.7 --out alarms --mqtt mqtt://broker/yard

The clip begins 5 s before and ends 5 s after, as the camera sent it. Messages wait on the disk while the broker is away.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import edgecls


def watch(model: str, source: str, rules: edgecls.Rules, who: str, outputs: list[str]) -> None:
    """Tell every output of each object labelled `who` that is in the zone, until the video ends or Ctrl-C."""
    classifier = edgecls.Classifier.load(model)
    if who not in classifier.card.labels:
        raise edgecls.ConfigError(f"{model} has no label {who!r}; expected one of {', '.join(classifier.card.labels)}")
    pipeline = edgecls.Pipeline(classifier, regions=edgecls.Motion(edgecls.MotionRule()))  # only what moves is looked at
    reading = edgecls.Reading(keep_s=edgecls.keep_s(outputs))  # clips are cut from the packets that are kept so long
    with ExitStack() as stack:
        sinks = [stack.enter_context(sink) for sink in edgecls.open_sinks(outputs)]

        def heard(change: edgecls.StateChange) -> None:
            print(change, file=sys.stderr)  # the camera was lost, or is back
            for sink in sinks:
                sink.write_state(change)

        frames = stack.enter_context(edgecls.open_source(f"yard={source}", reading=reading, on_state=heard))
        events = edgecls.Events(rules, model=Path(model).stem)
        alarms: set[str] = set()

        def tell(happened: list[edgecls.Event]) -> None:
            for event in happened:
                if event.kind != "presence" or (event.label != who and event.id not in alarms):
                    continue  # an alarm ends as such, even if the object looks like something else by then
                alarms.add(event.id)
                state = "is there" if event.end is None else f"was there for {event.duration_s:.1f} s"
                print(f"{event.start.time_s:.2f}  {event.label} {state} (score {event.score:.2f})", flush=True)
                for sink in sinks:
                    sink.write_event(event)

        with suppress(KeyboardInterrupt):
            for result in pipeline.over(frames):
                for sink in sinks:
                    sink.write(result)  # first the frame, then what happened with it
                tell(events.step(edgecls.observe(result)))
        tell(events.close())


def main() -> None:
    """Read the command line and watch."""
    parser = argparse.ArgumentParser(description="Photograph, film and report whoever is in a zone.")
    parser.add_argument("model", help="an .onnx file of edgecls, such as models/street.onnx")
    parser.add_argument("source", help="a video or the address of a camera")
    parser.add_argument("--zone", nargs=4, type=float, required=True, metavar=("X", "Y", "W", "H"),
                        help="the yard, in fractions of the frame")  # fmt: skip
    parser.add_argument("--label", default="person", help="who is not to be there (person)")
    parser.add_argument("--dwell", type=float, default=1.0, metavar="S", help="seconds until it counts (1)")
    parser.add_argument("--out", default="alarms", metavar="FOLDER", help="for pictures and clips (alarms)")
    parser.add_argument("--mqtt", metavar="mqtt://USER:PASSWORD@HOST/PREFIX", help="a broker; needs edgecls[mqtt]")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how systemd stops a service: as Ctrl-C does
    try:
        Path(asked.out).mkdir(exist_ok=True)
        outputs = [f"snapshot:{asked.out}", f"clip:{asked.out}", *([asked.mqtt] if asked.mqtt else [])]
        zone = edgecls.Zone("yard zone", edgecls.Polygon.rectangle(*asked.zone), look="objects", dwell_s=asked.dwell)
        rules = edgecls.Rules(zones=(zone,), track=edgecls.TrackRule(anchor="bottom"))  # where its feet are
        watch(asked.model, asked.source, rules, asked.label, outputs)
    except (edgecls.EdgeclsError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
