"""`edgecls run`: classify cameras and videos."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.hangup import Hangup, reload
from edgecls.cli.interrupt import Interrupt
from edgecls.cli.memory import TRIM_EVERY_S, limit_arenas, look_for_cycles, trim
from edgecls.cli.messages import clear_status, is_terminal, say, status
from edgecls.limits import MOST_THREADS
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edgecls.cli.supervised import Supervisor
    from edgecls.run.config import Config
    from edgecls.run.run import Run
    from edgecls.sink import SinkSettings
    from edgecls.source import ReadingSettings
    from edgecls.web.live.notices import Notices

STATUS_EVERY_S = 0.25


def run(
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="M.onnx", help="The .onnx file to run. Overrides the model in --config.", rich_help_panel="What to run")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="A file with cameras, zones, lines, rules and sinks. Also produces events.", rich_help_panel="What to run")] = None,
    camera: Annotated[list[str] | None, typer.Option("--camera", "-c", metavar="[NAME=]N", help="A camera, by number or device such as /dev/video0, with an optional name; may be repeated.", rich_help_panel="What to run")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", "-s", metavar="[NAME=]WHERE",
        help="A video, a picture, a folder of pictures, a camera device or a URL (rtsp, http ...), with an optional name; may be repeated.", rich_help_panel="What to run")] = None,
    substream: Annotated[str | None, typer.Option("--substream", metavar="WHERE", help="A smaller stream of the same camera, which is watched; --source is then decoded only where something is to be classified.", rich_help_panel="What to run")] = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", "-z", metavar="NAME=X,Y,W,H",
        help="Classify this part of every frame, in fractions of its width and height, and report when its label changes; may be repeated.", rich_help_panel="Where to look")] = None,
    line: Annotated[list[str] | None, typer.Option("--line", "-l", metavar="NAME=X1,Y1,X2,Y2",
        help="Count objects that cross this line, given in fractions of the frame. Moving objects are classified and tracked. May be repeated.", rich_help_panel="Where to look")] = None,
    motion: Annotated[bool, typer.Option("--motion", help="Classify and track moving objects instead of the whole frame.", rich_help_panel="Where to look")] = False,
    detector: Annotated[str | None, typer.Option("--detector", metavar="D.onnx", help="Find the objects to classify and track with this detector, which edgecls adopt --detector wrote. Without --model it names them too; with it, their label is both, such as vehicle/van.", rich_help_panel="Where to look")] = None,
    sink: Annotated[list[str] | None, typer.Option("--sink", metavar="KIND[:FILE]",
        help="Where results and events go: video:out.mp4, jsonl:out.jsonl, window, clip:FOLDER, snapshot:FOLDER, explain:FOLDER, collect:STORE, csv:F, sqlite:F, mqtt://HOST/PREFIX, webhook:URL, prometheus:PORT; may be repeated.", rich_help_panel="Outputs")] = None,
    explain: Annotated[str | None, typer.Option("--explain", metavar="FOLDER", help="Write a debug video of each camera: what moves, boxes, tracks with their votes, crossings.", rich_help_panel="Outputs")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml. Fails if the device is unavailable. Default: the device in --config, else auto.", rich_help_panel="Device")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=MOST_THREADS, metavar="N", help="CPU threads per inference. Default: 1 for small inputs, else all cores.", rich_help_panel="Device")] = None,
    on_mismatch: Annotated[str | None, typer.Option(metavar="WHAT", help="What to do if the model gives other answers on this machine than where it was exported: stop, warn or ignore. Default: as in --config, else stop.", rich_help_panel="Device")] = None,
    decoder: Annotated[str, typer.Option(metavar="NAME", help="auto, opencv or pyav; auto is opencv for camera numbers and devices, else pyav.", rich_help_panel="Reading")] = "auto",
    decode: Annotated[str, typer.Option(metavar="WHERE", help="software, auto, cuda, videotoolbox, qsv, v4l2m2m, ffmpeg, vaapi, rkmpp or jetson. Stops if it does not work here; auto then uses software.", rich_help_panel="Reading")] = "software",
    fast_decode: Annotated[bool, typer.Option("--fast-decode", help="Skip the loop filter of H.264 and HEVC: 20 % faster, slightly blockier.", rich_help_panel="Reading")] = False,
    keyframes: Annotated[bool, typer.Option("--keyframes", help="Decode only key frames: a fraction of the work, about one picture per second.", rich_help_panel="Reading")] = False,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Classify only every N-th frame; the others are decoded but not converted.", rich_help_panel="Reading")] = 1,
    fps: Annotated[float | None, typer.Option(metavar="N", help="Maximum frames per second. Default: all.", rich_help_panel="Reading")] = None,
    open_timeout: Annotated[float, typer.Option(metavar="S", help="Seconds to wait for a live source to open.", rich_help_panel="Reading")] = 10.0,
    read_timeout: Annotated[float, typer.Option(metavar="S", help="Seconds without a frame until a live source is reopened.", rich_help_panel="Reading")] = 10.0,
    give_up_after: Annotated[float | None, typer.Option(metavar="S", help="Seconds without a frame until a live source is given up. Default: never.", rich_help_panel="Reading")] = None,
    health: Annotated[bool, typer.Option("--health", help="Watch the pictures for faults: while a camera is frozen, black, covered, defocused ..., its lines say so and have no labels.", rich_help_panel="Where to look")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Write nothing to stdout. For runs with other sinks.", rich_help_panel="Outputs")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first broken picture in a folder instead of skipping it.", rich_help_panel="Reading")] = False,
) -> None:  # fmt: skip
    """Classify cameras, streams, videos and folders of pictures. Writes one JSON line per frame to stdout.

    Live sources skip to their newest frame, count the skipped ones, and are reopened when they are lost. No frame of a file is
    skipped.
    """
    from edgecls.source import ReadingSettings, as_camera, recognize

    limit_arenas()
    cameras = list(map(as_camera, camera or ()))
    for one in cameras:
        if recognize(one)[0] != "camera":
            raise typer.BadParameter(
                f"--camera {one}: expected a camera such as 0, gate=0 or /dev/video0; for a file, folder or URL use --source"
            )
    sources = [*cameras, *(source or ())]
    reading = ReadingSettings(
        decoder=decoder,  # type: ignore[arg-type]  # ReadingSettings validates it
        decode=decode,  # type: ignore[arg-type]
        fast_decode=fast_decode, keyframes=keyframes, strict=strict, every=every, fps=fps,
        open_timeout_s=open_timeout, read_timeout_s=read_timeout, give_up_after_s=give_up_after, substream=substream or "",
    )  # fmt: skip
    _check_usage(
        config=config,
        model=model,
        sources=sources,
        substream=substream,
        watches=bool(zone or line or motion or detector),
        detector=detector,
        is_usual=reading == ReadingSettings(),
        health=health,
    )
    overrides = _Overrides(model, device, threads, on_mismatch, quiet or None, tuple(sink or ()), explain)
    with ExitStack() as stack:
        # first of all: without a handler, SIGHUP would end the run
        hangup = stack.enter_context(Hangup()) if config else None
        if config:
            read = partial(_from_file, overrides)
        else:
            read = partial(
                _from_options, sources, overrides, zones=zone or (), lines=line or (), motion=motion, detector=detector,
                reading=reading, health=health,
            )  # fmt: skip
        code = run_config(read, hangup, config)
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class _Overrides:
    """Options that override settings of cameras.toml; None if not given. Sinks are added."""

    model: str | None
    device: str | None
    threads: int | None
    on_mismatch: str | None
    quiet: bool | None
    sinks: tuple[str, ...]
    explain: str | None

    def of(self, config: Config) -> Config:
        """Return a configuration with the given options."""
        from edgecls.sink import ExplainSettings

        values = {name: getattr(self, name) for name in ("model", "device", "threads", "on_mismatch", "quiet")}
        given = {name: value for name, value in values.items() if value is not None}
        sink = config.sink if self.explain is None else (*config.sink, ExplainSettings(self.explain))
        return replace(config, **given, sinks=(*config.sinks, *self.sinks), sink=sink)


def _from_file(overrides: _Overrides, path: str | Path) -> Config:
    """Read the configuration from a file, apply the overrides of the command line, and add stdout unless it is quiet."""
    from edgecls.run.config import check_uses, read_config
    from edgecls.settings.toml_lines import Where
    from edgecls.sink import JsonlSettings

    found = overrides.of(read_config(path))
    check_uses(replace(found, where=Where()), path)  # sinks of the command line have no line in the file
    return found if found.quiet or has_stdout(found.outputs) else replace(found, sink=(*found.sink, JsonlSettings("-")))


def _from_options(
    sources: Sequence[int | str], overrides: _Overrides, *, zones: Sequence[str], lines: Sequence[str], motion: bool, detector: str | None,
    reading: ReadingSettings, health: bool,
) -> Config:  # fmt: skip
    """Build the configuration from the options, and add stdout unless it is quiet."""
    from edgecls.detect.settings import detector_settings
    from edgecls.regions.motion import MotionSettings
    from edgecls.regions.regions import parse_lines, parse_zones
    from edgecls.run.options import from_options, with_plain_logs
    from edgecls.sink import JsonlSettings

    found = overrides.of(
        from_options(
            overrides.model or "",
            sources,
            zones=parse_zones(zones),
            lines=parse_lines(lines),
            motion=MotionSettings() if motion else None,
            detector=detector_settings(detector, overrides.model),
            reading=reading,
            health=health,
        )
    )
    if not (found.quiet or has_stdout(found.outputs)):
        found = replace(found, sink=(*found.sink, JsonlSettings("-")))
    return with_plain_logs(found)


def has_stdout(outs: Sequence[SinkSettings]) -> bool:
    """Return whether one of these sinks writes to stdout."""
    from edgecls.sink import JsonlSettings

    return any(isinstance(out, JsonlSettings) and out.path == "-" for out in outs)


def run_config(
    read: Callable[..., Config], hangup: Hangup | None, path: str | None = None, *, stays: bool = False
) -> int:  # fmt: skip
    """Run a configuration, and read it again at SIGHUP if there is a `hangup`. Returns the exit code.

    Args:
        read: Reads the configuration, given its `path` if there is one.
        hangup: Waits for SIGHUP.
        path: The cameras.toml, which a page may change.
        stays: Whether the page is served until a signal, also after the end of the run.
    """
    from edgecls.cli.page import served
    from edgecls.cli.supervised import supervisor
    from edgecls.run.run import Run

    read_again = read if path is None else partial(read, path)
    with ExitStack() as stack:
        watcher = stack.enter_context(supervisor())
        config = read_again()
        interrupt = stack.enter_context(Interrupt())  # entered early, so that it still covers the closing of the sinks
        opened = interrupt.wait_for(lambda: Run(config, say=say, shield=interrupt.undisturbed, read=read_again))
        if opened is None:
            return interrupt.exit_code
        look_for_cycles()
        run = stack.enter_context(opened)
        watcher.watch(run.vitals)
        stack.callback(watcher.stopping)
        if run.config.fleet is not None:
            from edgecls.fleet.agent import Agent

            stack.enter_context(Agent(run, run.config.fleet, bundles=run.bundles, say=say))
        page = None
        if run.config.web is not None:
            page = stack.enter_context(served(run, run.config.web, path=path, read=read))
        if hangup is not None:
            notices = None if page is None else page.notices
            stack.enter_context(hangup.serving(partial(_reload, run, read_again, notices, watcher)))
        _loop(run, interrupt)
        if stays and page is not None and interrupt.signum is None:
            page.over.set()
            run.close()
            say("the run has ended; its page stays until Ctrl-C")
            interrupt.wait_for(threading.Event().wait)
    return interrupt.exit_code


def _reload(
    run: Run, read: Callable[[], Config], notices: Notices | None, watcher: Supervisor, is_over: threading.Event
) -> None:  # fmt: skip
    """Reload the configuration of a run, and let its page and its service manager say so if that fails."""
    with watcher.reloading():
        fault = reload(run, read, is_over)
        watcher.failed(fault)
    if notices is not None:
        notices.fault = fault


def _check_usage(
    *, config: str | None, model: str | None, detector: str | None, sources: Sequence[str], substream: str | None, watches: bool,
    is_usual: bool, health: bool,
) -> None:  # fmt: skip
    """Raise BadParameter if there is no model or source, or if options conflict with --config.

    `watches` means that there is a zone, a line, motion or a detector; `is_usual` means that no option changes how sources are read.
    """
    if config and (sources or watches):
        raise typer.BadParameter(
            "--camera, --source, --zone, --line, --motion and --detector cannot be combined with --config; put them into its file"
        )
    if substream and config:
        raise typer.BadParameter("--substream cannot be combined with --config; put substream into [[camera]] of its file")
    if substream and len(sources) > 1:
        raise typer.BadParameter(
            f"--substream belongs to one camera, and there are {len(sources)}; give each its own with --config"
        )
    if config and not is_usual:
        raise typer.BadParameter("with --config, settings of how cameras are read belong in [camera.reading] of its file")
    if config and health:
        raise typer.BadParameter("--health cannot be combined with --config, where it is on by default; see [camera.health]")
    if not (config or sources):
        raise typer.BadParameter("expected --camera, --source or --config, such as --camera 0 or --source road.mp4")
    if not (config or model or detector):
        raise typer.BadParameter("expected --model, such as --model models/street.onnx; or --detector, or --config")


def _loop(run: Run, interrupt: Interrupt) -> None:
    """Write all results to all sinks until the end or a signal. Lines on a terminal appear above the status line."""
    from edgecls.cli.meter import Meter

    meter, shown, is_screen, is_watched = Meter(), 0.0, sys.stdout.isatty(), is_terminal()
    began = trimmed = time.perf_counter()
    try:
        while (result := interrupt.wait_for(run.read)) is not None:
            lines_on_screen = is_screen and not run.config.quiet
            if lines_on_screen:
                clear_status()
            run.write(result)
            now = time.perf_counter()
            meter.add(result, now)
            if lines_on_screen or (is_watched and now - shown >= STATUS_EVERY_S):
                shown = now
                status(meter.line((one.name for one in run.frames.sources), now, run.frames.skipped))
            if now - trimmed >= TRIM_EVERY_S:
                trimmed = now
                trim()
        run.finish()
    finally:
        frames, seconds = sum(meter.frames.values()), time.perf_counter() - began
        say(
            f"{counted(frames, 'frame')} in {seconds:.1f} s ({frames / max(seconds, 1e-9):.1f} fps), {run.frames.skipped} skipped"
        )
