"""`edgecls archive`: label a folder of recordings into tables of Parquet."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.interrupt import Interrupt
from edgecls.cli.messages import clear_status, is_terminal, say, status
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.archive.archive import Archive
    from edgecls.archive.progress import Progress
    from edgecls.run.config import Config

STATUS_EVERY_S, LINE_EVERY_S = 0.25, 60.0


def archive(
    model: Annotated[str, typer.Argument(metavar="MODEL.onnx", help="The .onnx file.")],
    places: Annotated[list[str], typer.Argument(metavar="PLACE...", help="Folders with recordings, files, patterns such as 'nas/*/*.mp4', lists of paths (.txt, or - for stdin), and addresses such as s3://bucket/folder.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="The folder of the tables. One that is there is continued: only what is missing is done.")],
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="The zones, lines and rules of each camera, by its name. Sources and sinks in it are not used.", rich_help_panel="Where to look")] = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", "-z", metavar="NAME=X,Y,W,H", help="Classify this part of every frame, in fractions of its width and height; may be repeated.", rich_help_panel="Where to look")] = None,
    line: Annotated[list[str] | None, typer.Option("--line", "-l", metavar="NAME=X1,Y1,X2,Y2", help="Count objects that cross this line, given in fractions of the frame; may be repeated.", rich_help_panel="Where to look")] = None,
    motion: Annotated[bool, typer.Option("--motion", help="Classify and track moving objects instead of the whole frame.", rich_help_panel="Where to look")] = False,
    health: Annotated[bool, typer.Option("--health", help="Watch the pictures for faults; such frames have no labels.", rich_help_panel="Where to look")] = False,
    names: Annotated[str, typer.Option("--names", metavar="PATTERN", help="Where camera and time stand in the names, such as '{camera}_%Y%m%d_%H%M%S' or '%Y-%m-%d/%H/{camera}/%M.%S.mp4'. Default: the folder is the camera, and the file says the time.", rich_help_panel="Recordings")] = "",
    timezone: Annotated[str, typer.Option("--timezone", metavar="ZONE", help="The time zone of times in the names, such as Europe/Berlin.", rich_help_panel="Recordings")] = "UTC",
    camera: Annotated[str, typer.Option("--camera", metavar="NAME", help="The camera of all recordings.", rich_help_panel="Recordings")] = "",
    retry: Annotated[bool, typer.Option("--retry", help="Also try recordings again that are listed in DIR/unreadable.jsonl.", rich_help_panel="Recordings")] = False,
    keyframes: Annotated[bool, typer.Option("--keyframes", help="Decode only key frames: a fraction of the work, about one picture per second.", rich_help_panel="Reading")] = False,
    fast_decode: Annotated[bool, typer.Option("--fast-decode", help="Skip the loop filter of H.264 and HEVC: 20 % faster, slightly blockier.", rich_help_panel="Reading")] = False,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Classify only every N-th frame.", rich_help_panel="Reading")] = 1,
    fps: Annotated[float | None, typer.Option(metavar="N", help="Maximum frames per second of media time. Default: all.", rich_help_panel="Reading")] = None,
    split: Annotated[float, typer.Option("--split", min=0, metavar="MIN", help="Cut recordings of twice this length into spans of about this many minutes, which several workers label at a time. 0: never.", rich_help_panel="Reading")] = 10.0,
    warm_up: Annotated[float, typer.Option("--warm-up", min=0, metavar="S", help="Also split recordings in which motion is watched; each span begins to watch this many seconds earlier, such as 60. About 1 frame in 100 gets other labels. 0: label them as a whole.", rich_help_panel="Reading")] = 0.0,
    workers: Annotated[int | None, typer.Option("--workers", "-w", min=1, metavar="N", help="How many recordings are labelled at a time, each by a process of its own. Default: one per core.", rich_help_panel="Device")] = None,
    on: Annotated[str, typer.Option("--on", metavar="WHERE", help="processes of this machine, or the machines of a cluster: ray, or ray://HOST:PORT.", rich_help_panel="Device")] = "processes",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml. Default: the device in --config, else auto.", rich_help_panel="Device")] = None,
    on_mismatch: Annotated[str | None, typer.Option(metavar="WHAT", help="What to do if the model gives other answers on this machine than where it was exported: stop, warn or ignore.", rich_help_panel="Device")] = None,
) -> None:  # fmt: skip
    """Label recordings into tables of Parquet: labels and events, in a folder for each camera and day.

    Run the same command again to go on after an interruption, or with new recordings. What is done is not done again.
    """
    from edgecls.archive.naming import Naming

    is_plain = not (zone or line or motion or health or keyframes or fast_decode or every != 1 or fps)
    if config and not is_plain:
        raise typer.BadParameter("with --config, where to look and how to read belong in its file")
    settings = _settings(
        model, config, zone or (), line or (), motion=motion, health=health, keyframes=keyframes, fast_decode=fast_decode,
        every=every, fps=fps, device=device, on_mismatch=on_mismatch,
    )  # fmt: skip
    naming = Naming(names, timezone, camera)
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        options = {
            "out": out,
            "config": settings,
            "naming": naming,
            "retry": retry,
            "split_s": split * 60,
            "warm_up_s": warm_up,
        }
        opened = interrupt.wait_for(lambda: _opened(on, workers, model, places, **options))
        if opened is None:
            raise typer.Exit(interrupt.exit_code)
        work = stack.enter_context(opened)
        _follow(work, interrupt)
        code = _report(work, interrupt)
    raise typer.Exit(code)


def _opened(on: str, workers: int | None, model: str, places: list[str], **options: Any) -> Archive:
    """Open the archive, after the cluster if one is to do the work."""
    from edgecls.archive.archive import Archive

    if on == "processes":
        return Archive(model, places, workers=workers, say=say, **options)
    from edgecls.archive.on_ray import RayCluster

    cluster = RayCluster(on)
    return Archive(model, places, workers=workers or cluster.cores, executor=cluster, say=say, **options)


def _report(work: Archive, interrupt: Interrupt) -> int:
    """Say what was done. Returns the exit code."""
    progress = work.progress
    say(summary(progress))
    if interrupt.signum is not None:
        left = progress.recordings - progress.done
        say(f"stopped with {counted(left, 'recording')} left; to go on, run the same command again")
        return interrupt.exit_code
    if progress.unreadable:
        say(f"error: {counted(progress.unreadable, 'recording')} could not be read, or not to the end; see {work.unreadable}")
        return 1
    return 0


def _settings(
    model: str, config: str | None, zones: list[str] | tuple[str, ...], lines: list[str] | tuple[str, ...], *, motion: bool,
    health: bool, keyframes: bool, fast_decode: bool, every: int, fps: float | None, device: str | None, on_mismatch: str | None,
) -> Config:  # fmt: skip
    """Return the rules: those of a file, or the same for all cameras."""
    from dataclasses import replace

    from edgecls.archive.rules import plain_config
    from edgecls.regions.motion import MotionSettings
    from edgecls.regions.regions import parse_lines, parse_zones
    from edgecls.run.config import read_config
    from edgecls.source import ReadingSettings

    found = read_config(config) if config else plain_config(
        model, motion=MotionSettings() if motion else None, zones=parse_zones(zones), lines=parse_lines(lines), health=health,
        reading=ReadingSettings(keyframes=keyframes, fast_decode=fast_decode, every=every, fps=fps),
    )  # fmt: skip
    given = {"device": device, "on_mismatch": on_mismatch}
    return replace(found, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def _follow(work: Archive, interrupt: Interrupt) -> None:
    """Go on until the end or a signal, and show how far it is."""
    shown = told = time.monotonic()
    while (progress := interrupt.wait_for(work.step)) is not None:
        now = time.monotonic()
        if now - shown >= STATUS_EVERY_S:
            shown = now
            status(how_far(progress))
        if not is_terminal() and now - told >= LINE_EVERY_S:
            told = now
            say(how_far(progress))
    clear_status()


def how_far(progress: Progress) -> str:
    """Return the line that says how far an archive is."""
    passed_s = max(progress.passed_s, 1e-9)
    parts = [f"{progress.done} of {counted(progress.recordings, 'recording')}"]
    parts += [f"{progress.unreadable} unreadable"] if progress.unreadable else []
    parts.append(f"{progress.frames / passed_s:.0f} fps")
    if progress.media_s:
        parts.append(f"{progress.media_s / passed_s:.0f} times real time")
    if 0.01 < progress.share < 1:
        parts.append(f"about {_duration(passed_s * (1 - progress.share) / progress.share)} left")
    return ", ".join(parts)


def summary(progress: Progress) -> str:
    """Return the last line: what was done, and how fast."""
    fps = progress.frames / max(progress.passed_s, 1e-9)
    now = progress.done - progress.before
    before = f" ({progress.before} before)" if progress.before else ""
    return (
        f"{counted(now, 'recording')}{before}, {counted(progress.frames, 'frame')}, {counted(progress.events, 'event')} in "
        f"{progress.passed_s:.1f} s ({fps:.1f} fps)"
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
