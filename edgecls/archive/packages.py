"""Whether the packages that an archive needs are here and work, for `edgecls doctor`."""

from __future__ import annotations

import importlib
import importlib.util
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTALL = "pip install 'edgecls[{}]'"


class Checked(NamedTuple):
    """A package: its name, whether it works, what was found, and how to fix it."""

    name: str
    status: Literal["ok", "note", "problem"]
    found: str
    fix: str = ""


def check() -> Iterator[Checked]:
    """Check pyarrow by writing and reading a table in memory, and Ray, where it is installed, without starting it."""
    arrow = _version("pyarrow")
    if not arrow:
        yield Checked("pyarrow", "note", "not installed; edgecls archive needs it", _INSTALL.format("archive"))
    elif why := _broken_arrow():
        yield Checked("pyarrow", "problem", f"{arrow} does not work: {why}", "pip install --force-reinstall pyarrow")
    else:
        yield Checked("pyarrow", "ok", f"{arrow} writes and reads tables")
    ray = _version("ray")
    if ray and importlib.util.find_spec("grpc") is None:
        yield Checked("ray", "note", f"{ray} without grpcio: --on ray works, ray://HOST:PORT does not", _INSTALL.format("ray"))
    elif ray:
        yield Checked("ray", "ok", f"{ray}; all machines of a cluster need the same version of it and of Python")


def _broken_arrow() -> str:
    """Return why pyarrow does not work; "" if it does."""
    try:
        pa: Any = importlib.import_module("pyarrow")
        pq: Any = importlib.import_module("pyarrow.parquet")

        table = pa.table({"label": ["car"], "score": [0.5]})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        read = pq.read_table(pa.BufferReader(sink.getvalue()))
    except Exception as error:  # noqa: BLE001 - a broken installation fails in many ways
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return "" if read.equals(table) else "a table is read otherwise than it was written"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
