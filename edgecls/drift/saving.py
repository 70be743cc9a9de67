"""The file in which a camera's reference survives a restart of the run."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from edgecls.drift.camera_drift import Saved
from edgecls.drift.history import Hour
from edgecls.drift.slots import Slot
from edgecls.errors import EdgeclsError
from edgecls.files import whole_file
from edgecls.files.reading import read_small
from edgecls.files.writing import make_private_folder
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.log import Say

VERSION = 1
MOST_BYTES = 64 << 20


class State(NamedTuple):
    """What is saved of a camera: its slots, its scene (`Looks.saved`), and the settings and the model that they belong to."""

    saved: Saved
    scene: str
    key: str


class StateFile:
    """The file of one camera. Problems are reported by `say`, once, and do not end the run."""

    def __init__(self, folder: Path, camera: str, say: Say) -> None:
        """Use a file in `folder`, which may not exist yet."""
        plain = re.sub(r"[^\w-]+", "-", camera)
        self._path = folder / f"{plain}-{hashlib.sha256(camera.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}.json"
        self._say = say
        self._is_failing = False

    def read(self, key: str) -> State | None:
        """Return what was saved with the same settings and model, or None."""
        try:
            record = loads(read_small(self._path, MOST_BYTES).decode("utf-8"))
            if record["version"] != VERSION or record["key"] != key:
                return None
            reference, recent = ([Slot.from_record(slot) for slot in record[name]] for name in ("reference", "recent"))
            hours = tuple(map(Hour.from_record, record.get("hours", ())))
            is_learned = bool(record["learned"]) and bool(reference)
            return State(Saved(reference, recent, is_learned, hours), record["scene"], key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, EdgeclsError) as error:
            self._say(f"{self._path}: cannot be read ({type(error).__name__}: {error}); drift is learned again")
            return None

    def write(self, state: State) -> None:
        """Save the state. The file is replaced as a whole."""
        saved = state.saved
        record = {
            "version": VERSION,
            "key": state.key,
            "learned": saved.is_learned,
            "scene": state.scene,
            "reference": [slot.to_record() for slot in saved.reference],
            "recent": [slot.to_record() for slot in saved.recent],
            "hours": [hour.to_record() for hour in saved.hours],
        }
        try:
            make_private_folder(self._path.parent)
            with whole_file(self._path, mode=0o600) as beside:
                beside.write_text(dumps(record), encoding="utf-8")
            self._is_failing = False
        except (OSError, EdgeclsError) as error:
            if not self._is_failing:
                self._say(f"{self._path}: cannot be written, so drift is learned again after a restart ({error})")
            self._is_failing = True
