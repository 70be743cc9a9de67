"""`edgecls summary`: summarize which labels a recording shows, when and for how long."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say, table
from edgecls.text.control import in_one_line
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.labels.stretches import Shown
    from edgecls.labels.summary import Crossings, ShadowLabels, Summary

HEADER = ("label", "share", "time", "segments", "longest", "first", "last", "score")


def summary(
    labels: Annotated[str, typer.Argument(metavar="LABELS.jsonl", help="Output of edgecls run, or - for stdin.")],
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="The rules for segments, objects and crossings; also says which of its lines are badly placed. Default: the standard rules.")] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="FILE.json", help="Write everything, including each segment, as JSON.")] = None,
    picture: Annotated[str | None, typer.Option("--picture", metavar="FILE.svg", help="Draw a timeline: a row per label, a bar per segment.")] = None,
    gap: Annotated[float, typer.Option("--gap", min=0.0, metavar="S", help="Join segments of a label that are at most this many seconds apart.")] = 0.0,
    least: Annotated[float, typer.Option("--min", min=0.0, metavar="S", help="Leave out shorter segments.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON of --out instead of the table.")] = False,
) -> None:  # fmt: skip
    """Summarize a recording of labels: which labels were shown, when and for how long, for each region of each camera.

    The rules are those for events, so a label that flickers for one frame does not count.
    """
    from edgecls.frame import MOTION
    from edgecls.labels.json_lines import event_record
    from edgecls.labels.reader import read_labels
    from edgecls.labels.summary import recorded, summarize
    from edgecls.run.config import read_config

    json_place = None if out is None else _place(out, ".json")
    picture_place = None if picture is None else _place(picture, ".svg")
    rules = {camera.name: camera.rules for camera in read_config(config).camera} if config else {}
    drifts: dict[str, Event] = {}
    crossings: dict[str, Event] = {}

    def keep(event: Event) -> None:
        if event.kind == "drift":
            drifts[event.id] = event
        elif event.kind == "crossing" and not config:
            crossings[event.id] = event

    found = summarize(read_labels(labels, say=say, on_event=keep), rules, gap_s=gap, least_s=least, say=say)
    for name in dict.fromkeys(shown.camera for shown in found.regions) if config else ():
        if name not in rules:
            say(f"camera {name} is not in {config}: the standard rules apply")
    if crossings:
        found = replace(found, crossings=recorded(crossings.values()))
        say("the crossings are those of the recording; with --config CAMERAS.toml they are counted anew, and its lines judged")
    elif not config and any(shown.region == MOTION for shown in found.regions):
        say("objects were followed; with --config CAMERAS.toml those that cross its lines are counted, and its lines judged")
    drift = [event_record(event) for event in drifts.values()]
    record = dumps({"recording": labels, **found.to_record(), "drift": drift})
    if json_place is not None:
        _write(json_place, record + "\n")
    if picture_place is not None:
        from edgecls.report.timeline import timeline

        _write(picture_place, timeline(found.regions, title=Path(labels).name))
    data(record if as_json else "\n\n".join(filter(None, (_text(found), _drift(list(drifts.values()))))))


def _place(path: str, ending: str) -> Path:
    """Check, before the work, that the output file can be written. Returns its path. Raises ConfigError."""
    from edgecls.errors import ConfigError
    from edgecls.files.advice import of_no_folder

    place = Path(path)
    if place.suffix.lower() != ending or place.is_dir():
        raise ConfigError(f"{path}: expected a file name that ends in {ending}")
    if fault := of_no_folder(place.parent):
        raise ConfigError(f"{path}: {fault}")
    return place


def _write(place: Path, content: str) -> None:
    from edgecls.files import whole_file
    from edgecls.text.strict_json import in_utf8

    with whole_file(place) as beside:
        beside.write_text(in_utf8(content), encoding="utf-8")
    say(f"{place}: written")


def _text(found: Summary) -> str:
    blocks = [_region(shown) for shown in found.regions]
    if found.crossings:
        blocks.append(_crossings(found.crossings))
    if found.lines:
        blocks.append("\n".join(in_one_line(str(line)) for line in found.lines))
    blocks += [_shadow(found.shadow)] if found.shadow else []
    return "\n\n".join(blocks)


def _region(shown: Shown) -> str:
    from edgecls.frame import WHOLE_FRAME
    from edgecls.labels.stretches import clock, of_stream

    dated = shown.first.at_s is not None and (shown.last.at_s or 0) - shown.first.at_s >= 86_400
    name = "the whole frame" if shown.region == WHOLE_FRAME else shown.region
    span = f"{clock(shown.first, dated=shown.first.at_s is not None)} to {clock(shown.last, dated=dated)}"
    title = in_one_line(f"{shown.camera}, {name}: {span}, {counted(shown.frames, 'frame')}")
    rows = [
        (
            total.label, f"{total.share:.1%}", of_stream(total.seconds), str(total.stretches), of_stream(total.longest_s),
            clock(total.first, dated=dated), clock(total.last, dated=dated), f"{total.score:.2f}",
        )
        for total in shown.totals
    ]  # fmt: skip
    return f"{title}\n{table(HEADER, rows)}" if rows else f"{title}\nno label lasted long enough"


def _shadow(found: tuple[ShadowLabels, ...]) -> str:
    """Return how far the labels of a shadow model agree, by camera and label."""
    rows = []
    for camera, label in dict.fromkeys((one.camera, one.label) for one in found):
        pairs = {one.shadow: one.crops for one in found if (one.camera, one.label) == (camera, label)}
        crops = sum(pairs.values())
        others = ", ".join(f"{name} {n}" for name, n in pairs.items() if name != label)
        rows.append((camera, label, str(crops), f"{pairs.get(label, 0) / crops:.1%}", others or "-"))
    return table(("shadow model at", "label", "crops", "agrees", "says instead"), rows)


def _crossings(found: tuple[Crossings, ...]) -> str:
    rows = [(f"{one.camera}, {one.line}", one.direction, one.label or "-", str(one.objects)) for one in found]
    return table(("line", "to", "label", "crossings"), rows)


def _drift(found: list[Event]) -> str:
    """Return a table of the drift that the run has reported; empty if there was none."""
    from edgecls.labels.stretches import clock

    rows = [
        (
            f"{one.camera}, {one.region}", one.label, f"{one.score:.2f}", clock(one.start, dated=one.start.at_s is not None),
            "lasts" if one.end is None else clock(one.end, dated=one.end.at_s is not None),
        )
        for one in found
    ]  # fmt: skip
    return table(("drift", "likely cause", "size", "from", "to"), rows) if rows else ""
