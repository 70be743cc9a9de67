"""A setting of each camera: one for all of them, or each its own by the camera's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

T = TypeVar("T")


class PerCamera(Generic[T]):
    """`settings[camera]` is that camera's; in a mapping a camera that is missing has the usual one. A mapping may be changed
    later on.
    """

    def __init__(self, given: T | Mapping[str, T], usual: T) -> None:
        """Take the setting of all cameras, or those by the camera's name."""
        self._given = given
        self._usual = usual

    def __getitem__(self, camera: str) -> T:
        """Return the setting of a camera."""
        return self._given.get(camera, self._usual) if isinstance(self._given, Mapping) else self._given

    def others(self, cameras: Iterable[str], now: PerCamera[T], *, anew: Collection[str] = ()) -> list[str]:
        """Those of the cameras that must begin anew: their setting is another one in `now`, or they are in `anew`."""
        return [name for name in cameras if name in anew or self[name] != now[name]]
