"""The wire format of Protocol Buffers, as far as it takes to walk a message without its description.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

MOST_FIELDS = 1_000_000
"""So many fields are walked, at most: a second. models/signs.onnx has 840, a network of 1,000 layers some 40,000."""
MOST_SKIPPED_BYTES = 8_000_000
"""Of what is not walked (types of values, unknown fields); a parser makes up to a hundred bytes of one."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


def signed(value: int) -> int:
    """A whole number of 64 bits, which travels without its sign."""
    return value - 2**64 if value >= 2**63 else value


class Field(NamedTuple):
    """One field of a message: its number, its wire type, its whole number if it is a varint, and where its bytes lie."""

    number: int
    wire: int
    value: int
    start: int
    stop: int


@dataclass(slots=True)
class Walk:
    """What was found so far. `small` are the constants that may say how large a tensor becomes, `sized` who reads them."""

    data: bytes
    where: str
    fields: int = 0
    skipped: int = 0
    small: dict[str, list[int]] = field(default_factory=dict)
    sized: list[tuple[str, list[str]]] = field(default_factory=list)

    def refuse(self, why: str) -> ModelError:
        """The error that names the file."""
        return ModelError(f"{self.where}: {why}; it was not loaded")

    def fields_of(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of the message between two positions. Raises ModelError where it is damaged, or grows without bound."""
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
                raise self.refuse(f"expected an .onnx file, found bytes of another format at {at - 1:,}")
            if at > stop:
                raise self.refuse(f"the file is cut off or damaged: a part at {first:,} would end at {at:,}, after {stop:,}")
            yield Field(number, wire, value, first, at)

    def by_number(self, message: Field, known: Container[int]) -> dict[int, list[Field]]:
        """The fields of a message whose numbers are `known`, in order; the others are skipped."""
        found: dict[int, list[Field]] = {}
        for part in self.fields_of(message.start, message.stop):
            if part.number in known:
                found.setdefault(part.number, []).append(part)
            else:
                self.skip(part)
        return found

    def varint(self, at: int, stop: int) -> tuple[int, int]:
        """A whole number at a position, and the position after it."""
        value = 0
        for shift in range(0, 70, 7):
            if at >= stop:
                raise self.refuse(f"the file is cut off or damaged at {at:,}")
            byte = self.data[at]
            value |= (byte & 127) << shift
            at += 1
            if byte < 128:
                return value & (2**64 - 1), at
        raise self.refuse(f"expected an .onnx file, found bytes of another format at {at:,}")

    def text(self, found: Field) -> str:
        """The text that a field holds."""
        return self.data[found.start : found.stop].decode("utf-8", errors="replace")

    def skip(self, found: Field) -> None:
        """Pass over a field; there may not be much of it."""
        self.skipped += found.stop - found.start
        if self.skipped > MOST_SKIPPED_BYTES:
            raise self.refuse(f"expected a network, found more than {MOST_SKIPPED_BYTES:,} bytes that are none of its weights")

    def count(self, packed: Field) -> int:
        """How many varints follow one another: each ends with a byte below 128."""
        return int(np.count_nonzero(np.frombuffer(self.data, np.uint8, packed.stop - packed.start, packed.start) < 128))

    def numbers(self, found: Field, most: int) -> list[int]:
        """One whole number, or some packed ones (at most `most`, and one more to tell), with their signs."""
        if found.wire == VARINT:
            return [signed(found.value)]
        values: list[int] = []
        at = found.start
        while at < found.stop and len(values) <= most:
            value, at = self.varint(at, found.stop)
            values.append(signed(value))
        return values
