"""Tests of `edgecls run` in a script and for a person."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import pytest

from edgecls import Classifier, image
from tests.drawn import gray_levels, write_video
from tests.run.world import cut_in_half, noise, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVELS = (0, 128, 255)
SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@pytest.fixture
def video(tmp_path) -> Path:
    """Write light.avi: 30 frames, dark, dim and bright in turn."""
    return write_video(tmp_path / "light.avi", gray_levels(LEVELS * 10))


@pytest.fixture
def start(tmp_path) -> Iterator:
    """Start the command line in an empty folder and return at once. It is killed at the end if it still runs."""
    running: list[subprocess.Popen[str]] = []

    def call(*arguments: object, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "edgecls", *map(str, arguments)]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path, **options}
        running.append(subprocess.Popen(command, **given))
        return running[-1]

    yield call
    for process in running:
        process.kill()
        process.communicate()


def rest_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the rest of both outputs. `communicate` would lose lines that `readline` has buffered."""
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        rest, err = process.stdout.read(), process.stderr.read()
        process.wait()
    finally:
        watchdog.cancel()
    return rest, err


def records(text: str) -> list[dict]:
    assert not text or text.endswith("\n"), "the last line is not whole"
    return [json.loads(line) for line in text.splitlines()]


def frame_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


@contextmanager
def endless_camera(wait_s: float = 0.01) -> Iterator[str]:
    """Run a network camera that sends pictures for minutes."""
    with web_server(gray_levels(LEVELS * 2000, (120, 160)), wait_s=wait_s) as address:
        yield f"{address}/camera"


# What comes out


def test_a_video_is_a_line_for_each_frame(edgecls, light_model, video):
    """30 frames are 30 lines on stdout, in order, with label and time; messages are on stderr."""
    done = edgecls("run", "--model", light_model, "--source", video)
    assert done.returncode == 0, done.stderr
    lines = records(done.stdout)
    assert [line["frame"] for line in lines] == list(range(30))
    assert [line["label"] for line in lines] == ["dark", "dim", "bright"] * 10
    assert [line["time_s"] for line in lines] == pytest.approx([i / 25 for i in range(30)], abs=1e-3)
    assert {line["camera"] for line in lines} == {"light"}
    assert "device cpu (" in done.stderr
    assert "30 frames in " in done.stderr
    assert done.stderr.endswith(" 0 skipped\n")


def test_all_of_it_at_once(edgecls, light_model, video, tmp_path):
    """Zones, a file of lines and an annotated video in one run: 30 of each, and the video has the frames' times."""
    done = edgecls(
        "run", "-m", light_model, "-s", f"gate={video}", "-z", "left=0,0,0.5,1", "-z", "right=0.5,0,0.5,1",
        "--sink", "video:out.mp4", "--sink", "jsonl:out.jsonl", "--device", "cpu", "--threads", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "out.jsonl").read_text()
    for line in records(done.stdout):
        assert line["camera"] == "gate"
        assert [(d["region"], d["box"]) for d in line["detections"]] == [
            ("left", [0, 0, 32, 48]),
            ("right", [32, 0, 64, 48]),
        ]
    assert frame_times(tmp_path / "out.mp4") == pytest.approx([i / 25 for i in range(30)], abs=1e-3)
    assert not [p.name for p in tmp_path.iterdir() if "part" in p.name]


@pytest.mark.parametrize("size_hw", [(48, 64), (121, 161)])
def test_a_video_of_any_size_is_annotated(edgecls, light_model, tmp_path, size_hw):
    """Even and odd frame sizes give a video with a frame for each result."""
    source = write_video(tmp_path / "v.avi", gray_levels(LEVELS * 4, size_hw))
    done = edgecls("run", "-m", light_model, "-s", source, "--sink", "video:out.mp4", "--quiet")
    assert done.returncode == 0, done.stderr
    assert len(frame_times(tmp_path / "out.mp4")) == 12


