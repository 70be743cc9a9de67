"""The configuration that runs on a device with bundles: the bundle's settings, and the device's own over them.

`[each_camera]` of a bundle tunes what a camera has: it adds no zone, no line, no detector and no motion to it. A table
`[[camera]]` with the name of a camera may add to that one.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edgecls.bundle import BundleError, read_part
from edgecls.bundle.part import EACH
from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edgecls.bundle import Slot
    from edgecls.run.bundle_settings import BundleSettings

C = TypeVar("C")

ONLY_TUNED = ("zone", "line", "motion", "left", "detector")
"""What `[each_camera]` changes only where a camera has it."""
FOLLOWING = ("line", "motion", "left", "detector")

_CANDIDATE: ContextVar[Slot | None] = ContextVar("candidate", default=None)


@dataclass(frozen=True, slots=True)
class Bundled:
    """The bundle in a configuration.

    Attributes:
        slot: The bundle; None: there is none, and the model is that of cameras.toml.
        kept: What the bundle sets too, but cameras.toml sets otherwise, such as "camera north: zone bay: dwell_s".
        absent: The cameras for which the bundle has settings, and which this device does not have.
        fault: Why the bundle that is in use is not in this configuration; "" if it is.
    """

    slot: Slot | None = None
    kept: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    fault: str = ""

    @property
    def id(self) -> str:
        """The id of the bundle; "" without one."""
        return "" if self.slot is None else self.slot.id

    @property
    def model_name(self) -> str:
        """What the model is called in events, such as "street-7"."""
        return "" if self.slot is None else f"{self.slot.name}-{self.slot.version}"

    def __str__(self) -> str:
        """Return what runs, in words."""
        return "the model of cameras.toml" if self.slot is None else f"bundle {self.slot}"


@contextlib.contextmanager
def candidate(slot: Slot) -> Iterator[None]:
    """Read configurations in this block with a bundle that is not in use yet."""
    token = _CANDIDATE.set(slot)
    try:
        yield
    finally:
        _CANDIDATE.reset(token)


def with_bundle(table: dict[str, Any], settings: BundleSettings, make: Callable[[dict[str, Any], Bundled], C]) -> C:
    """Return the configuration of a device with the bundle in use.

    If that one is damaged or does not fit cameras.toml, the newest good one that does is taken, and `fault` says so.

    Args:
        table: The table of cameras.toml.
        settings: Its table [bundle].
        make: Builds the configuration from a table. Raises ConfigError.

    Raises:
        ConfigError: Not even cameras.toml alone can be used.
    """
    given = _CANDIDATE.get()
    if given is not None:
        return _with(given, table, settings, make, "")
    slots = settings.slots
    try:
        state = slots.state()
    except BundleError as error:
        return make(table, Bundled(fault=str(error)))
    faults: list[BundleError | ConfigError] = []
    for id_ in dict.fromkeys((state.current, *(reversed(state.good) if state.current else ()), "")):
        try:
            return _with(slots.slot(id_), table, settings, make, str(faults[0]) if faults else "")
        except (BundleError, ConfigError) as error:
            faults.append(error)
    raise faults[-1 if "model" in table else 0]


def _with(
    slot: Slot | None, table: dict[str, Any], settings: BundleSettings, make: Callable[[dict[str, Any], Bundled], C],
    fault: str,
) -> C:  # fmt: skip
    if slot is None:
        return make(table, Bundled(fault=fault))
    content = b"" if slot.part is None else slot.part.read_bytes()
    part = read_part(content, f"bundle {slot}: cameras.part.toml")
    if not settings.sinks and ("sinks" in part or "sink" in part):
        raise ConfigError(f"bundle {slot}: it brings outputs, which this device does not take without sinks = true in [bundle]")
    whole, kept, absent = merged_with(part, table)
    try:
        return make({**whole, "model": str(slot.model)}, Bundled(slot, tuple(kept), tuple(absent), fault))
    except ConfigError as error:
        raise ConfigError(f"{error} (with bundle {slot})") from error


def merged_with(part: dict[str, Any], table: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Put the settings of a bundle under those of a cameras.toml.

    Args:
        part: The settings of the bundle, which are allowed.
        table: The table of cameras.toml, of which nothing is known yet.

    Returns:
        The table of both, what cameras.toml sets otherwise, and the cameras that it does not have.
    """
    whole, kept = dict(table), list[str]()
    if "threads" in part:
        whole["threads"] = _over(part["threads"], table["threads"], "threads", kept) if "threads" in table else part["threads"]
    for name in ("sinks", "sink"):
        ours, theirs = table.get(name, []), part.get(name, [])
        if isinstance(ours, list) and isinstance(theirs, list) and theirs:
            whole[name] = [*ours, *(one for one in theirs if one not in ours)]
    cameras = table.get("camera")
    of_cameras = {camera["name"]: camera for camera in part.get("camera", [])}
    if not isinstance(cameras, list):
        return whole, kept, list(of_cameras)
    whole["camera"] = [_camera(camera, part.get(EACH, {}), of_cameras, kept) for camera in cameras]
    names = {camera.get("name") for camera in cameras if isinstance(camera, dict) and isinstance(camera.get("name"), str)}
    return whole, kept, [name for name in of_cameras if name not in names]


def _camera(camera: Any, each: dict[str, Any], of_cameras: dict[str, Any], kept: list[str]) -> Any:
    """Return a camera with what the bundle says of all cameras, over that what it says of this one, and over that its own."""
    if not isinstance(camera, dict) or not isinstance(camera.get("name"), str):
        return camera
    own = of_cameras.get(camera["name"], {})
    has = _over(own, camera, "", [])
    usual = {name: _known(value, has.get(name)) for name, value in each.items() if _is_of_use(name, has)}
    brought = _over(usual, own, "", [])
    return _over(brought, camera, f"camera {camera['name']}", kept)


def _is_of_use(name: str, camera: dict[str, Any]) -> bool:
    """Return whether what a bundle says of all cameras means something to this one."""
    zones = camera.get("zone", [])
    looks = {zone.get("look", "state") for zone in zones if isinstance(zone, dict)} if isinstance(zones, list) else set()
    follows = any(one in camera for one in FOLLOWING) or "objects" in looks
    if name in ONLY_TUNED:
        return name in camera
    if name == "track":
        return follows
    return not (name == "state" and (follows or "state" in looks))


def _known(value: Any, has: Any) -> Any:
    """Return, of a list of named tables, those that the camera has too."""
    names = _names(has)
    return [one for one in value if one.get("name") in names] if names and _names(value) else value


def _over(below: Any, above: Any, path: str, kept: list[str]) -> Any:
    """Return `above` with what only `below` has, and add to `kept` where they differ."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = {name: _over(below[name], above[name], _joined(path, name), kept) for name in above if name in below}
        return {**above, **both, **{name: value for name, value in below.items() if name not in above}}
    if _names(below) and _names(above):
        under = {one["name"]: one for one in below}
        items = [
            _over(under[one["name"]], one, path and f"{path} {one['name']}", kept) if one["name"] in under else one
            for one in above
        ]
        return [*items, *(one for one in below if one["name"] not in _names(above))]
    if below != above and path:
        kept.append(path)
    return above


def _joined(path: str, name: str) -> str:
    return f"{path}: {name}" if path else name


def _names(value: Any) -> set[str]:
    """Return the names in a list of named tables; none if it is anything else."""
    if not isinstance(value, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in value):
        return set()
    return {one["name"] for one in value}
