"""The number formats that a model can be exported in."""

from edgecls.export.quantize.fp16 import to_fp16
from edgecls.export.quantize.int8 import Int8
from edgecls.export.quantize.schemes import CALIBRATION_PICTURES, SCHEMES

__all__ = [
    "CALIBRATION_PICTURES",
    "SCHEMES",
    "Int8",
    "to_fp16",
]
