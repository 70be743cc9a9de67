"""Execution providers by short name: get the one that was asked for, or stop with the reason. Never a silent fallback.

ONNX Runtime itself falls back: asked for CUDA on a machine without it, it warns and computes on the CPU, and its list
of available providers says what was compiled in, not what works. So a provider counts only when a session has started
on it.

`auto` tries CUDA and takes the CPU else. The other devices are for those who ask: TensorRT builds its engine for minutes,
and of OpenVINO, CoreML and DirectML it is not known that they are faster for the small networks that are run here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import DeviceError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnxruntime

LARGEST_BATCH = 64
"""More pictures than this are classified in several runs."""
SMALL_PICTURE_PIXELS = 96 * 96
"""Up to this input one thread is fastest: handing the work of a small network to a second thread costs more than it
saves, and a waiting thread pool burns most of a core."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider: ONNX Runtime's name and options, and what to do where it is missing.

    `beside` are the providers that compute what it cannot; `memory` is ONNX Runtime's name of its own memory, if it has one.
    """

    name: str
    hint: str
    options: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    memory: str = ""


_CUDNN_SEARCH = {"cudnn_conv_algo_search": "HEURISTIC"}  # the exhaustive search takes seconds for each new size of batch
_NVIDIA = "check the driver with nvidia-smi, then: pip uninstall onnxruntime && pip install 'edgecls[gpu]'"

PROVIDERS = {
    "cuda": Provider("CUDAExecutionProvider", _NVIDIA, _CUDNN_SEARCH, memory="cuda"),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        f"{_NVIDIA} tensorrt",
        {"trt_engine_cache_enable": "True", "trt_timing_cache_enable": "True"},
        beside=("cuda",),
        memory="cuda",
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider",
        "on Intel: pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-openvino",
    ),
    "coreml": Provider("CoreMLExecutionProvider", "it is in the wheel for macOS: pip install 'edgecls[cpu]'"),
    "directml": Provider(
        "DmlExecutionProvider",
        "on Windows: pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-directml",
    ),
    "cpu": Provider("CPUExecutionProvider", "pip install 'edgecls[cpu]'"),
}
AUTO = ("cuda", "cpu")
"""In the order in which `auto` tries them."""


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
    known = _onnxruntime().get_available_providers()
    if PROVIDERS[device].name in known:
        return None
    return f"the installed ONNX Runtime was built for {', '.join(n.removesuffix('ExecutionProvider') for n in known)} only"


def _start(model: bytes, where: str, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    ort = _onnxruntime()
    provider = PROVIDERS[device]
    if provider.memory == "cuda":
        _load_cuda_libraries(ort)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what matters comes as an exception
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = device != "directml"  # DirectML does not work with it
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        wanted = _with_options(device, model)
        session = ort.InferenceSession(model, options, providers=wanted)
        if threads is None and device == "cpu" and _pixels(session) > SMALL_PICTURE_PIXELS:
            options.intra_op_num_threads = os.cpu_count() or 1
            session = ort.InferenceSession(model, options, providers=wanted)
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        if device == "cpu":
            raise ModelError(f"{where}: ONNX Runtime {ort.__version__} cannot start it ({message})") from error
        if "fallback" in message:  # a part of the graph would have been computed on the CPU
            raise DeviceError(
                f"device {device}: it cannot compute all of {where}; export it with --scheme fp32, or take --device cpu"
            ) from error
        raise DeviceError(f"device {device}: ONNX Runtime cannot start {where} on it ({message}); {provider.hint}") from error
    if session.get_providers()[0] != provider.name:
        raise DeviceError(f"device {device}: ONNX Runtime started {session.get_providers()[0]} instead; {provider.hint}")
    return session


def _with_options(device: str, model: bytes) -> list[tuple[str, dict[str, str]]]:
    """The provider of a device and those beside it, with their options."""
    wanted = [(PROVIDERS[name].name, dict(PROVIDERS[name].options)) for name in (device, *PROVIDERS[device].beside)]
    if device == "tensorrt":  # an engine is built once for all sizes of batch, and kept
        probe = _onnxruntime().InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0]
        rest = "x".join(str(n) for n in probe.shape[1:])
        for which, batch in (("min", 1), ("opt", 8), ("max", LARGEST_BATCH)):
            wanted[0][1][f"trt_profile_{which}_shapes"] = f"{probe.name}:{batch}x{rest}"
        cache = Path.home() / ".cache" / "edgecls" / "tensorrt"
        cache.mkdir(parents=True, exist_ok=True)
        wanted[0][1].update(trt_engine_cache_path=str(cache), trt_timing_cache_path=str(cache))
    return wanted


def _pixels(session: onnxruntime.InferenceSession) -> int:
    shape = session.get_inputs()[0].shape
    return int(shape[1]) * int(shape[2]) if len(shape) == 4 and all(isinstance(n, int) for n in shape[1:3]) else 0


def _load_cuda_libraries(ort: Any) -> None:
    """Load CUDA and cuDNN from the wheels that the gpu extra brings; it prints what it misses, so it is kept silent."""
    import contextlib
    import io

    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            ort.preload_dlls()


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "cpu", "Running a model") from error
    if not hasattr(onnxruntime, "InferenceSession"):
        raise MissingExtraError("a whole onnxruntime (two of its wheels overwrote each other)", "cpu", "Running a model")
    return onnxruntime
