"""Open the .onnx file of a detector: its input, and what its metadata says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgecls.detect.decoders.kind import RT_DETR_HEAD
from edgecls.errors import ConfigError, ModelError
from edgecls.export.adopt.foreign import literal, metadata_of, read_onnx
from edgecls.export.adopt.formats import refuse_others
from edgecls.export.adopt.ports import FLOATS, tensor_type
from edgecls.export.adopt.scaling import own_values
from edgecls.model import vet
from edgecls.model.card import DETECTOR_KEY, METADATA_KEY

if TYPE_CHECKING:
    from edgecls.export.adopt.foreign import Foreign

SIZE_INPUTS = ("orig_target_sizes", "orig_target_size", "target_sizes")
"""A second input with the width and height of the frame, to which the graph scales its boxes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A detector of another tool.

    Attributes:
        foreign: The opened file.
        input: The name of the input for the picture.
        dtype: Its type: "FLOAT", "FLOAT16", "DOUBLE" or "UINT8".
        layout: The order of its dimensions.
        batched: Whether it has a dimension for the number of pictures.
        size_hw: Height and width of the picture in pixels.
        size_input: The name of a second input for the size of the frame; "" if there is none.
        names: The names of its classes, if its metadata has some.
        head: The name of its last layer, if its metadata has one.
        values: The range of values that the graph scales itself; "" if it does not.
        about: What it says about its data and licence.
    """

    foreign: Foreign
    input: str
    dtype: str
    layout: Literal["nchw", "nhwc"]
    batched: bool
    size_hw: tuple[int, int]
    size_input: str = ""
    names: tuple[str, ...] = ()
    head: str = ""
    values: str = ""
    about: str = ""

    @property
    def shape(self) -> tuple[int, int, int]:
        """The dimensions of one picture, as the graph takes it."""
        return (3, *self.size_hw) if self.layout == "nchw" else (*self.size_hw, 3)


@dataclass(frozen=True, slots=True)
class _Metadata:
    names: tuple[str, ...] = ()
    size_hw: tuple[int, int] | tuple[()] = ()
    head: str = ""
    about: str = ""


def open_detector(path: str | Path, size_hw: tuple[int, int] | tuple[()] = ()) -> Source:
    """Open the .onnx file of a detector.

    Args:
        path: The file.
        size_hw: Height and width in pixels, for a detector that takes any size.

    Raises:
        ModelError: The file has another format, is malicious, or is no detector.
        ConfigError: The size is missing, or contradicts the file.
    """
    refuse_others(Path(path))
    foreign = read_onnx(path, vet.read(path))
    written = metadata_of(foreign.model)
    if METADATA_KEY in written:
        raise ModelError(f"{path}: it is an edgecls classifier already, expected a detector; use it as the `model` of a run")
    if DETECTOR_KEY in written:
        raise ModelError(f"{path}: it is an edgecls detector already, with its card; use it as it is")
    known = _ultralytics(written, str(path)) if "task" in written and "names" in written else _Metadata()
    picture, size_input = _inputs(foreign)
    dtype, dims = tensor_type(picture)
    layout, batched, found = _lie(picture.name, dims, str(path))
    size = tuple(n or given for n, given in zip(found, size_hw or known.size_hw or (0, 0), strict=True))
    if not all(size):
        raise ConfigError(f"{path}: its input {picture.name} is {dims}; say `size_hw`, the size of its pictures in pixels")
    if size_hw and size != size_hw:
        raise ConfigError(f"{path}: its input {picture.name} is {dims}, not {size_hw[1]}x{size_hw[0]}; leave `size_hw` out")
    return Source(
        foreign,
        picture.name,
        dtype,
        layout,
        batched,
        (size[0], size[1]),
        size_input,
        known.names,
        known.head,
        own_values(foreign.model) if dtype != "UINT8" else "0..255",
        known.about,
    )


def _inputs(foreign: Foreign) -> tuple[Any, str]:
    """Return the input for the picture, and the name of that for the size of the frame, "" if there is none."""
    weights = {i.name for i in foreign.model.graph.initializer}
    inputs = [i for i in foreign.model.graph.input if i.name not in weights]
    pictures = [i for i in inputs if tensor_type(i)[0] in (*FLOATS, "UINT8") and len(tensor_type(i)[1]) in (3, 4)]
    others = [i.name for i in inputs if i not in pictures]
    if len(pictures) != 1 or len(others) > 1 or any(name not in SIZE_INPUTS for name in others):
        found = ", ".join(f"{i.name} {' '.join(map(str, tensor_type(i)))}" for i in inputs)
        raise ModelError(
            f"{foreign.path}: expected one input for a picture, and at most one of {', '.join(SIZE_INPUTS)}, found {found}"
        )
    return pictures[0], "".join(others)


def _lie(name: str, dims: list[int], where: str) -> tuple[Literal["nchw", "nhwc"], bool, tuple[int, int]]:
    """Return the layout, whether there is a batch axis, and height and width, 0 where free."""
    batched = len(dims) == 4
    one = dims[1:] if batched else dims
    if batched and dims[0] > 1:
        raise ModelError(f"{where}: its input {name} takes {dims[0]} pictures at a time; export it for one")
    if one[0] == 3 or (one[0] == 0 and one[2] != 3):
        return "nchw", batched, (one[1], one[2])
    if one[2] == 3:
        return "nhwc", batched, (one[0], one[1])
    raise ModelError(f"{where}: expected pictures of 3 channels, found {name} {dims}")


def _ultralytics(written: dict[str, str], where: str) -> _Metadata:
    """Return what the metadata of Ultralytics says. Raises ModelError for other tasks than detection."""
    if written["task"] != "detect":
        hint = "; adopt it without `detector`" if written["task"] == "classify" else ""
        raise ModelError(f"{where}: its metadata says task {written['task']!r}, expected 'detect'{hint}")
    names, size = literal(written["names"], where, "names"), literal(written.get("imgsz", "[]"), where, "imgsz")
    if isinstance(names, dict):
        names = [names[i] for i in sorted(names)] if set(names) == set(range(len(names))) else None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ModelError(f"{where}: expected one name for each class in its metadata, found {written['names'][:80]!r}")
    size = [size, size] if isinstance(size, int) else size
    is_size = isinstance(size, list) and len(size) == 2 and all(type(n) is int for n in size)
    head = written.get("head", "")
    if not head and "rtdetr" in written.get("description", "").lower():
        head = RT_DETR_HEAD
    about = "; ".join(filter(None, (written.get("description", "").strip(), written.get("license", ""))))
    return _Metadata(tuple(names), (size[0], size[1]) if is_size else (), head, about)
