"""`edgecls replay`: the events that a recording of labels would have given."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from typing import Annotated

import typer

from edgecls.cli.talk import say


def replay(
    labels: Annotated[str, typer.Argument(metavar="LABELS.jsonl", help="Lines of edgecls run, or - for stdin.")],
    config: Annotated[str, typer.Option("--config", metavar="CAMERAS.toml", help="The zones, lines and rules to try.")],
    sink: Annotated[list[str] | None, typer.Option("--sink", metavar="KIND[:FILE]",
        help="Where the events go as well; may be repeated. Those of the config are left alone.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No lines on stdout; for replays with sinks.")] = False,
) -> None:  # fmt: skip
    """Give the events of a recording under other rules, in seconds: thresholds, zones and lines are tuned without a camera.

    What was looked at stays as it was recorded: other zones that show a state, or other motion, need the frames themselves.
    """
    from edgecls.run.config import read_config
    from edgecls.run.events import Events
    from edgecls.run.recording import read_labels
    from edgecls.run.sink import JsonlSink, open_sinks

    settings = read_config(config)
    events = Events({camera.name: camera.rules for camera in settings.camera}, model=settings.model_name)
    frames = lines = 0
    with ExitStack() as stack:
        sinks = [stack.enter_context(one) for one in open_sinks(sink or (), say=say)]
        if not quiet:
            sinks.append(JsonlSink())
        for seen in chain(read_labels(labels, say=say), (None,)):
            frames += seen is not None
            for event in events.close() if seen is None else events.step(seen):
                lines += 1
                for one in sinks:
                    one.write_event(event)
    say(f"{frames} frames, {lines} lines of events")
