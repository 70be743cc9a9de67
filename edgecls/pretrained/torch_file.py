"""Read the tensors of a file of PyTorch (.pth, .pt) without PyTorch.

There are two formats. Since PyTorch 1.6 a file is a zip archive: a pickle, `data.pkl`, that describes the tensors, and a member
with the numbers of each storage. Before that it was four pickles (a magic number, the version, the sizes of C's types, the
description) and a fifth with the names of the storages, followed by their numbers.

A tensor is a view of a storage: an offset, a shape, and strides. The strides matter: PyTorch writes kernels that are not
contiguous, and whoever reads them in the order of the storage gets a network that gives one answer to everything.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls.errors import ModelError
from edgecls.pretrained.pickled import STORAGES, Call, Global, NotTensorsError, Persistent, interpret

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LARGEST_BYTES = 1_000_000_000
"""The weights of EfficientNet-Lite2 have 25 MB."""
MAGIC = 0x1950A86A20F9469CFC6C
"""The number that begins the older format."""
OLD_VERSION = 1001
MOST_DIMENSIONS = 16


def read_tensors(content: bytes, where: str) -> dict[str, NDArray[np.generic]]:
    """Return the tensors of a file by name. They are read-only views of `content`, so nothing is copied.

    Args:
        content: The bytes of a file that `torch.save` wrote from the `state_dict` of a network.
        where: The path, for errors.

    Raises:
        ModelError: The file contains something else than tensors, or is damaged. Nothing of it was run.

    Example:
        tensors = read_tensors(Path("net.pth").read_bytes(), "net.pth")
        tensors["conv.weight"].shape
    """
    try:
        read = _from_zip if content.startswith(b"PK") else _from_pickles
        described, storage_bytes = read(content)
        if not isinstance(described, dict) or not described:
            raise NotTensorsError(f"a {type(described).__name__} instead of tensors with names")
        return {str(name): _tensor(value, storage_bytes) for name, value in described.items()}
    except NotTensorsError as error:
        raise ModelError(f"{where}: expected tensors and nothing else, found {error}; it was not loaded") from error
    except Exception as error:
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelError(f"{where}: expected a file of PyTorch with tensors, but it is damaged ({why})") from error


def _from_zip(content: bytes) -> tuple[Any, Callable[[str], memoryview]]:
    """Return the description, and a function that returns the bytes of a storage by name."""
    view = memoryview(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickles) != 1 or len(members) != len(archive.infolist()):
            raise ValueError("an archive without its data.pkl, or with two files of one name")
        folder = pickles[0].removesuffix("data.pkl")
        orders = [_stored(view, members[name]) for name in (f"{folder}byteorder",) if name in members]
        if any(bytes(order) != b"little" for order in orders):
            raise ValueError("numbers with the most significant byte first")
        described = interpret(io.BytesIO(_stored(view, members[pickles[0]])))

    def storage_bytes(key: str) -> memoryview:
        return _stored(view, members[f"{folder}data/{key}"])

    return described, storage_bytes


def _stored(content: memoryview, member: zipfile.ZipInfo) -> memoryview:
    """Return the bytes of a member, which PyTorch never compresses, so a small archive cannot become large."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError("a compressed or encrypted member")
    header = content[member.header_offset : member.header_offset + 30]
    if bytes(header[:4]) != b"PK\x03\x04":
        raise ValueError("a member without its header")
    start = member.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    found = content[start : start + member.file_size]
    if len(found) != member.file_size:
        raise ValueError("it ends too early")
    return found


def _from_pickles(content: bytes) -> tuple[Any, Callable[[str], memoryview]]:
    """Return the description, and a function that returns the bytes of a storage by name."""
    view, file = memoryview(content), io.BytesIO(content)
    if interpret(file) != MAGIC or interpret(file) != OLD_VERSION:
        raise ValueError("it begins with other bytes")
    system = interpret(file)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("numbers with the most significant byte first")
    described, keys = interpret(file), interpret(file)
    if not isinstance(keys, list):
        raise TypeError("a list of storages is missing")
    sizes = _item_sizes(described)
    places: dict[str, tuple[int, int]] = {}
    at = file.tell()
    for key in keys:
        if not isinstance(key, str) or key not in sizes:
            raise ValueError("a storage that no tensor uses")
        length = int.from_bytes(view[at : at + 8], "little") * sizes[key]
        at += 8
        if len(view) - at < length:
            raise ValueError("it ends too early")
        places[key] = (at, length)
        at += length

    def storage_bytes(key: str) -> memoryview:
        start, length = places[key]
        return view[start : start + length]

    return described, storage_bytes


def _item_sizes(described: Any) -> dict[str, int]:
    """Return the bytes of a number in each storage, by name."""
    values = described.values() if isinstance(described, dict) else ()
    storages = [_storage(value) for value in values if isinstance(value, Call)]
    return {key: np.dtype(kind).itemsize for key, kind in storages}


def _storage(call: Call) -> tuple[str, str]:
    """Return the name of the storage of a tensor and the kind of its numbers."""
    reference = call.arguments[0] if call.arguments else None
    values = reference.values if isinstance(reference, Persistent) else ()
    if not isinstance(values, tuple) or len(values) < 5 or values[0] != "storage":
        raise ValueError("a tensor without its storage")
    kind, key = values[1], values[2]
    if not isinstance(kind, Global) or kind.name not in STORAGES or not isinstance(key, str):
        raise ValueError("a storage of an unknown kind")
    return key, STORAGES[kind.name]


def _tensor(value: Any, storage_bytes: Callable[[str], memoryview]) -> NDArray[np.generic]:
    if not isinstance(value, Call):
        raise NotTensorsError(f"a {type(value).__name__} among them")
    key, kind = _storage(value)
    storage = np.frombuffer(storage_bytes(key), kind)
    offset, shape, strides = value.arguments[1:4]
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS or not _whole((offset, *shape, *strides)):
        raise ValueError("a tensor with an impossible shape")
    if not math.prod(shape):
        return np.zeros(shape, kind)
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if last >= len(storage) or math.prod(shape) > len(storage):
        raise ValueError("a tensor that is larger than its storage")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)


def _whole(numbers: tuple[Any, ...]) -> bool:
    """Return whether all are whole numbers of at least 0."""
    return all(type(number) is int and number >= 0 for number in numbers)
