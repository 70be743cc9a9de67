"""Tests of `edgecls train`."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import pytest
from typer.testing import CliRunner

from edgecls.cli import train as command
from edgecls.cli.entry import app
from tests import drawn, runs
from tests.report.made import Reader

SMALL = ("--size", 16, "--kernels", 8, "--dense", 32, "--batch", 16, "--epochs", 1)


@pytest.fixture
def call():
    """Run the command in this process, and restore the signal handlers."""
    before = signal.getsignal(signal.SIGTERM)
    yield lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))
    signal.signal(signal.SIGTERM, before)


def test_folders_to_a_run(edgecls, shapes, tmp_path):
    """Exit code 0; one line on stdout with the score; one line per epoch, the gap and the page on stderr; nothing else."""
    done = edgecls("train", shapes, "--out", "run", *SMALL, "--epochs", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("run: 2 epochs; on 20 held-out pictures: top1 ")
    assert len(done.stdout.splitlines()) == 1
    said = done.stderr.splitlines()
    assert said[0].startswith(f"{shapes}: 4 classes; 100 train, 20 val in 120 groups (each picture by itself)")
    assert said[1].startswith("note: 25 training pictures a class are few")
    assert [line.split()[:2] for line in said[2:4]] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert re.match(r"Training accuracy [\d.]+ %, validation [\d.]+ %: gap -?[\d.]+ points: ", said[4])
    assert said[5:] == ["run/report.html: curves, confusion matrix, most confident mistakes"]
    fields = {"augment_rotation": "augment.rotation_deg", "augment_translation": "augment.translation", "size": "input"}
    names = (option.replace("-", "_") for option in re.findall(r"--([a-z-]+)", said[4]))
    with_names = re.sub(r"--[a-z-]+", "{}", said[4].replace("--arch ", "--arch=")).format(*(fields.get(n, n) for n in names))
    page = Reader((tmp_path / "run" / "report.html").read_text(encoding="utf-8")).text.replace(" ,", ",")
    assert with_names in page  # a page knows no options
    assert (tmp_path / "run" / "best.keras").is_file()


def test_every_option_reaches_the_settings(call, shapes, tmp_path):
    """They are in config.toml of the run."""
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\n")
    done = call(
        "train", shapes, "--out", tmp_path / "run", "--arch", "classic", "--size", "24x16", "--color", "rgb",
        "--fit", "letterbox",
        "--epochs", 1, "--batch", 8, "--seed", 3, "--optimizer", "sgd", "--schedule", "cosine", "--rate", 0.02,
        "--weight-decay", 0.001, "--dropout", 0.1, "--average", "--keep", "last",
        "--best-by", "worst-recall", "--patience", 4, "--balance", "focal",
        "--kernels", "4,6", "--kernel-size", 2, "--pool", "average",
        "--pool-window", 3, "--pool-stride", 1, "--pool-bias", "--pool-activation", "tanh", "--dense", 12,
        "--augment-scale", 0.07, "--augment-rotation", 6, "--augment-translation", 0.02, "--augment-brightness", 0.3,
        "--augment-contrast", 0.4, "--labels", tmp_path / "labels.txt", "--group", "(.*)", "--val-fraction", 0.3, "--strict",
        "--about", "drawn; free", "--warmup", 0.5, "--precision", "float32", "--label-smoothing", 0.1, "--mixup", 0.2,
        "--strangers", 0.15, "--stranger-kinds", "part,letters", "--teacher-weight", 0.4, "--width", 2, "--normalize",
        "--stranger-pictures", shapes,
        "--augment-shear", 0.05, "--augment-blur", 0.06, "--augment-noise", 0.08, "--augment-erase", 0.09,
        "--augment-mirror", "a,b=c",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text()) == {
        "data": {"path": str(shapes), "labels": str(tmp_path / "labels.txt"), "group": "(.*)", "roi": False,
                 "strict": True, "multi_label": False, "val_fraction": 0.3, "seed": 3},
        "arch": "classic", "weights": "", "about": "drawn; free", "seed": 3,
        "epochs": 1, "batch": 8, "optimizer": "sgd", "schedule": "cosine",
        "rate": 0.02, "weight_decay": 0.001, "dropout": 0.1, "average": True, "keep": "last",
        "best_by": "worst-recall", "patience": 4, "balance": "focal",
        "input": {"width": 24, "height": 16, "color": "rgb", "fit": "letterbox", "interpolation": "area"},
        "layers": {"kernels": [4, 6], "kernel_size": 2, "pool": "average", "pool_window": 3, "pool_stride": 1,
                   "pool_bias": True, "pool_activation": "tanh", "dense": 12, "width": 2.0, "normalize": True},
        "augment": {"scale": 0.07, "rotation_deg": 6.0, "translation": 0.02, "brightness": 0.3, "contrast": 0.4,
                    "shear": 0.05, "blur": 0.06, "noise": 0.08, "erase": 0.09, "mirror": ["a", "b=c"]},
        "warmup": 0.5, "precision": "float32", "label_smoothing": 0.1, "mixup": 0.2, "strangers": 0.15,
        "stranger_kinds": ["part", "letters"], "stranger_pictures": str(shapes), "teachers": [], "teacher_weight": 0.4,
    }  # fmt: skip
    assert json.loads((tmp_path / "run" / "card.json").read_text())["labels"] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("option", "value"), [("--weights", "net.keras"), ("--head-epochs", 2)])
def test_a_network_from_scratch_takes_no_weights(call, shapes, tmp_path, option, value):
    """The message names the option, and the networks that it is for; no folder is left behind."""
    done = call("train", shapes, "--out", tmp_path / "run", option, value)
    assert done.exit_code == 1
    assert f"error: arch classic: is trained from scratch; omit {option}, or choose efficientnet-lite0" in done.output
    assert not (tmp_path / "run").exists()


def test_no_augment_switches_all_kinds_off_and_one_may_stay(call, shapes, tmp_path):
    """--no-augment --augment-scale 0.1 keeps only the scale."""
    call("train", shapes, "--out", tmp_path / "run", *SMALL, "--no-augment", "--augment-scale", 0.1)
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["augment"] == {
        "scale": 0.1, "rotation_deg": 0.0, "translation": 0.0, "brightness": 0.0, "contrast": 0.0, "shear": 0.0, "blur": 0.0,
        "noise": 0.0, "erase": 0.0, "mirror": [],
    }  # fmt: skip


def test_the_config_of_a_run_makes_it_again(call, trained, tmp_path):
    """--config alone gives data and settings; options override it."""
    done = call("train", "--config", trained.out / "config.toml", "--out", tmp_path / "run", "--epochs", 1)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "run" / "card.json").read_text())["dataset"] == trained.card.dataset


def test_resume_goes_on_after_the_last_whole_epoch(call, shapes, tmp_path):
    """--resume needs no other options: the settings are those of the run."""
    call("train", shapes, "--out", tmp_path / "run", *SMALL)
    done = call("train", "--out", tmp_path / "run", "--resume", "--epochs", 2)
    assert done.exit_code == 0, done.output
    assert next(line for line in done.stderr.splitlines() if line.startswith("epoch")).startswith("epoch 2/2")


def test_ctrl_c_keeps_the_best_epoch_and_exits_with_130(call, shapes, tmp_path, monkeypatch):
    """The run is complete up to the last epoch, and the line on stderr says how to continue."""
    monkeypatch.setattr(command, "_watcher", lambda _worker: runs.Listener(stop_after=1))
    done = call("train", shapes, "--out", tmp_path / "run", *SMALL, "--epochs", 3)
    assert done.exit_code == 130
    assert f"continue: edgecls train --out {tmp_path / 'run'} --resume" in done.stderr
    assert (tmp_path / "run" / "best.keras").is_file()
    assert (tmp_path / "run" / "card.json").is_file()


def test_ctrl_c_before_the_first_epoch_exits_with_130(call, shapes, tmp_path, monkeypatch):
    """Nothing is kept, and one line says that it was Ctrl-C."""
    monkeypatch.setattr(command, "_watcher", lambda _worker: runs.Listener(stop_in_batch=1))
    done = call("train", shapes, "--out", tmp_path / "run", *SMALL)
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == "stopped by Ctrl-C"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_process_keeps_the_best_epoch(shapes, tmp_path, number):
    """SIGINT and SIGTERM during training end it with 130 and 143 and a complete run folder."""
    arguments = ["train", shapes, "--out", tmp_path / "run", *SMALL, "--epochs", 100000]
    command_line = [sys.executable, "-m", "edgecls", *map(str, arguments)]
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if line.startswith("epoch 2/"):
                process.send_signal(number)
                break
        _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("stopped early; the best epoch so far is kept")
    assert (tmp_path / "run" / "card.json").is_file()


def test_memory_says_what_pictures_may_take(call, shapes, tmp_path):
    """With --memory 0 they are stored in a file, which is reported; the epochs are the same."""
    said = []
    for name, options in (("disk", ("--memory", 0)), ("memory", ("--memory", 0.5))):
        done = call("train", shapes, "--out", tmp_path / name, *SMALL, *options)
        assert done.exit_code == 0, done.output
        usual = ("epoch", "Training accuracy", "note: 25 training pictures", str(shapes), str(tmp_path / name / "report.html"))
        said.append([line for line in done.stderr.splitlines() if not line.startswith(usual)])
    assert said[0] == [
        f"{n} pictures do not fit into memory; they are kept in a file in {tmp_path / 'disk'}" for n in (100, 20)
    ]
    assert said[1] == []
    one, two = ((tmp_path / name / "history.csv").read_text().splitlines()[1].rsplit(",", 1)[0] for name in ("disk", "memory"))
    assert one == two


def test_a_nan_loss_is_one_line_and_exit_code_1(call, shapes, tmp_path):
    """It names the batch, the likely reason and a fix."""
    done = call("train", shapes, "--out", tmp_path / "run", *SMALL, "--optimizer", "sgd", "--rate", "1e30")
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / 'run'}: the loss became nan in batch ")
    assert "the learning rate 1e+30 is too high: train again with a smaller --rate" in last


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_disk_that_fills_up_is_one_line_and_the_run_goes_on_later(call, shapes, tmp_path):
    """If no file may exceed 150 kB, the model cannot be written: exit code 1, the file and the reason, and no partial file.
    Once there is room, the same command trains.
    """
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    arguments = ["train", shapes, "--out", tmp_path / "run", *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", f"{limit}; from edgecls.cli.entry import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"error: {tmp_path / 'run' / 'best.keras'}: cannot be written (")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["card.json", "config.toml"]
    assert call(*arguments).exit_code == 0


def test_resume_on_pictures_that_have_changed_is_refused(call, tmp_path):
    """The line has both fingerprints and the ways out; with the old pictures, the run continues."""
    drawn.write_class_folders(tmp_path / "data", pictures=12)
    call("train", tmp_path / "data", "--out", tmp_path / "run", *SMALL)
    picture = tmp_path / "data" / "ring" / "003.png"
    kept = picture.read_bytes()
    drawn.plant(picture, level=7)
    done = call("train", "--out", tmp_path / "run", "--resume", "--epochs", 2)
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    began = f"{tmp_path / 'data'}: has changed since the run in {tmp_path / 'run'} began"
    assert last.startswith(f"error: {began} (expected sha256:")
    assert "restore the pictures, or train into another --out" in last
    picture.write_bytes(kept)
    assert call("train", "--out", tmp_path / "run", "--resume", "--epochs", 2).exit_code == 0


def leaking(folder):
    for part in ("train", "val"):
        drawn.write_class_folders(folder / part, pictures=12)  # drawn with the same seed: the same pictures


def unlearnt(folder):
    drawn.write_class_folders(folder / "train", pictures=12, names=("disc", "ring"))
    drawn.write_class_folders(folder / "val", pictures=3, names=("disc", "ring", "square"), seed=1)


def one_class(folder):
    drawn.write_class_folders(folder, pictures=3, names=("disc",))


def single_picture(folder):
    drawn.write_class_folders(folder, pictures=3)
    drawn.plant(folder / "dot" / "0.png")


def single_picture_and_names_alike(folder):
    drawn.write_class_folders(folder, pictures=3)
    for name in ("Disc", "dot"):
        (folder / name).mkdir(exist_ok=True)
        shutil.copy(folder / "disc" / "000.png", folder / name / f"{name}.png")


def test_notes_about_the_data_are_printed_before_the_error(call, tmp_path):
    """Both help: a class with one picture may be another one, misspelled."""
    single_picture_and_names_alike(tmp_path / "data")
    done = call("train", tmp_path / "data", "--out", tmp_path / "run", *SMALL)
    assert done.exit_code == 1
    note, error = done.stderr.splitlines()
    assert note.startswith("note: classes whose names look alike")
    assert "'Disc' and 'disc'" in note
    assert "has 1 picture, expected at least 2" in error


def csv_without_columns(folder):
    folder.mkdir()
    (folder / "m.csv").write_text("a,b\n1,2\n")


def empty(folder):
    folder.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "data: no such file or folder; expected class folders, a CSV manifest or an npz file"),
        (empty, "data: expected one folder of pictures per class or a CSV manifest, found nothing"),
        (one_class, "data: a classifier needs at least 2 classes, found 1 (disc)"),
        (single_picture, "data: class 'dot' has 1 picture, expected at least 2"),
        (leaking, "48 of 48 pictures of train are also in a later part: train/disc/000.png has the bytes of val/disc/000.png;"),
        (unlearnt, "class 'square' has no picture in train"),
        (csv_without_columns, "m.csv: expected a column with the picture's file"),
    ],
)  # fmt: skip
def test_bad_data_is_one_line_and_exit_code_1(call, tmp_path, make, message):
    """Missing, empty, one class, a single picture, a manifest without columns: one line, no model, empty stdout."""
    make(tmp_path / "data")
    done = call("train", tmp_path / "data", "--out", tmp_path / "run", *SMALL)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not [p for p in (tmp_path / "run").rglob("*") if p.is_file()]


def test_a_broken_picture_is_left_out_or_stops(call, tmp_path):
    """It is named and counted on stderr; with --strict the exit code is 1 and no model is written."""
    drawn.write_class_folders(tmp_path / "data", pictures=6)
    (tmp_path / "data" / "disc" / "000.png").write_text("text")
    done = call("train", tmp_path / "data", "--out", tmp_path / "run", *SMALL)
    assert done.exit_code == 0
    assert "disc/000.png: not a picture that OpenCV can decode (4 bytes)" in done.stderr
    assert "1 picture left out, unreadable; --strict stops instead" in done.stderr
    strict = call("train", tmp_path / "data", "--out", tmp_path / "strict", *SMALL, "--strict")
    assert strict.exit_code == 1
    assert "disc/000.png" in strict.stderr.splitlines()[-1]
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", "big"), "error: --size big: expected a number of pixels such as 32, or WIDTHxHEIGHT such as 48x32"),
        (("--size", "32x"), "error: --size 32x: expected a number of pixels such as 32, or WIDTHxHEIGHT such as 48x32"),
        (("--kernels", "8;9"), "error: --kernels 8;9: expected whole numbers separated by commas, such as 32,64"),
        (("--color", "hsv"), "error: settings: input.color must be one of gray, rgb, bgr, not 'hsv'"),
        (("--arch", "resnet"), "error: arch 'resnet' is not known; expected one of linear, classic, edge, residual"),
        (("--epochs", 0), "error: settings: epochs must be above 0, not 0"),
        (("--kernels", "8,8,8,8,8"), "shrink a picture of 16x16 to nothing; use fewer or smaller kernels, or a larger --size"),
        (("--group", "("), "error: --group (: not a regular expression"),
        (("--config", "none.toml"), "error: none.toml: cannot be read (No such file or directory)"),
        (("--memory", -1), "error: --memory must be a number of GB, 0 or above, not -1.0"),
        (("--labels", "none.txt"), "error: none.txt: cannot be read (No such file"),
        (("--resume",), "cannot be read"),
    ],
)
def test_a_bad_option_is_one_line_and_exit_code_1(call, shapes, tmp_path, options, message):
    """The line names the option, what is expected and what was given; no model is left."""
    done = call("train", shapes, "--out", tmp_path / "run", *SMALL, *options)
    assert done.exit_code == 1, done.output
    assert message in done.stderr.splitlines()[-1]
    assert not [p for p in (tmp_path / "run").rglob("*") if p.is_file()]


def test_a_place_that_cannot_be_written_is_refused(call, shapes, tmp_path):
    """A path below a regular file: one line, exit code 1."""
    (tmp_path / "file").touch()
    done = call("train", shapes, "--out", tmp_path / "file" / "run", *SMALL)
    assert done.exit_code == 1
    assert "run: cannot be written to (Not a directory); choose another --out" in done.stderr


def test_a_run_is_not_written_over(call, shapes, trained):
    """The error names both ways out."""
    done = call("train", shapes, "--out", trained.out, *SMALL)
    assert done.exit_code == 1
    assert "already has a run; continue it with --resume, or choose another --out" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("train",), ("train", "data"), ("train", "--out", "x"), ("train", "d", "--out", "x", "--nope")]
)
def test_wrong_usage_is_exit_code_2(call, arguments):
    """Without --out, without DATA, or with an option that does not exist."""
    assert call(*arguments).exit_code == 2


def test_debug_shows_the_traceback(edgecls):
    """With --debug anywhere in the command; the one line still comes last."""
    done = edgecls("train", "none", "--out", "run", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: none: no such file or folder")
