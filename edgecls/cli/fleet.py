"""`edgecls fleet`: look at the devices of a fleet, and roll bundles out to them."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgecls.cli.interrupt import Interrupt
from edgecls.cli.messages import data, say, table
from edgecls.text.words import counted

if TYPE_CHECKING:
    from edgecls.fleet import Device, Fleet, RollOut

STATUS, ROLL_OUT, ROLL_BACK, STOP, FORGET = ACTIONS = ("status", "roll-out", "roll-back", "stop", "forget")
STOPPED_CODE = 3
BROKER = "EDGECLS_FLEET"
LARGEST_BYTES = 2_000_000_000
LOOK_EVERY_S = 0.5
BACK_WAIT_S = 60.0


def fleet(
    action: Annotated[str, typer.Argument(metavar="|".join(ACTIONS), help=f"{STATUS}: list the devices. {ROLL_OUT}: roll a bundle out in stages, or go on with it. {ROLL_BACK}: have the devices of the last roll-out take its bundle back. {STOP}: stop the roll-out in progress. {FORGET}: clear what the broker keeps of devices that are gone.", show_default=False)],
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help=f"Of {ROLL_OUT}: where devices pull the bundle from, an https address.")] = None,
    broker: Annotated[str | None, typer.Option("--broker", metavar="URL", envvar=BROKER, show_envvar=False, help=f"mqtts://[USER:PASSWORD@]HOST[:PORT]/PREFIX. Default: the variable {BROKER}, else [fleet] in --config.", rich_help_panel="Fleet")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="CAMERAS.toml", help="The configuration of a device, for its broker.", rich_help_panel="Fleet")] = None,
    devices: Annotated[str, typer.Option("--devices", metavar="PATTERN", help="Only devices of these names, such as 'roof-*'.", rich_help_panel="Fleet")] = "*",
    json: Annotated[bool, typer.Option("--json", help=f"Of {STATUS}: one JSON object per device instead of a table.", rich_help_panel="Fleet")] = False,
    bundle: Annotated[str | None, typer.Option("--bundle", metavar="FILE", help="The bundle at URL, as it is here. Default: it is pulled from there.", rich_help_panel="Bundle")] = None,
    sha256: Annotated[str | None, typer.Option("--sha256", metavar="HEX", help="What the SHA-256 of the file must be.", rich_help_panel="Bundle")] = None,
    key: Annotated[list[str] | None, typer.Option("--key", metavar="FILE.pub", help="Check first that this key has signed the bundle; may be repeated.", rich_help_panel="Bundle")] = None,
    stages: Annotated[str, typer.Option("--stages", metavar="N%,N%", help="The shares of the devices that have been told after each stage.", rich_help_panel="Stages")] = "1%,10%,50%,100%",
    stop_at: Annotated[str, typer.Option("--stop-at", metavar="N%", help="Stop when a larger share of the devices that were told has failed.", rich_help_panel="Stages")] = "10%",
    wait: Annotated[float, typer.Option("--wait", min=1, metavar="S", help="Seconds that a stage waits for its devices; whatever is not done then has failed.", rich_help_panel="Stages")] = 3600.0,
    settle: Annotated[float, typer.Option("--settle", min=0, metavar="S", help="Seconds that devices must stay healthy before the next stage.", rich_help_panel="Stages")] = 60.0,
    spread: Annotated[float, typer.Option("--spread", min=0, max=86_400, metavar="S", help="The devices of a stage pull within so many seconds, each at a time of its own.", rich_help_panel="Stages")] = 60.0,
    on_stop: Annotated[str, typer.Option("--on-stop", metavar="back|stay", help="What the devices that were told do when it stops by itself: take the bundle back, or keep what they have.", rich_help_panel="Stages")] = "back",
) -> None:  # fmt: skip
    """Look at the devices of a fleet, and roll signed bundles out to them in stages, over their MQTT broker.

    Exit codes of roll-out: 0 done, 3 stopped, 1 it could not begin or go on. A command that was ended goes on when it is called
    again, on any machine.
    """
    if action not in ACTIONS:
        raise typer.BadParameter(f"expected one of {', '.join(ACTIONS)}, not {action!r}")
    if (url is not None) != (action == ROLL_OUT):
        raise typer.BadParameter(f"{ROLL_OUT} needs the URL of the bundle, and the others have none")
    if on_stop not in ("back", "stay"):
        raise typer.BadParameter(f"expected --on-stop back or stay, not {on_stop!r}")
    if json and action != STATUS:
        raise typer.BadParameter(f"--json goes with {STATUS}")
    address = _broker(broker, config)
    if action == ROLL_OUT and url is not None:
        from edgecls.fleet.rolling import new_id
        from edgecls.fleet.rollout import RollOut, parse_share, parse_stages

        shares, share = parse_stages(stages), parse_share(stop_at, "stop_at")
        digest, version = _look_at(url, bundle, sha256, key or [])
        raise typer.Exit(_roll_out(address, RollOut(
            new_id(version), url, digest, version, stages=shares, stop_at=share, devices=devices, wait_s=wait, settle_s=settle,
            spread_s=spread, on_stop="back" if on_stop == "back" else "stay",
        )))  # fmt: skip
    from edgecls.fleet import Fleet

    with Fleet(address) as opened:
        if action == STATUS:
            _status(opened, devices, as_json=json)
        elif action == FORGET:
            _forget(opened, devices)
        else:
            _end(opened, action)


def _broker(broker: str | None, config: str | None) -> str:
    """Return the address of the broker."""
    if broker:
        return broker
    if config:
        from edgecls.run.config import read_config

        found = read_config(config)
        if found.fleet is not None:
            return found.fleet.broker
    raise typer.BadParameter(f"expected --broker, the variable {BROKER}, or --config with a table [fleet]")


def _look_at(url: str, bundle: str | None, sha256: str | None, keys: list[str]) -> tuple[str, int]:
    """Return the SHA-256 and the version of a bundle, which is pulled if it is not here."""
    import hashlib

    from edgecls.bundle import BundleReader, verify
    from edgecls.errors import ConfigError
    from edgecls.fleet.pull import Pull

    with tempfile.TemporaryDirectory() as folder:
        path = Path(bundle) if bundle else Pull(
            url, sha256 or "", folder, most_bytes=LARGEST_BYTES, is_over=threading.Event(), allow=("https", "http", "file")
        ).run()  # fmt: skip
        if keys:
            manifest = verify(path, keys)
        else:
            with BundleReader(path, None) as reader:
                reader.read_files()
                manifest = reader.manifest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and digest != sha256.lower():
        raise ConfigError(f"{bundle}: its SHA-256 is {digest}, not that of --sha256")
    return digest, manifest.version


def _roll_out(address: str, rollout: RollOut) -> int:
    """Roll out until the end or a signal. Returns the exit code."""
    from edgecls.fleet import Fleet, Rolling

    with Fleet(address) as opened, Interrupt() as interrupt:
        rolling = Rolling(opened, rollout, say=say)

        def step() -> RollOut:
            time.sleep(LOOK_EVERY_S)
            return rolling.step()

        found: RollOut | None = rolling.rollout
        while found is not None and found.state == "running":
            found = interrupt.wait_for(step)
        if found is None:
            say("the devices go on with what they were told; the same command goes on with the next stages")
            return interrupt.exit_code
        if found.state == "stopped":
            back = "; its devices take it back" if found.on_stop == "back" else ""
            say(f"stopped: {found.why}{back}")
            return STOPPED_CODE
        away = len(rolling.standing.away)
        later = f"; {counted(away, 'device')} away will take it later" if away else ""
        say(f"done: version {found.version} is in use{later}")
    return 0


def _status(opened: Fleet, pattern: str, *, as_json: bool) -> None:
    from fnmatch import fnmatchcase

    from edgecls.text.strict_json import dumps

    found = [device for name, device in opened.devices().items() if fnmatchcase(name, pattern)]
    if as_json:
        for device in found:
            data(dumps(_record(device)))
        return
    header = ("device", "online since", "edgecls", "model", "bundle", "cameras", "update")
    data(table(header, [_row(device) for device in found]))
    if opened.gap:
        say(f"note: {opened.gap}")
    rollout = opened.rollout
    if rollout is not None:
        where = f", stage {rollout.stage + 1} of {len(rollout.stages)}" if rollout.state == "running" else ""
        say(
            f"roll-out {rollout.id} of version {rollout.version}: {rollout.state}{where}{': ' * bool(rollout.why)}{rollout.why}"
        )


def _record(device: Device) -> dict[str, Any]:
    reported, desired = device.reported, device.desired
    return {
        "device": device.name,
        "online": device.is_online,
        "desired": None
        if desired is None
        else {"version": desired.version, "action": desired.action, "rollout": desired.rollout},
        "reported": None if reported is None else reported.record,
    }


def _row(device: Device) -> tuple[str, ...]:
    reported = device.reported
    if reported is None:
        return device.name, _online(device), *("-",) * 4, "has not reported"
    cameras = f"{reported.cameras - reported.faulty} ok" + (f", {reported.faulty} faulty" if reported.faulty else "")
    bundle = str(reported.version) if reported.version else "none"
    faults = f"; {reported.faults[0]}" if reported.faults else ""
    return device.name, _online(device), reported.edgecls, reported.model, bundle, cameras, f"{reported.update}{faults}"


def _online(device: Device) -> str:
    if not device.is_online:
        return "offline"
    since_s = 0.0 if device.reported is None else device.reported.since_s
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(since_s)) if since_s else "online"


def _forget(opened: Fleet, pattern: str) -> None:
    from fnmatch import fnmatchcase

    if pattern == "*":
        raise typer.BadParameter(f"{FORGET} needs --devices, such as --devices roof-17")
    names = [one.name for one in opened.devices().values() if fnmatchcase(one.name, pattern)]
    for name in names:
        if opened.devices()[name].is_online:
            say(f"{name}: is online, so it is not forgotten")
        else:
            opened.forget(name)
            say(f"{name}: is forgotten")


def _end(opened: Fleet, action: str) -> None:
    """Stop the roll-out in progress, or have its devices take the bundle back."""
    from edgecls.fleet.rolling import roll_back, stop, waiting_for_back

    if action == STOP:
        rollout = stop(opened, "stopped by its operator")
        say(f"the roll-out {rollout.id} is stopped; devices that have not pulled version {rollout.version} yet do not")
        return
    rollout, names = roll_back(opened, "taken back by its operator")
    say(f"{counted(len(names), 'device')} of the roll-out {rollout.id} told to take version {rollout.version} back")
    until = time.monotonic() + BACK_WAIT_S
    while (left := list(waiting_for_back(opened, rollout))) and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
    say(f"{counted(len(left), 'device')} still at it" if left else "all devices that are online have")
