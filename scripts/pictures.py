"""Generate all pictures of README and docs in docs/pictures/, with edgecls itself on drawn scenes.

Runs the same commands that a reader would type, in a temporary folder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2

if TYPE_CHECKING:
    import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from scripts import diagram, drawn_street, gantry

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
SIGN = "sign=0.457,0.151,0.117,0.208"
STREET_S, LOOK_S, EXPLAINED_S = 8.0, 6.6, 6.0  # length of the street clip, and the times of its pictures
DEMO_STEP, DEMO_SIZE = 4, (480, 270)  # every N-th frame of the demo; size in pixels
JPEG_QUALITY = 88

STREET_RULES = """
[[camera.line]]
name = "middle"
line = [[0.5, 0.835], [0.5, 0.46]]
left = "to the left"
right = "to the right"
[[camera.zone]]
name = "pavement"
look = "objects"
area = [0.0, 0.84, 1.0, 0.16]
"""
STREET = f"""
model = "{ROOT}/models/street.onnx"
[[camera]]
name = "street"
source = "street.mp4"
{STREET_RULES}
[[camera.zone]]
name = "bay"
area = [0.74, 0.355, 0.14, 0.11]
"""
LINES = f"""
model = "{ROOT}/models/street.onnx"
[[camera]]
name = "lines"
source = "still"
[[camera.line]]
name = "good"
line = [[0.42, 0.84], [0.42, 0.46]]
left = "west"
right = "east"
[[camera.line]]
name = "bad: along the way"
line = [[0.55, 0.655], [0.8, 0.655]]
left = "1"
right = "2"
[[camera.line]]
name = "bad: at the edge"
line = [[0.985, 0.84], [0.985, 0.46]]
left = "3"
right = "4"
"""
ROAD = f"""
model = "{ROOT}/models/street.onnx"
[[camera]]
name = "road"
source = "gantry.mp4"
ignore = [[0.0, 0.0, 1.0, 0.5]]
[[camera.line]]
name = "middle of the road"
line = [[0.15, 0.75], [0.85, 0.75]]
left = "away"
right = "towards us"
[[camera.zone]]
name = "sign"
area = [0.457, 0.151, 0.117, 0.208]
"""


def main() -> None:
    """Generate all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo(folder)
        street(folder)
        lines(folder)
        report(folder)
    (PICTURES / "path.svg").write_text(diagram.path_of_a_frame(), encoding="utf-8")
    for path in sorted(PICTURES.iterdir()):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def demo(folder: Path) -> None:
    """Generate pictures of the demo: a frame, an animation, a timeline, and a sketch of zones and lines."""
    gantry.draw_clip(folder / "gantry.mp4", folder / "shown.json")
    run(folder, "run", "--model", ROOT / "models" / "signs.onnx", "--source", "gantry.mp4", "--zone", SIGN,
        "--sink", "video:seen.mp4", "--sink", "jsonl:labels.jsonl", "--quiet")  # fmt: skip
    frames = read(folder / "seen.mp4")
    save("frame.jpg", frames[50])
    animate(PICTURES / "demo.webp", [cv2.resize(f, DEMO_SIZE, interpolation=cv2.INTER_AREA) for f in frames[::DEMO_STEP]])
    run(folder, "summary", "labels.jsonl", "--picture", "timeline.svg")
    (PICTURES / "timeline.svg").write_bytes((folder / "timeline.svg").read_bytes())
    (folder / "road.toml").write_text(ROAD, encoding="utf-8")
    run(folder, "check-config", "road.toml", "--pictures", "look")
    save("sketch.jpg", cv2.imread(str(folder / "look" / "road.jpg")))


def street(folder: Path) -> None:
    """Generate the street with zones, a line and moving objects, and its debug video."""
    film(folder / "street.mp4")
    (folder / "street.toml").write_text(STREET, encoding="utf-8")
    run(folder, "run", "--config", "street.toml", "--sink", "video:street-seen.mp4", "--explain", "why", "--quiet")
    save("street.jpg", read(folder / "street-seen.mp4")[round(LOOK_S * drawn_street.FPS)])
    save("explain.jpg", read(folder / "why" / "street.mp4")[round(EXPLAINED_S * drawn_street.FPS)])


def lines(folder: Path) -> None:
    """Generate the picture of good and bad lines, with `edgecls check-config --pictures`."""
    (folder / "still").mkdir()
    cv2.imwrite(str(folder / "still" / "street.png"), drawn_street.frame(LOOK_S))
    (folder / "lines.toml").write_text(LINES, encoding="utf-8")
    run(folder, "check-config", "lines.toml", "--pictures", "look")
    save("line.jpg", cv2.imread(str(folder / "look" / "lines.jpg")))


def report(folder: Path) -> None:
    """Generate learning curves and confusion matrix from the report of a small run."""
    gantry.draw_pictures(folder / "signs", 200)
    run(folder, "train", "signs", "--out", "run", "--arch", "edge", "--epochs", "8")
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    (rules,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    charts = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    curves = [chart for chart in charts if re.search(r"<title>[^<]* over \d+ epochs", chart)]
    matrix = [chart for chart in charts if "<title>Confusion matrix" in chart]
    (PICTURES / "curves.svg").write_text(beside(curves, rules, "Learning curves"), encoding="utf-8")
    (PICTURES / "confusion.svg").write_text(beside(matrix, rules, "Confusion matrix"), encoding="utf-8")


def beside(charts: list[str], rules: str, title: str) -> str:
    """Return an SVG with charts of a page side by side, including their CSS."""
    parts, right, under = [], 0.0, 0.0
    for chart in charts:
        width, height = (float(re.search(rf'{name}="([\d.]+)"', chart)[1]) for name in (" width", " height"))  # type: ignore[index]
        parts.append(chart.replace("<svg ", f'<svg x="{right:g}" y="0" ', 1))
        right, under = right + width, max(under, height)
    size = f'viewBox="0 0 {right:g} {under:g}" width="{right:g}" height="{under:g}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{title}</title>'
    return f"{opened}<style>{rules}</style>{''.join(parts)}</svg>\n"


def run(folder: Path, *words: object) -> None:
    """Run a command of edgecls in the folder."""
    command = [sys.executable, "-m", "edgecls", *map(str, words)]
    print("+ edgecls", *words[:1], file=sys.stderr)
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL)


def film(clip: Path) -> None:
    """Write the drawn street as a video."""
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=drawn_street.FPS, options={"crf": "14", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = drawn_street.WIDTH, drawn_street.HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, drawn_street.FPS)
        for index in range(round(STREET_S * drawn_street.FPS)):
            frame = av.VideoFrame.from_ndarray(drawn_street.frame(index / drawn_street.FPS), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read(video: Path) -> list[np.ndarray]:
    """Return all frames of a video as BGR arrays."""
    with av.open(str(video)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def animate(path: Path, pictures: list[np.ndarray]) -> None:
    """Write a looping animation."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", format="webp", options={"loop": "0"}) as container:
        stream = container.add_stream("libwebp_anim", rate=Fraction(gantry.FPS, DEMO_STEP), options={"quality": "55"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def save(name: str, picture: np.ndarray) -> None:
    """Write a picture as JPEG."""
    cv2.imwrite(str(PICTURES / name), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


if __name__ == "__main__":
    main()
