"""The clip of the demo: a camera watches a variable speed-limit sign on a gantry by day, at dusk and at night.

python scripts/gantry.py draw CLIP.mp4 TRUTH.json     draw the clip, and write what it shows when
python scripts/gantry.py pictures FOLDER [--count N]  draw N (200) labelled pictures of each sign, as FOLDER/LABEL/000.png ...
python scripts/gantry.py zone                         print the --zone of the sign
python scripts/gantry.py check SEEN.jsonl TRUTH.json  compare labels with the truth; exits with 1 if they differ
"""

from __future__ import annotations

import itertools
import json
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, FPS = 640, 360, 25
SIGN_X, SIGN_Y, SIGN_RADIUS = 330, 92, 30
MARGIN = 1.25  # of the zone around the sign, as in the training pictures
PANEL = 125  # gray level behind the sign
SCENES = (  # label, seconds, light (1 = noon), noise (gray levels), shake (pixels)
    ("speed limit 120", 4.0, 1.00, 2.0, 0.0),
    ("speed limit 100", 3.0, 0.95, 3.0, 1.5),
    ("speed limit 80", 4.0, 0.60, 5.0, 0.5),
    ("speed limit 60", 3.0, 0.35, 8.0, 1.0),
    ("speed limit 80", 3.0, 0.30, 14.0, 2.0),
    ("speed limit 100", 3.0, 0.55, 6.0, 2.5),
    ("speed limit 120", 4.0, 0.90, 3.0, 0.5),
)
SHORTEST_S = 0.4  # shorter labels are flicker
LARGEST_DELAY_S = 0.2  # between a change of the sign and of the label
LEAST_RIGHT = 0.98  # share of correct frames


def draw_clip(clip: Path, truth: Path) -> None:
    """Draw every frame, encode them as H.264, and write what the sign shows when."""
    rng = np.random.default_rng(7)
    shown = []
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        index = 0
        for label, seconds, light, noise, shake in SCENES:
            shown.append({"label": label, "start_s": index / FPS, "end_s": index / FPS + seconds})
            for _ in range(round(seconds * FPS)):
                picture = _frame(index, label.split()[-1], light, noise, shake, rng)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts = index
                container.mux(stream.encode(frame))
                index += 1
        container.mux(stream.encode(None))
    truth.write_text(json.dumps({"frames": index, "shown": shown}, indent=1) + "\n", encoding="utf-8")


def draw_pictures(folder: Path, count: int) -> None:
    """Write `count` pictures of each sign to folder/LABEL/000.png ..., cropped like the zone, in the light of all scenes."""
    rng = np.random.default_rng(11)
    for label in sorted({scene[0] for scene in SCENES}):
        (folder / label).mkdir(parents=True, exist_ok=True)
        seen = sign(label.split()[-1])
        for index in range(count):
            light, noise, shake = rng.uniform(0.3, 1.0), rng.uniform(2, 14), rng.uniform(0, 2.5)
            picture = _as_seen(seen, light, noise, shake, rng)
            cv2.imwrite(str(folder / label / f"{index:03}.png"), picture)


def zone() -> str:
    """Return the zone around the sign for `edgecls run --zone`."""
    half = SIGN_RADIUS * MARGIN
    x, y = (SIGN_X - half) / WIDTH, (SIGN_Y - half) / HEIGHT
    return f"sign={x:.4f},{y:.4f},{2 * half / WIDTH:.4f},{2 * half / HEIGHT:.4f}"


