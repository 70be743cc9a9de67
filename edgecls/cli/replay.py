"""`edgecls replay`: detect events in a recording of labels."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import say
from edgecls.cli.run import has_stdout
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.events.detector import Events
    from edgecls.events.observation import Observation
    from edgecls.frame import StateChange


def replay(
    labels: Annotated[str, typer.Argument(metavar="LABELS.jsonl", help="Output of edgecls run, or - for stdin.")],
    config: Annotated[str, typer.Option("--config", metavar="CAMERAS.toml", help="The zones, lines and rules to try.")],
    sink: Annotated[list[str] | None, typer.Option("--sink", metavar="KIND[:FILE]",
        help="Where else the events go; may be repeated. The sinks in the config are not used.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write nothing to stdout. For replays with sinks.")] = False,
) -> None:  # fmt: skip
    """Detect the events in a recording of labels, to tune thresholds, zones of objects and lines without a camera.

    The classified regions stay as recorded: other zones of states, or other motion settings, need the original video.
    """
    from edgecls.events.detector import Events
    from edgecls.events.observation import Observation
    from edgecls.labels.reader import read_lines
    from edgecls.run.config import read_config
    from edgecls.sink import JsonlSettings, check_use, open_sinks, parse_sink

    settings = read_config(config)
    outs = list(map(parse_sink, sink or ()))
    for out in outs:
        check_use(out, reads=["/dev/stdin" if labels == "-" else labels, config], cameras=[one.name for one in settings.camera])
    events = Events({camera.name: camera.rules for camera in settings.camera}, model=settings.model_name)
    frames = lines = 0
    with ExitStack() as stack:
        outs += [] if quiet or has_stdout(outs) else [JsonlSettings("-")]
        sinks = [stack.enter_context(one) for one in open_sinks(outs, say=say)]
        for seen in chain(read_lines(labels, say=say), (None,)):
            frames += isinstance(seen, Observation)
            for event in _events_of(events, seen):
                lines += 1
                for one in sinks:
                    one.write_event(event)
    say(f"{counted(frames, 'frame')}, {counted(lines, 'line')} of events")


def _events_of(events: Events, seen: Observation | StateChange | None) -> list[Event]:
    """Return the events that begin or end with a line; None stands for the end."""
    from edgecls.frame import StateChange

    if seen is None:
        return events.close()
    return events.change(seen) if isinstance(seen, StateChange) else events.step(seen)
