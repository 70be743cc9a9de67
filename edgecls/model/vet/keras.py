"""Validate a Keras file before Keras loads it: the code it would run, its size in memory, and the files it would open.

A `.keras` file is a zip archive of settings and weights. An `.h5` file is HDF5 with the settings in an attribute. Keras tells
the two apart by the name of the file alone; here name and content must agree, so that Keras reads what was validated.

Limits, checked against the sizes that the file declares, before it is unpacked:

- settings: LARGEST_CONFIG_BYTES, nested at most MOST_LEVELS deep.
- unpacked content: the larger of SMALL_UNPACKED_BYTES and MOST_TIMES_UNPACKED times the size of the file, but at most 2 GB.
- only settings and weights reach Keras; links to other files are rejected.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.errors import EdgeclsError, ModelError
from edgecls.model import vet

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
LARGEST_CONFIG_BYTES = 16_000_000
"""Those of EfficientNetB7 have 0.6 MB."""
MOST_LEVELS = 200
"""Settings of Keras nest 10 to 30 deep. The JSON parser and Keras are recursive, so deeper nesting could exhaust the stack."""
SMALL_UNPACKED_BYTES = 64_000_000
MOST_TIMES_UNPACKED = 20
"""Weights hardly compress; those of pruned networks compress to a tenth."""
MOST_ENTRIES = 100_000
"""The most groups and datasets in an HDF5 file."""
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

RUNS_CODE = frozenset({"Lambda", "__lambda__"})
OPENS_FILES = frozenset(
    ["FlaxLayer", "IntegerLookup", "JaxLayer", "StringLookup", "TFSMLayer", "TextVectorization", "TorchModuleWrapper"]
)
"""Layers that load another program, or a vocabulary from a path. No image classifier needs them."""
OWN_MODULES = frozenset({
    "activations", "constraints", "dtype_policies", "engine", "initializers", "layers", "losses", "metrics",
    "mixed_precision", "models", "ops", "optimizers", "quantizers", "random", "regularizers",
})  # fmt: skip
"""The submodules of Keras whose classes are allowed. Others have functions that download or write files."""
TRAINED_WITH = ("edgecls.train.balance", "edgecls.train.label_loss", "edgecls.train.schedule")
"""The modules with the classes that a training run of edgecls stores in its files."""


@dataclass(frozen=True, slots=True, eq=False)
class KerasFile:
    """A validated Keras file.

    Attributes:
        archive: Whether it is a `.keras` archive; else it is HDF5.
        config: The settings, as parsed from JSON.
        version: Its `keras_version`.
        metadata: The metadata of an archive, as JSON; else empty.
        weights: The bytes of an HDF5 file: the one in the archive, or the whole file.
    """

    archive: bool
    config: Any
    version: object
    metadata: bytes
    weights: bytes

    def write(self, folder: Path, config: Any) -> Path:
        """Write a file for Keras to `folder`: the settings `config` and the validated weights. Returns its path."""
        if self.archive:
            path = folder / "model.keras"
            with zipfile.ZipFile(path, "w") as copy:
                copy.writestr(_CONFIG, json.dumps(config))
                copy.writestr(_METADATA, self.metadata)
                copy.writestr(_WEIGHTS, self.weights)
            return path
        path = folder / "model.h5"
        path.write_bytes(self.weights)
        h5py: Any = extras.load("h5py", extra="export", purpose="Loading a Keras model")
        with h5py.File(path, "r+") as copy:
            copy.attrs["model_config"] = json.dumps(config)
        return path


def is_keras(path: Path, content: bytes) -> bool:
    """Return whether a file is for `open_keras`, by its extension or its first bytes."""
    return path.suffix.lower() in (".keras", ".h5", ".hdf5") or content.startswith((ZIP, HDF5))


def open_keras(content: bytes, where: str, *, own: tuple[str, ...] = (), compiled: bool = False) -> KerasFile:
    """Validate the bytes of a .keras or .h5 file.

    Args:
        content: The bytes of the file.
        where: Its path, for errors.
        own: Modules whose classes are allowed in addition to those of Keras.
        compiled: Keep and validate the loss, the metrics and the optimizer. If False, they are removed from the settings
            unchecked: they may come from any module, and inference does not need them.

    Raises:
        ModelError: The file contains code, would exceed the limits, or is not a Keras model.
    """
    suffix = Path(where).suffix.lower()
    kind = ".keras" if content.startswith(ZIP) else ".h5" if content.startswith(HDF5) else ""
    if not kind:
        found = "other bytes" if content else "an empty one"
        raise ModelError(f"{where}: expected a .keras or .h5 file with a Keras model, found {found}")
    if kind == ".h5" and zipfile.is_zipfile(io.BytesIO(content)):
        raise ModelError(f"{where}: the file is both HDF5 and a zip archive, which no program writes; it was not loaded")
    if kind != (".h5" if suffix == ".hdf5" else suffix):
        raise ModelError(
            f"{where}: the file is {_NAMES[kind]}, which Keras loads only from a name that ends in {kind}; rename it"
        )
    try:
        read = _from_zip(content, where) if kind == ".keras" else _from_hdf5(content, where)
        _check_levels(read.config, where)
    except EdgeclsError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{where}: expected a {kind} file with a Keras model, but it is damaged ({why})") from error
    if not compiled and isinstance(read.config, dict):
        read.config.pop("compile_config", None)
    _check_classes(read.config, where, own)
    return read


_NAMES = {".keras": "a zip archive", ".h5": "HDF5"}


def _limit(content: bytes) -> int:
    return min(max(SMALL_UNPACKED_BYTES, MOST_TIMES_UNPACKED * len(content)), vet.LARGEST_MODEL_BYTES)


def _from_zip(content: bytes, where: str) -> KerasFile:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        size, limit = sum(member.file_size for member in members), _limit(content)
        if size > limit:
            raise ModelError(
                f"{where}: it would have {size:,} bytes unpacked, expected at most {limit:,} for a file of {len(content):,}; "
                "it was not loaded"
            )
        if len(set(names)) != len(names):
            raise ModelError(
                f"{where}: its archive has two files of the same name, of which programs read either; it was not loaded"
            )
        if _CONFIG not in names:
            raise ModelError(f"{where}: expected a Keras model, found an archive without {_CONFIG}{_kind_of_zip(names)}")
        if _WEIGHTS not in names:
            raise ModelError(f"{where}: expected {_WEIGHTS} in its archive, found {', '.join(names)[:200]}")
        if archive.getinfo(_CONFIG).file_size > LARGEST_CONFIG_BYTES:
            raise ModelError(f"{where}: its {_CONFIG} is larger than {LARGEST_CONFIG_BYTES:,} bytes")
        metadata = archive.read(_METADATA) if _METADATA in names else b"{}"
        weights = archive.read(_WEIGHTS)
        config = json.loads(archive.read(_CONFIG))
    about = json.loads(metadata)
    version = about.get("keras_version") if isinstance(about, dict) else None
    _check_hdf5(weights, where, _limit(content))
    return KerasFile(True, config, version or "3", metadata, weights)


def check_weights(content: bytes, where: str) -> None:
    """Validate the bytes of an HDF5 file whose weights Keras will load into a network. Raises ModelError."""
    try:
        _check_hdf5(content, where, _limit(content))
    except EdgeclsError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(f"{where}: expected an HDF5 file with weights, but it is damaged ({why})") from error


def _kind_of_zip(names: list[str]) -> str:
    if any(name.endswith("data.pkl") for name in names):
        return ", which PyTorch wrote; export it there with: torch.onnx.export(model, picture, 'model.onnx')"
    return ""


def _from_hdf5(content: bytes, where: str) -> KerasFile:
    h5py = _check_hdf5(content, where, _limit(content))
    with h5py.File(io.BytesIO(content), "r") as file:
        text = _text(file.attrs.get("model_config"))
        if text is None:
            raise ModelError(
                f"{where}: expected a whole Keras model, found only weights; build the network that they belong to, load them "
                "there, and save the model: model.save('model.keras')"
            )
        if len(text) > LARGEST_CONFIG_BYTES:
            raise ModelError(f"{where}: its settings are larger than {LARGEST_CONFIG_BYTES:,} bytes")
        version = _text(file.attrs.get("keras_version"))
    return KerasFile(False, json.loads(text), version, b"", content)


def _text(value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) else value if isinstance(value, str) else None


def _check_hdf5(content: bytes, where: str, limit: int) -> Any:
    """Raise ModelError if an HDF5 file declares more than `limit` bytes, or refers to other files. Returns the h5py module."""
    h5py: Any = extras.load("h5py", extra="export", purpose="Loading a Keras model")
    size = 0
    with h5py.File(io.BytesIO(content), "r") as file:
        for name, found in _objects(h5py, file, where):
            for key in found.attrs:
                size += _attribute_bytes(h5py, found, key)
            if isinstance(found, h5py.Dataset):
                if found.is_virtual or found.external:
                    raise ModelError(f"{where}: its weights {name!r} are stored in another file; save the model as one file")
                if found.dtype.hasobject:
                    raise ModelError(f"{where}: expected numbers in {name!r}, found {found.dtype}; it was not loaded")
                size += math.prod(found.shape or ()) * found.dtype.itemsize
            if size > limit:
                raise ModelError(
                    f"{where}: its weights would take more than {limit:,} bytes, for a file of {len(content):,}; it was not "
                    "loaded"
                )
    return h5py


def _attribute_bytes(h5py: Any, found: Any, key: str) -> int:
    attribute = h5py.h5a.open(found.id, key.encode())
    return math.prod(attribute.shape or ()) * int(attribute.dtype.itemsize)


def _objects(h5py: Any, file: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield all groups and datasets with their names, each once. Raises ModelError for soft and external links."""
    waiting, seen = [("/", file)], set()
    while waiting:
        name, found = waiting.pop()
        address = h5py.h5o.get_info(found.id).addr
        if address in seen:
            continue
        seen.add(address)
        if len(seen) > MOST_ENTRIES:
            raise ModelError(f"{where}: expected a Keras model, found more than {MOST_ENTRIES:,} parts; it was not loaded")
        yield name, found
        if isinstance(found, h5py.Group):
            for key in found:
                if not isinstance(found.get(key, getlink=True), h5py.HardLink):
                    raise ModelError(
                        f"{where}: its part {f'{name}/{key}'!r} is a link, which can refer to another file; it was not loaded"
                    )
                waiting.append((f"{name}/{key}", found[key]))


