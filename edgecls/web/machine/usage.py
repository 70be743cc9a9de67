"""What the run takes of the machine, and what there is: cores, memory, disks, versions."""

from __future__ import annotations

import os
import platform
import shutil
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls._version import __version__
from edgecls.bench import rss_mb
from edgecls.files.cache import user_state
from edgecls.model import cpu, providers
from edgecls.sink import BUFFERED, SINKS, place_of
from edgecls.sink.open import spool_folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.sink.kinds import SinkSettings

SHORTEST_S = 1.0
"""Within this time, visitors get the same number of busy cores."""
PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "opencv-python-headless", "opencv-python", "av", "starlette", "uvicorn")
MB = 1e6


class CoreMeter:
    """Measures how many cores this process keeps busy, from one question to the next."""

    def __init__(self) -> None:
        """Begin now."""
        self._lock = threading.Lock()
        self._last = time.perf_counter(), time.process_time()
        self._cores: float | None = None

    def cores(self) -> float | None:
        """Return the busy cores on average since about the question before; None if it is too early to say."""
        with self._lock:
            now, (before_s, before_cpu_s) = (time.perf_counter(), time.process_time()), self._last
            if now[0] - before_s >= SHORTEST_S:
                self._cores, self._last = (now[1] - before_cpu_s) / (now[0] - before_s), now
            return self._cores


def machine_record(meter: CoreMeter) -> dict[str, Any]:
    """Return the processor, the memory and the versions, and what the run takes."""
    here = cpu.this()
    cores, load = meter.cores(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": here.name,
        "cores": cpu.usable_cores(),
        "flags": None if here.flags is None else list(here.flags),
        "system": platform.platform(),
        "memory_mb": _memory_mb(),
        "load": None if load is None else round(load, 2),
        "run_cores": None if cores is None else round(cores, 3),
        "run_mb": round(rss_mb(), 1),
        "providers": providers.built_for(),
        "versions": {"edgecls": __version__, "python": platform.python_version(), **_versions()},
    }


def disk_records(outs: Iterable[SinkSettings], *, has_drift: bool) -> list[dict[str, Any]]:
    """Return the folders that a run writes to, with the space on their disks.

    Args:
        outs: The settings of its sinks.
        has_drift: Whether it keeps what it learns of drift.
    """
    writers: dict[Path, list[str]] = {}
    outs = tuple(outs)
    for out in outs:
        row = SINKS[out.kind]
        target = row.target_of(out)
        if row.target == "path" and target != "-":
            writers.setdefault(Path(target) if row.is_folder else Path(target).parent, []).append(place_of(out))
    for name, folder in _own_folders(has_spool=any(out.kind in BUFFERED for out in outs), has_drift=has_drift):
        writers.setdefault(folder, []).append(name)
    return [_disk(folder, names) for folder, names in writers.items()]


def _own_folders(*, has_spool: bool, has_drift: bool) -> list[tuple[str, Path]]:
    found = []
    try:
        if has_spool:
            found.append(("events that wait for delivery", spool_folder(None)))
        if has_drift:
            found.append(("what was learned of drift", user_state() / "drift"))
    except (RuntimeError, ValueError):  # a user without a home
        pass
    return found


def _disk(folder: Path, names: list[str]) -> dict[str, Any]:
    record: dict[str, Any] = {"folder": str(folder), "for": names, "free_mb": None, "total_mb": None, "why": ""}
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), folder)
    try:
        usage = shutil.disk_usage(there)
    except OSError as error:
        return {**record, "why": f"it cannot be looked at ({error.strerror or error})"}
    missing = "" if there == folder else "the folder does not exist yet"
    return {**record, "free_mb": round(usage.free / MB), "total_mb": round(usage.total / MB), "why": missing}


def _memory_mb() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / MB)
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
