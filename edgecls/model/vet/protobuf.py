"""Read the wire format of Protocol Buffers: enough of it to walk a message without its schema.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

MOST_FIELDS = 1_000_000
"""The most fields to walk, which takes a second. models/signs.onnx has 840, a network of 1,000 layers about 40,000."""
MOST_SKIPPED_BYTES = 8_000_000
"""The limit for fields that are not walked (value types, unknown fields): a parser needs up to 100 bytes for each of them."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def signed(value: int) -> int:
    """Return an unsigned 64-bit integer as the signed one with the same bits."""
    return value - 2**64 if value >= 2**63 else value


class Field(NamedTuple):
    """A field of a message: its number, wire type, value (of a varint, else 0), and the range of its bytes in the file."""

    number: int
    wire: int
    value: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a graph.

    Attributes:
        operator: The name of the operator.
        inputs: The names of the tensors that it reads.
        outputs: The names of the tensors that it writes.
        numbers: Its numeric attributes, by name.
        same: Whether its `auto_pad` is "SAME_UPPER" or "SAME_LOWER", which divides the size of the input by the strides.
    """

    operator: str
    inputs: list[str]
    outputs: list[str]
    numbers: Mapping[str, Sequence[float]]
    same: bool = False


@dataclass(slots=True)
class Walk:
    """The state of walking a file: the limits used up, and what was found so far.

    Attributes:
        data: The bytes of the file.
        where: The name of the file, for error messages.
        fields: The number of fields walked.
        skipped: The number of bytes skipped.
        inputs: The dimensions of the inputs of the graph, by name; 0 for free ones.
        shapes: The shapes of the constants of the graph, by name.
        small: The values of small constants, by name.
        nodes: The nodes of the graph, in order.
    """

    data: bytes
    where: str
    fields: int = 0
    skipped: int = 0
    inputs: dict[str, list[int]] = field(default_factory=dict)
    shapes: dict[str, list[int]] = field(default_factory=dict)
    small: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def refuse(self, why: str) -> ModelError:
        """Return an error that names the file and gives the reason."""
        return ModelError(f"{self.where}: {why}; it was not loaded")

    def fields_of(self, start: int, stop: int) -> Iterator[Field]:
        """Yield the fields of the message between two positions. Raises ModelError if it is damaged or has too many fields."""
        data, at = self.data, start
        while at < stop:
            self.fields += 1
            if self.fields > MOST_FIELDS:
                raise self.refuse(f"expected the structure of a network, found more than {MOST_FIELDS:,} parts")
            tag, at = (data[at], at + 1) if data[at] < 128 else self.varint(at, stop)
            number, wire = tag >> 3, tag & 7
            value = first = 0
            if wire == BYTES:
                length, first = self.varint(at, stop)
                at = first + length
            elif wire == VARINT:
                first = at
                value, at = self.varint(at, stop)
            elif wire in _FIXED_BYTES:
                first, at = at, at + _FIXED_BYTES[wire]
            else:
                raise self.refuse(f"expected an .onnx file, found another format (at byte {at - 1:,})")
            if at > stop:
                raise self.refuse(f"the file is cut off or damaged: a part at {first:,} would end at {at:,}, after {stop:,}")
            yield Field(number, wire, value, first, at)

    def by_number(self, message: Field, known: Container[int]) -> dict[int, list[Field]]:
        """Return the fields of a message whose numbers are `known`, in order; skip the others."""
        fields: dict[int, list[Field]] = {}
        for part in self.fields_of(message.start, message.stop):
            if part.number in known:
                fields.setdefault(part.number, []).append(part)
            else:
                self.skip(part)
        return fields

    def varint(self, at: int, stop: int) -> tuple[int, int]:
        """Return the varint at a position, and the position after it."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= stop:
                raise self.refuse(f"the file is cut off or damaged at {at:,}")
            byte = self.data[at]
            value |= (byte & 127) << shift
            at += 1
            if byte < 128:
                return value & (2**64 - 1), at
        raise self.refuse(f"expected an .onnx file, found another format (at byte {at:,})")

    def text(self, string: Field) -> str:
        """Return the text of a field. Raises ModelError if it is not UTF-8, which ONNX Runtime does not check."""
        try:
            return self.data[string.start : string.stop].decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"the file is damaged: its text at {string.start:,} is not UTF-8") from error

    def skip(self, unknown: Field) -> None:
        """Skip a field. Raises ModelError if more than MOST_SKIPPED_BYTES were skipped."""
        self.skipped += unknown.stop - unknown.start
        if self.skipped > MOST_SKIPPED_BYTES:
            raise self.refuse(f"expected a network, found more than {MOST_SKIPPED_BYTES:,} bytes that are not weights")

    def count(self, packed: Field) -> int:
        """Return the number of packed varints in a field: each ends with a byte below 128."""
        return int(np.count_nonzero(np.frombuffer(self.data, np.uint8, packed.stop - packed.start, packed.start) < 128))

    def numbers(self, integers: Field, most: int) -> list[int]:
        """Return the signed integers of a field, one or packed; of more than `most`, only the first `most + 1`."""
        if integers.wire == VARINT:
            return [signed(integers.value)]
        values: list[int] = []
        at = integers.start
        while at < integers.stop and len(values) <= most:
            value, at = self.varint(at, integers.stop)
            values.append(signed(value))
        return values
