"""A run of the command line that is watched while it goes on."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_S = 30.0


class Watched:
    """A process whose lines of JSON are taken as they come. `lines` are all that were taken."""

    def __init__(self, *command: object, **options: Any) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        self.lines: list[dict] = []
        self.errors = ""
        self._coming: queue.Queue[str] = queue.Queue()
        self._readers = [threading.Thread(target=self._read_out), threading.Thread(target=self._read_err)]
        for reader in self._readers:
            reader.start()

    def until(self, wanted: Callable[[dict], bool], within_s: float = PATIENCE_S) -> dict:
        """Take lines up to the first that is wanted, and return it."""
        end = time.monotonic() + within_s
        while (left_s := end - time.monotonic()) > 0:
            try:
                self.lines.append(json.loads(self._coming.get(timeout=left_s)))
            except queue.Empty:
                break
            if wanted(self.lines[-1]):
                return self.lines[-1]
        raise AssertionError(f"it did not come within {within_s} s; the last lines are {self.lines[-5:]}; said: {self.errors}")

    def until_state(self, state: str, camera: str = "gate", within_s: float = PATIENCE_S) -> dict:
        """Take lines up to this state of a camera."""
        return self.until(lambda line: line.get("state") == state and line["camera"] == camera, within_s)

    def until_label(self, label: str = "", camera: str = "gate") -> dict:
        """Take lines up to a label of a camera, any or this one."""
        return self.until(
            lambda line: line["camera"] == camera and line.get("label", "") != "" and label in ("", line["label"])
        )

    def for_s(self, seconds: float) -> list[dict]:
        """Take what comes in so many seconds."""
        time.sleep(seconds)
        came = [json.loads(self._coming.get()) for _ in range(self._coming.qsize())]
        self.lines += came
        return came

    def end(self, number: int | None = None) -> int:
        """Send a signal if one is given, wait for the end, take the rest, return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join()
        self.for_s(0)
        return code

    def _read_out(self) -> None:
        with self.process.stdout as out:
            for line in out:
                self._coming.put(line)

    def _read_err(self) -> None:
        with self.process.stderr as err:
            for line in err:
                self.errors += line


@contextmanager
def watched(*command: object, **options: Any) -> Iterator[Watched]:
    """Start a process, and leave none behind."""
    run = Watched(*command, **options)
    try:
        yield run
    finally:
        run.process.kill()
        run.end()


def edgecls(*arguments: object) -> tuple[object, ...]:
    """The command line of `edgecls`."""
    return (sys.executable, "-m", "edgecls", *arguments)
