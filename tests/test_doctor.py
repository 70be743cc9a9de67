"""Tests of `edgecls doctor`."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from edgecls import doctor
from edgecls.archive import packages
from edgecls.doctor import Finding, examine, folded
from edgecls.model.cpu import Processor


def found(findings, name: str):
    return next(finding for finding in findings if finding.name == name)


def test_this_machine_can_run_edgecls(light_model):
    """On the machine of the tests, CPU, OpenCV, PyAV and a model work, and nothing is a problem."""
    findings = examine(str(light_model))
    assert {"python", "onnxruntime", "opencv", "pyav", "processor", "device cpu", "model"} <= {f.name for f in findings}
    assert [f for f in findings if f.status == "problem" and not f.name.startswith("camera")] == []
    assert found(findings, "device cpu").found == "starts and computes correctly"


def test_devices_that_are_not_here_are_one_note(monkeypatch):
    """With their names. What this machine could have keeps its note, and so does a single one."""
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    monkeypatch.setattr(doctor.cpu, "this", lambda: Processor("Intel Xeon", "x86", ()))
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    names = ("cuda", "tensorrt", "openvino", "coreml", "directml")
    notes = [Finding(f"device {name}", "note", "was built for CPU only") for name in names]
    others = [Finding("python", "ok", "3.13"), Finding("device cpu", "ok", "starts")]
    first, one, openvino, last = folded([others[0], *notes, others[1]])
    assert (first, openvino, last) == (others[0], notes[2], others[1])
    assert (one.name, one.status) == ("other devices", "note")
    assert one.found.startswith("cuda, tensorrt, coreml, directml: not on this machine")
    assert folded([notes[0], others[1]]) == [notes[0], others[1]]
    broken = Finding("device cuda", "problem", "gives 0.5 where 0.7 is right")
    assert broken in folded([broken, *notes[1:]])


def test_no_note_names_an_option_that_doctor_lacks():
    """As the errors about devices do."""
    assert [finding for finding in examine() if "`" in finding.found + finding.fix] == []


def test_a_device_is_judged_by_a_session(monkeypatch):
    """A provider that is compiled in but does not start is a note with its reason, as long as the CPU works."""
    import onnxruntime

    real = onnxruntime.InferenceSession

    def session(model, options=None, providers=(), **others):
        if "CUDAExecutionProvider" in str(providers):
            raise RuntimeError("libcudnn.so.9: cannot open shared object file")
        return real(model, options, providers=providers, **others)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    cuda = found(examine(), "device cuda")
    assert cuda.status == "note"
    assert "libcudnn.so.9" in cuda.found
    assert "pip install 'edgecls[gpu]'" in cuda.found


@pytest.mark.parametrize(
    ("name", "wheels"),
    [
        ("onnxruntime", {"onnxruntime": "1.2", "onnxruntime-gpu": "1.1"}),
        ("opencv", {"opencv-python": "5", "opencv-python-headless": "5"}),
    ],
)
def test_two_wheels_in_one_folder_are_a_problem(monkeypatch, name, wheels):
    """Two wheels that overwrite each other are both named, with the command that keeps one."""

    def version(wheel: str) -> str:
        if wheel in wheels:
            return wheels[wheel]
        raise metadata.PackageNotFoundError(wheel)

    monkeypatch.setattr(metadata, "version", version)
    finding = found(examine(), name)
    assert finding.status == "problem"
    assert all(wheel in finding.found and wheel in finding.fix for wheel in wheels)
    assert finding.fix.startswith("pip uninstall -y ")


@pytest.mark.parametrize("package", ["cv2", "onnxruntime", "av"])
def test_what_is_missing_is_said_and_not_raised(package):
    """Without OpenCV, ONNX Runtime or PyAV the command prints all lines, names the fix, and exits with 1."""
    code = f"import sys; sys.modules[{package!r}] = None; sys.argv = ['edgecls', 'doctor']; import edgecls.cli as c; c.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert problems
    assert "pip " in done.stdout.split(problems[0])[1].splitlines()[1]
    assert "processor" in done.stdout


VNNI, AVX2, ARM = ("avx2", "avx512_vnni"), ("avx2",), ("asimddp",)


@pytest.mark.parametrize(
    ("scheme", "kind", "flags", "status", "words"),
    [
        ("int8", "x86", VNNI, "ok", "int8 in one step"),
        ("int8", "arm", ARM, "ok", "int8 in one step"),
        ("int8-entropy", "x86", AVX2, "note", "int8 in several steps"),
        ("int8", "x86", (), "note", "int8 in several steps"),
        ("int8", "x86", None, "ok", "int8, 3 labels"),
        ("int8-full", "x86", VNNI, "ok", "int8 in one step"),
        ("int8-full-tensor", "x86", AVX2, "problem", "saturates on weights of 8 bits"),
        ("int8-full", "x86", None, "note", "right where the processor has VNNI"),
        ("int8-full", "arm", ARM, "ok", "int8 in one step"),
        ("int8-s8", "arm", ARM, "ok", "int8 in one step"),
        ("int8-s8", "arm", None, "ok", "int8-s8, 3 labels"),
        ("int8-s8-float2", "x86", VNNI, "note", "made for ARM"),
        ("int8-s8", "x86", AVX2, "problem", "saturates on weights of 8 bits"),
        ("fp16", "x86", AVX2, "ok", "fp16, 3 labels"),
    ],
)
def test_int8_is_held_against_the_processor(monkeypatch, tmp_path, scheme, kind, flags, status, words):
    """Weights of 8 bits on x86 without VNNI are a problem; 7 bits there, and what is made for ARM on x86, are slower, which is
    a note; what the system does not tell is not guessed at.
    """
    from edgecls.export.convert import stamp
    from edgecls.input_spec import InputSpec
    from edgecls.model.card import ModelCard
    from tests import tiny

    path = tmp_path / "m.onnx"
    path.write_bytes(stamp(tiny.light_graph(), ModelCard(tiny.LIGHT_LABELS, InputSpec(8, 8), scheme)))
    monkeypatch.setattr(doctor.cpu, "this", lambda: Processor("a processor", kind, flags))
    finding = found(examine(str(path)), "model")
    assert finding.status == status
    assert words in finding.found
    assert bool(finding.fix) == (status == "problem")


def test_a_model_that_is_none(tmp_path):
    """A file that is not a model is a problem, with what to do."""
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    assert found(examine(str(tmp_path / "m.onnx")), "model").status == "problem"


def test_cameras_are_named(monkeypatch):
    """Each device /dev/video* is a finding with its number, in numerical order."""
    if sys.platform != "linux":
        pytest.skip("cameras are listed on Linux alone")
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [Path("/dev/video10"), Path("/dev/video2")])
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: path.name == "video2")
    cameras = [f for f in examine() if f.name.startswith("camera ")]
    assert [(f.name, f.status) for f in cameras] == [("camera 2", "ok"), ("camera 10", "problem")]
    assert "usermod -aG video" in cameras[1].fix


def test_the_packages_of_an_archive_are_tried(monkeypatch):
    """A table is written and read. What is not installed, and what does not work, says how to get it."""
    assert found(examine(), "pyarrow").status == "ok"
    monkeypatch.setattr(packages, "_broken_arrow", lambda: "ImportError: libarrow.so")
    checked = found(packages.check(), "pyarrow")
    assert (checked.status, checked.fix) == ("problem", "pip install --force-reinstall pyarrow")
    assert checked.found.endswith("does not work: ImportError: libarrow.so")
    monkeypatch.setattr(packages, "_version", lambda _: "")
    assert [(one.name, one.status, one.fix) for one in packages.check()] == [
        ("pyarrow", "note", "pip install 'edgecls[archive]'")
    ]


@pytest.mark.parametrize(("grpc", "status"), [(None, "note"), ("a module", "ok")])
def test_ray_is_named_where_it_is(monkeypatch, grpc, status):
    """Without grpcio it cannot connect to a cluster from outside."""
    monkeypatch.setattr(packages, "_version", lambda name: {"ray": "2.60.0"}.get(name, ""))
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: grpc)
    assert found(packages.check(), "ray").status == status
