"""Memory of a long run: settings of the C allocator that keep it flat, and when Python looks for cycles."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

ARENAS = 2
M_ARENA_MAX = -8
TRIM_EVERY_S = 60.0
"""How often a run returns free memory to the system."""


def limit_arenas() -> bool:
    """Limit glibc to two memory arenas for all threads. Returns whether that worked; other C libraries have no arenas.

    By default glibc makes an arena per thread, up to eight per core, and memory that one thread frees cannot be reused by
    another. A run with three cameras and all sinks has forty threads that pass frames and packets to each other. After eleven
    minutes of scripts/soak it took 308 MB and had grown by 12 MB in the last six; with two arenas it took 287 MB and had grown
    by 3 MB. The CPU time is the same.

    Must be called before threads start.
    """
    mallopt = _of_glibc("mallopt")
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))


def trim() -> bool:
    """Return free memory to the system. Returns whether there was any.

    glibc keeps freed memory that lies below memory in use, so each reconnection to a camera leaves gaps: with a failure every
    15 s a run grew by half a megabyte per minute, although none of its objects did. 20 connections leave 15 MB, all of which
    this returns.
    """
    malloc_trim = _of_glibc("malloc_trim")
    return malloc_trim is not None and bool(malloc_trim(0))


def stop_looking_for_cycles() -> None:
    """Switch off Python's collector of cycles, until `look_for_cycles`.

    Importing makes a hundred thousand objects, none of which is garbage. Looking through them again and again takes a tenth of
    the time until the first label.
    """
    gc.disable()


def look_for_cycles() -> None:
    """Switch the collector on again. It leaves out all objects that are there now."""
    gc.freeze()
    gc.enable()


def _of_glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
