"""What works on this machine, found out by trying it: not what was compiled in, and not what is installed on paper.

Each check gives findings: a name, a status, what was found, and for a problem the command that mends it. A check never
raises for what is missing; that is what it is there to say.
"""

from __future__ import annotations

import base64
import importlib
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import edgecls
from edgecls import providers
from edgecls.errors import EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml")
OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
DECODERS = ("h264", "hevc", "mjpeg")
FLAGS = ("avx2", "avx512_vnni", "avx_vnni", "asimddp", "i8mm")
"""What decides over the speed of int8: the vector units of x86 with and without VNNI, the dot products of ARM."""

_SMALLEST_MODEL = base64.b64decode(
    "CAgSADo7CgwKAXgSAXkiBFJlbHUSAWdaEwoBeBIOCgwIARIICgIIAQoCCARiEwoBeRIOCgwIARIICgIIAQoCCARCBAoAEA0="
)
"""y = Relu(x) of four floats, opset 13, made with onnx.helper: it starts wherever a provider works at all."""


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
        findings += _model(model)
    return findings


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, edgecls {edgecls.__version__}, {platform.platform()}")


def _onnxruntime() -> Iterator[Finding]:
    yield _one_wheel("onnxruntime", RUNTIMES)


def _devices() -> Iterator[Finding]:
    for name, provider in providers.PROVIDERS.items():
        try:
            providers.open_session(_SMALLEST_MODEL, "a model of one node", name)
        except EdgeclsError as error:
            status: Literal["note", "problem"] = "problem" if name == "cpu" else "note"
            yield Finding(
                f"device {name}",
                status,
                str(error).removeprefix(f"device {name}: "),
                provider.hint if status == "problem" else "",
            )
        else:
            yield Finding(f"device {name}", "ok", "a session starts on it")


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
    name, flags = _cpu()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", "ok", f"{name}, {usable} cores usable, {', '.join(flags) or 'flags unknown'}")


def _model(path: str) -> Iterator[Finding]:
    from edgecls.classifier import Classifier

    try:
        classifier = Classifier.load(path, device="cpu")
    except EdgeclsError as error:
        yield Finding("model", "problem", str(error), "make one with: edgecls export")
        return
    card, flags = classifier.card, _cpu()[1]
    found = f"{path}: {card.scheme}, {len(card.labels)} labels"
    if card.scheme != "int8" or not flags:
        yield Finding("model", "ok", found)
    elif {"avx512_vnni", "avx_vnni", "asimddp", "i8mm"} & set(flags):
        yield Finding("model", "ok", f"{found}; this processor multiplies int8 in one step")
    else:
        slower = "this processor multiplies int8 in several steps: the answers are the same, they take longer"
        yield Finding("model", "note", f"{found}; {slower}")


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
    keep = next(iter(found))
    fix = f"pip uninstall -y {' '.join(found)} && pip install {keep} (or the other, but one)"
    return Finding(name, "problem", f"{listed}: they overwrite each other", fix)


def _version(wheel: str) -> str:
    try:
        return metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return ""


def _cpu() -> tuple[str, list[str]]:
    """The processor's name and which of FLAGS it has; no flags where the system does not tell them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine(), []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    has = set(f"{told.get('flags', '')} {told.get('Features', '')}".split())
    return told.get("model name", platform.machine()), [flag for flag in FLAGS if flag in has]
