"""Execution providers by short name: get the one that was asked for, or stop with the reason. Never a silent fallback.

ONNX Runtime itself falls back: asked for CUDA on a machine without it, it warns and computes on the CPU, and its list
of available providers says what was compiled in, not what works. Its Python side falls back a second time, with a banner on
stdout. So that is switched off, and a provider counts only when a session has started on it and the model's sums are done by
it.

`auto` tries CUDA and takes the CPU else. The other devices are for those who ask: TensorRT builds its engine for minutes,
OpenVINO was measured on one core to be no faster at single pictures and a tenth faster at batches of 64 (models/signs.onnx and
its float form), and of CoreML and DirectML it is not known that they are faster for the small networks that are run here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import io
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import DeviceError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnxruntime

LARGEST_BATCH = 64
"""More pictures than this are classified in several runs."""
LARGEST_BOUND_BATCH = 256
"""So many pictures a GPU takes at once, at most: TensorRT must know before it builds its engine, and refuses more."""
SMALL_PICTURE_PIXELS = 96 * 96
"""Up to this input one thread is fastest: handing the work of a small network to a second thread costs more than it
saves, and a waiting thread pool burns most of a core."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider: ONNX Runtime's name and options, and what to do where it is missing.

    `beside` are the providers that may compute what it cannot, all but the sums (SUMS); `memory` is ONNX Runtime's name of its
    own memory, if it has one; `serial` is one whose sessions are run by one thread at a time; `threads` is its own option for
    the number of CPU threads, where it does not take ONNX Runtime's.
    """

    name: str
    hint: str
    options: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    memory: str = ""
    serial: bool = False
    threads: str = ""


SUMS = frozenset({"Conv", "ConvInteger", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
"""The operators that a model spends its time in."""
_CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive search takes seconds for each new size of batch
    "use_tf32": "0",  # else float sums keep 10 bits of mantissa, and scores differ from the CPU's in the third digit
}
_NVIDIA = "check the driver with nvidia-smi, then: pip uninstall onnxruntime && pip install 'edgecls[gpu]'"

PROVIDERS = {
    "cuda": Provider("CUDAExecutionProvider", _NVIDIA, _CUDA_OPTIONS, memory="cuda"),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        f"{_NVIDIA} 'tensorrt-cu13<11'",  # ONNX Runtime is linked to TensorRT 10
        {"trt_engine_cache_enable": "True", "trt_timing_cache_enable": "True"},
        beside=("cuda",),
        memory="cuda",
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "on Intel: pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-openvino",
        threads="num_of_threads",
    ),
    "coreml": Provider(
        "CoreMLExecutionProvider",
        "it is in the wheel for macOS: pip install 'edgecls[cpu]'",
        beside=("cpu",),  # it takes no uint8, so the picture is brought to float before it
    ),
    "directml": Provider(
        "DmlExecutionProvider",
        "on Windows: pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-directml",
        serial=True,
    ),
    "cpu": Provider("CPUExecutionProvider", "pip install 'edgecls[cpu]'"),
}
AUTO = ("cuda", "cpu")
"""In the order in which `auto` tries them."""

_NOTHING = base64.b64decode("CAgSADo3ChAKAWESAWIiCElkZW50aXR5EgFnWg8KAWESCgoICAgSBAoCCAFiDwoBYhIKCggICBIECgIIAUIECgAQDQ==")
"""b = Identity(a) of one text, opset 13, made with onnx.helper: no provider but the CPU takes it, so starting it tries a
provider's libraries and device alone, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A started session, the short name of its device, and why that one."""

    session: onnxruntime.InferenceSession
    device: str
    why: str


def open_session(model: bytes, where: str, device: str = "auto", *, threads: int | None = None) -> Opened:
    """Start `model`, the bytes of an ONNX file, on a device: "auto" or a key of PROVIDERS.

    `threads` is the number of CPU threads of one inference; None takes one for small pictures, else one per core.
    Raises DeviceError when the device cannot be had, ModelError when the model cannot be started anywhere.
    """
    if device == "auto":
        return _first_that_starts(model, where, threads)
    if device not in PROVIDERS:
        raise DeviceError(f"device {device!r} is not known; expected auto, {', '.join(PROVIDERS)}")
    reason = _missing(device)
    if reason is not None:
        raise DeviceError(f"device {device}: {reason}; {PROVIDERS[device].hint}, or take --device cpu")
    return Opened(_start(model, where, device, threads), device, "asked for")


def version() -> str:
    """The version of ONNX Runtime here."""
    return str(_onnxruntime().__version__)


def _first_that_starts(model: bytes, where: str, threads: int | None) -> Opened:
    passed_over: list[str] = []
    for name in AUTO:
        reason = _missing(name)
        if reason is None:
            try:
                session = _start(model, where, name, threads)
            except DeviceError as error:
                reason = str(error)
            else:
                return Opened(session, name, "; ".join(passed_over) or "the best that works here")
        passed_over.append(f"no {name}: {reason}")
    raise DeviceError(f"{where}: no device works here ({'; '.join(passed_over)})")


