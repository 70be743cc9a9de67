"""Execution providers by short name: open a session on the requested device, or fail with the reason. No silent fallback.

ONNX Runtime itself falls back: if CUDA is requested but does not work, it warns and computes on the CPU; its list of available
providers says what was compiled in, not what works; and its Python API falls back once more, with a banner on stdout. All of
that is disabled here. A provider is accepted only if a session has started on it and it computes the expensive operators.

`auto` uses CUDA if it works, else the CPU. Other devices must be requested: TensorRT takes minutes to build its engine.
OpenVINO, measured on one core, is no faster for single pictures and a tenth faster for batches of 64 (models/signs.onnx and its
float32 variant). Whether CoreML and DirectML are faster for such small networks has not been measured.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib
import io
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import ConfigError, DeviceError, MissingExtraError, ModelError
from edgecls.limits import MOST_THREADS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnxruntime

LARGEST_BATCH = 64
"""Larger batches are split into several runs."""
LARGEST_BOUND_BATCH = 256
"""The largest batch on a GPU. TensorRT must know it when it builds its engine, and rejects larger ones."""
SMALL_PICTURE_PIXELS = 96 * 96
"""Up to this input size a single thread is fastest: handing work to a second thread costs more than it saves, and an idle
thread pool uses most of a core.
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider.

    Attributes:
        name: Its name in ONNX Runtime.
        hint: What to do if it is missing.
        options: Its options.
        fallbacks: The providers that may compute operators that it does not support, except EXPENSIVE_OPS.
        memory: ONNX Runtime's name of its own memory; "" if it has none.
        serial: Whether only one thread at a time may run a session.
        threads: Its own option for the number of CPU threads; "" if it uses ONNX Runtime's.
    """

    name: str
    hint: str
    options: Mapping[str, str] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()
    memory: str = ""
    serial: bool = False
    threads: str = ""


EXPENSIVE_OPS = frozenset({"Conv", "ConvInteger", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul"})
"""The operators in which a model spends its time."""
_CUDA_OPTIONS = {
    "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive search takes seconds for each new batch size
    "use_tf32": "0",  # TF32 has a mantissa of 10 bits, so scores would differ from the CPU's in the third digit
}
_NVIDIA = "check the driver with nvidia-smi, then: pip uninstall onnxruntime && pip install 'edgecls[gpu]'"

PROVIDERS = {
    "cuda": Provider("CUDAExecutionProvider", _NVIDIA, _CUDA_OPTIONS, memory="cuda"),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        f"{_NVIDIA} 'tensorrt-cu13<11'",  # ONNX Runtime is linked to TensorRT 10
        {"trt_engine_cache_enable": "True", "trt_timing_cache_enable": "True"},
        fallbacks=("cuda",),
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
        fallbacks=("cpu",),  # it does not support uint8, so the conversion to float runs on the CPU
    ),
    "directml": Provider(
        "DmlExecutionProvider",
        "on Windows: pip uninstall onnxruntime onnxruntime-gpu && pip install onnxruntime-directml",
        serial=True,
    ),
    "cpu": Provider("CPUExecutionProvider", "pip install 'edgecls[cpu]'"),
}
AUTO = ("cuda", "cpu")
"""The devices of `auto`, in the order in which they are tried."""

_IDENTITY_MODEL = base64.b64decode(
    "CAgSADo3ChAKAWESAWIiCElkZW50aXR5EgFnWg8KAWESCgoICAgSBAoCCAFiDwoBYhIKCggICBIECgIIAUIECgAQDQ=="
)
"""The model b = Identity(a) of one string, opset 13, made with onnx.helper. No provider but the CPU supports strings, so
starting it tests only the libraries and the device of a provider, in milliseconds.
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open session, the short name of its device, and why this device was chosen."""

    session: onnxruntime.InferenceSession
    device: str
    why: str


def open_session(
    model: bytes, where: str, device: str = "auto", *, threads: int | None = None, cheap_on_cpu: bool = False
) -> Opened:  # fmt: skip
    """Start a model on a device.

    Args:
        model: The bytes of an ONNX file.
        where: Its name, for error messages.
        device: "auto" or a key of PROVIDERS.
        threads: CPU threads per inference; None uses one for small inputs, else one per core.
        cheap_on_cpu: Whether operators that are not EXPENSIVE_OPS may run on the CPU on every device. Detectors need this: ONNX
            Runtime puts the shapes and indices of their last steps there.

    Raises:
        DeviceError: The device is not available.
        ModelError: ONNX Runtime cannot start the model on any device.
    """
    if device == "auto":
        return _first_that_starts(model, where, threads, cheap_on_cpu)
    if device not in PROVIDERS:
        raise DeviceError(f"device {device!r} is not known; expected auto, {', '.join(PROVIDERS)}")
    reason = _why_unavailable(device)
    if reason is not None:
        raise DeviceError(f"device {device}: {reason}; {PROVIDERS[device].hint}, or use `device=cpu`")
    return Opened(_start(model, where, device, threads, cheap_on_cpu), device, "asked for")


def version() -> str:
    """Return the version of the installed ONNX Runtime."""
    return str(_onnxruntime().__version__)


def built_for() -> list[str]:
    """Return the names of the execution providers that the installed ONNX Runtime was built for."""
    known = _onnxruntime().get_available_providers()  # the wheel for processors also lists Azure, which runs models elsewhere
    return [name.removesuffix("ExecutionProvider") for name in known if name != "AzureExecutionProvider"]


def _first_that_starts(model: bytes, where: str, threads: int | None, cheap_on_cpu: bool) -> Opened:
    rejected: list[str] = []
    for name in AUTO:
        reason = _why_unavailable(name)
        if reason is None:
            try:
                session = _start(model, where, name, threads, cheap_on_cpu)
            except DeviceError as error:
                reason = str(error)
            else:
                return Opened(session, name, "; ".join(rejected) or "the best that works here")
        rejected.append(f"no {name}: {reason}")
    raise DeviceError(f"{where}: no device works here ({'; '.join(rejected)})")


def _why_unavailable(device: str) -> str | None:
    """Return why a provider does not work on this machine, independent of the model; None if it works."""
    ort, name = _onnxruntime(), PROVIDERS[device].name
    if name not in ort.get_available_providers():
        return f"the installed ONNX Runtime was built for {', '.join(built_for())} only"
    if device == "cpu":
        return None
    _load_libraries(ort, device)
    with tempfile.TemporaryFile() as captured:  # a missing library is reported only on the native stderr
        try:
            with extras.native_stderr(captured.fileno()):
                created = ort.InferenceSession(
                    _IDENTITY_MODEL, _options(device), providers=[name], enable_fallback=0
                ).get_providers()
            if name in created:
                return None
            reason = "its libraries cannot be loaded"
        except Exception as error:  # noqa: BLE001 - ONNX Runtime has no type for it
            reason = f"it cannot be started ({_one_line(error)})"
        captured.seek(0)
        missing = re.search(r"with error: *(.+)", captured.read().decode(errors="replace"))
    return f"its libraries cannot be loaded ({missing[1].strip()})" if missing else reason


def _start(
    model: bytes, where: str, device: str, threads: int | None, cheap_on_cpu: bool
) -> onnxruntime.InferenceSession:  # fmt: skip
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ConfigError(f"threads must be from 1 to {MOST_THREADS}, not {threads}")
    ort = _onnxruntime()
    provider = PROVIDERS[device]
    options = _options(device)
    options.intra_op_num_threads = threads or 1
    if device != "cpu":
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if "cpu" not in provider.fallbacks and not cheap_on_cpu:
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
        if "fallback" in message:  # part of the graph would run on the CPU
            raise DeviceError(f"device {device}: it cannot compute all of {where}; {_ALTERNATIVES}") from error
        raise DeviceError(f"device {device}: ONNX Runtime cannot start {where} on it ({message}); {provider.hint}") from error
    if session.get_providers()[0] != provider.name:
        raise DeviceError(f"device {device}: ONNX Runtime started {session.get_providers()[0]} instead; {provider.hint}")
    if provider.fallbacks or cheap_on_cpu:
        _check_expensive_ops(session, where, device)
    return session


_ALTERNATIVES = "export it as fp32, or use `device=cpu`"


def _options(device: str) -> onnxruntime.SessionOptions:
    options = _onnxruntime().SessionOptions()
    options.log_severity_level = 4  # errors that matter are raised as exceptions
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = device != "directml"  # DirectML does not support it
    return options


def _check_expensive_ops(session: onnxruntime.InferenceSession, where: str, device: str) -> None:
    """Raise DeviceError if another provider computes the expensive operators: that is not the requested device.

    ONNX Runtime before 1.24 does not report which provider computes what; there, a fallback may go unnoticed.
    """
    if device == "cpu" or not hasattr(session, "get_provider_graph_assignment_info"):
        return
    parts = session.get_provider_graph_assignment_info()
    elsewhere = [
        (part.ep_name, n.op_type) for part in parts for n in part.get_nodes() if part.ep_name != PROVIDERS[device].name
    ]
    lost = sorted({f"{op} to {name.removesuffix('ExecutionProvider')}" for name, op in elsewhere if op in EXPENSIVE_OPS})
    if lost:
        raise DeviceError(f"device {device}: it leaves {', '.join(lost)} in {where}; {_ALTERNATIVES}")


def _with_options(device: str, model: bytes, threads: int) -> list[tuple[str, dict[str, str]]]:
    """Return the provider of a device and its fallbacks with their options. The CPU is always a fallback and is not listed."""
    names = [device, *(name for name in PROVIDERS[device].fallbacks if name != "cpu")]
    wanted = [(PROVIDERS[name].name, dict(PROVIDERS[name].options)) for name in names]
    if PROVIDERS[device].threads:
        wanted[0][1][PROVIDERS[device].threads] = str(threads)
    if device == "tensorrt":  # one engine for all batch sizes, built once and cached
        probe = _onnxruntime().InferenceSession(model, _options("cpu"), providers=["CPUExecutionProvider"]).get_inputs()[0]
        rest = "x".join(str(n) for n in probe.shape[1:])
        for which, batch in (("min", 1), ("opt", 8), ("max", LARGEST_BOUND_BATCH)):
            count = probe.shape[0] if isinstance(probe.shape[0], int) else batch  # detectors take one picture
            wanted[0][1][f"trt_profile_{which}_shapes"] = f"{probe.name}:{count}x{rest}"
        cache = Path.home() / ".cache" / "edgecls" / "tensorrt"
        engine = cache / hashlib.sha256(model).hexdigest()[:16]  # ONNX Runtime identifies engines by the graph, not the weights
        engine.mkdir(parents=True, exist_ok=True)
        wanted[0][1].update(trt_engine_cache_path=str(engine), trt_timing_cache_path=str(cache))
    return wanted


def _pixels(session: onnxruntime.InferenceSession) -> int:
    shape = session.get_inputs()[0].shape
    return int(shape[1]) * int(shape[2]) if len(shape) == 4 and all(isinstance(n, int) for n in shape[1:3]) else 0


def _load_libraries(ort: Any, device: str) -> None:
    """Load the libraries in NVIDIA's wheels, which are not on the search path of the loader.

    ONNX Runtime prints what is missing, so its output is suppressed. TensorRT's wheel loads its libraries when it is imported.
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
    onnxruntime = sys.modules.get("onnxruntime") or extras.load("onnxruntime", extra="cpu", purpose="Running a model")
    if not hasattr(onnxruntime, "InferenceSession"):
        raise MissingExtraError("a whole onnxruntime (two of its wheels overwrote each other)", "cpu", "Running a model")
    return onnxruntime
