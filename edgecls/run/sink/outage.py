"""What cannot be kept while a disk is full: counted, and said in one line when it begins and one when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecls.run.say import Say


class Outage:
    """`what` is what is written to `place`, as in "clips"; `lost` counts those that could not be kept."""

    def __init__(self, place: object, what: str, say: Say) -> None:
        """Nothing is lost yet."""
        self.lost = 0
        self._place = place
        self._what = what
        self._say = say
        self._since: tuple[str, int] | None = None  # why, and how many were lost before it

    @property
    def goes_on(self) -> bool:
        """Whether it is not over."""
        return self._since is not None

    def lose(self, error: BaseException, *, lost: int = 1) -> None:
        """Count what cannot be kept. Why is said when it begins to be so."""
        system = error
        while system.__cause__ is not None:  # what the system says is the same for each file
            system = system.__cause__
        reason = getattr(system, "strerror", None)
        why = f"{self._place}: {reason}" if reason else str(error)
        if self._since is None or self._since[0] != why:
            self._say(f"{self._what} cannot be kept, and those that are lost are counted: {why}")
            self._since = (why, self._since[1] if self._since else self.lost)
        self.lost += lost

    def over(self) -> None:
        """One was kept: say it where the last one was not."""
        if self._since is not None:
            lost, self._since = self.lost - self._since[1], None
            self._say(f"{self._place}: {self._what} are kept again; {lost} were lost")

    def close(self) -> None:
        """Say how many were lost, where that has not been said."""
        if self._since is not None:
            lost, self._since = self.lost - self._since[1], None
            self._say(f"{self._place}: {lost} {self._what} were lost")
