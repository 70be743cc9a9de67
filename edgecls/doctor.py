"""Find out what works on this machine by trying it, instead of trusting what is installed or compiled in.

Each check yields findings: a name, a status, what was found, and for a problem the command that fixes it. A check never raises
an error because something is missing: reporting that is its purpose.
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

from edgecls import extras
from edgecls._version import __version__
from edgecls.archive import packages
from edgecls.errors import EdgeclsError, MissingExtraError
from edgecls.model import cpu, providers
from edgecls.model.card import family
from edgecls.model.cpu import DOT_PRODUCTS, FLAGS
from edgecls.model.device_buffers import Binding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.model.cpu import Processor

RUNTIMES = (
    *("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml", "onnxruntime-qnn"),
    *("onnxruntime-rocm", "onnxruntime-migraphx", "onnxruntime-training", "ort-nightly"),
)
OPENCVS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
DECODERS = ("h264", "hevc", "mjpeg")

OR_CPU = ", or use `device=cpu`"
"""How an error about a device ends."""

_SMALLEST_MODEL = base64.b64decode(
    "CAgSADqHAgobCgVpbWFnZRIBeCIEQ2FzdCoJCgJ0bxgBoAECCiQKAXgSAXQiCVRyYW5zcG9zZSoRCgRwZXJtQABAA0ABQAKgAQcKDwoBdAoBdxIBYyIE"
    "Q29udgoPCgFjEgFmIgdGbGF0dGVuCigKAWYSDXByb2JhYmlsaXRpZXMiB1NvZnRtYXgqCwoEYXhpcxgBoAECEgFnKi8IAggBCAIIAhABQgF3SiCBgIA6"
    "gYCAOoGAgDqBgIA6AAAAAAAAAAAAAAAAAAAAAFogCgVpbWFnZRIXChUIAhIRCgMSAU4KAggCCgIIAgoCCAFiIAoNcHJvYmFiaWxpdGllcxIPCg0IARIJ"
    "CgMSAU4KAggCQgQKABAN"
)
"""A minimal model with the operators of exported models, made with onnx.helper, opset 13: uint8 (N, 2, 2, 1) -> Cast,
Transpose, Conv with two 2x2 kernels of 1/1020 and 0, Flatten, Softmax. A white picture gives (1, 0) before Softmax. The
convolution is there because it needs libraries such as cuDNN."""
_WHITE = 0.7310586  # 1 / (1 + e^-1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: "ok", a "note" that may matter, or a "problem" with the command that fixes it."""

    name: str
    status: Literal["ok", "note", "problem"]
    found: str
    fix: str = ""


def examine(model: str | None = None, *, cameras: bool = False) -> list[Finding]:
    """Run all checks.

    Example:
        for finding in edgecls.doctor.examine("signs.onnx"):
            print(finding.status, finding.name, finding.found, finding.fix)

    Args:
        model: An exported model to check as well.
        cameras: Take a picture with each camera, which turns its light on.

    Returns:
        The findings, in the order of the checks.
    """
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _onnxruntime, _devices, _opencv, _pyav, _decoding, _processor]
    findings = [finding for check in checks for finding in check()]
    findings += [Finding(*checked) for checked in packages.check()]
    findings += _cameras(try_them=cameras)
    if model is not None:
        working = [f.name.removeprefix("device ") for f in findings if f.name.startswith("device ") and f.status == "ok"]
        findings += _model(model, working)
    return findings


def folded(findings: Sequence[Finding]) -> list[Finding]:
    """Combine the notes about devices whose hardware or system is not here into one, for reading by people."""
    absent = [f for f in findings if f.status == "note" and f.name in {f"device {name}" for name in _absent_devices()}]
    if len(absent) < 2:
        return list(findings)
    names = ", ".join(finding.name.removeprefix("device ") for finding in absent)
    note = Finding("other devices", "note", f"{names}: not on this machine; edgecls run --device NAME says what one would need")
    return [note if finding is absent[0] else finding for finding in findings if finding not in absent[1:]]


def _absent_devices() -> set[str]:
    """Return the devices that need other hardware, or another system, than this machine has."""
    has = {
        "cuda": shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists(),
        "openvino": "intel" in cpu.this().name.lower(),
        "coreml": sys.platform == "darwin",
        "directml": sys.platform == "win32",
    }
    has["tensorrt"] = has["cuda"]
    return {name for name, is_here in has.items() if not is_here}


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()}, edgecls {__version__}, {platform.platform()}")


def _onnxruntime() -> Iterator[Finding]:
    yield _one_wheel("onnxruntime", RUNTIMES)
    if extras.sends_telemetry():
        yield Finding("telemetry", "note", f"ONNX Runtime sends how it is used to its maker, as {extras.TELEMETRY}=0 asks")
    else:
        yield Finding("telemetry", "ok", "off: nothing is sent that you did not name")


