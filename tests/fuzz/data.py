"""Lists of pictures, arrays, settings, recordings of labels and measurements that went bad."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz import values as v
from tests.fuzz.case import Case, Seed
from tests.fuzz.containers import in_archive, in_arrays

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("dark", "dim", "bright")


def manifests(good: Path) -> list[Seed]:
    """The two usual forms, and one with backslashes, quotes and a byte order mark."""
    picture = (good / "pictures" / "disc" / "000.png").read_bytes()
    comma = "path,label,split,x1,y1,x2,y2\n" + "".join(f"{i}.png,{LABELS[i]},test,1,1,30,30\n" for i in range(3))
    gtsrb = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
    gtsrb += "".join(f"{i}.png;40;40;5;5;15;15;{LABELS[i]}\n" for i in range(3))
    windows = "\ufeffsep=,\r\nfile,class,usage\r\n" + "".join(f'"C:\\old\\{i}.png","{LABELS[i]}",Test\r\n' for i in range(3))
    files = {f"{i}.png": picture for i in range(3)}
    regions = [(text, ("--roi", *more)) for text in (comma, gtsrb) for more in ((), ("--strict", "--report", "r.html"))]
    return [
        Seed(Case(("eval", good / "light.onnx", "list.csv", *options), {**files, "list.csv": text.encode()}), "list.csv",
             (v.in_cells, v.in_cells, m.in_words, m.in_bytes))
        for text, options in [(comma, ()), (gtsrb, ("--json",)), (windows, ()), *regions]
    ]  # fmt: skip


def npz(good: Path) -> list[Seed]:
    """Gray and colour pictures, packed and not."""
    labels = np.array([[0], [1], [2]])
    seeds = []
    for shape, save in itertools.product(((3, 8, 8), (3, 8, 8, 3)), (np.savez, np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, test_images=np.zeros(shape, np.uint8), test_labels=labels)
        case = Case(("eval", good / "numbers.onnx", "data.npz"), {"data.npz": buffer.getvalue()})
        seeds.append(Seed(case, "data.npz", (in_arrays, in_arrays, in_archive, m.in_bytes)))
    return seeds


def settings(good: Path) -> list[Seed]:
    """Cameras with all kinds of rules and sinks."""
    changes = (v.in_toml, v.in_toml, m.in_words, m.in_bytes)
    head = f'model = "{good}/light.onnx"\n'
    camera = f'[[camera]]\nname = "north"\nsource = "{good}/clip.avi"\n'
    seeds = []
    for text in (_LOCAL, _RULES):
        files = {
            "clips/.here": b"",
            "shots/.here": b"",
            "c.toml": text.replace("@MODEL\n", head).replace("@CAMERA\n", camera).encode(),
        }
        for argv in (("check-config", "c.toml"), ("check-config", "c.toml", "--json"), ("run", "--config", "c.toml")):
            seeds += [Seed(Case(argv, files), "c.toml", changes)]
    remote = {"c.toml": _REMOTE.replace("@MODEL\n", head).replace("@CLIP", f"{good}/clip.mp4").encode()}
    seeds.append(Seed(Case(("check-config", "c.toml"), remote, {"USER_PASSWORD": "u:p", "HOST": "h"}), "c.toml", changes))
    return seeds


_LOCAL = """@MODEL
sinks = ["jsonl:events.jsonl", "csv:events.csv"]
device = "cpu"
threads = 1
on_mismatch = "warn"
quiet = false

@CAMERA
count_every_s = 5
[camera.reading]
give_up_after_s = 1
fps = 5.0
every = 1
decoder = "auto"
keyframes = false
[camera.state]
enter = 0.6
leave = 0.4
seconds = 0.1
frames = 1
labels = ["dim"]
unknown = "ignore"

