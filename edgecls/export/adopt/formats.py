"""Formats of other tools that cannot be adopted, each with the way to convert it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_PYTORCH = ("PyTorch's, which does not hold the code of the network; export it from that code with: torch.onnx.export(model, "
            "torch.zeros(1, 3, HEIGHT, WIDTH), 'model.onnx')")  # fmt: skip
_WEIGHTS = "only weights; load them into the network that they belong to, and export it with: torch.onnx.export(...)"
BY_NAME = {
    ".tflite": "TensorFlow Lite's; convert it with: python -m tf2onnx.convert --tflite {path} --output model.onnx",
    ".lite": "TensorFlow Lite's; convert it with: python -m tf2onnx.convert --tflite {path} --output model.onnx",
    ".pb": "a frozen graph or a part of a SavedModel; convert it with: python -m tf2onnx.convert --graphdef {path} --inputs "
    "INPUT:0 --outputs OUTPUT:0 --output model.onnx, or convert the whole folder of the SavedModel",
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".ckpt": _PYTORCH,
    ".bin": _WEIGHTS,
    ".safetensors": _WEIGHTS,
    ".pdmodel": "Paddle's; convert it with: paddle2onnx --model_dir FOLDER --model_filename NAME --save_file model.onnx",
    ".pdiparams": "Paddle's weights; convert the .pdmodel beside it with: paddle2onnx",
    ".engine": "TensorRT's, made for one GPU; adopt the .onnx file that it was made of",
    ".plan": "TensorRT's, made for one GPU; adopt the .onnx file that it was made of",
    ".trt": "TensorRT's, made for one GPU; adopt the .onnx file that it was made of",
    ".mlmodel": "Core ML's, which cannot be converted back; export the network that it was made of to .onnx",
    ".mlpackage": "Core ML's, which cannot be converted back; export the network that it was made of to .onnx",
    ".ort": "ONNX Runtime's own format; adopt the .onnx file that it was made of",
    ".xml": "OpenVINO's, which cannot be converted back; adopt the .onnx file that it was made of",
    ".rknn": "Rockchip's, which cannot be converted back; adopt the .onnx file that it was made of",
    ".hef": "Hailo's, which cannot be converted back; adopt the .onnx file that it was made of",
    ".json": "the structure of a network without its weights, such as TensorFlow.js writes; save the model as .keras, or "
    "export it to .onnx",
}
"""By file extension: what such a file is, and how to convert it."""


def refuse_others(path: Path) -> None:
    """Raise ModelError for a folder or a file in another format; the message has the command to convert it."""
    if path.is_dir():
        raise ModelError(f"{path}: expected an .onnx, .keras or .h5 file, found a folder{_of_folder(path)}")
    known = BY_NAME.get(path.suffix.lower())
    if known and path.exists():
        raise ModelError(f"{path}: expected an .onnx, .keras or .h5 file, found {known.replace('{path}', str(path))}")


def _of_folder(path: Path) -> str:
    """Return the end of the message for a folder: what it holds, and how to convert it."""
    if (path / "saved_model.pb").exists():
        return f" with a SavedModel; convert it with: python -m tf2onnx.convert --saved-model {path} --output model.onnx"
    if (path / "best.keras").exists():
        return f" of a training run; export it with: edgecls export {path} --out model.onnx"
    if (path / "Manifest.json").exists():
        return f", {BY_NAME['.mlpackage']}"
    if (path / "config.json").exists():
        return (
            f" as Hugging Face has them; convert it with: optimum-cli export onnx --model {path} onnx/, and adopt "
            "onnx/model.onnx"
        )
    return "; give the file itself"
