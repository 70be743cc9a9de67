"""`edgecls service`: run cameras as a service of systemd, and ask a run how it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say

if TYPE_CHECKING:
    from edgecls.service.machine import Machine
    from edgecls.service.plan import Request

ACTIONS = ("install", "uninstall", "status", "show", "health")


def service(
    action: Annotated[str, typer.Argument(metavar="|".join(ACTIONS), help="install: write the unit, or change it to what is asked for now. uninstall: stop the service and remove its unit. status: how it is doing. show: print the unit. health: ask a run whether its loop moves, in a container also without systemd.")],
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="The configuration of the run.")] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name of the service.")] = "edgecls",
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="The user that it runs as, which is created if it does not exist. Default: the name of the service.")] = None,
    web: Annotated[bool, typer.Option("--web", help="Run edgecls web instead of edgecls run.")] = False,
    secrets: Annotated[str | None, typer.Option("--secrets", metavar="FILE", help="NAME=value lines for ${NAME} in cameras.toml; only root must read it. Default: secrets.env beside cameras.toml, if there is one.")] = None,
    credential: Annotated[list[str] | None, typer.Option("--credential", metavar="NAME=FILE", help="A file that only root can read, which cameras.toml names as ${CREDENTIALS_DIRECTORY}/NAME; may be repeated.")] = None,
    nvidia: Annotated[bool, typer.Option("--nvidia", help="Allow GPUs of NVIDIA, though this machine shows none now.")] = False,
    program: Annotated[str, typer.Option("--program", metavar="PATH", help="The edgecls that the service starts. Default: this one.")] = "",
    root: Annotated[str, typer.Option("--root", metavar="DIR", help="Write into the files of another machine, such as an image. Paths are those that it has there.")] = "/",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also overwrite or remove a unit that was edited by hand.")] = False,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="Of health: where the run serves its state. Default: the metrics port or the page in --config.")] = None,
    ready: Annotated[bool, typer.Option("--ready", help="Of health: ask whether everything is delivered, instead of whether the loop moves.")] = False,
) -> None:  # fmt: skip
    """Run cameras as a service of systemd, with a user of its own and only the rights that CAMERAS.toml needs.

    Exits with 1 if something has to be mended first, if the service does not run (status), or if the run is stuck or not ready
    (health).
    """
    from edgecls.service.install import install, status, uninstall
    from edgecls.service.machine import Machine
    from edgecls.service.plan import Request

    if action not in ACTIONS:
        raise typer.BadParameter(f"expected one of {', '.join(ACTIONS)}, not {action!r}")
    machine = Machine(root)
    if action == "health":
        _health(config, url, is_ready=ready)
        return
    if action == "status":
        runs, lines = status(name, machine)
        data("\n".join(lines))
        raise typer.Exit(0 if runs else 1)
    if action == "uninstall":
        uninstall(name, machine, say=say, force=force, only_say=dry_run)
        return
    if config is None:
        raise typer.BadParameter("expected --config, such as --config /etc/edgecls/cameras.toml")
    request = Request(
        config, name=name, user=user or name.lower().replace(".", "-"), secrets=secrets, credentials=tuple(credential or ()),
        program=program, page=web, nvidia=nvidia,
    )  # fmt: skip
    if action == "show":
        _show(request, machine)
    else:
        install(request, machine, say=say, force=force, only_say=dry_run)


def _show(request: Request, machine: Machine) -> None:
    from edgecls.service.plan import plan, with_access

    planned = plan(request, machine)
    data((with_access(planned, machine) if machine.has_user(request.user) else planned).unit.text().rstrip("\n"))


def _health(config: str | None, url: str | None, *, is_ready: bool) -> None:
    from edgecls.errors import ConfigError
    from edgecls.service.health import LIVE, READY, ask
    from edgecls.service.needs import address_of
    from edgecls.service.secrets import read_config_of_service
    from edgecls.text.strict_json import dumps

    if (config is None) == (url is None):
        raise typer.BadParameter("health: expected --config CAMERAS.toml or --url URL")
    address = url or address_of(read_config_of_service(config or ""))
    if not address:
        raise ConfigError(f'{config}: the run serves its state nowhere; add "prometheus:9108" to sinks, or [web]')
    found = ask(address, READY if is_ready else LIVE)
    data(dumps(found.record))
    raise typer.Exit(0 if found.is_good else 1)
