"""Tests of `edgecls.service.install`: what is written, said, kept and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgecls import EdgeclsError
from edgecls.bundle import Slots
from edgecls.service.install import install, status, uninstall, unit_path
from edgecls.service.machine import Machine
from edgecls.service.plan import Request, plan
from edgecls.service.secrets import read_secrets
from edgecls.service.unit import is_edited
from tests.bundle import made
from tests.service.conftest import CONFIG, PROGRAM

REQUEST = Request("/etc/edgecls/cameras.toml", program=PROGRAM)


def installed(machine, request=REQUEST, **options):
    """Install, and return what was said."""
    told: list[str] = []
    install(request, machine, say=told.append, **options)
    return told


def unit(machine, name="edgecls"):
    return unit_path(name, machine).read_text()


def test_a_service_is_installed_once(machine):
    """User and unit are made, systemd is told, and what to do next is said; a second call changes nothing and says so."""
    told = installed(machine)
    assert machine.ran[0][:2] == ("useradd", "--system")
    assert machine.ran[-1] == ("systemctl", "daemon-reload")
    assert any(line.startswith("next: sudo systemctl enable --now edgecls") for line in told)
    text = unit(machine)
    assert "EnvironmentFile=/etc/edgecls/secrets.env" in text
    assert "StateDirectory=edgecls edgecls/clips" in text, "the folder of a relative sink must be there when it starts"
    assert "secret" not in text.replace("secrets.env", "")
    machine.ran.clear()
    assert installed(machine)[0].endswith("is as wanted, nothing to change")
    assert machine.ran == []
    assert unit(machine) == text


def test_a_changed_configuration_changes_what_differs(machine):
    """The lines are said, and that a restart is needed."""
    installed(machine)
    path = machine.at(REQUEST.config)
    path.write_text(CONFIG.replace('"rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.7/1"', "0"))
    told = installed(machine)
    assert [line for line in told if line.startswith("  ")] == [
        "  + SupplementaryGroups=video", "  - PrivateUsers=yes", "  - PrivateDevices=yes", "  + DevicePolicy=closed",
        "  + DeviceAllow=char-video4linux rw",
    ]  # fmt: skip
    assert any("sudo systemctl restart edgecls" in line for line in told)


def test_a_unit_that_was_edited_stays(machine):
    """It says so; with force it is overwritten and kept beside. A unit of somebody else is none of ours, either."""
    installed(machine)
    path = unit_path("edgecls", machine)
    path.write_text(path.read_text().replace("RestartSec=5", "RestartSec=9"))
    for act in (installed, lambda m: uninstall("edgecls", m, say=print)):
        with pytest.raises(EdgeclsError, match="was edited by hand"):
            act(machine)
    assert "RestartSec=9" in unit(machine)
    told = installed(machine, force=True)
    assert "  - RestartSec=9" in told
    assert "RestartSec=9" in path.with_name("edgecls.service.old").read_text()
    assert not is_edited(unit(machine))


def test_a_dry_run_changes_nothing(machine):
    """It says what would be done, without root too."""
    machine.is_root = False
    told = installed(machine, only_say=True)
    assert any("would be created" in line for line in told)
    assert any("would be written" in line for line in told)
    assert not unit_path("edgecls", machine).exists()
    assert machine.ran == []


def test_a_service_is_removed_and_its_data_stays(machine):
    """It is stopped first. What was never there cannot be removed."""
    installed(machine)
    machine.ran.clear()
    told: list[str] = []
    uninstall("edgecls", machine, say=told.append)
    assert machine.ran == [("systemctl", "disable", "--now", "edgecls.service"), ("systemctl", "daemon-reload")]
    assert not unit_path("edgecls", machine).exists()
    assert "/var/lib/edgecls" in told[-1]
    with pytest.raises(EdgeclsError, match="there is no such service"):
        uninstall("edgecls", machine, say=told.append)


def test_an_image_gets_a_unit_and_no_command_is_run(machine, monkeypatch):
    """--root: the user is named that the image needs, and nothing of this machine is asked or changed."""
    monkeypatch.setattr(Machine, "run", lambda *_, **__: pytest.fail("a program was run"))
    image = Machine(machine.root)
    told = installed(image)
    assert any(line.startswith("user edgecls: the image needs it") for line in told)
    assert any(line.startswith("next, on that machine") for line in told)
    assert "ExecStart=/usr/bin/env run --config /etc/edgecls/cameras.toml --quiet" in unit(machine)


def test_the_page_is_a_service_too(machine):
    """`edgecls web`; its folder may be written, so that it can change cameras.toml."""
    installed(machine, replace(REQUEST, page=True, name="edgecls-page"))
    text = unit(machine, "edgecls-page")
    assert "ExecStart=/usr/bin/env web --config /etc/edgecls/cameras.toml\n" in text
    assert "ReadWritePaths=/etc/edgecls" in text
    machine.forbidden.add(("-w", "/etc/edgecls"))
    told = installed(machine, replace(REQUEST, page=True, name="edgecls-page"))
    assert "ReadWritePaths" not in unit(machine, "edgecls-page")
    assert any("the page cannot change cameras.toml" in line for line in told)


@pytest.mark.parametrize(("folder", "expected"), [
    ("bundles", "StateDirectory=edgecls edgecls/bundles edgecls/clips\n"), ("/srv/bundles", "ReadWritePaths=/srv/bundles"),
])  # fmt: skip
def test_a_service_may_write_its_bundles(machine, folder, expected):
    """And must be able to read the keys that it trusts."""
    bundle = f'[bundle]\nfolder = "{folder}"\nkeys = ["/etc/edgecls/fleet.pub"]\n'
    written(CONFIG.replace("[[camera]]", bundle + "[[camera]]"))(machine)
    with pytest.raises(EdgeclsError, match=r"bundle\.keys: /etc/edgecls/fleet\.pub does not exist"):
        installed(machine)
    machine.at("/etc/edgecls/fleet.pub").write_text("ed25519-public 00 office\n")
    told = installed(machine)
    assert expected in unit(machine)
    assert any("write the whole path" in line for line in told) == (folder == "bundles")


def lacks_root(machine):
    machine.is_root = False


def lacks_systemd(machine):
    machine.has_systemd = False


def written(text):
    return lambda machine: machine.at(REQUEST.config).write_text(text)


def hidden(what, path):
    return lambda machine: machine.forbidden.add((what, path))


@pytest.mark.parametrize(
    ("spoil", "request_", "says"),
    [
        (lacks_root, REQUEST, "only root may change services; call it as: sudo edgecls service install"),
        (lacks_systemd, REQUEST, "this machine is not run by systemd"),
        (written("model = "), REQUEST, "cameras.toml"),
        (written(CONFIG + "nonsense = 1\n"), REQUEST, "nonsense"),
        (written(CONFIG.replace("/etc/edgecls/model.onnx", "model.onnx")), REQUEST, "model: model.onnx is a relative path"),
        (written(CONFIG.replace("/etc/edgecls/model.onnx", "/home/me/m.onnx")), REQUEST, "lies in /home, which a service"),
        (written(CONFIG.replace("sqlite:events.db", "window")), REQUEST, "needs a screen"),
        (written(CONFIG.replace("sqlite:events.db", "sqlite:/tmp/e.db")), REQUEST, "lies in /tmp"),
        (written(CONFIG.replace("sqlite:events.db", "sqlite:../e.db")), REQUEST, "leads out of /var/lib/edgecls"),
        (lambda m: m.at("/etc/edgecls/model.onnx").unlink(), REQUEST, "model: /etc/edgecls/model.onnx does not exist"),
        (hidden("-r", "/etc/edgecls/model.onnx"), REQUEST, "cannot read /etc/edgecls/model.onnx; let it: sudo chgrp"),
        (hidden("-r", REQUEST.config), REQUEST, "cameras.toml: the user edgecls cannot read"),
        (hidden("-x", PROGRAM), REQUEST, "the user edgecls cannot run /usr/bin/env"),
        (lambda m: m.at("/etc/edgecls/secrets.env").unlink(), REQUEST, "so put it there"),
        (lambda m: m.at("/etc/edgecls/secrets.env").write_text("a secret\n"), REQUEST, "line 1: expected NAME=value"),
        (lambda _: None, replace(REQUEST, config="/etc/edgecls/missing.toml"), "there is no such file"),
        (lambda _: None, replace(REQUEST, config="/home/me/cameras.toml"), "which a service does not see"),
        (lambda _: None, replace(REQUEST, program="bin/edgecls"), "expected a whole path"),
        (lambda _: None, replace(REQUEST, program="/root/.venv/bin/edgecls"), "edgecls: /root/.venv/bin/edgecls lies in /root"),
        (lambda _: None, replace(REQUEST, name="a/b"), "name: expected letters"),
        (lambda _: None, replace(REQUEST, user="Me There"), "user: expected a name"),
        (lambda _: None, replace(REQUEST, user="root"), "must not be root"),
        (lambda _: None, replace(REQUEST, credentials=("key.pem=key.pem",)), "expected NAME=FILE with a whole path"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_one_line(machine, spoil, request_, says):
    """And no unit is written. The line does not show a secret."""
    spoil(machine)
    with pytest.raises(EdgeclsError) as caught:
        installed(machine, request_)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "a secret" not in str(caught.value)
    assert not list(machine.at("/etc/systemd/system").iterdir())


def test_this_python_must_be_where_a_service_sees_it(machine, monkeypatch):
    """Also where a link of a virtual environment leads, and where the package lies."""
    monkeypatch.setattr("sys.executable", "/home/me/.venv/bin/python")
    with pytest.raises(EdgeclsError, match=r"edgecls: /home/me/\.venv/bin/python lies in /home, .* such as to /opt/edgecls"):
        plan(replace(REQUEST, program=""), machine)


def test_secrets_that_others_can_read_are_noted(machine):
    """And a run that nobody can ask, or that sends what it finds nowhere."""
    machine.at("/etc/edgecls/secrets.env").chmod(0o644)
    written(CONFIG.replace('"sqlite:events.db", "clip:clips", "prometheus:9108"', ""))(machine)
    notes = [line for line in installed(machine) if line.startswith("note: ")]
    assert [word for word in ("chmod 600", "there is no sink", "nobody can ask") if any(word in line for line in notes)] == [
        "chmod 600", "there is no sink", "nobody can ask",
    ]  # fmt: skip


def test_secrets_are_read_as_systemd_reads_them(tmp_path):
    """Quotes, comments and signs."""
    path = tmp_path / "s.env"
    path.write_text('A=plain\nB="a#b \\"c\\" "\nC=\'$x \\\'\n; no\n\n  D = spaced \nE=\n'.replace("  D = spaced \n", ""))
    assert read_secrets(path) == {"A": "plain", "B": 'a#b "c" ', "C": "$x \\", "E": ""}


@pytest.mark.parametrize(
    ("shown", "runs", "says"),
    [
        ("ActiveState=active StatusText=1_of_2", True, "1_of_2"),
        ("ActiveState=failed ExecMainStatus=77", False, "a camera refused user and password"),
        ("ActiveState=failed ExecMainStatus=78", False, "the configuration is wrong"),
        ("ActiveState=failed Result=watchdog ExecMainStatus=6", False, "its loop was stuck"),
        ("ActiveState=active NRestarts=4", True, "started again 4 times"),
        ("ActiveState=active UnitFileState=disabled", True, "it does not start with the machine"),
    ],
)
def test_the_status_says_what_to_do(machine, shown, runs, says):
    """In words, not in exit codes."""
    machine.said = shown.replace(" ", "\n")
    found, lines = status("edgecls", machine)
    assert found is runs
    assert any(says in line for line in lines)


def test_the_status_of_no_service(machine):
    """It is an error that says how to make one."""
    machine.said = "LoadState=not-found"
    with pytest.raises(EdgeclsError, match="there is no such service"):
        status("edgecls", machine)


@pytest.mark.skipif(Path("/proc/self").owner() != "root", reason="only root can try what others may read")
def test_who_may_read_what_is_tried_as_that_user(tmp_path):
    """Nobody can read a file of root alone, nor one in a closed folder."""
    path = tmp_path / "f"
    path.write_text("")
    tmp_path.chmod(0o700)
    assert not Machine().may("nobody", "-r", path)
    assert Machine().may("nobody", "-r", Path("/etc/passwd"))
    assert not Machine().may("nobody", "-w", Path("/etc/passwd"))
    assert Machine().has_user("nobody")
    assert not Machine().has_user("no-such-user-here")


def test_the_folder_of_a_bundle_is_not_in_the_unit(machine, tmp_path, monkeypatch):
    """It is removed when newer bundles have come, and a service whose unit names a folder that is gone does not start."""
    monkeypatch.setattr("edgecls.service.plan.HIDDEN", ())
    slots = Slots(tmp_path / "slots")
    slots.install(made.written(tmp_path, 7), [made.KEY.public])
    (tmp_path / "fleet.pub").write_text(made.KEY.public.line)
    bundled = f'[bundle]\nfolder = "{slots.folder}"\nkeys = ["{tmp_path}/fleet.pub"]\n'
    machine.at(REQUEST.config).write_text(CONFIG + bundled)
    machine.at = lambda path: Path(path) if str(path).startswith(str(tmp_path)) else tmp_path / str(path).lstrip("/")
    installed(machine)
    assert f"ReadWritePaths={slots.folder}\n" in unit(machine)
    assert "versions" not in unit(machine)
