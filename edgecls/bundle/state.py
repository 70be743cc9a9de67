"""What a device remembers of its bundles: which one it runs, which ones were good, and the newest version that it ever took."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgecls.bundle.manifest import MODEL, PART
from edgecls.errors import BundleError
from edgecls.files import NotAFileError, read_small
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.bundle.manifest import Manifest

STATE = "state.json"
FORMAT = 1
MOST_BYTES = 1 << 16
ID = re.compile(r"[1-9]\d{0,15}-[0-9a-f]{12}", re.ASCII)

Outcome = Literal["none", "waiting", "trial", "applied", "refused", "rolled back"]
"""What became of the newest bundle: none was ever installed; it waits for a run; it is on trial; it is kept; the run could not
take it; it was taken and taken back."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An unpacked bundle on the device.

    Attributes:
        id: The version and digits of its hash, such as "7-0123456789ab".
        folder: Where its files are.
        manifest: What is in it.
    """

    id: str
    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The name of the bundle."""
        return self.manifest.name

    @property
    def version(self) -> int:
        """The version of the bundle."""
        return self.manifest.version

    @property
    def model(self) -> Path:
        """The model."""
        return self.folder / MODEL

    @property
    def part(self) -> Path | None:
        """The settings that it brings; None if it brings none."""
        return self.folder / PART if any(file.path == PART for file in self.manifest.files) else None

    def __str__(self) -> str:
        """Return the name and the version."""
        return str(self.manifest)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last bundle that could not be installed.

    Attributes:
        reason: The reason in a word, as `BundleError.reason` has it.
        text: The reason in a line.
        id: Its id; "" if its manifest could not be trusted.
        version: Its version; 0 if its manifest could not be trusted.
        at_s: When, in seconds since 1970.
    """

    reason: str
    text: str
    id: str = ""
    version: int = 0
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SlotState:
    """The bundles of a device at one moment, as they are in state.json.

    Attributes:
        name: The name of the bundles that it takes; "" before the first.
        floors: The newest version that it ever took, by the name of the bundle. Only a newer one may be installed.
        current: The id of the bundle in use; "": the model of cameras.toml.
        good: The ids of the bundles that proved themselves, the newest last.
        id: The id of the newest bundle that was installed.
        outcome: What became of that.
        reason: Why, in a line; "" if there is nothing to say.
        at_s: When the outcome was reached, in seconds since 1970.
        starts: How many runs began within its trial and have not ended properly.
        before: The labels, the mean score and the share of `unknown` of the model before; None if they are not known.
        refused: The last bundle that could not be installed.
    """

    name: str = ""
    floors: dict[str, int] = field(default_factory=dict)
    current: str = ""
    good: tuple[str, ...] = ()
    id: str = ""
    outcome: Outcome = "none"
    reason: str = ""
    at_s: float = 0.0
    starts: int = 0
    before: tuple[float, float, float] | None = None
    refused: Refusal | None = None

    @property
    def floor(self) -> int:
        """The newest version that was ever taken; 0 before the first."""
        return self.floors.get(self.name, 0)

    @property
    def last_good(self) -> str:
        """The id of the newest bundle that proved itself; "": the model of cameras.toml."""
        return self.good[-1] if self.good else ""

    @property
    def version(self) -> int:
        """The version of the newest bundle that was installed; 0 before the first."""
        return int(self.id.partition("-")[0] or 0)

    @property
    def on_trial(self) -> bool:
        """Whether the current bundle has yet to prove itself."""
        return self.outcome in ("waiting", "trial") and self.current == self.id

    def rolled_back(self, reason: str, outcome: Outcome) -> SlotState:
        """Return the state with the bundle before in use again."""
        good = tuple(one for one in self.good if one != self.current)
        now = replace(self, current=good[-1] if good else "", good=good, id=self.current, starts=0, before=None)
        return replace(now, outcome=outcome, reason=reason, at_s=time.time())

    def installed(self, manifest: Manifest) -> SlotState:
        """Return the state with a new bundle in use, which waits for a run."""
        floors = {**self.floors, manifest.name: max(manifest.version, self.floors.get(manifest.name, 0))}
        now = replace(self, name=manifest.name, floors=floors, current=manifest.id, id=manifest.id, starts=0, before=None)
        return replace(now, outcome="waiting", reason="", at_s=time.time())

    def as_text(self) -> str:
        """Return the content of state.json."""
        return dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def read_state(folder: Path) -> SlotState:
    """Read the state of a folder of bundles. Raises BundleError if it is damaged; without one it is that of a new folder."""
    path = folder / STATE
    try:
        record = loads(read_small(path, MOST_BYTES).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return SlotState()
    except (NotAFileError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    try:
        return _state(record)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, str(error)) from error


def _state(record: dict[str, Any]) -> SlotState:
    if record.pop("format") != FORMAT:
        raise ValueError("it was written by a newer edgecls")
    refused, before = record.pop("refused"), record.pop("before")
    floors, good = record.pop("floors"), record.pop("good")
    state = SlotState(
        **record,
        good=tuple(good),
        floors={str(name): int(version) for name, version in floors.items()},
        before=None if before is None else (float(before[0]), float(before[1]), float(before[2])),
        refused=None if refused is None else Refusal(**refused),
    )
    texts = (state.name, state.reason, state.outcome)
    ids = [one for one in (state.current, state.id, *state.good) if one]
    if not all(isinstance(one, str) for one in (*texts, *ids)) or not all(map(ID.fullmatch, ids)):
        raise ValueError("an id is not a version and 12 digits")
    if state.outcome not in get_args(Outcome) or type(state.starts) is not int or not isinstance(state.at_s, int | float):
        raise ValueError("a field has another type")
    return state


def _damaged(path: Path, why: str) -> BundleError:
    return BundleError(
        f"{path}: is damaged ({why}), so it is not known which versions are old; remove the folder to begin anew", "state"
    )
