"""Write the unit of a service, change it, remove it, and say how the service is doing.

What exists and is as wanted stays untouched, so a second call changes only what differs. A unit that somebody has edited is not
overwritten unless that is asked for.
"""

from __future__ import annotations

import difflib
import os
import shutil
from typing import TYPE_CHECKING

from edgecls.errors import EdgeclsError
from edgecls.files import whole_file
from edgecls.service.machine import UNITS
from edgecls.service.plan import plan, with_access
from edgecls.service.unit import is_edited

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.log import Say
    from edgecls.service.machine import Machine
    from edgecls.service.plan import Planned, Request

UNIT_MODE = 0o644
REASONS = {
    77: "a camera refused user and password; correct them, then start the service",
    78: "the configuration is wrong; correct it, then start the service",
    2: "the command in the unit is wrong; install the service again",
}
"""Why a service is not started again, by the exit code of its last run."""
SHOWN = ("LoadState", "ActiveState", "SubState", "StatusText", "NRestarts", "Result", "ExecMainStatus", "UnitFileState")


def unit_path(name: str, machine: Machine) -> Path:
    """Return where the unit of a service lies, as seen from here."""
    return machine.at(UNITS / f"{name}.service")


def check_machine(machine: Machine, action: str) -> None:
    """Raise EdgeclsError if services cannot be changed here."""
    if machine.is_this and not machine.has_systemd:
        raise EdgeclsError(
            "this machine is not run by systemd, so there are no services to change; print the unit with: edgecls service "
            "show, write it into the files of another machine with --root DIR, or run a container (scripts/container)"
        )
    if not machine.is_root:
        raise EdgeclsError(f"only root may change services; call it as: sudo edgecls service {action}")


def install(request: Request, machine: Machine, *, say: Say, force: bool = False, only_say: bool = False) -> None:
    """Install a service, or change it to what is asked for now.

    Args:
        request: What to install.
        machine: Where.
        say: Called with each thing that was done, and with what to do next.
        force: Overwrite a unit that was edited by hand, and keep it beside as .service.old.
        only_say: Change nothing, and say what would be done.

    Raises:
        EdgeclsError: It cannot be installed. The unit is unchanged.
    """
    planned = plan(request, machine)
    if not only_say:
        check_machine(machine, "install")
    path = unit_path(request.name, machine)
    before = path.read_text(encoding="utf-8", errors="replace") if path.exists() else None
    edited = before is not None and is_edited(before)
    if edited and not force:
        raise EdgeclsError(
            f"{path} was edited by hand, or was not written by edgecls, so it stays; put your changes into: systemctl edit "
            f"{request.name}, or overwrite it with --force (it is kept as {path.name}.old)"
        )
    has_user = _ensure_user(planned, machine, say=say, only_say=only_say)
    planned = with_access(planned, machine) if has_user or not only_say else planned
    text = planned.unit.text()
    if text == before:
        say(f"{path}: is as wanted, nothing to change")
        _say_notes(planned, say)
        return
    if only_say:
        say(f"{path}: would be {'written' if before is None else 'changed'}")
    else:
        if edited:
            shutil.copy2(path, path.with_name(f"{path.name}.old"))
            say(f"{path.name}.old: keeps the unit as it was edited")
        _write(path, text)
        say(f"{path}: {'written' if before is None else 'changed'}")
    for line in _differences(before, text):
        say(f"  {line}")
    if machine.is_this and not only_say:
        machine.run("systemctl", "daemon-reload")
    _say_notes(planned, say)
    _say_next(planned, machine, is_new=before is None, say=say)


