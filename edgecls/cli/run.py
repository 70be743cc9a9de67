"""`edgecls run`: cameras and videos in, labels out."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.interrupt import Interrupt
from edgecls.cli.reload import Hangup, Reload
from edgecls.cli.talk import clear_status, say, status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.classifier import Classifier
    from edgecls.frame import StateChange
    from edgecls.run.config import Config
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.sink import Out, Sink
    from edgecls.run.site import Site
    from edgecls.run.source import Merged, Reading

STATUS_EVERY_S = 0.25
STDOUT = "jsonl:-"


def run(
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="M.onnx", help="The .onnx file to run; goes over the one of --config.")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="Cameras, zones, lines, rules and sinks from a file; gives events beside the labels.")] = None,
    camera: Annotated[list[str] | None, typer.Option("--camera", "-c", metavar="[NAME=]N", help="A camera by its number, with a name if wanted; may be repeated.")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", "-s", metavar="[NAME=]WHERE",
        help="A video file, a folder of pictures, or a URL (rtsp, http ...), with a name for the camera if wanted; may be repeated.")] = None,
    zone: Annotated[list[str] | None, typer.Option("--zone", "-z", metavar="NAME=X,Y,W,H",
        help="Classify this part of every frame, in fractions of its width and height; may be repeated.")] = None,
    sink: Annotated[list[str] | None, typer.Option("--sink", metavar="KIND[:FILE]",
        help="Where results and events go: video:out.mp4, jsonl:out.jsonl, window, clip:FOLDER, snapshot:FOLDER, csv:F, sqlite:F, mqtt://HOST/PREFIX, webhook:URL, prometheus:PORT; may be repeated.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, tensorrt, openvino, coreml or directml; what is asked for is used or the run stops. Left out: that of --config, else auto.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="CPU threads of one inference; left out: 1 for small pictures, else all cores.")] = None,
    on_mismatch: Annotated[str | None, typer.Option(metavar="WHAT", help="When the model gives other answers here than where it was exported: stop, warn or ignore. Left out: that of --config, else stop.")] = None,
    decoder: Annotated[str, typer.Option(metavar="NAME", help="auto, opencv or pyav; auto is pyav but for cameras by number.")] = "auto",
    fast_decode: Annotated[bool, typer.Option("--fast-decode", help="Leave out the loop filter of H.264 and HEVC: a fifth faster, a little blockier.")] = False,
    keyframes: Annotated[bool, typer.Option("--keyframes", help="Decode key frames only: a fraction of the work, a picture every second or so.")] = False,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take each N-th frame alone; the others are decoded but not converted.")] = 1,
    fps: Annotated[float | None, typer.Option(metavar="N", help="Take so many frames a second at most; left out: all.")] = None,
    open_timeout: Annotated[float, typer.Option(metavar="S", help="Seconds for a live source to open.")] = 10.0,
    read_timeout: Annotated[float, typer.Option(metavar="S", help="Seconds without a picture after which a live source is opened again.")] = 10.0,
    give_up_after: Annotated[float | None, typer.Option(metavar="S", help="Seconds without a picture after which a live source has ended; left out: never.")] = None,
    health: Annotated[bool, typer.Option("--health", help="Watch the cameras' pictures: while one is frozen, black, covered, defocused ... its lines say so and have no labels.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No lines on stdout; for runs with other sinks.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a broken picture of a folder instead of leaving it out.")] = False,
) -> None:  # fmt: skip
    """Classify cameras, streams, videos and folders of pictures: one JSON line a frame on stdout.

    Live sources skip to their newest frame and count what they skipped, and are opened again whenever they are lost; files
    lose nothing.
    """
    from edgecls.run.source import Reading, recognize

    for one in camera or ():
        if recognize(one)[0] != "camera":
            raise typer.BadParameter(
                f"--camera {one}: expected the number of a camera, as in 0 or gate=0; a file, folder or URL is a --source"
            )
    wheres = [*(camera or ()), *(source or ())]
    reading = Reading(
        decoder=decoder,  # type: ignore[arg-type]  # Reading checks it
        fast_decode=fast_decode, keyframes=keyframes, strict=strict, every=every, fps=fps,
        open_timeout_s=open_timeout, read_timeout_s=read_timeout, give_up_after_s=give_up_after,
    )  # fmt: skip
    _check_usage(config=config, model=model, wheres=wheres, zones=zone or (), is_usual=reading == Reading(), health=health)
    given = {"model": model, "device": device, "threads": threads, "on_mismatch": on_mismatch, "quiet": quiet or None}
    over = {name: value for name, value in given.items() if value is not None}
    with ExitStack() as stack:
        if config:
            hangup = stack.enter_context(Hangup())  # before anything takes its time: the signal would end the run
            code = _run_config(partial(_read, config, over, sink or ()), hangup)
        else:
            code = _run_sources(wheres, reading=reading, zone_texts=zone or (), sinks=sink or (), health=health, given=over)
    raise typer.Exit(code)


def _read(path: str, over: dict[str, Any], sinks: Sequence[str]) -> Config:
    """The configuration, with what the command line says over it, and lines on stdout unless it is to be quiet."""
    from edgecls.run.config import check_uses, read_config

    found = read_config(path)
    found = replace(found, **over, sinks=(*found.sinks, *sinks))
    check_uses(found, path)
    return found if found.quiet else replace(found, sinks=_with_lines(found.sinks, found.outputs))


def _with_lines(texts: Sequence[str], outs: Sequence[Out]) -> tuple[str, ...]:
    """The sinks, and lines on stdout, which may be among them already."""
    from edgecls.run.sink import parse_sink

    return tuple(texts) if parse_sink(STDOUT) in outs else (*texts, STDOUT)


def _load(model: str, *, device: str = "auto", threads: int | None = None, on_mismatch: Any = "stop") -> Classifier:
    """Load the model, say what it warns of and, where nobody asked for one, on which device it runs."""
    from edgecls import image
    from edgecls.classifier import Classifier

    image.keep_opencv_to_one_thread()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        classifier = Classifier.load(model, device=device, threads=threads, on_mismatch=on_mismatch)
    for warning in warned:
        say(f"warning: {warning.message}")
    if device == "auto":
        say(f"device {classifier.device} ({classifier.why})")
    return classifier


def _load_of(config: Config) -> Classifier:
    return _load(config.model, device=config.device, threads=config.threads, on_mismatch=config.on_mismatch)


def _run_config(read: Callable[[], Config], hangup: Hangup) -> int:
    """Run the cameras of a configuration, which is read again at SIGHUP. Returns the exit code."""
    from edgecls.run.config import check_labels
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.site import Site, open_cameras

    config = read()
    classifier = _load_of(config)
    check_labels(config, classifier.card.labels)
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())  # first in, last out: the sinks are closed under it
        opened = interrupt.wait_for(lambda: open_cameras(config, say=say))
        if opened is None:
            return interrupt.exit_code
        frames = stack.enter_context(opened)
        site = stack.enter_context(Site(config, frames, say=say))
        frames.on_state(lambda change: interrupt.undisturbed(partial(site.write_state, change)))
        pipeline = Pipeline(classifier, regions=site.regions, health=site.health)
        reload = Reload(read, _load_of, site, classifier, frames=frames, pipeline=pipeline, interrupt=interrupt)
        stack.enter_context(hangup.serving(reload))
        _loop(pipeline, frames, site.sinks, interrupt, site=site, has_lines=lambda: not site.config.quiet)
    return interrupt.exit_code


def _run_sources(
    wheres: Sequence[str], *, reading: Reading, zone_texts: Sequence[str], sinks: Sequence[str], health: bool,
    given: dict[str, Any],
) -> int:  # fmt: skip
    """Run the cameras, files and streams of the command line: labels, without events. Returns the exit code."""
    from edgecls.run.health import Health
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.regions import parse_zones, whole_frame, zones
    from edgecls.run.sink import SINKS, check_use, keep_s, open_sinks, parse_sink
    from edgecls.run.source import files_among, name_each, open_source

    is_quiet = given.pop("quiet", False)
    outs = list(map(parse_sink, sinks))
    for out in outs:
        check_use(out, reads=[given["model"], *files_among(wheres)], cameras=list(name_each(wheres)))
    classifier = _load(**given)
    spec = classifier.card.input
    outs = outs if is_quiet else list(map(parse_sink, _with_lines(sinks, outs)))
    is_seen = bool(zone_texts) or any(SINKS[out.kind].draws for out in outs)
    reading = replace(reading, needed_hw=None if is_seen else (spec.height, spec.width), keep_s=keep_s(outs))
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())  # first in, last out: the sinks are closed under it
        regions = zones(parse_zones(zone_texts)) if zone_texts else whole_frame
        opened = interrupt.wait_for(lambda: open_source(*wheres, reading=reading, say=say))
        if opened is None:
            return interrupt.exit_code
        frames = stack.enter_context(opened)
        opened_sinks = [stack.enter_context(one) for one in open_sinks(outs, say=say)]
        frames.on_state(partial(_tell, opened_sinks, interrupt))
        pipeline = Pipeline(classifier, regions=regions, health=Health() if health else None)
        _loop(pipeline, frames, opened_sinks, interrupt, site=None, has_lines=lambda: not is_quiet)
    return interrupt.exit_code


def _check_usage(
    *, config: str | None, model: str | None, wheres: Sequence[str], zones: Sequence[str], is_usual: bool, health: bool
) -> None:
    """Refuse what says nothing to run on, and what says it twice; `is_usual`: no option says how to read."""
    if config and (wheres or zones):
        raise typer.BadParameter("--camera, --source and --zone stand in the file of --config; give one or the other")
    if config and not is_usual:
        raise typer.BadParameter("how cameras are read stands in [camera.reading] in the file of --config")
    if config and health:
        raise typer.BadParameter(
            "what is looked at for health stands in [camera.health] in the file of --config; it is on without"
        )
    if not (config or wheres):
        raise typer.BadParameter("expected a --camera, a --source or a --config to read from")
    if not (config or model):
        raise typer.BadParameter("expected a --model to run")


def _tell(sinks: list[Sink], interrupt: Interrupt, change: StateChange) -> None:
    """Show a change of a camera's state and write it to every sink."""
    if change.state != "ended":  # of that its error tells, or it was a file
        say(str(change))
    for sink in sinks:
        interrupt.undisturbed(partial(sink.write_state, change))