def test_a_clip_of_one_frame_says_why_nothing_is_followed(edgecls, light_model, tmp_path):
    """It gives its line; that no line can count in it is one line on stderr. Without a line there is nothing to say."""
    clip = write_video(tmp_path / "one.avi", gray_levels(LEVELS[:1]))
    done = edgecls("run", "-m", light_model, "-s", clip, "--line", "stop=0.5,0,0.5,1")
    assert done.returncode == 0, done.stderr
    assert [line["detections"] for line in records(done.stdout)] == [[]]
    assert [line for line in done.stderr.splitlines() if line.startswith("camera one: it ended after 1 frame (0.0 s)")]
    done = edgecls("run", "-m", light_model, "-s", clip)
    assert [line["label"] for line in records(done.stdout)] == ["dark"]
    assert "camera one" not in done.stderr


def test_quiet_is_an_empty_stdout(edgecls, light_model, video, tmp_path):
    """With --quiet, stdout is empty; the other sinks get every result."""
    done = edgecls("run", "-m", light_model, "-s", video, "--quiet", "--sink", "jsonl:out.jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    assert len(records((tmp_path / "out.jsonl").read_text())) == 30


def test_a_folder_gets_what_classify_gives(edgecls, light_model, tmp_path):
    """Each picture of a folder has the scores of Classifier.classify for the loaded file, to 1e-6."""
    (tmp_path / "pictures").mkdir()
    for i, picture in enumerate(noise(8, (37, 53))):
        cv2.imwrite(str(tmp_path / "pictures" / f"{i}.{'png' if i % 2 else 'jpg'}"), picture // (i + 1))
    done = edgecls("run", "-m", light_model, "-s", "pictures")
    assert done.returncode == 0, done.stderr
    lines = records(done.stdout)
    assert [line["file"] for line in lines] == [f"{i}.{'png' if i % 2 else 'jpg'}" for i in range(8)]
    classifier = Classifier.load(light_model)
    for line in lines:
        expected = classifier.classify(image.load(tmp_path / "pictures" / line["file"]))
        assert dict(line["top"]) == pytest.approx(dict(expected.top), abs=1e-6)


def test_names_of_any_kind_are_utf_8(edgecls, light_model, tmp_path):
    """Lines are UTF-8 in any locale, also for a file name that is not Unicode."""
    (tmp_path / "pictures").mkdir()
    names = [os.fsdecode(name) for name in (b"a.png", "größe.png".encode(), "停🚗.png".encode(), b"caf\xe9.png")]
    for name in names:
        try:
            (tmp_path / "pictures" / name).write_bytes(cv2.imencode(".png", gray_levels([255])[0])[1].tobytes())
        except OSError:
            pytest.skip("this file system takes Unicode names only")
    done = edgecls("run", "-m", light_model, "-s", "pictures", env=os.environ | {"PYTHONIOENCODING": "ascii"}, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert {line["file"] for line in records(done.stdout)} == set(names)


# Broken pictures and videos


@pytest.fixture
def holey(tmp_path) -> Path:
    """Create a folder with 1.png, 2.png and 10.png, of which the second is broken."""
    folder = tmp_path / "holey"
    folder.mkdir()
    for name, level in (("1.png", 0), ("2.png", 128), ("10.png", 255)):
        cv2.imwrite(str(folder / name), gray_levels([level])[0])
    (folder / "2.png").write_bytes(b"this is no picture")
    return folder


def test_a_broken_picture_is_left_out_and_counted(edgecls, light_model, holey):
    """It is named on stderr and counted as skipped; the next keeps its index; the exit code is 0."""
    done = edgecls("run", "-m", light_model, "-s", holey)
    assert done.returncode == 0
    assert [(r["frame"], r["file"], r["label"]) for r in records(done.stdout)] == [
        (0, "1.png", "dark"),
        (2, "10.png", "bright"),
    ]
    assert f"left out: {holey / '2.png'}: not a picture that OpenCV can decode (18 bytes)" in done.stderr.splitlines()
    assert done.stderr.endswith(" 1 skipped\n")


def test_strict_stops_at_a_broken_picture(edgecls, light_model, holey):
    """With --strict, there are the lines before the broken picture, one error line that names it, and exit code 1."""
    done = edgecls("run", "-m", light_model, "-s", holey, "--strict")
    assert done.returncode == 1
    assert [r["file"] for r in records(done.stdout)] == ["1.png"]
    assert done.stderr.splitlines()[-1] == f"error: {holey / '2.png'}: not a picture that OpenCV can decode (18 bytes)"


def test_a_cut_off_video_gives_its_good_frames(edgecls, light_model, tmp_path):
    """Half a file of 40 frames gives about half of the lines, one line with both numbers, and exit code 1."""
    cut = cut_in_half(write_video(tmp_path / "cut.avi", noise(40)))
    done = edgecls("run", "-m", light_model, "-s", cut, "--sink", "video:out.mp4")
    lines = records(done.stdout)
    assert done.returncode == 1
    assert 10 <= len(lines) < 30
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    errors = [line for line in done.stderr.splitlines() if "cut" in line]
    assert errors == [f"error: {cut}: ended after {len(lines)} of 40 frames; the file is cut off"]
    assert "Traceback" not in done.stderr
    assert len(frame_times(tmp_path / "out.mp4")) == len(lines)


def test_one_of_two_sources_fails(edgecls, light_model, video, tmp_path):
    """Beside a truncated video, an intact one gives all its lines in order; the exit code is 1."""
    cut = cut_in_half(write_video(tmp_path / "cut.avi", noise(40)))
    done = edgecls("run", "-m", light_model, "-s", cut, "-s", video, "--sink", "video:out-{camera}.mp4")
    lines = records(done.stdout)
    own = {name: [line["frame"] for line in lines if line["camera"] == name] for name in ("light", "cut")}
    assert done.returncode == 1
    assert own["light"] == list(range(30))
    assert own["cut"] == list(range(len(own["cut"])))
    assert 10 <= len(own["cut"]) < 30
    last = done.stderr.splitlines()[-1]
    assert last == (
        f"error: 1 of 2 sources failed, the first: {cut}: ended after {len(own['cut'])} of 40 frames; the file is cut off"
    )
    assert len(frame_times(tmp_path / "out-light.mp4")) == 30
    assert len(frame_times(tmp_path / "out-cut.mp4")) == len(own["cut"])


def test_two_sources_are_each_complete(edgecls, light_model, video, tmp_path):
    """Each camera's lines are all there, in order."""
    other = write_video(tmp_path / "other.avi", gray_levels([255] * 17, (30, 40)))
    done = edgecls("run", "-m", light_model, "-s", video, "-s", other)
    lines = records(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [line["frame"] for line in lines if line["camera"] == "light"] == list(range(30))
    assert [line["frame"] for line in lines if line["camera"] == "other"] == list(range(17))
    assert {line["label"] for line in lines if line["camera"] == "other"} == {"bright"}


# What is refused: exit code 1 and one line, no label on stdout


def refused(done: subprocess.CompletedProcess[str], *parts: str, code: int = 1) -> None:
    assert done.returncode == code, done.stderr
    assert [line for line in records(done.stdout) if "label" in line] == []
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    if code == 1:
        assert last.startswith("error: ")
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["-s", "missing.mp4"], ["missing.mp4: no such file or folder; expected a video, a picture, a folder of pictures or"]),
        (["-s", "text.mp4"], ["text.mp4: not a video that can be decoded (15 bytes); it is text"]),
        (["-s", "empty"], ["empty: the folder contains no picture that OpenCV can read"]),
        (["-c", "97", "--give-up-after", "0"], ["camera 97: cannot be opened", "check the number"]),
        (["-s", "light.avi", "--sink", "smoke:x"], ["sink 'smoke:x' is not known; expected one of clip, explain"]),
        (["-s", "light.avi", "--sink", "video:no/out.mp4"], ["no/out.mp4: the folder no does not exist"]),
        (["-s", "light.avi", "--sink", "jsonl:no/out.jsonl"], ["no/out.jsonl: cannot be written (the folder no does not"]),
        (
            ["-s", "light.avi", "--sink", "video:{camera}.mp4", "--sink", "jsonl:light.mp4"],
            ["would write to the same file (light.mp4)"],
        ),
        (["-s", "light.avi", "-z", "gate=0.9,0,0.2,1"], ["zone gate: [0.9, 0, 0.2, 1] reaches from (0.9, 0) to (1.1, 1)"]),
        (["-s", "light.avi", "-z", "gate"], ["zone 'gate': expected NAME=x,y,w,h", "gate=0.4,0.2,0.1,0.3"]),
        (["-s", "light.avi", "--device", "tpu"], ["tpu", "cpu"]),
    ],
)  # fmt: skip
def test_an_impossible_run_is_one_line(edgecls, light_model, video, tmp_path, arguments, parts):
    """Anything that cannot be opened or read is named in one line on stderr; stdout is empty, and the exit code is 1."""
    (tmp_path / "text.mp4").write_text("no video at all")
    (tmp_path / "empty").mkdir()
    refused(edgecls("run", "-m", light_model, *arguments), *parts)


def test_cuda_without_cuda_is_refused(edgecls, light_model, video):
    """--device cuda fails if CUDA is unavailable, and no frame is classified on the CPU."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    refused(edgecls("run", "-m", light_model, "-s", video, "--device", "cuda"), "cuda", "edgecls[gpu]")


def test_without_a_source_the_usage_is_shown(edgecls, light_model):
    """The exit code is 2."""
    refused(edgecls("run", "-m", light_model), "expected --camera, --source or --config", code=2)
    refused(
        edgecls("run", "-m", light_model, "--camera", "x.mp4"), "--camera x.mp4: expected a camera such as 0, gate=0 or", code=2
    )


def test_several_cameras_need_a_video_each(edgecls, light_model, video):
    """Two cameras and a video name without {camera} are an error that suggests a name; no incomplete file is left."""
    done = edgecls("run", "-m", light_model, "-s", f"a={video}", "-s", f"b={video}", "--sink", "video:out.mp4", "-q")
    refused(done, "several cameras need {camera} in the name of the video, such as out-{camera}.mp4")
    assert not [p.name for p in video.parent.iterdir() if "part" in p.name]


def test_with_the_camera_in_its_name_there_is_a_video_each(edgecls, light_model, video, tmp_path):
    """With {camera} in the name, two cameras give two videos with all their frames."""
    done = edgecls("run", "-m", light_model, "-s", f"a={video}", "-s", f"b={video}", "--sink", "video:{camera}.mp4")
    assert done.returncode == 0, done.stderr
    assert len(frame_times(tmp_path / "a.mp4")) == len(frame_times(tmp_path / "b.mp4")) == 30


@pytest.mark.parametrize(
    "sink",
    ["video:light.avi", "video:./{camera}.avi", "jsonl:light.avi", "csv:light.avi", "sqlite:link.avi", "jsonl:light.onnx"],
)
def test_a_run_does_not_write_over_what_it_reads(edgecls, light_model, video, tmp_path, sink):
    """Neither its source nor its model, by any name: an error before anything is opened, and all files stay unchanged."""
    (tmp_path / "link.avi").symlink_to(video)
    (tmp_path / "light.onnx").write_bytes(light_model.read_bytes())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = edgecls("run", "-m", "light.onnx", "-s", video, "--sink", "jsonl:good.jsonl", "--sink", sink)
    refused(done, f"sink '{sink}' would write to", "which is an input; name another file")
    assert len(done.stderr.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_part_of_a_video_is_not_written_over_either(edgecls, light_model, video, tmp_path):
    """The .part of a killed run can be played, and is not where the next one grows."""
    part = video.rename(tmp_path / ".out.part.avi")
    refused(edgecls("run", "-m", light_model, "-s", part, "--sink", "video:out.avi"), "would write to")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_no_password_is_ever_shown(edgecls, light_model, scheme):
    """A stream that refuses is named without user and password, also in the traceback of --debug."""
    url = f"{scheme}://user:secret@127.0.0.1:9/x"
    done = edgecls("run", "-m", light_model, "-s", f"gate={url}", "--give-up-after", 0, "--debug")
    assert done.returncode == 1
    assert f"error: {scheme}://***@127.0.0.1:9/x: cannot be opened (" in done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "user:" not in done.stdout + done.stderr


# Live sources


def test_a_lost_stream_is_a_failure(edgecls, light_model):
    """A network camera is read until it stops sending; then there is one line without its password, and exit code 1."""
    with web_server(gray_levels(LEVELS * 20)) as address:
        url = address.replace("http://", "http://user:secret@")
        done = edgecls("run", "-m", light_model, "-s", f"gate={url}/camera", "--give-up-after", 0)
    lines = [line for line in records(done.stdout) if "label" in line]
    states = [line["state"] for line in records(done.stdout) if "state" in line]
    assert states == ["connecting", "live", "ended"]
    assert done.returncode == 1
    assert lines[-1]["frame"] == 59
    assert {line["camera"] for line in lines} == {"gate"}
    assert all(line["label"] == ("dark", "dim", "bright")[line["frame"] % 3] for line in lines)
    summary, error = done.stderr.splitlines()[-2:]
    skipped = int(summary.split()[-2])
    assert len(lines) + skipped == 60
    assert error.startswith("error: http://***@127.0.0.1:")
    assert error.endswith("/camera: no more frames after 60; the camera was lost or stopped sending")
    assert "secret" not in done.stdout + done.stderr


def test_a_video_over_http_is_read_whole(edgecls, light_model, video):
    """A file over HTTP is a file: all 30 frames, none skipped, exit code 0."""
    with web_server(files={"light.avi": video.read_bytes()}) as address:
        done = edgecls("run", "-m", light_model, "-s", f"{address}/light.avi")
    assert done.returncode == 0, done.stderr
    assert [line["frame"] for line in records(done.stdout) if "label" in line] == list(range(30))


# Endings


@SIGNALS
def test_a_signal_ends_a_run_with_whole_files(start, light_model, tmp_path, number, code):
    """In the middle of a live run: every line is complete, the video can be played, and no .part is left."""
    with endless_camera() as url:
        process = start("run", "-m", light_model, "-s", url, "--sink", "video:out.mp4", "--sink", "jsonl:out.jsonl")
        first = [process.stdout.readline() for _ in range(20)]
        process.send_signal(number)
        rest, err = rest_of(process)
    assert process.returncode == code, err
    written = records("".join(first) + rest)
    assert written == records((tmp_path / "out.jsonl").read_text())
    lines = [line for line in written if "label" in line]
    assert len(frame_times(tmp_path / "out.mp4")) == len(lines) >= 18
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.jsonl", "out.mp4"]
    assert f"{len(lines)} frames in " in err
    assert "Traceback" not in err


@SIGNALS
def test_a_signal_ends_a_long_file(start, light_model, tmp_path, number, code):
    """A long video, which is read as fast as possible, is ended by a signal in the same way."""
    source = write_video(tmp_path / "long.avi", gray_levels(LEVELS * 3000, (120, 160)))
    process = start("run", "-m", light_model, "-s", source, "--sink", "video:out.mp4")
    first = [process.stdout.readline() for _ in range(20)]
    process.send_signal(number)
    rest, err = rest_of(process)
    assert process.returncode == code, err
    lines = records("".join(first) + rest)
    assert [line["frame"] for line in lines] == list(range(len(lines)))
    assert 20 <= len(lines) < 9000
    times = frame_times(tmp_path / "out.mp4")
    assert times == pytest.approx([i / 25 for i in range(len(lines))], abs=1e-3)
    assert not [p.name for p in tmp_path.iterdir() if "part" in p.name]


@SIGNALS
def test_a_signal_ends_the_wait_for_a_silent_camera(start, light_model, tmp_path, number, code):
    """A camera that stays connected without sending does not delay a signal; lines and video are complete."""
    with web_server(gray_levels(LEVELS * 20, (120, 160)), then_silent=True) as address:
        process = start("run", "-m", light_model, "-s", f"{address}/camera", "--sink", "video:out.mp4")
        first = []
        while not first or json.loads(first[-1]).get("frame", 0) < 55:
            first.append(process.stdout.readline())
        time.sleep(0.3)
        process.send_signal(number)
        rest, err = rest_of(process)
    assert process.returncode == code, err
    lines = [line for line in records("".join(first) + rest) if "label" in line]
    assert len(frame_times(tmp_path / "out.mp4")) == len(lines)
    assert "Traceback" not in err
    assert not [p.name for p in tmp_path.iterdir() if "part" in p.name]


def test_a_second_signal_ends_a_blocked_run(start, light_model, tmp_path):
    """While nobody reads stdout, the first Ctrl-C waits for the line to be complete; the second ends the run with 130."""
    source = write_video(tmp_path / "long.avi", gray_levels(LEVELS * 3000))
    process = start("run", "-m", light_model, "-s", source, "--sink", "jsonl:out.jsonl")
    stuck_at = wait_until_still(tmp_path / "out.jsonl")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert "stopped by Ctrl-C" in process.stderr.read()
    assert (tmp_path / "out.jsonl").stat().st_size == stuck_at
    records((tmp_path / "out.jsonl").read_text())


def wait_until_still(path: Path) -> int:
    """Wait until a file has grown and stopped growing: the pipe beside it is full."""
    before, until = -1, time.monotonic() + 60
    while time.monotonic() < until:
        size = path.stat().st_size if path.exists() else 0
        if size == before > 10_000:
            return size
        before = size
        time.sleep(0.5)
    raise AssertionError("the run went on without a reader")


def run_until_head_leaves(model, folder, frames, *arguments):
    """Run `edgecls run ... | head -1` on a video of this many frames: more than the pipe holds."""
    write_video(folder / "long.avi", gray_levels((LEVELS * frames)[:frames]))
    command = shlex.join([sys.executable, "-m", "edgecls", "run", "-m", str(model), "-s", "long.avi", *arguments])
    script = f"set -o pipefail; {command} | head -1"
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_a_reader_that_leaves_ends_a_run_that_writes_nowhere_else(light_model, tmp_path):
    """`edgecls run ... | head -1` prints one line and no error, and ends with 0 before the video does."""
    done = run_until_head_leaves(light_model, tmp_path, 9000)
    assert done.returncode == 0, done.stderr
    assert len(records(done.stdout)) == 1
    assert "rror" not in done.stderr
    assert "stdout" not in done.stderr
    assert int(re.search(r"(\d+) frames? in", done.stderr)[1]) < 9000


@pytest.mark.parametrize("sinks", [["--sink", "jsonl:out.jsonl"], ["--sink", "jsonl:out.jsonl", "--sink", "video:out.mp4"]])
def test_a_run_with_other_sinks_goes_on_when_the_reader_of_stdout_leaves(light_model, tmp_path, sinks):
    """The others get every frame, and the loss of stdout is reported once."""
    done = run_until_head_leaves(light_model, tmp_path, 2500, *sinks)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("stdout: cannot be written (its reader closed it); the run goes on without it") == 1
    assert "rror" not in done.stderr
    assert len(records((tmp_path / "out.jsonl").read_text())) == 2500
    if "video:out.mp4" in sinks:
        assert len(frame_times(tmp_path / "out.mp4")) == 2500


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(("where", "why"), [("/dev/full", "No space left on device"), ("&-", "it is closed")])
def test_a_run_with_other_sinks_continues_without_a_writable_stdout(light_model, video, tmp_path, where, why):
    """If it is the only sink, the run ends with one line."""
    command = shlex.join([sys.executable, "-m", "edgecls", "run", "-m", str(light_model), "-s", str(video)])
    for sinks, code in (("", 1), ("--sink jsonl:out.jsonl", 0)):
        script = f"{command} {sinks} >{where}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        assert done.stderr.count(f"stdout: cannot be written ({why}") == 1
        assert "Traceback" not in done.stderr
    assert len(records((tmp_path / "out.jsonl").read_text())) == 30


def test_a_closed_stderr_is_no_error(light_model, tmp_path):
    """With stderr in the same pipe, a reader that leaves still means 0."""
    write_video(tmp_path / "long.avi", gray_levels(LEVELS * 1000))
    script = f'set -o pipefail; "{sys.executable}" -m edgecls run -m "{light_model}" -s long.avi 2>&1 | head -2'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


# The terminal


def shown_on_a_terminal(start, *arguments: object, **options: object) -> str:
    """Return what a command shows on a terminal: stderr and, unless `stdout` is given, stdout."""
    pty = pytest.importorskip("pty", reason="a pseudo terminal is Unix")
    ours, theirs = pty.openpty()
    process = start(*arguments, **{"stdout": theirs, "stderr": theirs, **options})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # Linux reports the closed other side like this
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return shown.decode()


def test_lines_and_status_share_a_terminal(start, light_model, video):
    """Every JSON line is on its own line, and the status line is erased before it."""
    text = shown_on_a_terminal(start, "run", "-m", light_model, "-s", video)
    lines = [line.split("\x1b[K")[-1] for line in text.split("\n")]
    assert len(records("".join(line.strip() + "\n" for line in lines if line.startswith("{")))) == 30
    assert "30 frames, 0 skipped | light" in text


def test_the_status_line_is_for_a_terminal(start, light_model, video):
    """A status line with frames per second is shown and replaced; the summary is on its own line."""
    text = shown_on_a_terminal(start, "run", "-m", light_model, "-s", video, stdout=subprocess.DEVNULL)
    assert "\r\x1b[K1 frame, 0 skipped | light 0.0 fps" in text
    assert "\r\x1b[K30 frames in " in text


def test_without_a_terminal_there_is_no_status_line(edgecls, light_model, video):
    """In a pipe, stderr has only plain lines: the device and the summary."""
    done = edgecls("run", "-m", light_model, "-s", video)
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_zones_lines_and_motion_give_events_as_in_a_file(edgecls, light_model, tmp_path):
    """Without them, logs have only a line for each frame, although other sinks get the states of the whole frame."""
    levels = [0] * 50 + [255] * 50
    video = write_video(tmp_path / "lamp.avi", gray_levels(levels))
    run = ("run", "--model", light_model, "--source", video)

    def kinds(*options):
        done = edgecls(*run, *options)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert sum("frame" in line for line in lines) == len(levels)
        return {(line["kind"], line["region"]) for line in lines if "event" in line}

    assert kinds("--sink", "csv:events.csv", "--sink", "jsonl:log.jsonl") == set()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == len(levels)
    assert len((tmp_path / "events.csv").read_text().splitlines()) == 3
    assert kinds("--zone", "bulb=0.25,0.25,0.5,0.5") == {("state", "bulb")}
    assert kinds("--line", "entry=0.1,0.5,0.9,0.5") == kinds("--motion") == set()
    bad = edgecls(*run, "--line", "entry=0.1,0.5")
    assert bad.returncode == 1
    assert bad.stderr.splitlines()[-1].startswith("error: line 'entry=0.1,0.5': expected NAME=x1,y1,x2,y2")
