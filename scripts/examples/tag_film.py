"""Tag the scenes of a film: write a table, a timeline picture and chapters.

python tag_film.py scenes.onnx film.mp4
ffmpeg -i film.mp4 -i film.chapters.txt -map_metadata 1 -map_chapters 1 -codec copy with-chapters.mp4

Scenes shorter than --least are left out. Interruptions shorter than --gap are ignored.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import edgecls


def tag(model: str, film: str, *, fps: float, gap_s: float, least_s: float) -> edgecls.Shown:
    """Return the scenes of a film. Classifies `fps` frames per second, until the film ends or Ctrl-C."""
    pipeline = edgecls.Pipeline(edgecls.Classifier.load(model))
    seen: list[edgecls.Observation] = []
    with suppress(KeyboardInterrupt), edgecls.open_source(film, reading=edgecls.ReadingSettings(fps=fps)) as frames:
        seen.extend(map(edgecls.observe, pipeline.over(frames)))  # extend keeps those before Ctrl-C
    if not seen:
        raise edgecls.DataError(f"{film}: stopped before its first frame")
    (shown,) = edgecls.summarize(seen, gap_s=gap_s, least_s=least_s).regions
    return shown


def chapters(shown: edgecls.Shown) -> str:
    """Return the segments as chapters in FFmpeg's FFMETADATA format. Each lasts until the next one."""
    ends = [stretch.start for stretch in shown.stretches[1:]] + [shown.last]
    text = ";FFMETADATA1\n"
    for stretch, end in zip(shown.stretches, ends, strict=True):
        title = re.sub(r"([=;#\\\n])", r"\\\1", stretch.label)
        text += (
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={stretch.start.time_s * 1000:.0f}\nEND={end.time_s * 1000:.0f}\ntitle={title}\n"
        )
    return text


def main() -> None:
    """Read the command line, print the tables, and write the picture and the chapters next to the film."""
    parser = argparse.ArgumentParser(description="Tag the scenes of a film.")
    parser.add_argument("model", help="an .onnx file of edgecls whose labels are scenes")
    parser.add_argument("film", help="a video file")
    parser.add_argument("--fps", type=float, default=5.0, metavar="N", help="frames per second to classify (5)")
    parser.add_argument("--gap", type=float, default=1.0, metavar="S", help="ignore shorter interruptions (1)")
    parser.add_argument("--least", type=float, default=2.0, metavar="S", help="leave out shorter scenes (2)")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    film = Path(asked.film)
    film = film if film.name.strip(".") else film.resolve()  # replace "." with the name of its folder
    try:
        picture, table = (film.with_suffix(f".{name}") for name in ("timeline.svg", "chapters.txt"))
        shown = tag(asked.model, asked.film, fps=asked.fps, gap_s=asked.gap, least_s=asked.least)
        for total in shown.totals:
            seconds = timedelta(seconds=round(total.seconds))
            print(f"{total.label:20} {total.share:6.1%}  {seconds}  in {total.stretches} scenes, up to {total.longest_s:.0f} s")
        print()
        for stretch in shown.stretches:
            start, end = (timedelta(seconds=round(moment.time_s)) for moment in (stretch.start, stretch.end))
            print(f"{start} to {end}  {stretch.label} (score {stretch.score:.2f})")
        picture.write_text(edgecls.timeline([shown], title=film.name), encoding="utf-8")
        table.write_text(chapters(shown), encoding="utf-8")
    except (edgecls.EdgeclsError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