def _missing(device: str) -> str | None:
    """Why a provider cannot be had here, whatever the model; None where it can."""
    ort, name = _onnxruntime(), PROVIDERS[device].name
    known = ort.get_available_providers()
    if name not in known:
        return f"the installed ONNX Runtime was built for {', '.join(n.removesuffix('ExecutionProvider') for n in known)} only"
    if device == "cpu":
        return None
    _load_libraries(ort, device)
    with tempfile.TemporaryFile() as said:  # what a library misses is said on the native stderr only
        try:
            with extras.native_stderr(said.fileno()):
                created = ort.InferenceSession(_NOTHING, _options(device), providers=[name], enable_fallback=0).get_providers()
            if name in created:
                return None
            reason = "its libraries cannot be loaded"
        except Exception as error:  # noqa: BLE001 - ONNX Runtime has no type for it
            reason = f"it cannot be started ({_one_line(error)})"
        said.seek(0)
        missed = re.search(r"with error: *(.+)", said.read().decode(errors="replace"))
    return f"its libraries cannot be loaded ({missed[1].strip()})" if missed else reason


def _start(model: bytes, where: str, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    ort = _onnxruntime()
    provider = PROVIDERS[device]
    options = _options(device)
    options.intra_op_num_threads = threads or 1
    if device != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if "cpu" not in provider.beside:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(model, options, providers=_with_options(device, model, threads or 1), enable_fallback=0)
        on_cpu = device == "cpu" or provider.threads
        if threads is None and on_cpu and _pixels(session) > SMALL_PICTURE_PIXELS:
            cores = options.intra_op_num_threads = os.cpu_count() or 1
            session = ort.InferenceSession(model, options, providers=_with_options(device, model, cores), enable_fallback=0)
    except Exception as error:
        message = _one_line(error)
        if device == "cpu":
            raise ModelError(f"{where}: ONNX Runtime {ort.__version__} cannot start it ({message})") from error
        if "fallback" in message:  # a part of the graph would have been computed on the CPU
            raise DeviceError(f"device {device}: it cannot compute all of {where}; {_OTHERWISE}") from error
        raise DeviceError(f"device {device}: ONNX Runtime cannot start {where} on it ({message}); {provider.hint}") from error
    if session.get_providers()[0] != provider.name:
        raise DeviceError(f"device {device}: ONNX Runtime started {session.get_providers()[0]} instead; {provider.hint}")
    _check_sums(session, where, device)
    return session


_OTHERWISE = "export it with --scheme fp32, or take --device cpu"


def _options(device: str) -> onnxruntime.SessionOptions:
    options = _onnxruntime().SessionOptions()
    options.log_severity_level = 4  # what matters comes as an exception
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = device != "directml"  # DirectML does not work with it
    return options


def _check_sums(session: onnxruntime.InferenceSession, where: str, device: str) -> None:
    """Refuse a session in which another provider does the sums: that is not the device that was asked for.

    ONNX Runtime before 1.24 does not tell; there, beside a provider, another one may have taken them.
    """
    if not PROVIDERS[device].beside or not hasattr(session, "get_provider_graph_assignment_info"):
        return
    parts = session.get_provider_graph_assignment_info()
    strays = [(part.ep_name, n.op_type) for part in parts for n in part.get_nodes() if part.ep_name != PROVIDERS[device].name]
    lost = sorted({f"{op} to {name.removesuffix('ExecutionProvider')}" for name, op in strays if op in SUMS})
    if lost:
        raise DeviceError(f"device {device}: it leaves {', '.join(lost)} in {where}; {_OTHERWISE}")


def _with_options(device: str, model: bytes, threads: int) -> list[tuple[str, dict[str, str]]]:
    """The provider of a device and those beside it, with their options. The CPU is beside each without being named."""
    names = [device, *(name for name in PROVIDERS[device].beside if name != "cpu")]
    wanted = [(PROVIDERS[name].name, dict(PROVIDERS[name].options)) for name in names]
    if PROVIDERS[device].threads:
        wanted[0][1][PROVIDERS[device].threads] = str(threads)
    if device == "tensorrt":  # an engine is built once for all sizes of batch, and kept
        probe = _onnxruntime().InferenceSession(model, _options("cpu"), providers=["CPUExecutionProvider"]).get_inputs()[0]
        rest = "x".join(str(n) for n in probe.shape[1:])
        for which, batch in (("min", 1), ("opt", 8), ("max", LARGEST_BOUND_BATCH)):
            wanted[0][1][f"trt_profile_{which}_shapes"] = f"{probe.name}:{batch}x{rest}"
        kept = Path.home() / ".cache" / "edgecls" / "tensorrt"
        engine = kept / hashlib.sha256(model).hexdigest()[:16]  # ONNX Runtime tells engines apart by the graph, not by weights
        engine.mkdir(parents=True, exist_ok=True)
        wanted[0][1].update(trt_engine_cache_path=str(engine), trt_timing_cache_path=str(kept))
    return wanted


def _pixels(session: onnxruntime.InferenceSession) -> int:
    shape = session.get_inputs()[0].shape
    return int(shape[1]) * int(shape[2]) if len(shape) == 4 and all(isinstance(n, int) for n in shape[1:3]) else 0


def _load_libraries(ort: Any, device: str) -> None:
    """Load what the wheels of NVIDIA bring, which lies where no loader looks.

    ONNX Runtime prints what it misses, so it is kept silent. The wheel of TensorRT loads its libraries when it is imported.
    """
    if PROVIDERS[device].memory != "cuda":
        return
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ort.preload_dlls()
    if device == "tensorrt":
        with contextlib.suppress(ImportError):
            importlib.import_module("tensorrt")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "cpu", "Running a model") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        raise MissingExtraError("a whole onnxruntime (two of its wheels overwrote each other)", "cpu", "Running a model")
    return onnxruntime
