"""A setting that is the same for all cameras, or set for each camera by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

T = TypeVar("T")


class PerCamera(Generic[T]):
    """Settings by camera: `settings[camera]` is the setting of that camera, or the usual one if a mapping does not contain it.
    The mapping may change later.
    """

    def __init__(self, given: T | Mapping[str, T], usual: T) -> None:
        """Use one setting for all cameras, or a mapping from camera names."""
        self._given = given
        self._usual = usual

    def __getitem__(self, camera: str) -> T:
        """Return the setting of a camera."""
        return self._given.get(camera, self._usual) if isinstance(self._given, Mapping) else self._given

    def others(self, cameras: Iterable[str], now: PerCamera[T], *, anew: Collection[str] = ()) -> list[str]:
        """Return the cameras that must start again: their setting differs in `now`, or they are in `anew`."""
        return [name for name in cameras if name in anew or self[name] != now[name]]
