"""Which camera a recording is of, and when it began, as the names of its file and folders say.

    Naming("%Y-%m-%d/%H/{camera}/%M.%S.mp4").of("/media/recordings/2026-11-28/07/door/12.34.mp4")
    Naming("{camera}_%Y%m%d_%H%M%S").of("/nas/cam1_20261128_074501.mp4")

A pattern describes the end of the path: as many names as it has parts between slashes. `{camera}` is the name of the camera,
`%Y`, `%m`, `%d`, `%H`, `%M`, `%S`, `%f`, `%y`, `%j`, `%b`, `%I` and `%p` are those of `datetime.strptime`, `%s` is the seconds
since 1970, and `*` is any text. What occurs twice must be the same text both times. The suffix of the file may be left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edgecls.errors import ConfigError

CAMERA = "{camera}"
_DIGITS = {
    "Y": r"\d{4}", "m": r"\d{1,2}", "d": r"\d{1,2}", "H": r"\d{1,2}", "M": r"\d{1,2}", "S": r"\d{1,2}", "f": r"\d{1,6}",
    "y": r"\d{2}", "j": r"\d{1,3}", "b": r"[A-Za-z]{3}", "I": r"\d{1,2}", "p": r"[AaPp][Mm]", "s": r"\d{9,10}(?:\.\d+)?",
}  # fmt: skip
_PIECE = re.compile(r"\{camera\}|%.|\*|.", re.DOTALL)
_EXAMPLE = "%Y-%m-%d/%H/{camera}/%M.%S.mp4 or {camera}_%Y%m%d_%H%M%S.mp4"
_DATES = ({"Y", "m", "d"}, {"y", "m", "d"}, {"Y", "j"}, {"Y", "b", "d"}, {"s"})


class Named(NamedTuple):
    """What a name says: the camera ("": nothing) and the begin of the recording in microseconds since 1970 (None: nothing)."""

    camera: str
    began_us: int | None


@dataclass(frozen=True, slots=True)
class Naming:
    """How recordings are named.

    Attributes:
        pattern: The end of their paths, such as "{camera}_%Y%m%d_%H%M%S"; "": the folder is the camera, and the file says when
            it was recorded.
        timezone: The time zone of the times in their names, such as "Europe/Berlin".
        camera: The camera of all recordings; "": as the names say.
    """

    pattern: str = ""
    timezone: str = "UTC"
    camera: str = ""

    def __post_init__(self) -> None:
        """Validate the pattern and the time zone."""
        _zone(self.timezone)
        fields = _fields(self.pattern)
        unknown = next((field for field in fields if field != CAMERA and field not in _DIGITS), None)
        if unknown is not None:
            raise ConfigError(f"`names={self.pattern}` has %{unknown}, which is unknown; expected a pattern such as {_EXAMPLE}")
        times = {field for field in fields if field != CAMERA}
        if times and not any(date <= times for date in _DATES):
            raise ConfigError(f"`names={self.pattern}` has no whole date; expected a pattern such as {_EXAMPLE}")
        if self.pattern and not fields:
            raise ConfigError(f"`names={self.pattern}` says neither camera nor time; expected a pattern such as {_EXAMPLE}")
        if self.camera and CAMERA in fields:
            raise ConfigError("`camera` has no effect, because `names` has {camera}; give one of them")

    def of(self, path: str) -> Named | None:
        """Return what a path says; None if it does not fit the pattern. A backslash separates its names as / does."""
        names = [name for name in re.split(r"[/\\]", path) if name]
        folder = names[-2] if len(names) > 1 else ""
        if not self.pattern:
            return Named(self.camera or folder, None)
        count = self.pattern.strip("/").count("/") + 1
        found = _regex(self.pattern.strip("/")).fullmatch("/".join(names[-count:]))
        if found is None:
            return None
        values = found.groupdict()
        camera = values.pop("camera", "")
        try:
            return Named(self.camera or camera or folder, _microseconds(values, self.timezone) if values else None)
        except ValueError:  # such as month 13
            return None


def _fields(pattern: str) -> list[str]:
    """Return {camera} and the letters after % in a pattern."""
    found = _PIECE.findall(pattern)
    return [piece.removeprefix("%") for piece in found if piece == CAMERA or (piece[0] == "%" and piece != "%%")]


@lru_cache(maxsize=16)
def _regex(pattern: str) -> re.Pattern[str]:
    parts, seen = [], set()
    for piece in _PIECE.findall(pattern):
        name = "camera" if piece == CAMERA else piece[1:] if piece[0] == "%" else ""
        if piece == "*":
            parts.append("[^/]*?")
        elif not name or piece == "%%":
            parts.append(re.escape(piece[:1]))
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(f"(?P<{name}>{_DIGITS.get(name, '[^/]+?')})")
    return re.compile("".join(parts) + r"(?:\.\w+)?")


def _microseconds(values: dict[str, str], timezone: str) -> int:
    """Return the time that the parts of a date and a time stand for. Raises ValueError if there is no such time."""
    if "s" in values:
        whole, _, part = values["s"].partition(".")
        return int(whole) * 1_000_000 + int(f"{part[:6]:0<6}")
    text = " ".join(values.values())
    found = datetime.strptime(text, " ".join(f"%{name}" for name in values)).replace(tzinfo=_zone(timezone))
    return round(found.astimezone(UTC).timestamp() * 1_000_000)


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(f"`timezone={name}` is not known here; expected a name such as UTC or Europe/Berlin") from error
