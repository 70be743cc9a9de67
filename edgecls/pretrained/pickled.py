"""Interpret the pickles of PyTorch without running them.

A pickle is a program that can call any function. `pickle.Unpickler` with a restricted `find_class` stops most of that, but a
file of a few bytes can still reserve gigabytes. Here only the operations that PyTorch writes for tensors are known. Each makes
a number, a text, a list, or a description of a tensor. Anything else is rejected by name.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_OPERATIONS = 2_000_000
"""More than the largest published networks need: 12,000 for 300 tensors."""


class NotTensorsError(ValueError):
    """A pickle with something else than tensors, numbers and texts; the message says what."""


@dataclass(frozen=True, slots=True)
class Global:
    """The name of a class or a function, which is never looked up."""

    name: str


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to data outside of the pickle: the values that describe it."""

    values: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the pickle asks for, which is not made: the name of the function, and its arguments."""

    name: str
    arguments: tuple[Any, ...]


ORDERED_DICT = "collections OrderedDict"
REBUILD = "torch._utils _rebuild_tensor_v2"
STORAGES = {
    "torch DoubleStorage": "<f8",
    "torch FloatStorage": "<f4",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ShortStorage": "<i2",
    "torch CharStorage": "|i1",
    "torch ByteStorage": "|u1",
    "torch BoolStorage": "|b1",
}
"""The classes of data, and their numbers in NumPy's notation."""
ALLOWED = {ORDERED_DICT, REBUILD, *STORAGES}
_MARK = object()


def interpret(file: BinaryIO) -> Any:
    """Return what the pickle at the current position of `file` describes; the position is then after it.

    Raises:
        NotTensorsError: It contains something else than tensors.
        ValueError, TypeError: It is damaged.
    """
    machine = _Machine()
    for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
        if count > MOST_OPERATIONS:
            raise NotTensorsError(f"more than {MOST_OPERATIONS:,} operations")
        known = _OPERATIONS.get(operation.name)
        if known is None:
            raise NotTensorsError(f"the operation {operation.name}")
        known(machine, argument)
    return machine.only()


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ValueError("an operation without its values")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"an operation without its {kind.__name__}")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                found = self.stack[i + 1 :]
                del self.stack[i:]
                return found
        raise ValueError("an operation without its mark")

    def last(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def only(self) -> Any:
        if len(self.stack) != 1:
            raise ValueError("a pickle with other than one result")
        return self.stack[0]

    def remember(self, key: int | None) -> None:
        self.memo[len(self.memo) if key is None else key] = self.top(object)

    def recall(self, key: int) -> None:
        if key not in self.memo:
            raise ValueError("a reference to a value that does not exist")
        self.push(self.memo[key])

    def set_items(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise ValueError("a key without a value")
        table = self.top(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):  # a hash of nested tuples can take forever
                raise NotTensorsError(f"a key of the type {type(key).__name__}")
            table[key] = value

    def look_up(self, name: str) -> None:
        if name not in ALLOWED:
            raise NotTensorsError(name.replace(" ", ".")[:80])
        self.push(Global(name))

    def look_up_stack(self) -> None:
        parts = self.last(2)
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("a name that is no text")
        self.look_up(" ".join(parts))

    def call(self) -> None:
        function, arguments = self.last(2)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise TypeError("a call of something that is no function")
        if function.name == ORDERED_DICT and not arguments:
            self.push({})
        elif function.name == REBUILD:
            self.push(Call(function.name, arguments))
        else:
            raise NotTensorsError(f"a call of {function.name.replace(' ', '.')}")

    def set_state(self) -> None:
        """Drop the attributes of an OrderedDict: PyTorch keeps the version of each layer there."""
        self.pop()
        self.top(dict)


_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **{name: lambda _m, _a: None for name in ("PROTO", "FRAME", "STOP")},
    **{
        name: lambda m, a: m.push(a)
        for name in ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE")
    },
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "MARK": lambda m, _: m.push(_MARK),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push(m.last(1)),
    "TUPLE2": lambda m, _: m.push(m.last(2)),
    "TUPLE3": lambda m, _: m.push(m.last(3)),
    "SETITEM": lambda m, _: m.set_items(list(m.last(2))),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "APPENDS": lambda m, _: _append(m, m.since_mark()),
    "APPEND": lambda m, _: _append(m, list(m.last(1))),
    **{name: lambda m, a: m.remember(a) for name in ("BINPUT", "LONG_BINPUT", "MEMOIZE")},
    **{name: lambda m, a: m.recall(a) for name in ("BINGET", "LONG_BINGET")},
    "GLOBAL": lambda m, a: m.look_up(a),
    "STACK_GLOBAL": lambda m, _: m.look_up_stack(),
    "BINPERSID": lambda m, _: m.push(Persistent(m.pop())),
    "REDUCE": lambda m, _: m.call(),
    "BUILD": lambda m, _: m.set_state(),
}


def _append(machine: _Machine, values: list[Any]) -> None:
    machine.top(list).extend(values)
