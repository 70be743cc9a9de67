"""From a cameras.toml to the unit of its service, or a line that says what has to be mended first."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import edgecls
from edgecls.errors import ConfigError
from edgecls.service.needs import Needs, needs_of
from edgecls.service.secrets import BESIDE, read_secrets
from edgecls.service.unit import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.run.config import Config
    from edgecls.service.machine import Machine

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - compared, nothing is written there
"""What a service does not see, because of ProtectHome= and PrivateTmp=."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
GROUPS = {"cameras": ("video",), "dri": ("video", "render"), "nvidia": ("video",)}
BOARD_GROUPS = ("video", "render")


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be installed.

    Attributes:
        config: The cameras.toml, as a path on the machine.
        name: The name of the service.
        user: Its user, which is created if it does not exist.
        secrets: The file of secrets; None: secrets.env beside cameras.toml, if there is one.
        credentials: Files that only root can read, as NAME=FILE.
        program: The edgecls of the machine; "" for this one.
        page: Whether it runs `edgecls web`.
        nvidia: Whether to allow GPUs of NVIDIA though this machine shows none.
    """

    config: str
    name: str = "edgecls"
    user: str = "edgecls"
    secrets: str | None = None
    credentials: tuple[str, ...] = ()
    program: str = ""
    page: bool = False
    nvidia: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A unit, the configuration that it runs, and what to say of it."""

    unit: Unit
    config: Config
    config_path: Path
    notes: tuple[str, ...]


def plan(request: Request, machine: Machine) -> Planned:
    """Return the unit for a request. Nothing is changed.

    Raises:
        ConfigError: With what has to be mended, and how.
    """
    _check_names(request)
    path = _absolute(request.config, machine)
    command = _command(request)
    secrets_file = _secrets_file(request, path, machine)
    credentials = tuple(_credential(one, machine) for one in request.credentials)
    config = _read(request, path, machine, secrets_file, bool(credentials))
    needs = needs_of(config, has_nvidia=request.nvidia or machine.has_nvidia, page=request.page)
    state = Path("/var/lib") / request.name
    _check_needs(needs, state)
    unit = Unit(
        name=request.name,
        user=request.user,
        command=(*command, "web" if request.page else "run", "--config", str(path), *([] if request.page else ["--quiet"])),
        needs=needs,
        environment_file=secrets_file,
        credentials=credentials,
        groups=tuple(sorted(name for name in _groups(needs) if machine.has_group(name))),
        folders=tuple(sorted({str(one) for _, one in needs.writes if not one.is_absolute() and str(one) != "."})),
        mounts=tuple(dict.fromkeys((path.parent, *(one.parent for _, one in needs.reads if one.is_absolute())))),
        systemd=machine.systemd,
    )
    return Planned(unit, config, path, tuple(_notes(config, secrets_file, machine, needs)))


def with_access(planned: Planned, machine: Machine) -> Planned:
    """Check what the user of the service may read, and return a unit with the folders that it may write.

    Raises:
        ConfigError: It cannot read a file that it needs; with the command that changes this.
    """
    unit = planned.unit
    for what, path in (("cameras.toml", planned.config_path), *unit.needs.reads):
        if path.is_absolute() and not path.is_relative_to("/run/credentials"):
            _check_readable(what, path, unit.user, machine)
    if not machine.may(unit.user, "-x", Path(unit.command[0])):
        raise ConfigError(
            f"the user {unit.user} cannot run {unit.command[0]}; install edgecls where all users may, such as /opt/edgecls"
        )
    outside = [path for _, path in unit.needs.writes if path.is_absolute() and not path.is_relative_to(unit.state)]
    for path in outside:
        if not machine.may(unit.user, "-w", path):
            raise ConfigError(f"the user {unit.user} cannot write {path}; let it: sudo install -d -o {unit.user} {path}")
    notes = []
    for folder, without in _useful(planned).items():
        if machine.is_this and machine.may(unit.user, "-w", folder):
            outside.append(folder)
        elif not folder.is_relative_to(unit.state):
            let = f"sudo chown {unit.user} {folder}, and install again"
            notes.append(f"{without}, as the user {unit.user} cannot write {folder}; to let it: {let}")
    return replace(planned, unit=replace(unit, writes=tuple(dict.fromkeys(outside))), notes=(*planned.notes, *notes))


def _check_readable(what: str, path: Path, user: str, machine: Machine) -> None:
    if not machine.at(path).exists():
        raise ConfigError(f"{what}: {path} does not exist; check the path")
    if not machine.may(user, "-r", path):
        raise ConfigError(
            f"{what}: the user {user} cannot read {path}; let it: sudo chgrp {user} {path} && sudo chmod g+r {path} "
            "(the folders above it must be open to it, too: chmod o+x)"
        )


def _useful(planned: Planned) -> dict[Path, str]:
    """Return folders that it is good to let the service write, with what it cannot do otherwise."""
    found = {planned.config_path.parent: "the page cannot change cameras.toml"} if planned.unit.needs.has_page else {}
    if model := next((path for what, path in planned.unit.needs.reads if what == "model"), None):
        found.setdefault(
            model.parent, "a new model that does worse cannot be taken back by the run itself"
        )  # fmt: skip
    return found


