"""Files that hold others, or parts with names: one part changes, and the rest is as it was."""

from __future__ import annotations

import io
import sqlite3
import tempfile
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from hypothesis import strategies as st

from tests.fuzz.values import TEXTS, WHOLE, in_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.fuzz.case import Change

EVIL: Mapping[str, tuple[Any, ...]] = {
    "int": (*WHOLE, 65536, 10**7, -(2**31), 2**40),
    "str": (*(text for text in TEXTS if text != "\ud800"), "image", "If", "Loop", "ConstantOfShape", "Tile", "Expand", "Conv",
            "com.other"),
    "bytes": (b"", b"\x00", b"\xff" * 64, b"x" * 5000),
    "float": (0.0, -1.0, 1e38, float("nan"), float("inf")),
}  # fmt: skip
"""What takes the place of a field of a graph, by its type."""


def in_member(name: str, *changes: Change) -> Change:
    """Changes of one file in a zip archive."""

    def change(seed: bytes) -> st.SearchStrategy[bytes]:
        with zipfile.ZipFile(io.BytesIO(seed)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}

        def packed(data: bytes) -> bytes:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, content in members.items():
                    archive.writestr(member, data if member == name else content)
            return buffer.getvalue()

        return st.one_of([one(members[name]) for one in changes]).map(packed)

    return change


@st.composite
def in_archive(draw: st.DrawFn, seed: bytes) -> bytes:
    """A file of a zip archive is left out, empty, has another name, or a further one stands beside it."""
    with zipfile.ZipFile(io.BytesIO(seed)) as archive:
        members = [(member, archive.read(member)) for member in archive.namelist()]
    at = draw(st.integers(0, len(members) - 1))
    name, data = members[at]
    kind = draw(st.sampled_from(("leave out", "empty", "name", "more")))
    names = st.sampled_from((name, "x", "../x", "/x", "a/b/c", "x" * 5000, "é", name.upper(), "data.pkl"))
    changed = {"leave out": [], "empty": [(name, b"")], "name": [(draw(names), data)],
               "more": [(name, data), (draw(names), draw(st.sampled_from((b"", b"x", bytes(10**6)))))]}  # fmt: skip
    members[at : at + 1] = changed[kind]
    buffer = io.BytesIO()
    packing = draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)))
    with zipfile.ZipFile(buffer, "w", packing) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that stands there twice
        for member, content in members:
            archive.writestr(member, content)
    return buffer.getvalue()


def in_metadata(key: str, *changes: Change) -> Change:
    """Changes of one text in the metadata of an .onnx file, to bytes that are no UTF-8 too."""

    def change(seed: bytes) -> st.SearchStrategy[bytes]:
        model = onnx.load_from_string(seed)
        (entry,) = [entry for entry in model.metadata_props if entry.key == key]
        text = entry.value.encode()

        def stamped(data: bytes) -> bytes:
            data = data or b" "
            entry.value = "@" * len(data)
            return model.SerializeToString().replace(b"@" * len(data), data, 1)

        return st.one_of([one(text) for one in changes]).map(stamped)

    return change


@st.composite
def in_protobuf(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to three fields of a graph get another value, are left out or stand there twice."""
    model = onnx.load_from_string(seed)
    for _ in range(draw(st.integers(1, 3))):
        fields = _fields(model)
        message, name, at = fields[draw(st.integers(0, len(fields) - 1))]
        value = getattr(message, name)
        old = value if at is None else value[at]
        kind = draw(st.integers(0, 7))
        if at is not None and kind == 0:
            del value[at]
        elif at is not None and kind == 1:
            value.append(old)
        elif not hasattr(old, "ListFields"):  # a message: what is in it has its own turn
            new = draw(st.sampled_from(EVIL[type(old).__name__]))
            with suppress(ValueError):  # out of the range of its field
                if at is None:
                    setattr(message, name, new)
                else:
                    value[at] = new
    return model.SerializeToString()


def _fields(message: Any) -> list[tuple[Any, str, int | None]]:
    """Each (message, name of a field, index in it or None) in a message and those in it."""
    found: list[tuple[Any, str, int | None]] = []
    for descriptor, value in message.ListFields():
        repeated = not isinstance(value, str | bytes | int | float) and hasattr(value, "__len__")
        items = list(value)[:50] if repeated else [value]
        for at, item in enumerate(items):
            found.append((message, descriptor.name, at if repeated else None))
            if hasattr(item, "ListFields"):
                found += _fields(item)
    return found


@st.composite
def in_rows(draw: st.DrawFn, seed: bytes, record: bytes) -> bytes:
    """A cell of each table of an SQLite database gets another value, such as `record` after a change."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        path.write_bytes(seed)
        with sqlite3.connect(path) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
                column = draw(st.sampled_from(columns))
                values = st.sampled_from((0, -1, 2**63 - 1, -(2**63), None, "", b"\xff", 1.5, "x" * 9999, "[" * 9999))
                value = draw(
                    st.one_of(values, in_json(record).map(lambda data: data.decode("utf-8", "replace")), in_json(record))
                )
                with suppress(sqlite3.Error):
                    db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid IN (SELECT rowid FROM {table} LIMIT 1)", (value,))  # noqa: S608
        db.close()
        return path.read_bytes()


@st.composite
def in_arrays(draw: st.DrawFn, seed: bytes) -> bytes:
    """One or two arrays of an npz file get another type, shape, order or name, or other values."""
    arrays: dict[str, Any] = dict(np.load(io.BytesIO(seed)))
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from(sorted(arrays)))
        old = arrays[name]
        kind = draw(st.sampled_from(("type", "shape", "values", "name", "leave out", "order", "pictures")))
        if kind == "type" and old.dtype != object:
            other = draw(st.sampled_from(_TYPES))
            with suppress(TypeError, ValueError):  # not every type can become every other one
                arrays[name] = other(old)
        elif kind == "shape":
            arrays[name] = draw(st.sampled_from((old[:0], old[:1], old[None], old[..., None], old.ravel(), old.T, old[-2:])))
        elif kind == "values" and old.dtype != object and old.dtype.names is None and old.size:
            arrays[name] = np.where(
                np.arange(old.size).reshape(old.shape) == 0, draw(st.sampled_from((*WHOLE[:12], 0.5, np.nan))), old
            )
        elif kind == "name":
            arrays[draw(st.sampled_from(("x", "train_images", "val_labels", "../x", "é", name.upper())))] = arrays.pop(name)
        elif kind == "leave out" and len(arrays) > 1:
            del arrays[name]
        elif kind == "order":
            arrays[name] = np.asfortranarray(old)
        elif kind == "pictures":
            sizes = ((3, 1, 1), (3, 1, 400), (3, 700, 2, 3), (3, 0, 0), (3, 8, 8, 5), (3, 8, 8, 3), (3, 8))
            arrays[name] = np.zeros(draw(st.sampled_from(sizes)), np.uint8)
    buffer = io.BytesIO()
    draw(st.sampled_from((np.savez, np.savez_compressed)))(buffer, **arrays)
    return buffer.getvalue()