def check(seen: Path, truth: Path) -> bool:
    """Print the labels next to what was shown. Returns whether they agree."""
    told = json.loads(truth.read_text(encoding="utf-8"))
    records = [json.loads(line) for line in seen.read_text(encoding="utf-8").splitlines()]
    lines = [record for record in records if "frame" in record]  # the others are events of the zone
    shown = told["shown"]
    runs = [(label, list(group)) for label, group in itertools.groupby(lines, key=lambda line: line["label"])]
    lasting = [(label, group[0]["time_s"]) for label, group in runs if len(group) >= SHORTEST_S * FPS]
    found = [next(group) for _, group in itertools.groupby(lasting, key=lambda run: run[0])]
    right = sum(line["label"] == _shown_at(shown, line["time_s"]) for line in lines)
    print(f"{'shown':18} {'from':>7}   {'seen':18} {'from':>7}")
    for truth_row, found_row in itertools.zip_longest(shown, found):
        left = f"{truth_row['label']:18} {truth_row['start_s']:6.2f} s" if truth_row else " " * 27
        print(f"{left}   {found_row[0]:18} {found_row[1]:6.2f} s" if found_row else f"{left}   nothing")
    print(f"{len(lines)} of {told['frames']} frames classified, {right / max(1, len(lines)):.2%} of them right")
    return (
        len(lines) == told["frames"]
        and [label for label, _ in found] == [row["label"] for row in shown]
        and all(abs(at - row["start_s"]) <= LARGEST_DELAY_S for (_, at), row in zip(found, shown, strict=True))
        and right >= LEAST_RIGHT * len(lines)
    )


def _shown_at(shown: list[dict], time_s: float) -> str | None:
    return next((row["label"] for row in shown if row["start_s"] - 1e-6 <= time_s < row["end_s"] - 1e-6), None)


def _frame(index: int, number: str, light: float, noise: float, shake: float, rng: np.random.Generator) -> np.ndarray:
    picture = _road(index)
    _gantry(picture, number)
    return _as_seen(picture, light, noise, shake, rng)


def _as_seen(picture: np.ndarray, light: float, noise: float, shake: float, rng: np.random.Generator) -> np.ndarray:
    """Return the picture as uint8 in this light, with noise and camera shake."""
    dark = np.float32([1.0, 0.92, 0.85] if light < 0.7 else [1.0, 1.0, 1.0])  # dusk is bluish
    picture = picture * (np.float32(light) * dark)
    if shake:
        right, down = rng.uniform(-shake, shake, 2)
        height, width = picture.shape[:2]
        moved = np.float64([[1, 0, right], [0, 1, down]])
        picture = cv2.warpAffine(picture, moved, (width, height), borderMode=cv2.BORDER_REPLICATE)
    grain = rng.standard_normal(picture.shape, np.float32)
    cv2.scaleAdd(grain, noise, picture, dst=grain)
    return cv2.convertScaleAbs(cv2.max(grain, 0))


