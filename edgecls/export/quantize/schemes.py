"""The number formats that a model can be exported in, by name.

To add a format, write a function or a frozen dataclass that is called with (float model, calibration pictures), and add it to
`SCHEMES` and to the targets in `edgecls.export.quantize.targets.TARGETS` that it is right for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgecls.export.quantize.fp16 import to_fp16
from edgecls.export.quantize.int8 import Int8

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    from numpy import uint8
    from numpy.typing import NDArray

CALIBRATION_PICTURES = 512


def to_fp32(model: onnx.ModelProto, pictures: NDArray[uint8]) -> onnx.ModelProto:  # noqa: ARG001 - nothing to calibrate
    """Return the model unchanged, in float32."""
    return model


_INT8 = {
    "int8": Int8("int8"),
    "int8-full": Int8("int8-full", weight_bits=8),
    "int8-s8": Int8("int8-s8", weight_bits=8, activations="int8"),
}
"""7-bit weights for every x86, 8-bit weights for x86 with VNNI, signed weights and activations for ARM."""
_VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    "-tensor": {"per_channel": False},
    "-percentile": {"ranges": "percentile"},
    "-entropy": {"ranges": "entropy"},
    "-float1": {"float_layers": 1},
    "-float2": {"float_layers": 2},
    "-float4": {"float_layers": 4},
}

SCHEMES: dict[str, Callable[[onnx.ModelProto, NDArray[uint8]], onnx.ModelProto]] = {
    "fp32": to_fp32,
    "fp16": to_fp16,
    **{
        base + variant: replace(row, name=base + variant, **changes)
        for base, row in _INT8.items()
        for variant, changes in _VARIANTS.items()
    },
}
"""Each scheme by name: (float model, calibration pictures (N, height, width, channels) uint8) -> model."""
