"""Counting of losses while a disk is full, with one message when they begin and one when they end."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.log import Say

_DISK_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EROFS", "ENOSPC", "EDQUOT", "EACCES", "EPERM", "EMFILE", "ENFILE", "ENOENT", "ENODEV", "ENXIO", "EFBIG"),
        *("ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOLCK", "ENOMEM", "ENOTDIR", "EBUSY", "EREMOTEIO"),
    )
    if hasattr(errno, name)
)


def is_disk_error(error: BaseException) -> bool:
    """Return whether an error may be temporary, such as a full, missing or read-only disk, unlike a wrong setting."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _DISK_ERRNOS:
            return True
        cause = cause.__cause__
    return False


class LossCounter:
    """Counts and reports items that could not be written to `place`. `what` names them in messages, such as "clips"."""

    def __init__(self, place: object, what: str, say: Say) -> None:
        """Start without losses."""
        self.lost = 0
        self._place = place
        self._what = what
        self._say = say
        self._since: tuple[str, int] | None = None  # the reason, and the number lost before it

    @property
    def is_losing(self) -> bool:
        """Whether items are being lost."""
        return self._since is not None

    @property
    def trouble(self) -> str:
        """Why items are being lost; "" if none are."""
        since = self._since
        return "" if since is None else since[0]

    def lose(self, error: BaseException, *, lost: int = 1) -> None:
        """Count lost items, and report the reason when it is new."""
        system = error
        while system.__cause__ is not None:  # the root cause is the same for every file
            system = system.__cause__
        reason = getattr(system, "strerror", None)
        why = f"{self._place}: {reason}" if reason else str(error)
        if self._since is None or self._since[0] != why:
            self._say(f"{self._what} cannot be written and are counted as lost: {why}")
            self._since = (why, self._since[1] if self._since else self.lost)
        self.lost += lost

    def over(self) -> None:
        """Note that an item was written, and report the end of the losses."""
        if self._since is not None:
            lost, self._since = self.lost - self._since[1], None
            self._say(f"{self._place}: {self._what} are written again; {lost} were lost")

    def close(self) -> None:
        """Report losses that have not been reported yet."""
        if self._since is not None:
            lost, self._since = self.lost - self._since[1], None
            self._say(f"{self._place}: {lost} {self._what} were lost")
