"""`edgecls bundle`: a model and settings for devices in one signed file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say, table
from edgecls.text.strict_json import dumps
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.bundle import Manifest
    from edgecls.run.bundle_settings import BundleSettings

KEYS, MAKE, SIGN, VERIFY, APPLY, SHOW, ROLLBACK = ACTIONS = ("keys", "make", "sign", "verify", "apply", "show", "rollback")
BY_HAND = "by hand"


def bundle(
    action: Annotated[str, typer.Argument(metavar="|".join(ACTIONS), help=f"{KEYS}: make a pair of keys. {MAKE}: make a bundle. {SIGN}: sign one, besides its other signatures. {VERIFY}: check one. {APPLY}: put one in use on this device. {SHOW}: say what this device uses, or what is in FILE. {ROLLBACK}: put the last good one in use again.", show_default=False)],
    file: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help=f"Of {KEYS}: the name of the keys, for the files NAME.key and NAME.pub. Of the others: the bundle.", show_default=False)] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="M.onnx", help="The model.", rich_help_panel="To make one")] = None,
    part: Annotated[str | None, typer.Option("--part", metavar="PART.toml", help="The settings that it brings: thresholds, zones, lines and rules, as in cameras.toml.", rich_help_panel="To make one")] = None,
    labels: Annotated[list[str] | None, typer.Option("--labels", metavar="FILE", help="A file about the labels (.txt, .csv, .json, .toml, .md) for people and other programs; may be repeated.", rich_help_panel="To make one")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="The name of the bundle; devices take bundles of one name. Default: the file name of the model.", rich_help_panel="To make one")] = None,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="A whole number from 1 on, higher than that of every bundle before.", rich_help_panel="To make one")] = None,
    needs: Annotated[str, typer.Option("--needs", metavar="VERSION", help="The oldest version of edgecls that can use it. Default: any.", rich_help_panel="To make one")] = "",
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="The file to write. Default: NAME-VERSION.bundle.", rich_help_panel="To make one")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", "-k", metavar="KEY", help=f"To make and {SIGN} one: a private key, NAME.key. To {VERIFY} one: a trusted public key, NAME.pub. May be repeated.", rich_help_panel="Keys")] = None,
    only: Annotated[bool, typer.Option("--only", help=f"Of {SIGN}: remove the signatures of other keys.", rich_help_panel="Keys")] = False,
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="The configuration of the device, with a table [bundle].", rich_help_panel="On a device")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.", rich_help_panel="On a device")] = False,
) -> None:  # fmt: skip
    """Put a model and its settings into one signed file, check one, or put one in use on a device.

    A run whose cameras.toml has a table [bundle] switches to a bundle that is applied between two frames, tries it out, and goes back by
    itself if it does worse.
    """
    if action not in ACTIONS:
        raise typer.BadParameter(f"expected one of {', '.join(ACTIONS)}, not {action!r}")
    if action == MAKE:
        _make(file, model, part=part, labels=labels or [], name=name, version=version, needs=needs, out=out, keys=key or [])
    elif action in (APPLY, ROLLBACK) or (action == SHOW and config is not None):
        if config is None:
            raise typer.BadParameter(f"{action} needs --config, such as --config cameras.toml")
        _on_device(action, file, config, as_json=as_json)
    elif file is None:
        raise typer.BadParameter(
            f"{action} needs {'a name' if action == KEYS else 'a bundle, or --config' if action == SHOW else 'a bundle'}"
        )
    elif action == KEYS:
        _keys(file)
    elif action == SIGN:
        _sign(file, key or [], only=only)
    else:
        _verify(file, key or [], as_json=as_json, is_shown=action == SHOW)


def _keys(name: str) -> None:
    from edgecls.bundle import load_keys, make_keys

    private, public = make_keys(name)
    say(f"{private}: signs bundles; keep it secret, off the devices, with a copy in a safe place")
    say(f"{public}: goes to the devices, into keys of [bundle]")
    data(load_keys([public])[0].line)


def _make(
    file: str | None, model: str | None, *, part: str | None, labels: list[str], name: str | None, version: int | None, needs: str,
    out: str | None, keys: list[str],
) -> None:  # fmt: skip
    from pathlib import Path

    from edgecls.bundle import make

    if file is not None or model is None or version is None:
        raise typer.BadParameter(
            f"{MAKE} needs --model and --version, and writes --out: edgecls bundle make --model M.onnx --version 1"
        )
    named = name or Path(model).stem
    path = out or f"{named}-{version}.bundle"
    made = make(path, name=named, version=version, model=model, part=part, labels=labels, keys=keys, needs=needs)
    signed = f"signed by {', '.join(made.signers)}" if made.signers else "not signed yet: edgecls bundle sign"
    say(f"{path}: {made}, {made.size / 1000:.0f} kB, {signed}")


def _sign(file: str, keys: list[str], *, only: bool) -> None:
    from edgecls.bundle import sign

    if not keys:
        raise typer.BadParameter(f"{SIGN} needs --key, such as --key fleet.key")
    made = sign(file, keys, only=only)
    say(f"{file}: {made}, signed by {', '.join(made.signers)}")


def _verify(file: str, keys: list[str], *, as_json: bool, is_shown: bool) -> None:
    from edgecls.bundle import BundleReader, verify

    if is_shown:
        with BundleReader(file, None) as reader:
            reader.read_files()
            made = reader.manifest
        say(f"note: {file}: nobody has checked who signed it; edgecls bundle verify does")
    elif not keys:
        raise typer.BadParameter(f"{VERIFY} needs --key, such as --key fleet.pub")
    else:
        made = verify(file, keys)
    if as_json:
        data(dumps(_record(made)))
        return
    data(f"{made}" + (f", signed by {', '.join(made.signers)}" if made.signers else ""))
    data(f"made {made.created or 'at an unknown time'}{f', needs edgecls {made.needs}' if made.needs else ''}")
    data(f"labels {', '.join(made.labels)}")
    data(table(["file", "bytes", "sha256"], [[one.path, f"{one.size:,}", one.sha256] for one in made.files]))


def _record(made: Manifest) -> dict[str, object]:
    return {
        "name": made.name,
        "version": made.version,
        "id": made.id,
        "created": made.created,
        "needs": made.needs,
        "signers": list(made.signers),
        "labels": list(made.labels),
        "files": [{"path": one.path, "bytes": one.size, "sha256": one.sha256} for one in made.files],
    }


def _on_device(action: str, file: str | None, config: str, *, as_json: bool) -> None:
    from edgecls.errors import ConfigError
    from edgecls.service.secrets import read_config_of_service

    found = read_config_of_service(config)
    if found.bundle is None:
        raise ConfigError(f"{config}: it has no table [bundle], with the folder of bundles and the keys that are trusted")
    if action == APPLY:
        if file is None:
            raise typer.BadParameter(f"{APPLY} needs a bundle, such as street-7.bundle")
        _apply(file, config, found.bundle)
    elif action == ROLLBACK:
        slots = found.bundle.slots
        before = slots.state()
        slot = slots.roll_back(BY_HAND)
        now = "the model of cameras.toml" if slot is None else str(slot)
        say(
            f"{slots.folder}: {before.name} {before.current.partition('-')[0]} is rolled back; {now} is in use; only newer bundles are taken"
        )
    else:
        _show(found.bundle, as_json=as_json)


def _apply(file: str, config: str, settings: BundleSettings) -> None:
    from functools import partial

    from edgecls.run.bundle_keeper import check_candidate
    from edgecls.run.bundled import candidate
    from edgecls.service.secrets import read_config_of_service

    read = partial(read_config_of_service, config)
    installed = settings.slots.install(file, settings.trusted, check=partial(check_candidate, read=read))
    if not installed.is_new:
        say(f"{file}: {installed.slot} is in use already")
        return
    with candidate(installed.slot):
        bundled = read().bundled
    for setting in () if bundled is None else bundled.kept:
        say(f"note: the bundle sets {setting} too; the value of {config} is kept")
    if bundled is not None and bundled.absent:
        say(
            f"note: the bundle has settings for {counted(len(bundled.absent), 'camera')} that {config} does not have: {', '.join(bundled.absent)}"
        )
    say(f"{file}: {installed.slot} is in use from the next frame, or the next run, on; its trial begins then")


def _show(settings: BundleSettings, *, as_json: bool) -> None:
    from dataclasses import asdict

    slots = settings.slots
    state = slots.state()
    if as_json:
        data(dumps({**asdict(state), "last_good": state.last_good, "floor": state.floor, "version": state.version}))
        return
    data(f"in use     {state.name} {state.current}" if state.current else "in use     the model of cameras.toml")
    data(f"last good  {state.last_good or 'the model of cameras.toml'}")
    data(f"newest     {state.id or 'none'}: {state.outcome}{f', because {state.reason}' if state.reason else ''}")
    if state.refused is not None:
        data(f"refused    {state.refused.text}")
