"""Validate model files before any library opens them."""

from edgecls.model.vet.check import LARGEST_MODEL_BYTES, read, vet
from edgecls.model.vet.protobuf import BYTES, VARINT, Field, Node, Walk, signed
from edgecls.model.vet.sizes import check_sizes

__all__ = [
    "BYTES",
    "LARGEST_MODEL_BYTES",
    "VARINT",
    "Field",
    "Node",
    "Walk",
    "check_sizes",
    "read",
    "signed",
    "vet",
]
