"""What this process takes: memory, cores, and the CPU time of its threads."""

from __future__ import annotations

import os
import platform
import threading
from pathlib import Path

_TASKS = Path("/proc/self/task")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def other_threads_s() -> dict[str, float]:
    """Return the CPU seconds so far of each thread but the calling one, by its number; empty where the system does not tell."""
    spent: dict[str, float] = {}
    here = str(threading.get_native_id())
    for task in _TASKS.iterdir() if _TASKS.exists() else ():
        try:
            if task.name != here:
                spent[task.name] = int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        except (OSError, IndexError):  # the thread has ended, or the kernel keeps no such statistics
            continue
    return spent


def rss_mb() -> float:
    """Return the memory of this process in MB; its peak if the system does not tell the current value."""
    if Path("/proc/self/statm").exists():
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no file, a question to the kernel
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if platform.system() == "Darwin" else 1e3)
