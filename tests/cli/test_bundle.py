"""`edgecls bundle`: keys, a bundle, and a device that takes it."""

from __future__ import annotations

import json
import stat

import pytest
from typer.testing import CliRunner

from edgecls.bundle import verify
from edgecls.cli.entry import app
from tests.bundle.made import light
from tests.drawn import gray_levels, write_video

DEVICE = """\
model = "light.onnx"

[bundle]
folder = "slots"
keys = ["fleet.pub"]

[[camera]]
name = "lamp"
source = "lamp.avi"
count_every_s = 60
"""
PART = '[each_camera]\ncount_every_s = 30\n[[camera]]\nname = "gone"\nwhen = "motion"\n'


def call(*arguments, code=0):
    """Call the command. Returns stdout and stderr."""
    done = CliRunner().invoke(app, ["bundle", *map(str, arguments)])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a model, settings, keys, and a device."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "light.onnx").write_bytes(light())
    (tmp_path / "part.toml").write_text(PART)
    (tmp_path / "cameras.toml").write_text(DEVICE)
    write_video(tmp_path / "lamp.avi", gray_levels([0] * 3))
    call("keys", "fleet")
    return tmp_path


def make(version, *more):
    """Make a signed bundle."""
    return call("make", "--model", "light.onnx", "--version", version, "--part", "part.toml", "--key", "fleet.key", *more)


def test_from_keys_to_a_device(place):
    """Made, verified, applied with what the device keeps, shown, and rolled back."""
    assert stat.S_IMODE((place / "fleet.key").stat().st_mode) == 0o600
    _, said = make(7, "--labels", "part.toml", "--needs", "0.1")
    assert said.startswith("light-7.bundle: light 7, ")
    shown, _ = call("verify", "light-7.bundle", "--key", "fleet.pub")
    assert shown.startswith("light 7, signed by fleet\n")
    assert "labels/part.toml" in shown
    record = json.loads(call("verify", "light-7.bundle", "--key", "fleet.pub", "--json")[0])
    assert (record["version"], record["signers"], len(record["files"])) == (7, ["fleet"], 3)
    _, said = call("apply", "light-7.bundle", "--config", "cameras.toml")
    assert "note: the bundle sets camera lamp: count_every_s too; the value of cameras.toml is kept" in said
    assert "for 1 camera that cameras.toml does not have: gone" in said
    assert "light 7 is in use from the next frame" in said
    assert "is in use already" in call("apply", "light-7.bundle", "--config", "cameras.toml")[1]
    checked = CliRunner().invoke(app, ["check-config", "cameras.toml"])
    assert "cameras.toml: bundle light 7\n" in checked.stdout
    assert "bundle light 7 sets camera lamp: count_every_s too" in checked.stderr
    assert "newest     7-" in call("show", "--config", "cameras.toml")[0]
    assert json.loads(call("show", "--config", "cameras.toml", "--json")[0])["outcome"] == "waiting"
    assert "the model of cameras.toml is in use" in call("rollback", "--config", "cameras.toml")[1]
    assert "because by hand" in call("show", "--config", "cameras.toml")[0]
    assert (
        "error: light-7.bundle: version 7 is not newer than 7"
        in call("apply", "light-7.bundle", "--config", "cameras.toml", code=1)[1]
    )
    assert "refused    light-7.bundle: version 7" in call("show", "--config", "cameras.toml")[0]


def test_signatures(place):
    """A bundle that is made unsigned is refused until it is signed; a new key signs beside the old one, and then alone."""
    _, said = call("make", "--model", "light.onnx", "--version", 1, "--out", "x.bundle", "--name", "street")
    assert said == "x.bundle: street 1, 1 kB, not signed yet: edgecls bundle sign\n"
    assert "is not signed" in call("verify", "x.bundle", "--key", "fleet.pub", code=1)[1]
    assert "nobody has checked who signed it" in call("show", "x.bundle")[1]
    call("keys", "new")
    call("sign", "x.bundle", "--key", "fleet.key", "--key", "new.key")
    assert verify("x.bundle", ["new.pub", "fleet.pub"]).signers == ("fleet", "new")
    call("sign", "x.bundle", "--key", "new.key", "--only")
    assert "key that is not trusted here" in call("verify", "x.bundle", "--key", "fleet.pub", code=1)[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fly"], 2, "expected one of keys, make"),
        (["keys"], 2, "keys needs a name"),
        (["make", "--version", "1"], 2, "make needs --model and --version"),
        (["make", "--model", "light.onnx"], 2, "make needs --model and --version"),
        (["sign", "x.bundle"], 2, "sign needs --key"),
        (["verify", "x.bundle"], 2, "verify needs --key"),
        (["verify", "x.bundle", "--key", "fleet.pub"], 1, "x.bundle: cannot be read"),
        (["apply", "x.bundle"], 2, "apply needs --config"),
        (["apply", "--config", "cameras.toml"], 2, "apply needs a bundle"),
        (["rollback", "--config", "cameras.toml"], 1, "nothing to roll back"),
        (["show"], 2, "show needs a bundle, or --config"),
        (["keys", "fleet"], 1, "there is a key already"),
    ],
)
def test_what_is_missing_is_said(place, arguments, code, message):
    """In one line."""
    assert message in " ".join(call(*arguments, code=code)[1].replace("│", " ").split())


def test_a_device_without_the_table_takes_none(place):
    """It trusts nobody yet."""
    make(1)
    (place / "cameras.toml").write_text('model = "light.onnx"\n[[camera]]\nname = "lamp"\nsource = "lamp.avi"\n')
    assert "it has no table [bundle]" in call("apply", "light-1.bundle", "--config", "cameras.toml", code=1)[1]


def test_the_secrets_of_a_service_are_those_of_its_bundles(place):
    """A variable of secrets.env beside cameras.toml need not be set in the shell of whoever applies a bundle."""
    (place / "cameras.toml").write_text(DEVICE.replace("lamp.avi", "rtsp://viewer:${LAMP_PASSWORD}@192.0.2.7/1"))
    (place / "secrets.env").write_text("LAMP_PASSWORD=hunter2\n")
    make(7)
    shown, said = call("apply", "light-7.bundle", "--config", "cameras.toml")
    assert "hunter2" not in shown + said
    assert "light 7 is in use from the next frame" in said
    shown, _ = call("show", "--config", "cameras.toml")
    assert "in use     light 7-" in shown
