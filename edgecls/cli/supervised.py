"""A run under a service manager: it is told when the run delivers, how it is doing, and that its loop still moves.

systemd says by environment variables that it wants to know (`edgecls.vitals.notify`); without them nothing happens here. One
thread sends all messages, apart from those about reloads. The sign of life is only sent after the loop that delivers frames has
answered, so a stuck run misses its watchdog, and one whose cameras are all lost does not.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgecls.errors import AccessError, ConfigError, EdgeclsError, MissingExtraError
from edgecls.text.redaction import redact
from edgecls.vitals.notify import Notifier
from edgecls.vitals.vitals import STARTING_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.vitals.vitals import Vitals

STARTS_EVERY_S, TICK_S = 0.2, 2.0
"""How often it is looked whether the run has become ready, and afterwards for a new status."""
EXTENSION_S = 60.0
"""For how long a run that is starting asks each time."""
CLOSE_WAIT_S = 5.0
SERVICE = "EDGECLS_SERVICE"
"""The environment variable that says which service manager looks after the run: systemd, or container."""
REFUSED, MISCONFIGURED = 77, 78
"""Exit codes after which starting again would not help, EX_NOPERM and EX_CONFIG of sysexits.h."""


class Supervisor:
    """Tells a service manager how a run is doing. Enter it before the run is opened."""

    def __init__(self, notifier: Notifier | None) -> None:
        """Without a notifier, nothing is done."""
        self._notifier = notifier
        self._vitals: Vitals | None = None
        self._is_ready = False
        self._fault = ""
        self._status = ""
        self._over = threading.Event()
        self._thread = None if notifier is None else threading.Thread(target=self._work, name="service manager", daemon=True)

    def watch(self, vitals: Vitals) -> None:
        """Report this run from now on."""
        self._vitals = vitals

    @contextmanager
    def reloading(self) -> Iterator[Supervisor]:
        """Say that the configuration is being read again, and at the end of the block that this is over."""
        if self._notifier is None or not self._is_ready:
            yield self
            return
        self._notifier.reloading("reading the configuration again")
        try:
            yield self
        finally:
            self._status = self._line()
            self._notifier.ready(self._status)

    def failed(self, fault: str) -> None:
        """Store why the last reload failed; "" if it did not."""
        self._fault = fault

    def stopping(self) -> None:
        """Say that the run ends, before it completes its files."""
        if self._notifier is None or self._over.is_set():
            return
        self._over.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WAIT_S)
        if not self._is_ready and self._vitals is not None and self._vitals.is_settled:
            self._notifier.ready()  # a run that is over within a moment has worked, too
        self._notifier.stopping("ending: files and videos are being completed")

    def __enter__(self) -> Supervisor:
        """Start the thread."""
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Say that the run ends, if that was not said, and stop the thread."""
        self.stopping()
        if self._notifier is not None:
            self._notifier.close()

    def _work(self) -> None:
        notifier = self._notifier
        if notifier is None:
            return
        self._start(notifier)
        tick_s = TICK_S if notifier.watchdog_s is None else min(TICK_S, notifier.watchdog_s / 4)
        while not self._over.is_set() and self._vitals is not None:
            if notifier.watchdog_s is not None and self._vitals.ask().wait(tick_s):
                notifier.alive()
            line = self._line()
            if line != self._status:
                self._status = line
                notifier.status(line)
            self._over.wait(tick_s)

    def _start(self, notifier: Notifier) -> None:
        """Ask for time until the run delivers, or its cameras are known to be lost, and say so then."""
        waited_s, asked_s = 0.0, -EXTENSION_S
        while not self._over.is_set():
            vitals = self._vitals
            if vitals is not None and vitals.is_settled:
                self._status, self._is_ready = self._line(), True
                notifier.ready(self._status)
                return
            if waited_s - asked_s >= EXTENSION_S / 4 and waited_s < STARTING_S:
                asked_s = waited_s
                notifier.extend(EXTENSION_S)
                notifier.status("loading the model and opening the cameras")
            self._over.wait(STARTS_EVERY_S)
            waited_s += STARTS_EVERY_S

    def _line(self) -> str:
        found = [] if self._vitals is None else [self._vitals.status()]
        return redact("; ".join([*found, *([self._fault] if self._fault else [])]))


def supervisor() -> Supervisor:
    """Return what reports to the service manager of this process, if it has one."""
    return Supervisor(Notifier.of_environment())


def code_of(error: EdgeclsError | OSError) -> int:
    """Return the exit code of a run that failed. Under a service manager, some say that starting again would not help.

    A camera that refuses the password may lock the account after a few attempts, so these must not come from restarts.
    """
    if not os.environ.get(SERVICE):
        return 1
    if isinstance(error, AccessError):
        return REFUSED
    return MISCONFIGURED if isinstance(error, ConfigError | MissingExtraError) else 1


def waits(code: int) -> bool:
    """Return whether to wait for a signal instead of ending: a container is started again whatever its exit code says."""
    return os.environ.get(SERVICE) == "container" and code in (REFUSED, MISCONFIGURED)