def _check_levels(config: Any, where: str) -> None:
    level, depth = [config], 0
    while level:
        depth += 1
        if depth > MOST_LEVELS:
            raise ModelError(f"{where}: its settings are nested more than {MOST_LEVELS} deep; it was not loaded")
        level = [inner for part in level for inner in _parts(part)]
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ModelError(f"{where}: expected a Keras model, found settings of something else")


def _parts(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []


def _check_classes(config: Any, where: str, more: tuple[str, ...]) -> None:
    """Raise ModelError if a class, at any depth, runs code, opens files, or is neither in Keras nor in `more` modules."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and "class_name" in part and part.get("module") not in more:
            _check_class(str(part["class_name"]), part.get("module"), where)
        waiting += _parts(part)


def _check_class(name: str, module: object, where: str) -> None:
    if name in RUNS_CODE:
        raise ModelError(
            f"{where}: it contains a Lambda layer, whose code would run when it is loaded; if you trust it, replace the layer "
            "by one of Keras' own and save the model again, or convert it to .onnx where it was made"
        )
    if name in OPENS_FILES:
        raise ModelError(
            f"{where}: its layer {name} loads another file or program; save the model without it, or convert it to .onnx where "
            "it was made"
        )
    own = module is None or _is_own(str(module))
    function = name == "function" or name[:1].islower()  # classes of Keras begin with a capital, or with __
    if function and name != "function":
        raise ModelError(
            f"{where}: its settings call the function {name!r}, expected the layers of a network; it was not loaded"
        )
    if not (own or (function and module == "builtins")):
        raise ModelError(
            f"{where}: its {name!r} is code of the module {str(module)!r}, which is not in the file; convert it to .onnx "
            "where that module is installed"
        )


def _is_own(module: str) -> bool:
    """Return whether a module is keras, one of OWN_MODULES ("keras.src.ops.numpy"), or an optimizer of a backend
    ("keras.src.backend.torch.optimizers.torch_adam").
    """
    top, *parts = module.removeprefix("tf_").replace("keras.src", "keras", 1).split(".")
    parts = parts[2:3] if parts[:1] == ["backend"] and parts[2:3] == ["optimizers"] else parts
    return top == "keras" and (not parts or parts[0] in OWN_MODULES)