def _loop(
    pipeline: Pipeline,
    source: Merged,
    sinks: list[Sink],
    interrupt: Interrupt,
    *,
    site: Site | None,
    has_lines: Callable[[], bool],
) -> None:
    """Write every result to every sink, and what happened where there is a site, until the end or a signal. Lines that go to the
    same screen as the status line stand above it.
    """
    from edgecls.run.meter import Meter

    meter, began, shown, is_screen = Meter(), time.perf_counter(), 0.0, sys.stdout.isatty()
    results = pipeline.over(source)
    try:
        while (result := interrupt.wait_for(lambda: next(results, None))) is not None:
            lines_on_screen = is_screen and has_lines()
            if lines_on_screen:
                clear_status()
            if site:
                site.write(result)
            else:
                for sink in sinks:
                    sink.write(result)
            now = time.perf_counter()
            meter.add(result, now)
            if lines_on_screen or now - shown >= STATUS_EVERY_S:
                shown = now
                status(meter.line((one.name for one in source.sources), now, source.skipped))
            if any(sink.done for sink in sinks):
                break
        if site:
            site.finish()
    finally:
        frames, seconds = sum(meter.frames.values()), time.perf_counter() - began
        say(f"{frames} frames in {seconds:.1f} s ({frames / max(seconds, 1e-9):.1f} fps), {source.skipped} skipped")