def uninstall(name: str, machine: Machine, *, say: Say, force: bool = False, only_say: bool = False) -> None:
    """Stop a service and remove its unit. Its user, its data and its configuration stay. Raises EdgeclsError."""
    path = unit_path(name, machine)
    if not path.exists():
        raise EdgeclsError(f"{path}: there is no such service")
    if not only_say:
        check_machine(machine, "uninstall")
    if is_edited(path.read_text(encoding="utf-8", errors="replace")) and not force:
        raise EdgeclsError(f"{path} was edited by hand, or was not written by edgecls, so it stays; remove it with --force")
    if only_say:
        say(f"{path}: would be stopped and removed")
        return
    if machine.is_this:
        machine.run("systemctl", "disable", "--now", path.name)
    path.unlink()
    if machine.is_this:
        machine.run("systemctl", "daemon-reload")
    say(f"{path}: stopped and removed")
    say(f"kept: /var/lib/{name}, /var/cache/{name}, cameras.toml, its secrets, and the user of the service")


def status(name: str, machine: Machine) -> tuple[bool, list[str]]:
    """Return whether a service runs, and what there is to say of it. Raises EdgeclsError if there is none."""
    if not machine.has_systemd:
        raise EdgeclsError("this machine is not run by systemd, so it has no services; ask a run with: edgecls service health")
    said = machine.run("systemctl", "show", f"{name}.service", f"--property={','.join(SHOWN)}").stdout
    found = dict(line.partition("=")[::2] for line in said.splitlines())
    if found.get("LoadState") == "not-found":
        raise EdgeclsError(f"{name}.service: there is no such service; make it with: sudo edgecls service install")
    runs = found.get("ActiveState") in ("active", "reloading")
    lines = [f"{name}.service: {found.get('ActiveState', 'unknown')} ({found.get('SubState', '')})"]
    if found.get("StatusText"):
        lines.append(f"  {found['StatusText']}")
    if found.get("NRestarts", "0") != "0":
        lines.append(f"  started again {found['NRestarts']} times by itself since it was started by hand or by the machine")
    if found.get("Result") == "watchdog":
        lines.append("  its loop was stuck, so it was ended by its watchdog")
    code = int(found.get("ExecMainStatus", "0") or 0)
    if not runs and code in REASONS:
        lines.append(f"  it is not started again: {REASONS[code]}: sudo systemctl start {name}")
    if found.get("UnitFileState") == "disabled":
        lines.append(f"  it does not start with the machine; sudo systemctl enable {name}")
    lines.append(f"  its messages: journalctl -u {name} -n 50")
    return runs, lines


def _ensure_user(planned: Planned, machine: Machine, *, say: Say, only_say: bool) -> bool:
    """Create the user of a service unless it exists. Returns whether it exists."""
    user = planned.unit.user
    if machine.has_user(user):
        return True
    if not machine.is_this:
        say(f"user {user}: the image needs it: useradd --root {machine.root} --system --user-group {user}")
        return False
    if only_say:
        say(f"user {user}: would be created")
        return False
    machine.add_user(user, planned.unit.state)
    say(f"user {user}: created; it cannot log in")
    return True


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, mode=UNIT_MODE) as beside, beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _differences(before: str | None, after: str) -> list[str]:
    """Return the changed lines without comments, with + or - before each; none if the unit is new."""
    if before is None:
        return []
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-" and not line[2:].startswith("#") and line[2:].strip()]


def _say_notes(planned: Planned, say: Say) -> None:
    for note in planned.notes:
        say(f"note: {note}")


def _say_next(planned: Planned, machine: Machine, *, is_new: bool, say: Say) -> None:
    unit = planned.unit
    say(f"it runs as {unit.user}, and keeps its data in {unit.state}")
    if unit.environment_file is not None:
        say(f"its secrets come from {unit.environment_file}, which systemd reads as root")
    if not machine.is_this:
        say(f"next, on that machine: systemctl enable --now {unit.name}")
    elif is_new:
        say(f"next: sudo systemctl enable --now {unit.name}, then look at: edgecls service status --name {unit.name}")
    else:
        say(f"next: sudo systemctl restart {unit.name}, for the changes to take effect")
