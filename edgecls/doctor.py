"""What works on this machine, found out by trying it: not what was compiled in, and not what is installed on paper.

Each check gives findings: a name, a status, what was found, and for a problem the command that mends it. A check never
raises for what is missing; that is what it is there to say.
"""

from __future__ import annotations

import base64
import importlib
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

import edgecls
from edgecls import processor, providers
from edgecls.binding import Binding
from edgecls.card import family
from edgecls.errors import EdgeclsError, MissingExtraError
from edgecls.processor import DOT_PRODUCTS, FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.processor import Processor

RUNTIMES = (
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-qnn"),
    *("onnxruntime-rocm", "onnxruntime-migraphx", "onnxruntime-training", "ort-nightly"),
)
OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
DECODERS = ("h264", "hevc", "mjpeg")

_SMALLEST_MODEL = base64.b64decode(
    "CAgSADqHAgobCgVpbWFnZRIBeCIEQ2FzdCoJCgJ0bxgBoAECCiQKAXgSAXQiCVRyYW5zcG9zZSoRCgRwZXJtQABAA0ABQAKgAQcKDwoBdAoBdxIBYyIE"
    "Q29udgoPCgFjEgFmIgdGbGF0dGVuCigKAWYSDXByb2JhYmlsaXRpZXMiB1NvZnRtYXgqCwoEYXhpcxgBoAECEgFnKi8IAggBCAIIAhABQgF3SiCBgIA6"
    "gYCAOoGAgDqBgIA6AAAAAAAAAAAAAAAAAAAAAFogCgVpbWFnZRIXChUIAhIRCgMSAU4KAggCCgIIAgoCCAFiIAoNcHJvYmFiaWxpdGllcxIPCg0IARIJ"
    "CgMSAU4KAggCQgQKABAN"
)
"""Made with onnx.helper, opset 13, of what edgecls exports: uint8 (N, 2, 2, 1) -> Cast, Transpose, Conv with two kernels 2x2 of
1/1020 and of 0, Flatten, Softmax. A white picture is (1, 0) before Softmax. A convolution needs what an addition does not:
cuDNN, say."""
_WHITE = 0.7310586  # 1 / (1 + e^-1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found: "ok", a "note" that may matter, or a "problem" with the command that mends it."""

    name: str
    status: Literal["ok", "note", "problem"]
    found: str
    fix: str = ""


def examine(model: str | None = None, *, cameras: bool = False) -> list[Finding]:
    """Try everything; with `model` that file too. `cameras` opens each camera for one picture, which lights its lamp."""
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _onnxruntime, _devices, _opencv, _pyav, _processor]
    findings = [finding for check in checks for finding in check()]
    findings += _cameras(try_them=cameras)
    if model is not None:
        working = [f.name.removeprefix("device ") for f in findings if f.name.startswith("device ") and f.status == "ok"]
        findings += _model(model, working)
    return findings


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, edgecls {edgecls.__version__}, {platform.platform()}")


def _onnxruntime() -> Iterator[Finding]:
    yield _one_wheel("onnxruntime", RUNTIMES)


def _devices() -> Iterator[Finding]:
    for name, provider in providers.PROVIDERS.items():
        try:
            score = _white_on(name)
        except Exception as error:  # noqa: BLE001 - a driver may raise what it likes in the middle of a run
            status: Literal["note", "problem"] = "problem" if name == "cpu" else "note"
            yield Finding(
                f"device {name}",
                status,
                " ".join(str(error).split()).removeprefix(f"device {name}: "),
                provider.hint if status == "problem" else "",
            )
        else:
            right = abs(score - _WHITE) < 0.01
            found = "starts and computes right" if right else f"gives {score:.4f} where {_WHITE:.4f} is right"
            yield Finding(f"device {name}", "ok" if right else "problem", found, "" if right else provider.hint)


def _white_on(device: str) -> float:
    """The score of a white picture, computed on a device as a classifier would."""
    opened = providers.open_session(_SMALLEST_MODEL, "the smallest model", device)
    white, memory = np.full((1, 2, 2, 1), 255, np.uint8), providers.PROVIDERS[device].memory
    if memory:
        return float(Binding(opened.session, memory, largest=1).run(white)[0, 0])
    return float(opened.session.run(None, {"image": white})[0][0, 0])


def _opencv() -> Iterator[Finding]:
    wheels = _one_wheel("opencv", OPENCVS)
    if wheels.status == "problem":
        yield wheels
        return
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError as error:
        fix = "pip uninstall opencv-python && pip install opencv-python-headless"
        yield Finding("opencv", "problem", f"{wheels.found}, but it cannot be loaded ({error})", fix)
        return
    gui = next((line.split(":")[1].strip() for line in cv2.getBuildInformation().splitlines() if "GUI:" in line), "NONE")
    screen = "without windows: no --sink window" if gui == "NONE" else f"windows by {gui}"
    yield Finding("opencv", "ok", f"{wheels.found}, {screen}")


def _pyav() -> Iterator[Finding]:
    try:
        av = importlib.import_module("av")
    except ImportError as error:
        yield Finding("pyav", "problem", f"not installed ({error}); files and streams need it", "pip install 'edgecls[cpu]'")
        return
    missing = [name for name in (*DECODERS, "libx264") if name not in av.codecs_available]
    if missing:
        fix = "pip install --force-reinstall av"
        yield Finding("pyav", "problem", f"{av.__version__} without {', '.join(missing)}", fix)
    else:
        yield Finding("pyav", "ok", f"{av.__version__}, decodes {', '.join(DECODERS)}, writes H.264")


