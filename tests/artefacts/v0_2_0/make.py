"""Make the artefacts of this folder. README.md says how to run it with the code of edgecls 0.2.0, which alone may make them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

import edgecls

SIDE = 24
LABELS = ("disc", "ring", "square")
FPS = 10
SECONDS = 9
SIGN = slice(10, 50), slice(100, 140)
"""Rows and columns of the part of the clip that shows a shape."""


def shape(label: str, rng: np.random.Generator | None = None, side: int = 40) -> np.ndarray:
    """One picture of a shape, (side, side, 3) uint8 blue-green-red: by chance, or plain in the middle."""
    picture = np.full((side, side, 3), 40 if rng is None else rng.integers(20, 80), np.uint8)
    shift, radius = ((0, 0), 12) if rng is None else (rng.integers(-4, 5, 2), int(rng.integers(9, 14)))
    x, y = (side // 2 + int(d) for d in shift)
    ink = (220, 220, 220)
    if label == "square":
        cv2.rectangle(picture, (x - radius, y - radius), (x + radius, y + radius), ink, -1)
    else:
        cv2.circle(picture, (x, y), radius, ink, -1 if label == "disc" else 3)
    return picture


def write_pictures(path: Path, each: int = 80) -> None:
    """Write an npz file in MedMNIST's layout: `each` gray pictures of a shape to train with, half as many held out."""
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    for part, number in (("train", each), ("val", each // 2)):
        drawn = [(shape(label, rng), i) for i, label in enumerate(LABELS) for _ in range(number)]
        gray = [cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., 0] for picture, _ in drawn]
        parts |= {f"{part}_images": np.stack(gray), f"{part}_labels": np.array([[i] for _, i in drawn], np.uint8)}
    np.savez_compressed(path, **parts)


def write_clip(path: Path) -> None:
    """Write a film: a sign shows disc, square, ring for 3 s each, and a light square drives by below, from left to right."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), FPS, (160, 120))
    assert writer.isOpened()
    for index in range(SECONDS * FPS):
        picture = np.full((120, 160, 3), 60, np.uint8)
        picture[::8] = 70
        picture[SIGN] = shape(("disc", "square", "ring")[index // (3 * FPS)])
        left = (index - 4 * FPS) * 5 - 30
        if left > -30:
            picture[75:105, max(0, left) : max(0, left + 30)] = 220
        writer.write(picture)
    writer.release()


CAMERAS = """\
model = "fp32.onnx"
sinks = ["jsonl:events.jsonl", "csv:events.csv"]
device = "cpu"
threads = 1
on_mismatch = "warn"
quiet = true

[[sink]]
kind = "sqlite"
path = "events.db"
keep_days = 30

[[sink]]
kind = "video"
path = "video-{camera}.mp4"
part_s = 600
quota = { most_gb = 1 }

[[sink]]
kind = "clip"
path = "clips"
cut = { pre_s = 1, post_s = 1, most_s = 20, late_s = 5, kinds = ["state", "crossing"] }
quota = { most_gb = 1, keep_free_gb = 0.001 }

[[sink]]
kind = "snapshot"
path = "snapshots"
shot = { shows = ["frame", "annotated", "crop"], quality = 80, kinds = ["crossing"] }

[[sink]]
kind = "mqtt"
to = "mqtt://user:${EDGECLS_TEST_PASSWORD}@127.0.0.1:9/edgecls"
answer_wait_s = 5

[[sink]]
kind = "webhook"
to = "http://127.0.0.1:9/hook#secret=${EDGECLS_TEST_PASSWORD}"
timeout_s = 2

[[sink]]
kind = "prometheus"
to = "127.0.0.1:0"

[[camera]]
name = "gate"
source = "clip.avi"
count_every_s = 5
ignore = [[[0.6, 0.0], [0.9, 0.0], [0.9, 0.45], [0.6, 0.45]]]

[[camera.zone]]
name = "sign"
area = [0.625, 0.08334, 0.25, 0.33333]

[camera.zone.state]
enter = 0.6
leave = 0.4
seconds = 0.5
frames = 3
share = 0.6
dwell_s = 0.5

[[camera.zone]]
name = "road"
area = [[0.0, 0.55], [1.0, 0.55], [1.0, 0.95], [0.0, 0.95]]
look = "objects"
dwell_s = 1

[[camera.line]]
name = "stop line"
line = [[0.5, 0.5], [0.5, 1.0]]
left = "east"
right = "west"
labels = ["disc", "ring", "square"]

[camera.track]
overlap = 0.2
frames = 3
settle = 5
lost_s = 0.5
anchor = "middle"
ignore = []

[camera.motion]
method = "mog2"
width = 160
smallest = 0.005
largest = 0.5
history_s = 30
warm_up_s = 1
around = 0.2

[camera.health]
frozen_s = 60
black_s = 2
ignore = ["moved"]
warm_up_s = 2

[camera.reading]
decoder = "pyav"
strict = false
every = 1
open_timeout_s = 5
read_timeout_s = 5

[[camera]]
name = "yard"
source = "clip.avi"
when = "motion"

[camera.state]
enter = 0.5
cooldown_s = 1
hold_s = 5
unknown = "ignore"

[camera.health]
off = true
"""


AWAY = """
[[camera]]
name = "away"
source = "http://127.0.0.1:9/a.mjpg"

[camera.reading]
give_up_after_s = 1
"""


def run(*arguments: str, folder: Path, exit_code: int = 0, **environment: str) -> str:
    """Run the command line in a folder. Returns what it prints on stdout."""
    command = [sys.executable, "-m", "edgecls", *arguments]
    done = subprocess.run(
        command, cwd=folder, check=False, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == exit_code
    return done.stdout


def main(folder: Path) -> None:
    """Make everything in `folder`."""
    assert edgecls.__version__ == "0.2.0", edgecls.__version__
    folder.mkdir(parents=True)
    write_pictures(folder / "pictures.npz")
    write_clip(folder / "clip.avi")
    (folder / "labels.txt").write_text("\n".join(LABELS) + "\n")
    settings = (
        "--kernels 8,8 --dense 16 --size 24 --epochs 25 --batch 16 --schedule cosine --warmup 1 --balance focal --average"
    )
    words = ("--labels", "labels.txt", "--about", "drawn shapes")
    run("train", "pictures.npz", "--out", "run", *settings.split(), *words, folder=folder)
    for scheme, target in (("fp32", "x86"), ("fp16", "x86"), ("int8", "x86"), ("int8-s8", "arm")):
        given = ("--scheme", scheme, "--target", target, "--max-drop", "20")
        run("export", "run", "--out", f"{scheme}.onnx", *given, folder=folder)
    fed = ("--labels", "labels.txt", "--color", "gray", "--values", "0..255")
    run("adopt", "run/best.keras", "--out", "adopted.onnx", *fed, folder=folder)
    record(folder)
    answer(folder)


def record(folder: Path) -> None:
    """Write cameras.toml, and run its cameras and one that is away, with a file of lines and a server that is away too."""
    (folder / "cameras.toml").write_text(CAMERAS)
    outputs = 'sinks = ["jsonl:labels.jsonl", "webhook:http://127.0.0.1:9/hook"]'
    head = f'model = "fp32.onnx"\ndevice = "cpu"\nquiet = true\n{outputs}\n\n'
    (folder / "recorded.toml").write_text(head + CAMERAS[CAMERAS.index("[[camera]]") :] + AWAY)
    run("run", "--config", "recorded.toml", folder=folder, exit_code=1, EDGECLS_SPOOL="spool")


def answer(folder: Path) -> None:
    """Write what 0.2.0 says of three pictures, and of its recording."""
    rng = np.random.default_rng(1)
    pictures = [f"{label}.png" for label in LABELS]
    for label in LABELS:
        cv2.imwrite(str(folder / f"{label}.png"), shape(label, rng))
    models = ("fp32", "fp16", "int8", "int8-s8", "adopted")
    predicted = {model: run("predict", f"{model}.onnx", *pictures, "--json", folder=folder).splitlines() for model in models}
    (folder / "predicted.json").write_text(
        json.dumps({m: list(map(json.loads, lines)) for m, lines in predicted.items()}, indent=1)
    )
    (folder / "replayed.jsonl").write_text(run("replay", "labels.jsonl", "--config", "recorded.toml", folder=folder))
    (folder / "summary.json").write_text(run("summary", "labels.jsonl", "--config", "recorded.toml", "--json", folder=folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
