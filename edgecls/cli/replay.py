"""`edgecls replay`: the events that a recording of labels would have given."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.talk import say

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.frame import StateChange
    from edgecls.run.events import Events
    from edgecls.run.wire import Observation


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
    from edgecls.run.recording import read_lines
    from edgecls.run.sink import JsonlSink, check_use, open_sinks, parse_sink
    from edgecls.run.wire import Observation

    settings = read_config(config)
    for out in map(parse_sink, sink or ()):
        check_use(out, reads=["/dev/stdin" if labels == "-" else labels, config], cameras=[one.name for one in settings.camera])
    events = Events({camera.name: camera.rules for camera in settings.camera}, model=settings.model_name)
    frames = lines = 0
    with ExitStack() as stack:
        sinks = [stack.enter_context(one) for one in open_sinks(sink or (), say=say)]
        if not quiet:
            sinks.append(JsonlSink())
        for seen in chain(read_lines(labels, say=say), (None,)):
            frames += isinstance(seen, Observation)
            for event in _events_of(events, seen):
                lines += 1
                for one in sinks:
                    one.write_event(event)
    say(f"{frames} frames, {lines} lines of events")


def _events_of(events: Events, seen: Observation | StateChange | None) -> list[Event]:
    """What begins or ends with a line; None is the end."""
    from edgecls.frame import StateChange

    if seen is None:
        return events.close()
    return events.change(seen) if isinstance(seen, StateChange) else events.step(seen)
