"""Tests of execution providers."""

from __future__ import annotations

import os
import types
from pathlib import Path

import onnxruntime
import pytest

from edgecls.errors import ConfigError, DeviceError, MissingExtraError, ModelError
from edgecls.model import providers
from edgecls.model.classifier import Classifier
from tests import tiny
from tests.conftest import ROOT

NO_CUDA = pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime was built with CUDA"
)
MODEL = tiny.light_graph().SerializeToString()
REAL_SESSION = onnxruntime.InferenceSession


def test_the_cpu_is_what_was_asked_for():
    """A session on the CPU says so, and why."""
    opened = providers.open_session(MODEL, "m.onnx", "cpu")
    assert (opened.device, opened.why) == ("cpu", "asked for")
    assert opened.session.get_providers() == ["CPUExecutionProvider"]


@NO_CUDA
def test_auto_says_what_it_took_and_why():
    """Without CUDA, `auto` uses the CPU and says why CUDA does not work."""
    opened = providers.open_session(MODEL, "m.onnx")
    assert opened.device == "cpu"
    assert opened.why.startswith("no cuda: the installed ONNX Runtime was built for ")


@NO_CUDA
def test_cuda_that_is_not_there_is_an_error():
    """There is no silent fallback: the error has the reason, the command that helps, and the alternative."""
    with pytest.raises(DeviceError) as caught:
        providers.open_session(MODEL, "m.onnx", "cuda")
    message = str(caught.value)
    assert message.startswith("device cuda: the installed ONNX Runtime was built for ")
    assert "pip uninstall onnxruntime && pip install 'edgecls[gpu]'" in message
    assert message.endswith("or use `device=cpu`")


def test_an_unknown_device_lists_the_known_ones():
    """The error has the given and the allowed values."""
    with pytest.raises(
        DeviceError, match=r"^device 'tpu' is not known; expected auto, cuda, tensorrt, openvino, coreml, directml, cpu$"
    ):
        providers.open_session(MODEL, "m.onnx", "tpu")