[[sink]]
kind = "sqlite"
path = "events.db"
keep_days = 3
[[sink]]
kind = "jsonl"
path = "thin.jsonl"
when = "change"
every_s = 0.5
[[sink]]
kind = "clip"
path = "clips"
cut = { pre_s = 1, post_s = 1.5, most_s = 10, late_s = 1, kinds = ["state"] }
quota = { most_gb = 1, keep_free_gb = 0.001 }
[[sink]]
kind = "snapshot"
path = "shots"
shot = { shows = ["frame", "crop"], quality = 80, late_s = 1 }
[[sink]]
kind = "video"
path = "out-{camera}.mp4"
part_s = 2
quota = { most_gb = 1 }
"""
_RULES = """@MODEL
@CAMERA
when = "motion"
ignore = [[[0.0, 0.0], [0.1, 0.0], [0.1, 0.1]]]
[camera.track]
overlap = 0.2
frames = 2
anchor = "bottom"
ignore = []
[camera.motion]
method = "knn"
width = 64
smallest = 0.01
history_s = 1
warm_up_s = 0.1
[camera.health]
black_s = 0.1
frozen_s = 0.2
ignore = ["moved"]
[[camera.line]]
name = "stop"
line = [[0.0, 0.6], [1.0, 0.6]]
left = "out"
right = "in"
labels = ["dim"]
[[camera.zone]]
name = "bay"
area = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.4], [0.1, 0.4]]
look = "objects"
dwell_s = 10
[[camera.zone]]
name = "bar"
area = [0.4, 0.2, 0.1, 0.3]
[camera.zone.state]
enter = 0.8
leave = 0.5
"""
_REMOTE = """@MODEL
[[camera]]
name = "far"
source = "rtsp://${USER_PASSWORD}@${HOST}:554/1?a=${HOST}"
[[camera]]
name = "near"
source = "@CLIP"
[[sink]]
kind = "mqtt"
to = "mqtts://${USER_PASSWORD}@broker:8883/edgecls"
answer_wait_s = 5
[[sink]]
kind = "webhook"
to = "https://${HOST}/hook#secret=abc"
timeout_s = 5
[[sink]]
kind = "prometheus"
to = 9108
"""


def _with_variables(good: Path) -> dict[str, bytes]:
    """Settings whose texts are variables."""
    text = f"""model = "{good}/light.onnx"