def _devices() -> Iterator[Finding]:
    for name, provider in providers.PROVIDERS.items():
        try:
            score = _white_on(name)
        except Exception as error:  # noqa: BLE001 - a driver may raise what it likes in the middle of a run
            status: Literal["note", "problem"] = "problem" if name == "cpu" else "note"
            yield Finding(
                f"device {name}",
                status,
                " ".join(str(error).split()).removeprefix(f"device {name}: ").removesuffix(OR_CPU),
                provider.hint if status == "problem" else "",
            )
        else:
            right = abs(score - _WHITE) < 0.01
            found = "starts and computes correctly" if right else f"gives {score:.4f} where {_WHITE:.4f} is right"
            yield Finding(f"device {name}", "ok" if right else "problem", found, "" if right else provider.hint)


def _white_on(device: str) -> float:
    """Compute the score of a white picture on a device, the way a classifier does."""
    opened = providers.open_session(_SMALLEST_MODEL, "the smallest model", device)
    white, memory = np.full((1, 2, 2, 1), 255, np.uint8), providers.PROVIDERS[device].memory
    if memory:
        output = opened.session.get_outputs()[0].name
        return float(Binding(opened.session, memory, [output], largest=1).run(white)[0][0, 0])
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


def _decoding() -> Iterator[Finding]:
    try:
        from edgecls.source import hardware

        for name, works, found in hardware.survey():
            yield Finding(name, "ok" if works else "note", found)
    except (ImportError, MissingExtraError):  # found by others
        return


def _processor() -> Iterator[Finding]:
    here = cpu.this()
    flags = "flags unknown" if here.flags is None else ", ".join(here.flags) or f"none of {', '.join(FLAGS)}"
    yield Finding("processor", "ok", f"{here.name}, {_cores()}, {flags}")


def _cores() -> str:
    usable = cpu.usable_cores()
    found = f"{usable} core{'' if usable == 1 else 's'} usable"
    try:  # a container may be limited to a number of microseconds per period
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        share = int(quota) / int(period)  # "max" is no limit
    except (OSError, ValueError):
        return found
    return f"{found}, for {share:.1f} of them in all" if share < usable else found


def _model(path: str, working: list[str]) -> Iterator[Finding]:
    try:
        from edgecls.model.classifier import Classifier

        card = Classifier.load(path, device="cpu").card
    except MissingExtraError as error:
        yield Finding("model", "problem", str(error), "pip install 'edgecls[cpu]'")
        return
    except EdgeclsError as error:
        yield Finding("model", "problem", str(error), "make one with: edgecls export")
        return
    yield _on_processor(f"{path}: {card.scheme}, {len(card.labels)} labels", card.scheme, cpu.this())
    for device in working:
        if device != "cpu":
            yield _model_on(path, device)


def _on_processor(found: str, scheme: str, here: Processor) -> Finding:
    """Check whether the processor computes a quantization scheme correctly and fast."""
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
    from edgecls.model.classifier import Classifier

    try:
        Classifier.load(path, device=device)
    except EdgeclsError as error:
        return Finding(f"model on {device}", "note", str(error).removeprefix(f"device {device}: ").removesuffix(OR_CPU))
    return Finding(f"model on {device}", "ok", "starts")


def _cameras(*, try_them: bool) -> Iterator[Finding]:
    if sys.platform != "linux":
        yield Finding("cameras", "note", "not listed on this system; try one with: edgecls run --camera 0")
        return
    devices = sorted(Path("/dev").glob("video*"), key=lambda path: (len(path.name), path.name))
    if not devices:
        yield Finding("cameras", "note", "none at /dev/video*")
    for device in devices:
        file = Path("/sys/class/video4linux") / device.name / "name"
        name = file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else "unnamed"
        number = device.name.removeprefix("video")
        if not os.access(device, os.R_OK | os.W_OK):
            fix = "sudo usermod -aG video $USER, then log in again"
            yield Finding(f"camera {number}", "problem", f"{name}, but you may not use {device}", fix)
        elif not try_them:
            yield Finding(f"camera {number}", "ok", f"{name} (--cameras takes a picture)")
        else:
            yield _tried(number, name)


def _tried(number: str, name: str) -> Finding:
    from edgecls.source import ReadingSettings, open_source

    try:
        with open_source(int(number), reading=ReadingSettings(give_up_after_s=0), on_state=lambda _: None) as source:
            frame = source.read()
    except EdgeclsError as error:  # many cameras have a second device for metadata, without pictures
        return Finding(f"camera {number}", "note", f"{name}: {error}")
    height, width = frame.size_hw if frame is not None else (0, 0)
    return Finding(f"camera {number}", "ok", f"{name}: a picture of {width}x{height}")


def _one_wheel(name: str, wheels: tuple[str, ...]) -> Finding:
    """Check that exactly one of these wheels is installed. They write to the same folder and break each other."""
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
