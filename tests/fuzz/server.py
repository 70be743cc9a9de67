"""Runs the command line many times without starting Python each time: it loads the libraries once and forks for each call.

A call in a forked process behaves as one in a process of its own: it has its own memory, working folder and exit code, it may
crash, hang or use up its memory without harm to the others. What is measured is what the operating system says of it.

    echo '{"argv": ["info", "m.onnx"], "cwd": "/tmp", "limit_s": 30, "environment": {}}' | python -m tests.fuzz.server

One line of JSON in for each call, one line out: exit code or signal, peak memory, seconds, whether it was killed for taking too
long.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import redirect_stdout, suppress
from pathlib import Path

MOST_ADDRESSES = 12 << 30
"""Bytes of address space for a call: one that would use up the machine's memory fails instead."""
MOST_STARVED_S = 240.0
"""At most this much waiting for a processor is left out of a call's time."""
LIGHT = (
    "numpy",
    "cv2",
    "av",
    "onnxruntime",
    "onnx",
    "edgecls.cli.entry",
    "edgecls.sink.open",
    "edgecls.evaluate",
    "edgecls.run.site",
)
KERAS = ("tensorflow", "keras", "tf2onnx.convert", "h5py", "edgecls.export.adopt.from_keras", "edgecls.export.build",
         "edgecls.train.fit")  # fmt: skip


def main() -> None:
    """Serve calls until stdin ends. With `--keras` as an argument, load what reads Keras models too."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    for name in (*LIGHT, *(KERAS if "--keras" in sys.argv else ())):
        importlib.import_module(name)
    _warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(serve(**json.loads(line))) + "\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Have what parses command lines load what it loads when it is first used, and all commands."""
    sys.modules["edgecls.cli.entry"].application()
    sys.argv = ["edgecls", "predict", "--help"]
    with redirect_stdout(io.StringIO()), suppress(SystemExit):
        sys.modules["edgecls.cli.entry"].main()


def serve(argv: list[str], cwd: str, limit_s: float, environment: dict[str, str]) -> dict[str, object]:
    """Call `edgecls ARGV` in the folder `cwd`, where its output goes to the files `stdout` and `stderr`."""
    began_s = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        _call(argv, cwd, environment)
    in_time = _ends_in_time(pid, began_s, limit_s)
    if not in_time:
        os.killpg(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),  # -9 for one that was killed by signal 9
        "hung": not in_time,
        "peak_mb": used.ru_maxrss / 1024,
        "seconds": time.perf_counter() - began_s,
    }


def _ends_in_time(pid: int, began_s: float, limit_s: float) -> bool:
    """Return whether a process ends within `limit_s` seconds. Time in which it waited for a processor does not count."""
    handle = os.pidfd_open(pid)
    try:
        while not select.select([handle], [], [], 0.5)[0]:
            if time.perf_counter() - began_s - min(_starved_s(pid), MOST_STARVED_S) > limit_s:
                return False
    finally:
        os.close(handle)
    return True


def _starved_s(pid: int) -> float:
    """Return how long a process has waited for a processor, in seconds: the maximum of its threads."""
    waits_ns = [0]
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # the thread has just ended
            waits_ns.append(int(path.read_text().split()[1]))
    return max(waits_ns) / 1e9


def _call(argv: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Be the command line. Never returns."""
    os.setsid()
    os.chdir(cwd)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update({"EDGECLS_SPOOL": str(Path(cwd) / "spool"), **environment})
    sys.argv = ["edgecls", *argv]
    code = 1
    try:
        sys.modules["edgecls.cli.entry"].main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python itself does with what nobody catches
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:  # as Python itself does at its exit
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