sinks = ["webhook:https://${{A}}@h/x?key=${{B}}", "jsonl:${{C}}.jsonl"]
[[camera]]
name = "a"
source = "rtsp://u:${{A}}@h/${{B}}"
[[camera]]
name = "b"
source = "${{C}}"
"""
    return {"c.toml": text.encode(), "c": (good / "clip.mp4").read_bytes()}


def plain_variables(good: Path) -> list[Seed]:
    """Variables as people set them."""
    case = Case(("check-config", "c.toml"), _with_variables(good), {"A": "a:b", "B": "b", "C": "c"})
    return [Seed(case, "c.toml", (m.in_words,))]


def variables(good: Path) -> st.SearchStrategy[Case]:
    """Variables with anything in them, and those that edgecls itself reads."""
    words = st.sampled_from((*m.WORDS, *v.TEXTS, "u:p@x", "a%20b", "%zz", "0640", "100", "rtsp://a:b@c", "a#b?c&d"))
    clean = words.map(lambda word: word.replace("\0", "").replace("\ud800", "\udcff"))  # of bytes that are no UTF-8
    names = ("A", "B", "C", "EDGECLS_MODE", "EDGECLS_MAX_PIXELS", "EDGECLS_SPOOL", "TMPDIR", "HOME", "LANG", "COLUMNS")
    given = st.dictionaries(st.sampled_from(names), clean, min_size=1).map(lambda said: {"A": "a", "B": "b", "C": "c", **said})
    shot = ("run", "--model", good / "light.onnx", "--source", good / "clip.avi", "--sink", "snapshot:s", "--sink", "csv:e.csv")
    argv = st.sampled_from((("check-config", "c.toml"), ("check-config", "c.toml", "--json"), shot))
    return st.builds(lambda command, said: Case(command, _with_variables(good), said), argv, given)


def recordings(good: Path) -> list[Seed]:
    """Lines of every kind, summed up and replayed."""
    moment = {"frame": 3, "time_s": 0.3, "at_s": 1764100000.0}
    whole = {"region": "frame", "box": [0, 0, 64, 48], "label": "dim", "score": 0.9, "top": [["dim", 0.9]]}
    frame = {"camera": "a", "time_s": 0.0, "age_ms": 1.0, "label": "dim", "score": 0.9, "top": [["dim", 0.9]],
             "at_s": 1764100000.0, "size": [64, 48]}  # fmt: skip
    box = {"region": "motion", "box": [1, 2, 30, 40], "label": "dim", "score": 0.9, "top": [["dim", 0.9]]}
    lines = [
        {**frame, "frame": i, "time_s": i / 10, "at_s": 1764100000.0 + i / 10, "detections": [whole, box]} for i in range(12)
    ]
    unfit = {
        "fault": "black",
        "since": moment,
        "last": {**moment, "frame": 4, "time_s": 1.25, "at_s": 1764100001.2},
        "classified": True,
    }
    lines.append(
        {
            **frame,
            "frame": 12,
            "time_s": 1.3,
            "at_s": 1764100001.3,
            "detections": [whole],
            "unfit": unfit,
            "regions_left_out": 2,
        }
    )
    lines.append({"state": "lost", "camera": "a", "why": "x", "at_s": 1764100001.4})
    lines.append({"event": "78561bcdadbe0b86", "kind": "crossing", "camera": "a", "region": "l", "label": "dim", "score": 0.9,
                  "track_id": 3, "direction": "left", "start": moment, "end": moment, "duration_s": 0.0, "model": "m",
                  "view": {"frame": 61, "time_s": 4.88, "box": [3, 1, 4, 19], "size": [64, 48]}})  # fmt: skip
    of_file = [{"camera": "a", "frame": i, "time_s": i / 25, "label": "dim", "score": 0.5, "top": [["dim", 0.5]],
                "file": "v.mp4", "age_ms": 0.1} for i in range(9)]  # fmt: skip
    rules = (
        f'model = "{good}/light.onnx"\n[[camera]]\nname = "a"\nsource = 0\ncount_every_s = 1\n[[camera.line]]\nname = "l"\n'
        "line = [[0.0, 0.5], [1.0, 0.5]]\n"
    )
    commands = (
        ("replay", "l.jsonl", "--config", "c.toml"), ("summary", "l.jsonl"), ("summary", "l.jsonl", "--json", "--gap", "1"),
        ("replay", "l.jsonl", "--config", "c.toml", "--quiet", "--sink", "sqlite:e.db", "--sink", "csv:e.csv"),
        ("summary", "l.jsonl", "--config", "c.toml", "--out", "s.json", "--picture", "s.svg"),
    )  # fmt: skip
    texts = [b"".join(json.dumps(line).encode() + b"\n" for line in kind) for kind in (lines, of_file)]
    changes = (v.in_json_lines, v.in_json_lines, m.in_words, m.in_bytes)
    return [
        Seed(Case(argv, {"l.jsonl": text, "c.toml": rules.encode()}), "l.jsonl", changes)
        for text, argv in itertools.product(texts, commands)
    ]


def ladders(good: Path) -> list[Seed]:
    """What an export measured, which the page of an evaluation shows."""
    rung = {"name": "fp32", "top1": 0.9, "macro_recall": 0.9, "worst_recall": 0.8, "worst_class": "dim", "agreement": 1.0,
            "calibration_error": 0.01, "bytes": 5000, "us": 40.0, "p99_us": 60.0, "us_16": 200.0, "p99_us_16": 300.0,
            "refused": "", "test_top1": 0.9, "test_macro_recall": None}  # fmt: skip
    ladder = {"version": 1, "target": "x86", "processor": "one", "timed_here": True, "chosen": "fp32",
              "limits": {"max_drop": 0.5, "max_bytes": None, "max_us": None}, "measured_on": "9 pictures", "tested_on": "",
              "rungs": [{**rung, "name": "keras", "refused": "reference"}, rung, {**rung, "name": "int8", "us": 20.0}],
              "left_out": [{"name": "fp16", "why": "x"}]}  # fmt: skip
    list_csv = "path,label\n" + "".join(f"{good}/pictures/disc/{i:03}.png,{LABELS[i]}\n" for i in range(3))
    files = {
        "m.onnx": (good / "light.onnx").read_bytes(),
        "list.csv": list_csv.encode(),
        "m.ladder.json": json.dumps(ladder).encode(),
    }
    case = Case(("eval", "m.onnx", "list.csv", "--report", "r.html"), files)
    return [Seed(case, "m.ladder.json", (v.in_json, v.in_json, m.in_words, m.in_bytes))]