def _processor() -> Iterator[Finding]:
    here = processor.this()
    told = "flags unknown" if here.flags is None else ", ".join(here.flags) or f"none of {', '.join(FLAGS)}"
    yield Finding("processor", "ok", f"{here.name}, {_cores()}, {told}")


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{usable} core{'' if usable == 1 else 's'} usable"
    try:  # a container may have less than its cores: so many microseconds of each period
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        share = int(quota) / int(period)  # "max" is no limit
    except (OSError, ValueError):
        return found
    return f"{found}, for {share:.1f} of them in all" if share < usable else found


def _model(path: str, working: list[str]) -> Iterator[Finding]:
    try:
        from edgecls.classifier import Classifier

        card = Classifier.load(path, device="cpu").card
    except MissingExtraError as error:
        yield Finding("model", "problem", str(error), "pip install 'edgecls[cpu]'")
        return
    except EdgeclsError as error:
        yield Finding("model", "problem", str(error), "make one with: edgecls export")
        return
    yield _on_processor(f"{path}: {card.scheme}, {len(card.labels)} labels", card.scheme, processor.this())
    for device in working:
        if device != "cpu":
            yield _model_on(path, device)


def _on_processor(found: str, scheme: str, here: Processor) -> Finding:
    """Whether the processor gets the sums of a scheme right, and fast."""
    if family(scheme) != "int8":
        return Finding("model", "ok", found)
    eight_bits = scheme.startswith(("int8-full", "int8-s8"))
    if eight_bits and here.saturates:
        wrong = "this processor has no VNNI and saturates on weights of 8 bits: answers are wrong now and then"
        return Finding("model", "problem", f"{found}; {wrong}", "edgecls export RUN --out MODEL --target x86")
    if eight_bits and here.has_vnni is None:
        return Finding("model", "note", f"{found}; right where the processor has VNNI, which this system does not tell")
    if here.flags is None:
        return Finding("model", "ok", found)
    if not DOT_PRODUCTS & set(here.flags):
        slower = "this processor multiplies int8 in several steps: the answers are the same, they take longer"
        return Finding("model", "note", f"{found}; {slower}")
    if scheme.startswith("int8-s8") and here.kind == "x86":
        return Finding("model", "note", f"{found}; made for ARM: right here too, but a little slower than --target x86-vnni")
    return Finding("model", "ok", f"{found}; this processor multiplies int8 in one step")


def _model_on(path: str, device: str) -> Finding:
    from edgecls.classifier import Classifier

    try:
        Classifier.load(path, device=device)
    except EdgeclsError as error:
        return Finding(f"model on {device}", "note", str(error).removeprefix(f"device {device}: "))
    return Finding(f"model on {device}", "ok", "starts")


def _cameras(*, try_them: bool) -> Iterator[Finding]:
    if sys.platform != "linux":
        yield Finding("cameras", "note", "not listed on this system; try one with: edgecls run --camera 0")
        return
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    if not devices:
        yield Finding("cameras", "note", "none at /dev/video*")
    for device in devices:
        told = Path("/sys/class/video4linux") / device.name / "name"
        name = told.read_text(encoding="utf-8", errors="replace").strip() if told.exists() else "unnamed"
        number = device.name.removeprefix("video")
        if not os.access(device, os.R_OK | os.W_OK):
            fix = "sudo usermod -aG video $USER, then log in again"
            yield Finding(f"camera {number}", "problem", f"{name}, but you may not use {device}", fix)
        elif not try_them:
            yield Finding(f"camera {number}", "ok", f"{name} (--cameras takes a picture)")
        else:
            yield _tried(number, name)


def _tried(number: str, name: str) -> Finding:
    from edgecls.run.source import Reading, open_source

    try:
        with open_source(int(number), reading=Reading(give_up_after_s=0), on_state=lambda _: None) as source:
            frame = source.read()
    except EdgeclsError as error:  # many cameras have a second device for metadata, which gives no picture
        return Finding(f"camera {number}", "note", f"{name}: {error}")
    height, width = frame.size_hw if frame is not None else (0, 0)
    return Finding(f"camera {number}", "ok", f"{name}: a picture of {width}x{height}")


def _one_wheel(name: str, wheels: tuple[str, ...]) -> Finding:
    """Wheels that write the same folder break each other: exactly one is right."""
    found = {wheel: version for wheel in wheels if (version := _version(wheel))}
    listed = ", ".join(f"{wheel} {version}" for wheel, version in found.items())
    if len(found) == 1:
        return Finding(name, "ok", listed)
    if not found:
        return Finding(name, "problem", "not installed", "pip install 'edgecls[cpu]', on NVIDIA 'edgecls[gpu]'")
    nvidia = "onnxruntime-gpu" in found and shutil.which("nvidia-smi") is not None
    keep = "onnxruntime-gpu" if nvidia else next(iter(found))
    fix = f"pip uninstall -y {' '.join(found)} && pip install {keep}"
    return Finding(name, "problem", f"{listed}: they overwrite each other", fix)


def _version(wheel: str) -> str:
    try:
        return metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return ""
