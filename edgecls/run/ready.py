"""What keeps a run from delivering, besides its cameras: outputs that cannot be written, and disks without space."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.sink import SINKS
from edgecls.vitals.vitals import Checks, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.run.keeper import Keeper
    from edgecls.run.site import Site

LEAST_FREE = 64 * 2**20
"""In bytes. With less, the next recording or the next database page may not fit."""
REFUSED = "not swapped"
"""How the last step of a model begins that was refused."""


def checks_of(site: Site, keeper: Keeper) -> Checks:
    """Return what a run knows of its readiness."""
    return Checks(
        cameras=lambda: [camera.name for camera in site.config.camera],
        faults=partial(_faults, site),
        notes=partial(_notes, site, keeper),
        model=lambda: keeper.digest,
    )


def folders_of(site: Site) -> list[Path]:
    """Return the folders into which the sinks of a site write, each once."""
    names = [camera.name for camera in site.config.camera]
    folders: dict[Path, None] = {}
    for out in site.config.outputs:
        kind = SINKS[out.kind]
        if kind.is_folder:
            folders[Path(kind.target_of(out))] = None
        folders |= dict.fromkeys(path.parent for path in kind.files(out, names))
    return list(folders)


def _faults(site: Site) -> Iterator[Fault]:
    for name, sink in site.named_sinks.items():
        if sink.trouble:
            yield Fault("output", name, sink.trouble)
    for folder in folders_of(site):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:  # not created yet, or gone, which the sink reports
            continue
        if free < LEAST_FREE:
            yield Fault("disk", str(folder), f"{free / 2**20:.0f} MB are free; expected {LEAST_FREE / 2**20:.0f} or more")


def _notes(site: Site, keeper: Keeper) -> Iterator[Fault]:
    last = keeper.state().last
    if last.startswith(REFUSED):
        yield Fault("model", site.config.model_name, last)
