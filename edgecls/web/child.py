"""One command of edgecls as a child process of low priority, beside a run that it must not disturb.

child = Child(["bench", "signs.onnx", "--json"])
...
child.state, child.line, child.output, child.why

It never outlives the run, however that ends: its standard input is a pipe that nobody writes to and that closes with the run.
The child waits for that in a thread, then stops as if by Ctrl-C, so that it deletes what it has half written; after
`LEAVE_WAIT_S` it is killed, with all processes that it started. `cancel` closes that pipe too. Its temporary files lie in a
folder of their own, which is deleted at its end.
"""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Literal

from edgecls.text.control import in_one_line
from edgecls.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

State = Literal["running", "done", "failed", "cancelled"]

LOWEST_PRIORITY = 19
LEAVE_WAIT_S = 3.0
LATEST_LINES = 50
LONGEST_OUTPUT = 16 * 1024 * 1024
"""In bytes, of the result of a command."""
START = "import sys; sys.path[:] = sys.argv.pop(1).splitlines(); from edgecls.web.child import main; main()"
FAILED = "error: "
"""How a command begins the line that says why it failed."""


class Child:
    """A command that runs in a child process, from its creation until it ends or `cancel`. Any thread may ask it anything.

    Attributes:
        lines: The latest messages of the command, which it writes to stderr, without secrets.
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
        self.lines: deque[str] = deque(maxlen=LATEST_LINES)
        self.output = self.why = ""
        self.began_at_s = time.time()
        self.ended_at_s: float | None = None
        self._state: State = "running"
        self._fine = frozenset(fine)
        self._is_cancelled = False
        self._folder = tempfile.TemporaryDirectory(prefix="edgecls-child-", ignore_cleanup_errors=True)
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
        self._reader = threading.Thread(target=self._read_lines, name="child messages", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name="child", daemon=True)
        self._reader.start()
        self._waiter.start()

    @property
    def state(self) -> State:
        """Whether it is "running", or how it ended: "done", "failed" or "cancelled"."""
        return self._state

    @property
    def line(self) -> str:
        """The latest message, which says how far it is; "" before the first."""
        return self.lines[-1] if self.lines else ""

    def cancel(self) -> None:
        """Ask it to stop, and return at once. Does nothing if it has ended."""
        self._is_cancelled = True
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def wait(self, timeout_s: float | None = None) -> State:
        """Wait until it has ended, for at most `timeout_s`, and return its state."""
        self._waiter.join(timeout_s)
        return self._state

    def close(self) -> None:
        """Stop it, and wait until it is gone."""
        self.cancel()
        if self.wait(LEAVE_WAIT_S + 1) == "running":  # it does not even listen
            _kill(self._process)
            self.wait()

    def _read_lines(self) -> None:
        for line in self._process.stderr or ():
            text = line.decode("utf-8", "replace").strip()
            if text:
                self.lines.append(in_one_line(redact(text)))

    def _wait(self) -> None:
        output = b""
        with self._process as process, self._folder:
            if process.stdout is not None:
                output = process.stdout.read(LONGEST_OUTPUT)
                while process.stdout.read(LONGEST_OUTPUT):  # the rest, so that the command does not wait forever
                    pass
            code = process.wait()
            self._reader.join(LEAVE_WAIT_S)
        self.output = output.decode("utf-8", "replace")
        self.ended_at_s = time.time()
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
    _be_modest()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts a run in the background may ignore it
    threading.Thread(target=_leave_with_the_run, name="leave", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _be_modest() -> None:
    """Take the lowest priority."""
    if hasattr(os, "nice"):
        os.nice(LOWEST_PRIORITY)
    elif sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), subprocess.IDLE_PRIORITY_CLASS)


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
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
