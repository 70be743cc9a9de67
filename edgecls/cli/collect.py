"""`edgecls collect`: keep pictures of cameras, for the first model."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.interrupt import Interrupt
from edgecls.cli.messages import say, status
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.regions.geometry import Polygon
    from edgecls.run.collecting import Collecting

STATUS_EVERY_S = 0.5
SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def collect(
    out: Annotated[str, typer.Option(metavar="STORE", help="The folder of the store; it is created if it does not exist.", rich_help_panel="What to keep")],
    camera: Annotated[list[str] | None, typer.Option("--camera", "-c", metavar="[NAME=]N", help="A camera, by number or device such as /dev/video0, with an optional name; may be repeated.", rich_help_panel="What to read")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", "-s", metavar="[NAME=]WHERE", help="A video, a folder of pictures, a camera device or a URL (rtsp, http ...), with an optional name; may be repeated.", rich_help_panel="What to read")] = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", "-z", metavar="NAME=X,Y,W,H", help="Keep this part of the frame, in fractions of its width and height; may be repeated. Default: the whole frame.", rich_help_panel="What to keep")] = None,
    private: Annotated[list[str] | None, typer.Option("--private", metavar="X,Y,W,H", help="Black out this part of the frame before anything is kept, in fractions of its width and height; may be repeated.", rich_help_panel="What to keep")] = None,
    every: Annotated[str, typer.Option(metavar="TIME", help="Time between two pictures of a zone, such as 30s, 5m or 1h.", rich_help_panel="What to keep")] = "10s",
    only_moving: Annotated[bool, typer.Option("--only-moving", help="Keep pictures only while something moves.", rich_help_panel="What to keep")] = False,
    unlike: Annotated[int, typer.Option(min=1, max=32, metavar="BITS", help="A picture is kept if it differs from each one that is kept in so many of the 64 bits of a perceptual hash, or as much by its embedding.", rich_help_panel="What to keep")] = 8,
    per_day: Annotated[int, typer.Option(min=1, metavar="N", help="The most pictures of a camera in a day; a fifth of them is chosen at random.", rich_help_panel="What to keep")] = 200,
    most: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many pictures.", rich_help_panel="What to keep")] = None,
    most_gb: Annotated[float | None, typer.Option(metavar="GB", help="The most that the store may take; the oldest pictures without a label make room.", rich_help_panel="What to keep")] = None,
) -> None:  # fmt: skip
    """Keep pictures of cameras that are unlike each other, to label and learn from. Needs no model; Ctrl-C ends it."""
    from dataclasses import replace

    from edgecls.regions.regions import parse_zones
    from edgecls.run.collecting import UNAIDED, Collecting
    from edgecls.sink import QuotaSettings
    from edgecls.source import ReadingSettings, as_camera

    sources = [*map(as_camera, camera or ()), *(source or ())]
    if not sources:
        raise typer.BadParameter("expected --camera or --source, such as --camera 0 or --source rtsp://host/stream")
    choice = replace(UNAIDED, per_day=per_day, unlike=unlike, apart_s=_seconds(every))
    reading = ReadingSettings(private=tuple(_area(text) for text in private or ()))
    quota = None if most_gb is None else QuotaSettings(most_gb=most_gb)
    with Interrupt() as interrupt:
        interrupt.wait_for(_build_network)
        opened = interrupt.wait_for(
            lambda: Collecting(
                sources,
                out,
                zones=parse_zones(zone or ()),
                choice=choice,
                only_moving=only_moving,
                quota=quota,
                reading=reading,
                say=say,
            )
        )
        if opened is not None:
            with opened as collecting:
                _loop(collecting, interrupt, most)
            label = f"; give them labels with: edgecls label {out}" if collecting.kept else ""
            say(f"{out}: {counted(collecting.kept, 'picture')} kept{label}")
    raise typer.Exit(interrupt.exit_code)


def _build_network() -> None:
    """Build the network that tells which pictures are alike, where its package is installed. It is kept in the user's cache."""
    from edgecls.errors import EdgeclsError
    from edgecls.learn.backbone import open_backbone

    with suppress(EdgeclsError):  # without it, pictures are compared by their perceptual hashes
        open_backbone()


def _loop(collecting: Collecting, interrupt: Interrupt, most: int | None) -> None:
    """Take frames until the end, enough pictures, or a signal."""
    shown, frames = 0.0, 0
    while most is None or collecting.kept < most:
        taken = interrupt.wait_for(collecting.step)
        if not taken:
            return
        frames += taken
        if time.perf_counter() - shown >= STATUS_EVERY_S:
            shown = time.perf_counter()
            status(f"{counted(collecting.kept, 'picture')} of {counted(frames, 'frame')} kept")


def _area(text: str) -> Polygon:
    """Return the rectangle of a text such as 0.1,0,0.3,1."""
    from edgecls.errors import ConfigError
    from edgecls.regions.geometry import Polygon

    try:
        x, y, width, height = (float(part) for part in text.split(","))
        return Polygon.rectangle(x, y, width, height)
    except ConfigError as error:
        raise typer.BadParameter(f"--private {text}: {error}") from error
    except ValueError as error:
        raise typer.BadParameter(f"--private {text}: expected X,Y,W,H in fractions of the frame, such as 0,0,1,0.3") from error


def _seconds(text: str) -> float:
    """Return a time such as 30s, 5m or 1h in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if found is None or found[2] not in SECONDS:
        raise typer.BadParameter(f"--every {text}: expected a time such as 30s, 5m or 1h")
    return float(found[1]) * SECONDS[found[2]]
