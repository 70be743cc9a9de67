"""Write files as `torch.save` does, in both formats, without PyTorch."""

from __future__ import annotations

import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "i8": "LongStorage", "u1": "ByteStorage"}


class Tensor:
    """A view of a storage, with its offset, shape and strides in numbers."""

    def __init__(self, storage: np.ndarray, shape: tuple, strides: tuple, offset: int = 0, key: str = "0") -> None:
        self.storage, self.shape, self.strides, self.offset, self.key = storage, shape, strides, offset, key

    @classmethod
    def of(cls, values: np.ndarray, key: str) -> Tensor:
        """A tensor that lies in memory as the array does."""
        base = np.lib.stride_tricks.as_strided(values, (values.size,), (values.itemsize,))
        return cls(base, values.shape, tuple(s // values.itemsize for s in values.strides), key=key)

    def __reduce__(self) -> tuple:
        """Pickle as PyTorch does."""
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (_Storage(self), self.offset, self.shape, self.strides, False, OrderedDict())


class _Storage:
    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


class _Pickler(pickle.Pickler):
    def persistent_id(self, found: Any) -> Any:
        if not isinstance(found, _Storage):
            return None
        storage = found.tensor.storage
        kind = getattr(sys.modules["torch"], KINDS[storage.dtype.str[1:]])
        return ("storage", kind, found.tensor.key, "cpu", storage.size, *self.more)


@contextmanager
def _torch() -> Iterator[None]:
    """Let `pickle` find the names of PyTorch."""
    torch, inner = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in KINDS.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None:
        """Only its name is written."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    inner._rebuild_tensor_v2 = _rebuild_tensor_v2
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": inner})
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _pickled(value: Any, *more: Any) -> bytes:
    file = io.BytesIO()
    pickler = _Pickler(file, protocol=2)
    pickler.more = more
    pickler.dump(value)
    return file.getvalue()


def tensors_of(named: dict[str, Any]) -> OrderedDict:
    """A state_dict: arrays become tensors."""
    found = OrderedDict()
    for i, (name, value) in enumerate(named.items()):
        found[name] = Tensor.of(value, str(i)) if isinstance(value, np.ndarray) else value
    return found


def older(state: Any) -> bytes:
    """The format before PyTorch 1.6."""
    system = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with _torch():
        parts = [_pickled(MAGIC), _pickled(VERSION), _pickled(system), _pickled(state, None)]
    storages = _storages(state)
    parts.append(_pickled(sorted(storages)))
    for key in sorted(storages):
        parts += [storages[key].size.to_bytes(8, "little"), storages[key].tobytes()]
    return b"".join(parts)


def zipped(state: Any, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The format since PyTorch 1.6."""
    file = io.BytesIO()
    with _torch(), zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("net/data.pkl", _pickled(state))
        archive.writestr("net/byteorder", "little")
        for key, storage in _storages(state).items():
            archive.writestr(f"net/data/{key}", storage.tobytes())
        archive.writestr("net/version", "3\n")
    return file.getvalue()


def _storages(state: Any) -> dict[str, np.ndarray]:
    values = state.values() if isinstance(state, dict) else []
    return {value.key: value.storage for value in values if isinstance(value, Tensor)}