@pytest.mark.parametrize("device", ["cpu", "auto"])
@pytest.mark.parametrize("content", [b"", b"not a model", MODEL[: len(MODEL) // 2]])
def test_bytes_that_are_no_model_are_refused(device, content):
    """Empty bytes, text and a truncated model: the error is one line with the file and the reason."""
    with pytest.raises(ModelError, match=r"^m\.onnx: ONNX Runtime .* cannot start it \(") as caught:
        providers.open_session(content, "m.onnx", device)
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_the_command_is_named(monkeypatch):
    """The error names the extra to install, also if two wheels overwrote each other."""
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"Running a model needs onnxruntime, .*pip install 'edgecls\[cpu\]'"):
        providers.open_session(MODEL, "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    with pytest.raises(MissingExtraError, match="two of its wheels overwrote each other"):
        providers.open_session(MODEL, "m.onnx")


def test_a_provider_that_fails_to_start_is_passed_over_by_auto(monkeypatch):
    """If CUDA is compiled in but does not start, `auto` uses the CPU and keeps the reason; `cuda` is an error."""
    real = onnxruntime.InferenceSession

    def session(model, options, providers, **others):
        if "CUDAExecutionProvider" in str(providers):
            raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient")
        return real(model, options, providers=providers, **others)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    opened = providers.open_session(MODEL, "m.onnx")
    assert opened.device == "cpu"
    assert "CUDA failure 35" in opened.why
    with pytest.raises(
        DeviceError, match=r"device cuda: it cannot be started \(CUDA failure 35: .*\); check the driver with nvidia-smi"
    ):
        providers.open_session(MODEL, "m.onnx", "cuda")


def cpu_instead(monkeypatch, said: str = "", *, at_once: bool = True) -> None:
    """An ONNX Runtime that was built with CUDA and computes on the CPU, having said why on the native stderr.

    Without `at_once` it does so for real models only, after CUDA has started.
    """

    class Session:
        def __init__(self, model, options=None, providers=(), enable_fallback=1):
            assert not enable_fallback
            os.write(2, said.encode())
            self.found = ["CPUExecutionProvider"] if at_once or model == MODEL else ["CUDAExecutionProvider"]

        def get_providers(self):
            return self.found

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)


def test_a_silent_fallback_of_onnxruntime_is_found(monkeypatch):
    """If ONNX Runtime silently computes on the CPU although CUDA was requested, that is an error."""
    cpu_instead(monkeypatch, at_once=False)
    with pytest.raises(DeviceError, match="ONNX Runtime started CPUExecutionProvider instead"):
        providers.open_session(MODEL, "m.onnx", "cuda")


def test_a_missing_library_is_named(monkeypatch, capfd):
    """The error gives the reason from the native stderr, which is not shown otherwise."""
    said = "[E:onnxruntime:Default] Failed to load library x.so with error: libcuda.so.1: cannot open shared object file\n"
    cpu_instead(monkeypatch, said)
    with pytest.raises(
        DeviceError, match=r"its libraries cannot be loaded \(libcuda\.so\.1: cannot open shared object file\);"
    ):
        providers.open_session(MODEL, "m.onnx", "cuda")
    assert capfd.readouterr() == ("", "")
    cpu_instead(monkeypatch)
    with pytest.raises(DeviceError, match="device cuda: its libraries cannot be loaded; check the driver"):
        providers.open_session(MODEL, "m.onnx", "cuda")


@pytest.mark.parametrize(
    ("device", "fix"),
    [
        ("tensorrt", "edgecls[gpu]' 'tensorrt-cu13<11'"),
        ("openvino", "pip install onnxruntime-openvino"),
        ("coreml", "it is in the wheel for macOS"),
        ("directml", "pip install onnxruntime-directml"),
    ],
)
def test_each_device_that_is_not_there_names_its_fix(monkeypatch, device, fix):
    """A device that the installed ONNX Runtime was not built for is an error with the command that installs it."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(DeviceError, match="was built for CPU only") as caught:
        providers.open_session(MODEL, "m.onnx", device)
    assert fix in str(caught.value)


def test_auto_takes_no_device_that_must_be_asked_for(monkeypatch):
    """If TensorRT and OpenVINO are available, `auto` still uses the CPU."""
    monkeypatch.setattr(
        onnxruntime,
        "get_available_providers",
        lambda: ["TensorrtExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider"],
    )
    assert providers.open_session(MODEL, "m.onnx").device == "cpu"


class Part:
    """A part of a graph, as ONNX Runtime assigns it to a provider."""

    def __init__(self, ep_name: str, *operators: str):
        self.ep_name, self.operators = ep_name, operators

    def get_nodes(self):
        return [types.SimpleNamespace(op_type=operator) for operator in self.operators]


def started_with(monkeypatch, device: str, *parts: Part, model: bytes = MODEL, **more) -> tuple[list, object]:
    """What ONNX Runtime is asked for when a session starts on a device: providers with their options, and session options.

    `parts` are what the session says of its graph; `more` are further arguments of `open_session`.
    """
    asked: list = []

    class Session:
        def __init__(self, _model, options=None, providers=(), enable_fallback=1):
            asked.append((list(providers), options))

        def get_provider_graph_assignment_info(self):
            return parts

        def get_inputs(self):
            return onnxruntime_session.get_inputs()

        def get_providers(self):
            return [providers.PROVIDERS[device].name]

    onnxruntime_session = REAL_SESSION(MODEL, providers=["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [providers.PROVIDERS[device].name])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert providers.open_session(model, "m.onnx", device, **more).device == device
    return asked[-1]


def test_tensorrt_builds_one_engine_and_keeps_it(monkeypatch, tmp_path):
    """TensorRT gets the batch sizes 1 to 256, a folder for its engine, and CUDA for unsupported operators."""
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted, _ = started_with(monkeypatch, "tensorrt")
    (name, options), (beside, _) = wanted
    assert (name, beside) == ("TensorrtExecutionProvider", "CUDAExecutionProvider")
    assert options["trt_profile_min_shapes"] == "image:1x8x8x1"
    assert options["trt_profile_max_shapes"] == "image:256x8x8x1"
    engine = Path(options["trt_engine_cache_path"])
    assert engine.parent == tmp_path / ".cache" / "edgecls" / "tensorrt"
    assert engine.is_dir()
    started_with(monkeypatch, "tensorrt", model=tiny.light_model())
    assert sorted(engine.parent.iterdir()) != [engine], "a model of the same graph has an engine of its own"


def test_openvino_is_told_its_threads(monkeypatch):
    """OpenVINO ignores ONNX Runtime's threads: it gets one for a small input, and one per core for a large one."""
    wanted, _ = started_with(monkeypatch, "openvino")
    assert wanted == [("OpenVINOExecutionProvider", {"num_of_threads": "1"})]
    monkeypatch.setattr(providers, "SMALL_PICTURE_PIXELS", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    wanted, _ = started_with(monkeypatch, "openvino")
    assert wanted == [("OpenVINOExecutionProvider", {"num_of_threads": "6"})]


def test_directml_is_started_as_it_must_be(monkeypatch):
    """DirectML needs memory patterns off; the other providers keep them."""
    assert not started_with(monkeypatch, "directml")[1].enable_mem_pattern
    assert started_with(monkeypatch, "coreml")[1].enable_mem_pattern


def test_a_model_that_a_device_cannot_compute_whole(monkeypatch):
    """If a part of the graph would run on the CPU, the error says so and what to do."""

    def session(model, *_arguments, **_options):
        if model == MODEL:
            raise RuntimeError("graph nodes are assigned to the default CPU EP, but fallback to CPU EP has been disabled")
        return types.SimpleNamespace(get_providers=lambda: ["OpenVINOExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["OpenVINOExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.raises(DeviceError, match=r"openvino: it cannot compute all of m\.onnx; export it as fp32"):
        providers.open_session(MODEL, "m.onnx", "openvino")


@pytest.mark.parametrize(
    ("device", "other", "operator"),
    [("tensorrt", "CUDAExecutionProvider", "Conv"), ("coreml", "CPUExecutionProvider", "MatMul")],
)
def test_the_sums_are_done_where_it_was_asked_for(monkeypatch, tmp_path, device, other, operator):
    """A fallback may convert the input to float, but not compute the expensive operators."""
    monkeypatch.setenv("HOME", str(tmp_path))
    asked_for = providers.PROVIDERS[device].name
    started_with(monkeypatch, device, Part(other, "Cast"), Part(asked_for, "Conv", "MatMul", "Softmax"))
    with pytest.raises(DeviceError, match=rf"device {device}: it leaves {operator} to .* in m\.onnx; export it as fp32"):
        started_with(monkeypatch, device, Part(other, "Cast", operator), Part(asked_for, "Softmax"))


def test_a_detector_may_leave_cheap_operators_to_the_cpu(monkeypatch):
    """Shapes and indices, but none of the sums."""
    entry, cpu = "session.disable_cpu_ep_fallback", "CPUExecutionProvider"
    cuda = providers.PROVIDERS["cuda"].name
    parts = Part(cpu, "Gather", "TopK"), Part(cuda, "Conv")
    with pytest.raises(RuntimeError, match="does not have configuration"):
        started_with(monkeypatch, "cuda", *parts, cheap_on_cpu=True)[1].get_session_config_entry(entry)
    with pytest.raises(DeviceError, match=r"device cuda: it leaves Conv to CPU in m\.onnx"):
        started_with(monkeypatch, "cuda", Part(cpu, "Conv"), Part(cuda, "MatMul"), cheap_on_cpu=True)


def test_a_graph_is_kept_off_the_cpu(monkeypatch):
    """The CPU fallback is disabled, except for CoreML, which does not support uint8; there the operators are checked."""
    entry = "session.disable_cpu_ep_fallback"
    assert started_with(monkeypatch, "cuda")[1].get_session_config_entry(entry) == "1"
    with pytest.raises(RuntimeError, match="does not have configuration"):
        started_with(monkeypatch, "coreml")[1].get_session_config_entry(entry)


@pytest.mark.parametrize("threads", [0, -1, 1025, 10_000])
def test_more_threads_than_any_processor_has_are_refused(threads):
    """Before a library starts them."""
    with pytest.raises(ConfigError, match=rf"threads must be from 1 to 1024, not {threads}"):
        Classifier.load(ROOT / "models" / "signs.onnx", device="cpu", threads=threads)
