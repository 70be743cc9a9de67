"""Unpack a bundle on the device: hidden, checked and on the disk before it gets its name."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from edgecls.bundle.manifest import MANIFEST, PART, SIGNATURES
from edgecls.bundle.part import read_part
from edgecls.bundle.state import Slot
from edgecls.errors import BundleError, ConfigError, EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edgecls.bundle.manifest import Manifest
    from edgecls.bundle.reader import BundleReader
    from edgecls.bundle.state import SlotState

UNPACKING = ".unpacking"
SPARE_BYTES = 1 << 20
"""Stays free on the disk, for state.json and folders."""


def check_order(manifest: Manifest, state: SlotState, name: str, where: str) -> None:
    """Raise BundleError for a bundle of another name, or one that is not newer than all before. The one in use may come again.

    Args:
        manifest: What is in the bundle.
        state: What the device remembers.
        name: The only name that the device takes; "": that of the bundles before.
        where: What messages begin with.
    """
    wanted = name or state.name
    if wanted and manifest.name != wanted:
        raise BundleError(f"{where}: is a bundle of the name {manifest.name}; this device takes those of {wanted}", "name")
    floor = state.floors.get(manifest.name, 0)
    if manifest.version <= floor and manifest.id != state.current:
        is_other = manifest.version == floor and manifest.id != state.id
        why = "was taken already with other content" if is_other else f"is not newer than {floor}, which was taken already"
        raise BundleError(f"{where}: version {manifest.version} {why}; make one with a higher version", "older")


def unpack(reader: BundleReader, versions: Path, check: Callable[[Slot], None] | None, where: str) -> Slot:
    """Unpack a bundle into the folder of versions. When this returns, it is on the disk.

    Args:
        reader: The bundle.
        versions: The folder.
        check: Called with the bundle while it is still hidden; an EdgeclsError refuses it.
        where: What messages begin with.

    Raises:
        BundleError: It is refused or cannot be written. Nothing of it is left.
    """
    manifest, hidden = reader.manifest, versions / UNPACKING
    place = versions / manifest.id
    try:
        _check_room(versions, manifest.size)
        hidden.mkdir()
        reader.read_files(hidden)
        write_to_disk(hidden / MANIFEST, reader.manifest_bytes)
        write_to_disk(hidden / SIGNATURES, reader.signatures)
        _check(Slot(manifest.id, hidden, manifest), check, where)
        for folder in (hidden / "labels", hidden):
            sync_folder(folder)
        give(hidden, like=versions)
        remove(place)  # of the same bundle, but damaged
        hidden.rename(place)
        sync_folder(versions)
    except OSError as error:
        remove(hidden)
        raise BundleError(f"{versions}: cannot be unpacked here ({error.strerror or error})", "disk") from error
    except BaseException:
        remove(hidden)
        raise
    return Slot(manifest.id, place, manifest)


def remove(folder: Path) -> None:
    """Remove a folder, if it is there. What cannot be removed now is tried again next time."""
    shutil.rmtree(folder, ignore_errors=True)


def write_to_disk(path: Path, content: bytes, *, is_new: bool = True) -> None:
    """Write a file, on the disk when this returns. Raises OSError."""
    with path.open("xb" if is_new else "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def give(path: Path, *, like: Path) -> None:
    """As root, give a file or folder and all in it to the owner of another one: the run that needs it is not root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        owner = like.stat()
        for one in (path, *path.rglob("*")):
            os.chown(one, owner.st_uid, owner.st_gid, follow_symlinks=False)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _check_room(versions: Path, size: int) -> None:
    free = shutil.disk_usage(versions).free
    if free < size + SPARE_BYTES:
        needs = f"the bundle takes {size / 1e6:.1f} MB, {free / 1e6:.1f} MB are free"
        raise BundleError(f"{versions}: the disk is too full: {needs}", "disk")


def _check(slot: Slot, check: Callable[[Slot], None] | None, where: str) -> None:
    """Raise BundleError if the settings of a bundle are invalid, or if `check` refuses it."""
    try:
        if slot.part is not None:
            read_part(slot.part.read_bytes(), PART)
    except ConfigError as error:
        raise BundleError(f"{where}: {error}", "part") from error
    try:
        if check is not None:
            check(slot)
    except BundleError:
        raise
    except EdgeclsError as error:
        raise BundleError(f"{where}: does not fit this device: {error}", "check") from error
