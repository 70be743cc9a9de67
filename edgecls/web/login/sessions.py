"""Who has logged in, and how often somebody may try.

A session is a random number in a cookie that scripts cannot read and other sites cannot use. Sessions are kept in memory, so a
restart ends them, and so does another password of the user. Scripts have tokens instead. After `FREE_TRIES` wrong passwords
from an address each further try there must wait, and no more than `TRIES_A_MINUTE` are checked altogether, however many
addresses they come from.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple

from edgecls.web.login.passwords import Visitor
from edgecls.web.visitor_network import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from edgecls.web.login.passwords import Passwords

SESSION_S = 12 * 3600.0
MOST_SESSIONS = 1000
FREE_TRIES = 5
LONGEST_WAIT_S = 300.0
TRIES_A_MINUTE = 30
REMEMBERED_ADDRESSES = 10_000


class _Session(NamedTuple):
    over_at: float
    user: str
    key: str


class Sessions:
    """The sessions of a page. Threads may share it."""

    def __init__(self, passwords: Passwords, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without sessions."""
        self._passwords = passwords
        self._clock = clock
        self._lock = threading.Lock()
        self._open: OrderedDict[bytes, _Session] = OrderedDict()  # by the hash of a session: a copy of memory opens nothing
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()  # of an address: how many, and until when to wait
        self._tries: deque[float] = deque()

    def log_in(self, user: str, password: str, address: str) -> str:
        """Return a new session. Raises PermissionError, with a sentence for the user, if there are too many tries or the
        password is wrong. Wrong ones are counted by `network_of` the address.
        """
        address = network_of(address)
        with self._lock:
            self._check_wait(address)
        if not self._passwords.accepts(user, password):
            with self._lock:
                self._count_failure(address)
            raise PermissionError("The name or the password is wrong.")
        session = secrets.token_urlsafe(32)
        with self._lock:
            self._failures.pop(address, None)
            self._open[_key(session)] = _Session(self._clock() + SESSION_S, user, self._passwords.key_of(user))
            while len(self._open) > MOST_SESSIONS:
                self._open.popitem(last=False)
        return session

    def visitor(self, session: str, token: str = "") -> Visitor | None:
        """Return who has this session, if it is not over, or this token. None: nobody."""
        if token:
            return self._passwords.of_token(token)
        with self._lock:
            found = self._open.get(_key(session))
        if found is None or found.over_at <= self._clock() or found.key != self._passwords.key_of(found.user):
            return None
        return Visitor(found.user, self._passwords.role_of(found.user))

    def log_out(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(_key(session), None)

    def _check_wait(self, address: str) -> None:
        now = self._clock()
        while self._tries and now - self._tries[0] > 60:
            self._tries.popleft()
        wait_s = self._failures.get(address, (0, now))[1] - now
        if len(self._tries) >= TRIES_A_MINUTE:
            wait_s = max(wait_s, 60 - (now - self._tries[0]))
        if wait_s > 0:
            raise PermissionError(f"Too many tries. Wait {max(1, round(wait_s))} s.")
        self._tries.append(now)

    def _count_failure(self, address: str) -> None:
        count = self._failures.pop(address, (0, 0.0))[0] + 1
        wait_s = min(2.0 ** (count - FREE_TRIES), LONGEST_WAIT_S) if count >= FREE_TRIES else 0.0
        self._failures[address] = (count, self._clock() + wait_s)
        while len(self._failures) > REMEMBERED_ADDRESSES:
            self._failures.popitem(last=False)


def _key(session: str) -> bytes:
    return hashlib.sha256(session.encode("utf-8", "surrogatepass")).digest()