_TYPES = (
    lambda old: old.astype(float), lambda old: old.astype(">i8"), lambda old: old.astype(np.int8), lambda old: old.astype("u8"),
    lambda old: old.astype(str), lambda old: old.astype(bytes), lambda old: old.astype(object), lambda old: old.astype(complex),
    lambda old: old.astype(bool), lambda old: old.astype(np.float16), lambda old: old.astype("M8[s]"),
    lambda old: old.astype([("a", "u1"), ("b", "f8")]),
)  # fmt: skip


def in_settings_of_h5(*changes: Change) -> Change:
    """Changes of the settings of the network in an HDF5 file of Keras."""
    import h5py

    def change(seed: bytes) -> st.SearchStrategy[bytes]:
        with h5py.File(io.BytesIO(seed), "r") as file:
            text = file.attrs["model_config"].encode()

        def put(data: bytes) -> bytes:
            buffer = io.BytesIO(seed)
            with h5py.File(buffer, "r+") as file:
                del file.attrs["model_config"]
                file.attrs["model_config"] = np.bytes_(data[:60_000] or b" ")  # HDF5 keeps 64 KB in an attribute
            return buffer.getvalue()

        return st.one_of([one(text) for one in changes]).map(put)

    return change


@st.composite
def in_h5(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to three attributes, groups or arrays of an HDF5 file are left out, or become something else."""
    import h5py

    buffer = io.BytesIO(seed)
    with h5py.File(buffer, "r+") as file:
        for _ in range(draw(st.integers(1, 3))):
            found: list[str] = ["/"]
            file.visit(found.append)
            name = draw(st.sampled_from(found))
            part = file[name]
            keys = list(part.attrs)
            kind = draw(st.sampled_from(("attribute", "no attribute", "array", "leave out", "link", "type")))
            if kind == "attribute":
                key = draw(st.sampled_from([*keys, "layer_names", "weight_names", "keras_version"]))
                part.attrs[key] = draw(st.sampled_from(_ATTRIBUTES))
            elif kind == "no attribute" and keys:
                del part.attrs[draw(st.sampled_from(keys))]
            elif name != "/":
                del file[name]
                if kind in ("array", "type"):
                    file[name] = draw(st.sampled_from(_ARRAYS))
                elif kind == "link":
                    file[name] = draw(
                        st.sampled_from((h5py.SoftLink("/"), h5py.SoftLink(name), h5py.ExternalLink("/dev/zero", "/")))
                    )
    return buffer.getvalue()


_ATTRIBUTES: tuple[Any, ...] = (
    "", "x", "2.11.0", "3.0.0", "é", b"\xff", "{}", "[]", "null", 0, -1, 2**63 - 1, 1.5, float("nan"), [b"dense"], [b"x"], [],
    [1, 2], "x" * 60_000, np.zeros(0), np.zeros((3, 3)),
)  # fmt: skip
_ARRAYS: tuple[Any, ...] = (
    0, 1.5, "x", b"x", np.zeros(0, np.float32), np.zeros(3), np.zeros((3, 3, 1, 2), np.float32),
    np.full((3, 3, 1, 2), np.nan, "f4"), np.full((3, 3, 1, 2), 1e38, "f4"), np.zeros((72, 4), complex), np.zeros((2, 2), bool),
    np.zeros(2, "S3"), np.arange(4, dtype="u8"),
)  # fmt: skip
