"""One command of edgecls as a child process of low priority, beside a run that it must not disturb.

child = Child(["bench", "signs.onnx", "--json"])
...
child.state, child.line, child.output, child.why

It never outlives the run, however that ends: its standard input is a pipe that nobody writes to and that closes with the run.
The child waits for that in a thread, then stops as if by Ctrl-C, so that it deletes what it has half written; after
`LEAVE_WAIT_S` it is killed, with all processes that it started. `cancel` closes that pipe too, and kills a child that does not
listen. Its temporary files lie in a folder of their own, which is deleted at its end, by the child if the run is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact
from edgecls.web.priority import lower_process

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

State = Literal["running", "done", "failed", "cancelled"]

LEAVE_WAIT_S = 3.0
LATEST_LINES = 50
LONGEST_OUTPUT, CHUNK = 16 << 20, 1 << 16
"""In bytes, of the result of a command, and of what is read of it at a time."""
START = "import sys; sys.path[:] = sys.argv.pop(1).splitlines(); from edgecls.web.child import main; main()"
FOLDER = "edgecls-child-"
"""How the names of folders for temporary files begin."""
FAILED = "error: "
"""How a command begins the line that says why it failed."""


class Child:
    """A command that runs in a child process, from its creation until it ends or `cancel`. Any thread may ask it anything.

    Attributes:
        output: What it wrote to stdout, which is its result; "" before the end.
        why: Why it failed, in one line; "" unless `state` is "failed".
        began_at_s: When it began, in seconds since 1970.
        ended_at_s: When it ended; None before that.
    """

    def __init__(self, arguments: Sequence[str], *, fine: Collection[int] = (0,), module: str = "edgecls") -> None:
        """Start a command.

        Args:
            arguments: The command and its options, such as ["bench", "signs.onnx", "--json"].
            fine: The exit codes with which it has done its work.
            module: What is run, as `python -m` does.

        Raises:
            OSError: No process can be started.
        """
        self.arguments = tuple(arguments)
        self._lines: deque[str] = deque(maxlen=LATEST_LINES)
        self._written = bytearray()
        self._lock = threading.Lock()
        self._killer: threading.Timer | None = None
        self.output = self.why = ""
        self.began_at_s = time.time()
        self.ended_at_s: float | None = None
        self._state: State = "running"
        self._fine = frozenset(fine)
        self._is_cancelled = False
        self._folder = tempfile.TemporaryDirectory(prefix=FOLDER, ignore_cleanup_errors=True)
        places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self._folder.name)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, with a program that is written above
                [sys.executable, "-c", START, "\n".join(sys.path), module, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, **places, "PYTHONIOENCODING": "utf-8"}, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._folder.cleanup()
            raise
        self._readers = [
            threading.Thread(target=read, name="child messages", daemon=True) for read in (self._read_lines, self._read_output)
        ]
        self._waiter = threading.Thread(target=self._wait, name="child", daemon=True)
        for thread in (*self._readers, self._waiter):
            thread.start()

    @property
    def state(self) -> State:
        """Whether it is "running", or how it ended: "done", "failed" or "cancelled"."""
        return self._state

    @property
    def lines(self) -> tuple[str, ...]:
        """The latest messages of the command, which it writes to stderr, without secrets."""
        with self._lock:
            return tuple(self._lines)

    @property
    def line(self) -> str:
        """The latest message, which says how far it is; "" before the first."""
        return next(reversed(self.lines), "")

    def cancel(self) -> None:
        """Ask it to stop, and return at once; it is killed if it does not. Does nothing if it has ended."""
        with self._lock:
            if self._killer is not None or self._state != "running":
                return
            self._is_cancelled = True
            self._killer = threading.Timer(LEAVE_WAIT_S + 1, self._kill)
            self._killer.daemon = True
            self._killer.start()
        self._hang_up()

    def wait(self, timeout_s: float | None = None) -> State:
        """Wait until it has ended, for at most `timeout_s`, and return its state."""
        self._waiter.join(timeout_s)
        return self._state

    def close(self) -> None:
        """Stop it, and wait until it is gone. One that not even SIGKILL ends is not waited for."""
        self.cancel()
        self.wait(2 * LEAVE_WAIT_S + 2)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _kill(self) -> None:
        if self._process.returncode is None:
            _kill_all(self._process.pid)
            self._process.kill()

    def _read_lines(self) -> None:
        if self._process.stderr is None:
            return
        with self._process.stderr as stream:
            for line in stream:
                text = in_one_line(redact(line.decode("utf-8", "replace").strip()))
                if text:
                    with self._lock:
                        self._lines.append(text)

    def _read_output(self) -> None:
        """Read all of it, so that the command does not wait forever; keep only so much."""
        if self._process.stdout is None:
            return
        with self._process.stdout as stream:
            while part := os.read(stream.fileno(), CHUNK):
                self._written += part[: max(0, LONGEST_OUTPUT - len(self._written))]

    def _wait(self) -> None:
        if hasattr(os, "waitid"):  # its number stays its own until it is waited for below
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        _kill_all(self._process.pid)  # those that it started, which keep its pipes open
        code = self._process.wait()
        self._hang_up()
        for reader in self._readers:
            reader.join(LEAVE_WAIT_S)
        self._folder.cleanup()
        self.output = bytes(self._written).decode("utf-8", "replace")
        self.ended_at_s = time.time()
        with self._lock:
            if self._killer is not None:
                self._killer.cancel()
        if code in self._fine and not self.line.startswith(FAILED):
            self._state = "done"
        elif self._is_cancelled:
            self._state = "cancelled"
        else:
            self.why = self._reason(code)
            self._state = "failed"

    def _reason(self, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            return f"it was ended by {name}" + (", perhaps because memory ran out" if name == "SIGKILL" else "")
        said = next((line for line in reversed(self.lines) if line.startswith(FAILED)), self.line)
        return said.removeprefix(FAILED) or f"it ended with the exit code {code}"


def main() -> None:
    """Be the child: `sys.argv` has a module and its arguments."""
    sys.argv[:1] = []
    module = sys.argv[0]
    lower_process()
    atexit.register(_delete_folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts a run in the background may ignore it
    threading.Thread(target=_leave_with_the_run, name="leave", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _leave_with_the_run() -> None:
    """Wait until the pipe closes, then end this process."""
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(LEAVE_WAIT_S)
    _delete_folder()
    _kill_all(0)
    os._exit(1)


def _delete_folder() -> None:
    """Delete the temporary files of this child."""
    folder = tempfile.gettempdir()
    if Path(folder).name.startswith(FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def _kill_all(group: int) -> None:
    """Kill a process and those that it started, where processes have groups; 0 is this one."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
