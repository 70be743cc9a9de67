"""`edgecls web`: a page with live pictures and what is found in them."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.hangup import Hangup
from edgecls.cli.memory import limit_arenas
from edgecls.cli.messages import say
from edgecls.cli.run import run_config

if TYPE_CHECKING:
    from edgecls.run.config import Config
    from edgecls.web.login.passwords import Role

SET_PASSWORD, ADD_TOKEN, REMOVE_TOKEN = ACTIONS = ("set-password", "add-token", "remove-token")
PASSWORDS = "web-passwords.json"


def web(
    action: Annotated[str | None, typer.Argument(metavar=f"[{'|'.join(ACTIONS)}]", help=f"{SET_PASSWORD}: set the password of a user in the file --passwords, and end. {ADD_TOKEN}: add a token for scripts to it, which is shown once. {REMOVE_TOKEN}: remove one.", show_default=False)] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="A file with cameras, zones, lines, rules and sinks.")] = None,
    listen: Annotated[str | None, typer.Option("--listen", metavar="[HOST:]PORT", help="Where to listen. Other addresses than this machine's own need a login. Default: [web] in --config, else 127.0.0.1:8765.")] = None,
    passwords: Annotated[str | None, typer.Option("--passwords", metavar="FILE", help=f"The file of passwords. Default: [web] in --config; of the actions, {PASSWORDS}.")] = None,
    host: Annotated[list[str] | None, typer.Option("--host", metavar="NAME", help="A further name under which browsers reach the page; may be repeated.")] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help=f"Of {SET_PASSWORD}: the name to log in with.")] = "admin",
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help=f"Of {ADD_TOKEN} and {REMOVE_TOKEN}: the name of the token.")] = None,
    role: Annotated[str | None, typer.Option("--role", metavar="view|edit", help=f"Of {SET_PASSWORD} and {ADD_TOKEN}: may only look, or change something too. Default: edit for a new user, view for a token.")] = None,
) -> None:  # fmt: skip
    """Run cameras as edgecls run --config does, and serve a page with live pictures, cameras and events, until Ctrl-C."""
    if action is not None:
        _act(action, Path(passwords or PASSWORDS), user=user, name=name, role=role)
        return
    if config is None:
        raise typer.BadParameter("expected --config, such as --config cameras.toml")
    limit_arenas()

    def read(path: str | Path) -> Config:
        from edgecls.run.config import read_config
        from edgecls.run.web import WebSettings

        found = read_config(path)
        web = found.web or WebSettings()
        settings = replace(
            web,
            listen=web.listen if listen is None else listen,
            passwords=passwords or web.passwords,
            hosts=tuple(host or web.hosts),
        )
        return replace(found, web=settings)

    with ExitStack() as stack:
        hangup = stack.enter_context(Hangup())
        code = run_config(read, hangup, config, stays=True)
    raise typer.Exit(code)


def _act(action: str, path: Path, *, user: str, name: str | None, role: str | None) -> None:
    """Change the file of passwords."""
    from edgecls.web.login.passwords import ROLES, add_token, remove_token

    known = next((one for one in ROLES if one == role), None)
    if role is not None and known is None:
        raise typer.BadParameter(f"expected --role {' or '.join(ROLES)}, not {role!r}")
    if action == SET_PASSWORD:
        _set_password(path, user, known)
        return
    if action not in ACTIONS:
        raise typer.BadParameter(f"expected nothing or one of {', '.join(ACTIONS)}, not {action!r}")
    if not name:
        raise typer.BadParameter(f"{action}: expected --name, such as --name report")
    if action == REMOVE_TOKEN:
        remove_token(path, name)
        say(f"{path}: the token {name} is removed")
        return
    typer.echo(add_token(path, name, known or "view"))
    say(
        f"{path}: this is the token {name}, which is shown only now; scripts send it in the header Authorization, after the word Bearer"
    )


def _set_password(path: Path, user: str, role: Role | None) -> None:
    """Ask for a password twice, or read it once where stdin is no terminal, and write it."""
    from edgecls.web.login.passwords import set_password

    if sys.stdin.isatty():
        password = getpass(f"Password of {user}: ")
        if getpass("Again: ") != password:
            raise typer.BadParameter("the two passwords differ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    set_password(path, user, password, role)
    say(f"{path}: the password of {user} is set")