def _road(index: int) -> np.ndarray:
    """Draw sky, meadow, and a road to the horizon with two cars."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.float32)
    picture[:] = np.linspace((235, 200, 160), (245, 230, 215), HEIGHT)[:, None]
    horizon = 190
    picture[horizon:] = (70, 120, 90)
    cv2.fillPoly(picture, [np.int32([(290, horizon), (350, horizon), (620, HEIGHT), (20, HEIGHT)])], (95, 95, 95))
    for lane in (0.33, 0.67):
        for k in range(6):
            near = (k + (index * 0.08) % 1) / 6
            far = near + 0.07
            a, b = (_on_road(lane, d, horizon) for d in (near, min(far, 1)))
            cv2.line(picture, a, b, (230, 230, 230), 1 + int(4 * near), cv2.LINE_AA)
    for lane, phase, color in ((0.17, 0.0, (60, 60, 190)), (0.83, 0.5, (170, 120, 50))):
        depth = ((index / 90 + phase) % 1) ** 2
        x, y = _on_road(lane, depth, horizon)
        w = int(6 + 70 * depth)
        cv2.rectangle(picture, (x - w // 2, y - w // 2), (x + w // 2, y), color, -1)
        cv2.rectangle(picture, (x - w // 3, y - int(w * 0.8)), (x + w // 3, y - w // 2), tuple(c * 0.6 for c in color), -1)
    return picture


def _on_road(across: float, depth: float, horizon: int) -> tuple[int, int]:
    """Return a point on the road: `across` from 0 (left) to 1, `depth` from 0 (horizon) to 1 (camera)."""
    left, right = 290 + (20 - 290) * depth, 350 + (620 - 350) * depth
    return int(left + (right - left) * across), int(horizon + (HEIGHT - horizon) * depth)


def _gantry(picture: np.ndarray, number: str) -> None:
    steel = (120, 118, 115)
    for x in (60, 580):
        cv2.rectangle(picture, (x - 6, 60), (x + 6, 300), steel, -1)
    cv2.rectangle(picture, (54, 52), (586, 66), steel, -1)
    cv2.rectangle(picture, (SIGN_X - 46, SIGN_Y - 44), (SIGN_X + 46, SIGN_Y + 44), (PANEL,) * 3, -1)
    picture[SIGN_Y - 40 : SIGN_Y + 40, SIGN_X - 40 : SIGN_X + 40] = sign(number)


def sign(number: str) -> np.ndarray:
    """Return a speed-limit sign on a gray panel, (80, 80, 3), drawn large and shrunk for smooth edges."""
    scale = 8
    side = 80 * scale
    big = np.full((side, side, 3), PANEL, np.uint8)
    center, radius = (side // 2, side // 2), SIGN_RADIUS * scale
    cv2.circle(big, center, radius, (30, 25, 160), -1)
    cv2.circle(big, center, int(radius * 0.76), (225, 225, 225), -1)
    height = radius * 0.78
    width = height * (0.48 if len(number) == 2 else 0.38)
    thick = int(height * (0.17 if len(number) == 2 else 0.13))
    gap = width * (0.42 if len(number) == 2 else 0.60)
    total = len(number) * width + (len(number) - 1) * gap
    for i, digit in enumerate(number):
        left = center[0] - total / 2 + i * (width + gap)
        _digit(big, digit, (left, center[1] - height / 2), (width, height), thick)
    return cv2.resize(big, (80, 80), interpolation=cv2.INTER_AREA).astype(np.float32)


def _digit(picture: np.ndarray, digit: str, corner: tuple[float, float], size: tuple[float, float], thick: int) -> None:
    """One digit as strokes: ellipses (center, axes, from, to in degrees) and lines, in fractions of its box."""
    ellipses = {
        "0": [((0.5, 0.25), (0.5, 0.25), 180, 360), ((0.5, 0.75), (0.5, 0.25), 0, 180)],
        "2": [((0.5, 0.29), (0.48, 0.29), 170, 395)],
        "6": [((0.5, 0.69), (0.5, 0.31), 0, 360), ((0.98, 0.66), (0.98, 0.66), 180, 262)],
        "8": [((0.5, 0.25), (0.43, 0.25), 0, 360), ((0.5, 0.73), (0.5, 0.27), 0, 360)],
    }
    lines = {
        "0": [((0.0, 0.25), (0.0, 0.75)), ((1.0, 0.25), (1.0, 0.75))],
        "1": [((0.20, 0.22), (0.58, 0.0)), ((0.58, 0.0), (0.58, 1.0))],
        "2": [((0.89, 0.46), (0.02, 1.0)), ((0.02, 1.0), (1.0, 1.0))],
    }
    (left, top), (width, height) = corner, size

    def at(point: tuple[float, float]) -> tuple[int, int]:
        return int(left + point[0] * width), int(top + point[1] * height)

    for middle, (a, b), start, end in ellipses.get(digit, ()):
        cv2.ellipse(picture, at(middle), (int(a * width), int(b * height)), 0, start, end, (20, 20, 20), thick)
    for a, b in lines.get(digit, ()):
        cv2.line(picture, at(a), at(b), (20, 20, 20), thick)


def main() -> int:
    """Run the command in the arguments."""
    match sys.argv[1:]:
        case ["draw", clip, truth]:
            draw_clip(Path(clip), Path(truth))
        case ["pictures", folder]:
            draw_pictures(Path(folder), 200)
        case ["pictures", folder, "--count", count]:
            draw_pictures(Path(folder), int(count))
        case ["zone"]:
            print(zone())
        case ["check", seen, truth]:
            agree = check(Path(seen), Path(truth))
            print("the labels agree with what was shown" if agree else "the labels differ from what was shown")
            return 0 if agree else 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