def _check_names(request: Request) -> None:
    if not NAME.fullmatch(request.name):
        raise ConfigError(f"name: expected letters, digits, dots and dashes, such as edgecls-yard, not {request.name!r}")
    if not USER.fullmatch(request.user):
        raise ConfigError(f"user: expected a name such as edgecls, not {request.user!r}")
    if request.user == "root":
        raise ConfigError("user: a service that reads cameras must not be root; choose another name, which is created")


def _absolute(config: str, machine: Machine) -> Path:
    path = Path(config)
    if not path.is_absolute():
        if not machine.is_this:
            raise ConfigError(f"{config}: with `root` expected the path that it has there, such as /etc/edgecls/cameras.toml")
        path = Path(os.path.abspath(path))  # noqa: PTH100 - links stay, as they may be changed later
    _check_seen("cameras.toml", path)
    if not machine.at(path).is_file():
        raise ConfigError(f"{config}: there is no such file; expected a cameras.toml, such as /etc/edgecls/cameras.toml")
    return path


def _check_seen(what: str, path: Path) -> None:
    for folder in HIDDEN:
        if path.is_relative_to(folder):
            raise ConfigError(
                f"{what}: {path} lies in {folder}, which a service does not see; move it, such as to "
                + ("/opt/edgecls" if what == "edgecls" else f"/etc/edgecls/{path.name}")
            )


def _command(request: Request) -> tuple[str, ...]:
    """Return the program. Raises ConfigError if it, its Python or its package lies where a service does not see it."""
    if request.program:
        if not Path(request.program).is_absolute():
            raise ConfigError(f"program: expected a whole path, such as /opt/edgecls/.venv/bin/edgecls, not {request.program}")
        _check_seen("edgecls", Path(request.program))
        return (request.program,)
    python = Path(sys.executable)
    package = Path(edgecls.__file__).parent
    for path in (python, python.resolve(), Path(sys.prefix), package):
        _check_seen("edgecls", path)
    script = python.with_name("edgecls")
    return (str(script),) if script.is_file() and os.access(script, os.X_OK) else (str(python), "-m", "edgecls")


def _secrets_file(request: Request, config: Path, machine: Machine) -> Path | None:
    beside = config.with_name(BESIDE)
    if request.secrets is None:
        return beside if machine.at(beside).is_file() else None
    path = Path(request.secrets)
    if not path.is_absolute() and not machine.is_this:
        raise ConfigError(f"secrets: with `root` expected the path that it has there, such as {beside}, not {path}")
    return Path(os.path.abspath(path))  # noqa: PTH100 - links stay


def _credential(text: str, machine: Machine) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not NAME.fullmatch(name) or not Path(path).is_absolute():
        raise ConfigError(
            f"credential: expected NAME=FILE with a whole path, such as key.pem=/etc/ssl/private/key.pem, not {text}"
        )
    if not machine.at(path).is_file():
        raise ConfigError(f"credential: there is no file {path}; check the path")
    return name, Path(path)


def _read(request: Request, path: Path, machine: Machine, secrets: Path | None, has_credentials: bool) -> Config:
    """Read cameras.toml with the variables that the service will have."""
    from edgecls.run.config import read_config

    variables = {} if secrets is None else read_secrets(machine.at(secrets))
    if has_credentials:
        variables["CREDENTIALS_DIRECTORY"] = f"/run/credentials/{request.name}.service"
    try:
        return read_config(machine.at(path), variables)
    except ConfigError as error:
        lacks = "which is not set" in str(error)
        advice = f"; a service has only what stands in {secrets or path.with_name(BESIDE)}, so put it there" if lacks else ""
        raise ConfigError(f"{error}{advice}") from error


def _check_needs(needs: Needs, state: Path) -> None:
    if needs.screen:
        raise ConfigError(f"{needs.screen} needs a screen, which a service does not have; remove it, or use the page: [web]")
    for what, path in needs.reads:
        if not path.is_absolute():
            raise ConfigError(
                f"{what}: {path} is a relative path, which a service would look for in {state}; write the whole path"
            )
        _check_seen(what, path)
    for what, path in needs.writes:
        if path.is_absolute():
            _check_seen(what, path)
        elif ".." in path.parts:
            raise ConfigError(f"{what}: {path} leads out of {state}, the folder of the service; write the whole path")


def _groups(needs: Needs) -> set[str]:
    wanted = {group for name, groups in GROUPS.items() if getattr(needs, name) for group in groups}
    return wanted | set(BOARD_GROUPS if needs.all_devices else ())


def _notes(config: Config, secrets: Path | None, machine: Machine, needs: Needs) -> Iterator[str]:
    """Yield what is allowed and hardly meant."""
    if secrets is not None and stat.S_IMODE(machine.at(secrets).stat().st_mode) & 0o077:
        yield f"{secrets} can be read by others than root; only systemd must read it: sudo chmod 600 {secrets}"
    if not config.outputs and not needs.has_page:
        yield "there is no sink, so nobody receives what is found; add one to cameras.toml"
    if config.bundle is not None and not Path(config.bundle.folder).is_absolute():
        yield (
            f"bundle.folder {config.bundle.folder} lies in the folder of the service, so edgecls bundle finds it only if it is "
            "called there; write the whole path"
        )
    if not needs.address:
        yield 'nobody can ask this run how it is; add "prometheus:9108" to sinks, or [web]'
    if machine.is_this and shutil.which("systemctl") and needs.all_devices:
        yield f"{needs.all_devices}: the devices of this board are not known, so their own permissions are the only limit"
