"""Tests of `edgecls web`, and of [web] in a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from edgecls.cli.entry import app
from edgecls.web.login.passwords import Passwords
from tests.drawn import gray_levels, write_video

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def call(*arguments, stdin=""):
    """Run the command in this process."""
    return CliRunner().invoke(app, ["web", *map(str, arguments)], input=stdin)


@pytest.fixture
def cameras(tmp_path, light_model):
    """A cameras.toml with a camera that is never there."""
    path = tmp_path / "cameras.toml"
    path.write_text(f'model = "{light_model}"\n[[camera]]\nname = "gate"\nsource = "rtsp://127.0.0.1:1/gate"\n')
    return path


@contextmanager
def started(*command: str | Path) -> Iterator[str]:
    """Start edgecls, and yield the address of its page. Ends it with Ctrl-C, which must end it at once."""
    with started_process(*command) as (address, _):
        yield address


@contextmanager
def started_process(*command: str | Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start edgecls, and yield the address of its page, and its process."""
    with subprocess.Popen([sys.executable, "-m", "edgecls", *command], stderr=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stderr if line.startswith(("page: ", "error: ")))
            yield line.strip().removeprefix("page: "), process
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130


@pytest.mark.parametrize("command", ["web", "run"])
def test_a_run_serves_its_page(cameras, command):
    """Of `edgecls web` by --listen, of `edgecls run` by [web]; the page knows the camera."""
    if command == "run":
        cameras.write_text(f"{cameras.read_text()}[web]\nlisten = 0\n")
    with started(command, "--config", cameras, *(["--listen", "0"] if command == "web" else ["--quiet"])) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}api/cameras", timeout=10) as answer:  # noqa: S310
            (camera,) = json.load(answer)["cameras"]
        assert camera["name"] == "gate"
        assert camera["state"] in ("connecting", "lost")


@pytest.mark.parametrize("command", ["web", "run"])
def test_the_page_changes_the_file_of_the_run(cameras, command):
    """Options that override it stay in force."""
    cameras.write_text(f"{cameras.read_text()}[web]\nlisten = 0\n# the end\n")
    with started(command, "--config", cameras, *(["--host", "box"] if command == "web" else ["--quiet"])) as address:
        camera = f"{address}api/config/camera/gate"
        with urllib.request.urlopen(camera, timeout=10) as answer:  # noqa: S310
            digest = json.load(answer)["hash"]
        zone = {"at": None, "value": {"name": "bay", "area": [0.1, 0.1, 0.2, 0.2], "look": "objects"}}
        change = json.dumps({"hash": digest, "zone": [zone], "line": [], "ignore": [], "rules": {}}).encode()
        with urllib.request.urlopen(urllib.request.Request(camera, change, method="PUT"), timeout=20) as answer:  # noqa: S310
            assert json.load(answer)["zone"] == [zone["value"]]
    assert '[[camera.zone]]\nname = "bay"' in cameras.read_text()
    assert cameras.read_text().endswith("# the end\n")


def test_the_page_of_a_recording_stays_after_its_end(tmp_path, light_model):
    """What was found can still be looked at, and a change of the file is kept for the next start."""
    video = write_video(tmp_path / "road.mp4", gray_levels([80] * 10))
    path = tmp_path / "cameras.toml"
    path.write_text(f'model = "{light_model}"\n[[camera]]\nname = "road"\nsource = "{video}"\n')
    with started("web", "--config", path, "--listen", "0") as address:

        def ask(where: str, data: bytes | None = None):
            request = urllib.request.Request(address + where, data, method="PUT" if data else "GET")  # noqa: S310
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return json.load(answer)

        until = time.monotonic() + 30
        while (camera := ask("api/cameras")["cameras"][0])["state"] != "ended":
            assert time.monotonic() < until, camera
            time.sleep(0.05)
        assert len(ask("api/recordings/road/found/0")["records"]) == 11
        change = {
            "hash": ask("api/config/camera/road")["hash"],
            "zone": [],
            "line": [],
            "ignore": [],
            "rules": {"count_every_s": 60},
        }
        assert ask("api/config/camera/road", json.dumps(change).encode())["in_force"] is False
    assert "count_every_s = 60" in path.read_text()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this platform has no SIGHUP")
def test_the_page_says_why_a_reload_failed(cameras):
    """With the line and the reason, but not where the file is; a good reload takes it back."""
    good = cameras.read_text()

    def notices(address: str, is_there) -> list[str]:
        until = time.monotonic() + 20
        while True:
            with urllib.request.urlopen(f"{address}api/cameras", timeout=10) as answer:  # noqa: S310
                found = json.load(answer)["notices"]
            if is_there(found):
                return found
            assert time.monotonic() < until, found
            time.sleep(0.05)

    with started_process("web", "--config", cameras, "--listen", "0") as (address, process):
        assert notices(address, lambda found: not found) == []
        for text, is_there in ((good + "colour = 1\n", lambda found: found), (good, lambda found: not found)):
            cameras.write_text(text)
            process.send_signal(signal.SIGHUP)
            found = notices(address, is_there)
            if found:
                assert found[0].startswith("not reloaded, the run goes on with its last good configuration: cameras.toml:5")
                assert str(cameras.parent) not in found[0]


def test_set_password_writes_the_file(tmp_path):
    """Read from stdin where that is no terminal."""
    done = call("set-password", "--passwords", tmp_path / "p.json", "--user", "anna", stdin="a long enough password\n")
    assert done.exit_code == 0, done.output
    assert Passwords(tmp_path / "p.json").accepts("anna", "a long enough password")


def test_a_token_is_printed_once(tmp_path):
    """On stdout alone, so that it can be piped; then it can be removed."""
    path = tmp_path / "p.json"
    done = call("add-token", "--passwords", path, "--name", "report", "--role", "view")
    assert done.exit_code == 0, done.output
    visitor = Passwords(path).of_token(done.stdout.strip())
    assert visitor == ("report", "view")
    assert done.stderr.endswith("shown only now; scripts send it in the header Authorization, after the word Bearer\n")
    assert call("remove-token", "--passwords", path, "--name", "report").exit_code == 0
    assert Passwords(path).of_token(done.stdout.strip()) is None


def test_a_short_password_is_refused(tmp_path):
    """In one line."""
    done = call("set-password", "--passwords", tmp_path / "p.json", stdin="short\n")
    assert (done.exit_code, "has 12 to 1024 characters, this one 5" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected --config"),
        (("serve",), "expected nothing or one of set-password, add-token, remove-token"),
        (("add-token",), "expected --name"),
        (("add-token", "--name", "x", "--role", "root"), "expected --role view or edit, not 'root'"),
        (("--config", "nothing.toml"), "nothing.toml"),
    ],
)
def test_wrong_usage_is_said_in_one_line(arguments, message):
    """With what is expected."""
    done = call(*arguments)
    assert done.exit_code in (1, 2)
    assert message in done.stderr


def test_other_machines_need_a_login(cameras):
    """The run does not start without passwords."""
    done = call("--config", cameras, "--listen", "0.0.0.0:0")
    assert done.exit_code == 1
    assert "which needs a login; make a password with edgecls web set-password" in done.stderr


def test_wrong_settings_are_said_with_their_line(cameras):
    """As for all settings of cameras.toml."""
    cameras.write_text(f'{cameras.read_text()}[web]\nlisten = "nowhere"\n')
    done = call("--config", cameras)
    assert (done.exit_code, "cameras.toml:6: " in done.stderr) == (1, True)
