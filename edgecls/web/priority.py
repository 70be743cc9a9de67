"""The lowest priority, for what is done beside a run: whatever is left by the cameras is enough for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading

LOWEST = 19


def lower_process() -> None:
    """Give this process the lowest priority."""
    if hasattr(os, "nice"):
        os.nice(LOWEST)
    elif sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), subprocess.IDLE_PRIORITY_CLASS)


def lower_thread() -> None:
    """Give this thread the lowest priority, where threads have one of their own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
