"""The bundles that a device keeps: one in use, the good ones before it, and what is remembered of them.

    FOLDER/state.json                       replaced as a whole, see `SlotState`
    FOLDER/versions/7-0123456789ab/         an unpacked bundle
    FOLDER/versions/.unpacking/             what a kill leaves, removed at the next chance

A bundle is unpacked beside the others, is on the disk before it gets its name, and is in use once state.json says so. So
whatever ends the program, or fills the disk, leaves the bundle in use as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.bundle.keys import load_keys
from edgecls.bundle.manifest import MANIFEST, MOST_MANIFEST_BYTES, read_manifest
from edgecls.bundle.reader import CHUNK, BundleReader
from edgecls.bundle.state import ID, STATE, Outcome, Refusal, Slot, SlotState, read_state
from edgecls.bundle.unpacking import UNPACKING, check_order, give, remove, sync_folder, unpack, write_to_disk
from edgecls.errors import BundleError, EdgeclsError
from edgecls.files import open_file, read_small, whole_file
from edgecls.files.locks import try_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edgecls.bundle.keys import PublicKey

KEEP = 3
MOST_STARTS = 2
"""A bundle on trial whose run has ended this often without closing is rolled back at the next start."""
LOCK_WAIT_S = 60.0
ASK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Installed:
    """What `Slots.install` did: the bundle, and whether it is a new one or was in use already."""

    slot: Slot
    is_new: bool


class Slots:
    """The bundles of a device in a folder. Reading never writes; any process may use the folder at the same time.

    Example:
        slots = bundle.Slots("bundles")
        slots.install("street-7.bundle", ["fleet.pub"])
        print(slots.current)
    """

    def __init__(self, folder: str | Path, *, name: str = "", keep: int = KEEP) -> None:
        """Use a folder, which is created with the first bundle.

        Args:
            folder: The folder.
            name: The only name of bundles that it takes. "": that of the first one.
            keep: How many good bundles are kept, including the one in use.
        """
        self.folder = Path(folder)
        self.name = name
        self._keep = max(1, keep)

    @property
    def current(self) -> Slot | None:
        """The bundle in use; None: the model of cameras.toml. Raises BundleError if it is damaged."""
        return self.slot(self.state().current)

    @property
    def last_good(self) -> Slot | None:
        """The newest bundle that proved itself; None: the model of cameras.toml. Raises BundleError if it is damaged."""
        return self.slot(self.state().last_good)

    def state(self) -> SlotState:
        """Return what is remembered. Raises BundleError if state.json is damaged."""
        return read_state(self.folder)

    def slot(self, id_: str) -> Slot | None:
        """Return a bundle by its id; None for "". Raises BundleError if a file of it is missing or damaged."""
        if not id_:
            return None
        folder = self._versions / id_
        try:
            content = read_small(folder / MANIFEST, MOST_MANIFEST_BYTES)
            manifest = read_manifest(content, str(folder))
            for file in manifest.files:
                if _sha256(folder / file.path) != file.sha256:
                    raise BundleError(f"{folder / file.path}: was changed since it was installed", "tampered")
        except (OSError, ValueError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(f"{folder}: a file of this bundle is missing or damaged ({error})", "tampered") from error
        if manifest.id != id_:
            raise BundleError(f"{folder}: was changed since it was installed", "tampered")
        return Slot(id_, folder, manifest)

    def install(
        self, path: str | Path, keys: Iterable[PublicKey | str | Path], *, check: Callable[[Slot], None] | None = None
    ) -> Installed:
        """Check a bundle, unpack it, and put it in use. A run takes it by itself.

        Args:
            path: The bundle.
            keys: The trusted public keys, or their files.
            check: Called with the unpacked bundle before anything has changed; an EdgeclsError refuses it.

        Returns:
            The bundle in its slot. The one that is in use already is no error.

        Raises:
            BundleError: It is refused or cannot be written; the bundle in use stays. `reason` says why in a word.
            ConfigError: A key cannot be read.
        """
        trusted = load_keys(keys)
        with self._locked():
            state = self.state()
            self._clean_up(state)
            id_, version = "", 0
            try:
                with BundleReader(path, trusted) as reader:
                    id_, version = reader.manifest.id, reader.manifest.version
                    check_order(reader.manifest, state, self.name, str(path))
                    if (there := self._same(reader, state)) is not None:
                        return Installed(there, is_new=False)
                    slot = unpack(reader, self._versions, check, str(path))
                try:
                    self._write(state.installed(slot.manifest))
                except BundleError:
                    remove(slot.folder)
                    raise
                return Installed(slot, is_new=True)
            except BundleError as error:
                refused = Refusal(error.reason, str(error), id_, version, time.time())
                with contextlib.suppress(BundleError):  # the refusal itself is what is raised
                    self._write(replace(state, refused=refused))
                raise

    def taken(self, before: tuple[float, float, float] | None = None, *, id_: str | None = None) -> None:
        """Note that a run has switched to the current bundle, whose trial begins.

        Args:
            before: The labels, the mean score and the share of `unknown` of the model before.
            id_: The bundle that is meant: nothing is noted if another one is current by now. None: whichever is.
        """
        with self._locked():
            state = self.state()
            if state.outcome == "waiting" and id_ in (None, state.current):
                starts = max(1, state.starts)
                self._write(replace(state, outcome="trial", at_s=time.time(), starts=starts, before=before))

    def keep_current(self, *, id_: str | None = None) -> bool:
        """Note that the current bundle has proved itself. Older ones make room.

        Args:
            id_: The bundle that is meant: nothing is noted if another one is current by now. None: whichever is.

        Returns:
            Whether this was noted.
        """
        with self._locked():
            state = self.state()
            is_meant = state.on_trial and id_ in (None, state.current)
            if is_meant:
                good = (*(one for one in state.good if one != state.current), state.current)[-self._keep :]
                state = replace(state, outcome="applied", reason="", at_s=time.time(), good=good, starts=0, before=None)
                self._write(state)
                self._clean_up(state)
            return is_meant

    def roll_back(self, reason: str, *, outcome: Outcome = "rolled back", id_: str | None = None) -> Slot | None:
        """Put the last good bundle before the current one in use again. Its version stays the newest that was ever taken.

        Args:
            reason: Why, in a line.
            outcome: "rolled back", or "refused" if no run ever took it.
            id_: The bundle that is meant; None: whichever is current.

        Returns:
            The bundle that is in use now; None: the model of cameras.toml.

        Raises:
            BundleError: There is no bundle in use, another one than `id_` is, or the state cannot be written.
        """
        with self._locked():
            state = self.state()
            if not state.current:
                raise BundleError(f"{self.folder}: no bundle is in use, so there is nothing to roll back", "none")
            if id_ not in (None, state.current):
                raise BundleError(f"{self.folder}: {id_} is not in use any more, so it is not rolled back", "other")
            state = state.rolled_back(reason, outcome)
            self._write(state)
        with contextlib.suppress(BundleError):
            return self.slot(state.current)
        return None

    def starting(self) -> SlotState:
        """Note that a run begins. Returns the state, in which a bundle is rolled back whose runs have failed too often."""
        if not self.folder.is_dir():
            return self.state()
        with self._locked():
            state = self.state()
            self._clean_up(state)
            if not state.on_trial:
                return state
            if state.starts >= MOST_STARTS:
                state = state.rolled_back(f"{state.starts} runs ended within its trial without closing", "rolled back")
            else:
                state = replace(state, starts=state.starts + 1)
            self._write(state)
            return state

    def ended(self) -> None:
        """Note that a run has closed properly."""
        if self.state().on_trial:
            with self._locked():
                state = self.state()
                if state.on_trial and state.starts:
                    self._write(replace(state, starts=state.starts - 1))

    @property
    def _versions(self) -> Path:
        return self.folder / "versions"

    def _same(self, reader: BundleReader, state: SlotState) -> Slot | None:
        """Return the bundle in use if it is this one, whole, and undamaged."""
        if reader.manifest.id != state.current:
            return None
        reader.read_files()
        with contextlib.suppress(BundleError):
            return self.slot(state.current)
        reader.rewind()
        return None

    def _clean_up(self, state: SlotState) -> None:
        """Remove what a kill has left, and bundles that are not kept."""
        kept = {state.current, *state.good[-self._keep :]}
        with contextlib.suppress(OSError):  # tried again next time
            for path in self._versions.iterdir():
                if path.name == UNPACKING or (ID.fullmatch(path.name) and path.name not in kept):
                    remove(path)

    def _write(self, state: SlotState) -> None:
        """Replace state.json, on the disk when this returns. Raises BundleError."""
        try:
            with whole_file(self.folder / STATE) as beside:
                write_to_disk(beside, state.as_text().encode(), is_new=False)
                give(beside, like=self.folder)
            sync_folder(self.folder)
        except OSError as error:
            raise BundleError(f"{error.args[0] if isinstance(error, EdgeclsError) else error}", "disk") from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let only one process or thread change the folder at a time. Raises BundleError."""
        missing = [one for one in (self.folder, self._versions) if not one.exists()]
        try:
            self._versions.mkdir(parents=True, exist_ok=True)
            for made in missing:
                give(made, like=made.absolute().parent)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as error:
            raise BundleError(f"{self.folder}: cannot be written ({error.strerror})", "disk") from error
        try:
            give(self.folder / ".lock", like=self.folder)
            until_s = time.monotonic() + LOCK_WAIT_S
            with contextlib.suppress(OSError):  # a file system without locks
                while not try_lock(descriptor):
                    if time.monotonic() > until_s:
                        raise BundleError(f"{self.folder}: another program is installing a bundle here; try again", "busy")
                    time.sleep(ASK_EVERY_S)
            yield
        finally:
            os.close(descriptor)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_file(path, follow_links=False) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
