"""Watch a yard: take pictures and a clip of anyone who stays in it, and send a message to an MQTT broker.

python security_watch.py models/street.onnx rtsp://camera/1 --zone 0.1 0.3 0.8 0.7 --out alarms --mqtt mqtt://broker/yard

The clip includes 5 s before and after, in the original quality. Messages wait on disk while the broker is offline.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import edgecls


def watch(model: str, source: str, rules: edgecls.Rules, who: str, outputs: list[str]) -> None:
    """Report each object labelled `who` in the zone to all outputs, until the video ends or Ctrl-C."""
    classifier = edgecls.Classifier.load(model)
    if who not in classifier.card.labels:
        raise edgecls.ConfigError(f"{model} has no label {who!r}; expected one of {', '.join(classifier.card.labels)}")
    pipeline = edgecls.Pipeline(classifier, regions=edgecls.Motion(edgecls.MotionSettings()))  # classify only moving objects
    reading = edgecls.ReadingSettings(keep_s=edgecls.keep_s(outputs))  # keep enough packets for the clips
    with ExitStack() as stack:
        sinks = [stack.enter_context(sink) for sink in edgecls.open_sinks(outputs)]

        def heard(change: edgecls.StateChange) -> None:
            print(change, file=sys.stderr)  # the camera was lost or has come back
            for sink in sinks:
                sink.write_state(change)

        frames = stack.enter_context(edgecls.open_source(f"yard={source}", reading=reading, on_state=heard))
        events = edgecls.Events(rules, model=Path(model).stem)
        alarms: set[str] = set()

        def tell(happened: list[edgecls.Event]) -> None:
            for event in happened:
                if event.kind != "presence" or (event.label != who and event.id not in alarms):
                    continue  # an alarm also ends if its label has changed
                alarms.add(event.id)
                state = "is there" if event.end is None else f"was there for {event.duration_s:.1f} s"
                print(f"{event.start.time_s:.2f}  {event.label} {state} (score {event.score:.2f})", flush=True)
                for sink in sinks:
                    sink.write_event(event)

        with suppress(KeyboardInterrupt):
            for result in pipeline.over(frames):
                for sink in sinks:
                    sink.write(result)  # the frame first, then its events
                tell(events.step(edgecls.observe(result)))
        tell(events.close())


def main() -> None:
    """Read the command line and watch."""
    parser = argparse.ArgumentParser(description="Record and report anyone who is in a zone.")
    parser.add_argument("model", help="an .onnx file of edgecls, such as models/street.onnx")
    parser.add_argument("source", help="a video or the URL of a camera")
    parser.add_argument("--zone", nargs=4, type=float, required=True, metavar=("X", "Y", "W", "H"),
                        help="the yard, in fractions of the frame")  # fmt: skip
    parser.add_argument("--label", default="person", help="label that raises an alarm (person)")
    parser.add_argument("--dwell", type=float, default=1.0, metavar="S", help="seconds in the zone until the alarm (1)")
    parser.add_argument("--out", default="alarms", metavar="FOLDER", help="folder for pictures and clips (alarms)")
    parser.add_argument("--mqtt", metavar="mqtt://USER:PASSWORD@HOST/PREFIX", help="a broker; needs edgecls[mqtt]")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # systemd stops services with SIGTERM; treat it as Ctrl-C
    try:
        Path(asked.out).mkdir(exist_ok=True)
        outputs = [f"snapshot:{asked.out}", f"clip:{asked.out}", *([asked.mqtt] if asked.mqtt else [])]
        zone = edgecls.Zone("yard zone", edgecls.Polygon.rectangle(*asked.zone), look="objects", dwell_s=asked.dwell)
        rules = edgecls.Rules(zones=(zone,), track=edgecls.TrackSettings(anchor="bottom"))  # the feet count
        watch(asked.model, asked.source, rules, asked.label, outputs)
    except (edgecls.EdgeclsError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
