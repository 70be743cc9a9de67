"""Execution providers by short name: get the one that was asked for, or stop with the reason. Never a silent fallback.

ONNX Runtime itself falls back: asked for CUDA on a machine without it, it warns and computes on the CPU, and its list
of available providers says what was compiled in, not what works. So a provider counts only when a session has started
on it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgecls.errors import DeviceError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnxruntime

SMALL_PICTURE_PIXELS = 96 * 96
"""Up to this input one thread is fastest: handing the work of a small network to a second thread costs more than it
saves, and a waiting thread pool burns most of a core."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider: ONNX Runtime's name and options, and what to do where it is missing."""

    name: str
    hint: str
    options: Mapping[str, str] = field(default_factory=dict)


PROVIDERS = {
    "cuda": Provider(
        "CUDAExecutionProvider",
        "check the driver with nvidia-smi, then: pip uninstall onnxruntime && pip install 'edgecls[gpu]'",
        {"cudnn_conv_algo_search": "HEURISTIC"},
    ),
    "cpu": Provider("CPUExecutionProvider", "pip install 'edgecls[cpu]'"),
}
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
    for name in PROVIDERS:
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
    if device == "cuda":
        _load_cuda_libraries(ort)
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what matters comes as an exception
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads or 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device != "cpu":
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(model, options, providers=[(provider.name, dict(provider.options))])
        if threads is None and device == "cpu" and _pixels(session) > SMALL_PICTURE_PIXELS:
            options.intra_op_num_threads = os.cpu_count() or 1
            session = ort.InferenceSession(model, options, providers=[(provider.name, dict(provider.options))])
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        if device == "cpu":
            raise ModelError(f"{where}: ONNX Runtime {ort.__version__} cannot start it ({message})") from error
        raise DeviceError(f"device {device}: ONNX Runtime cannot start {where} on it ({message}); {provider.hint}") from error
    if session.get_providers()[0] != provider.name:
        raise DeviceError(f"device {device}: ONNX Runtime started {session.get_providers()[0]} instead; {provider.hint}")
    return session


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
