"""Tests of asking a run: by a container's health check, and after a swap of its model."""

from __future__ import annotations

import hashlib
import json

import pytest
from typer.testing import CliRunner

from edgecls import EdgeclsError, StateChange
from edgecls.cli.entry import app
from edgecls.service.health import READY, ask
from edgecls.service.needs import address_of
from edgecls.service.secrets import read_config_of_service
from edgecls.sink import PrometheusSink
from edgecls.vitals import Fault, Vitals
from edgecls.vitals.vitals import Checks
from tests.live.port import own_port


def call(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def run():
    """What a run serves, with vital signs that the test gives."""
    with PrometheusSink("127.0.0.1:0") as sink:
        yield sink


@pytest.fixture
def config(tmp_path, run, light_model):
    """The cameras.toml of that run, with a secret beside."""
    (tmp_path / "light.onnx").write_bytes(light_model.read_bytes())
    (tmp_path / "secrets.env").write_text('PASSWORD="secret"\n')
    path = tmp_path / "cameras.toml"
    path.write_text(
        f'model = "{tmp_path}/light.onnx"\nsinks = ["prometheus:{run.port}"]\n'
        '[[camera]]\nname = "gate"\nsource = "rtsp://me:${PASSWORD}@10.0.0.7/1"\n'
    )
    return path


def test_the_health_check_says_it_in_its_exit_code(run, config):
    """It finds the port in the configuration. Ready is another question than alive."""
    run.write_state(StateChange("gate", "lost", "no route", 1.0))
    done = call("service", "health", "--config", config)
    assert (done.exit_code, json.loads(done.stdout)) == (0, {"status": "ok"}), done.output
    done = call("service", "health", "--config", config, "--ready")
    assert (done.exit_code, json.loads(done.stdout)["faults"][0]["why"]) == (1, "lost: no route")
    assert call("service", "health", "--url", f"http://127.0.0.1:{run.port}/healthz").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--url", "http://127.0.0.1:{free}"), 1, "no answer (Connection refused); is the run running?"),
        (("--url", "ftp://me:secret@127.0.0.1"), 1, "expected an address such as http://127.0.0.1:9108"),
        (("--url", "http://127.0.0.1:{port}/metrics"), 1, "answered 200, which is no answer of edgecls"),
        ((), 2, "expected --config CAMERAS.toml or --url URL"),
    ],
)
def test_a_health_check_without_an_answer_fails(run, arguments, code, says):
    """In one line without secrets."""
    done = call("service", "health", *(one.format(free=own_port(), port=run.port) for one in arguments))
    assert done.exit_code == code
    assert says in done.output
    assert "secret" not in done.output


def test_a_run_without_a_port_is_told_what_to_add(tmp_path):
    """The line names the two ways."""
    (tmp_path / "c.toml").write_text('model = "m.onnx"\n[[camera]]\nname = "gate"\nsource = 0\n')
    done = call("service", "health", "--config", tmp_path / "c.toml")
    assert done.exit_code == 1
    assert 'add "prometheus:9108" to sinks, or [web]' in done.stderr


@pytest.mark.parametrize(
    ("tables", "address"),
    [
        ('sinks = ["prometheus:0.0.0.0:9108"]', "http://127.0.0.1:9108"),
        ('sinks = ["prometheus:[::]:9108"]', "http://[::1]:9108"),
        ('[web]\nlisten = 8000\ncertificate = "c"\nkey = "k"', "https://127.0.0.1:8000"),
        ('sinks = ["prometheus:9108"]\n[web]', "http://127.0.0.1:9108"),
        ("", ""),
    ],
)
def test_the_address_is_the_one_in_the_configuration(tmp_path, tables, address):
    """As this machine reaches it, also if it listens everywhere."""
    head, _, rest = tables.partition("[web]")
    web = f"[web]{rest}" if "[web]" in tables else ""
    (tmp_path / "c.toml").write_text(f'model = "m.onnx"\n{head}\n{web}\n[[camera]]\nname = "gate"\nsource = 0\n')
    assert address_of(read_config_of_service(tmp_path / "c.toml")) == address


def test_a_proxy_of_the_environment_is_not_asked(run, monkeypatch):
    """The run is on this machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(f"http://127.0.0.1:{run.port}", READY).is_good


def test_a_swap_says_whether_the_run_has_taken_the_model(run, config, light_model, tmp_path):
    """It compares the checksum that the run serves. If the run refuses the model, the reason is shown. Exit code 1."""
    from tests.cli.test_swap import light

    (tmp_path / "light.onnx").write_bytes(light("old"))
    new = tmp_path / "new.onnx"
    new.write_bytes(light("new"))
    digests = [hashlib.sha256(light("old")).hexdigest()]
    notes: list[Fault] = []
    vitals = Vitals(Checks(model=lambda: digests[-1], notes=lambda: notes))
    vitals.running()
    run.attend(vitals)
    notes.append(Fault("model", "light", "not swapped, the run goes on with its model: it lacks dark"))
    done = call("swap", "--config", config, new, "--wait", 0.1)
    assert done.exit_code == 1
    assert "does not use it after 0.1 s: not swapped, the run goes on with its model: it lacks dark" in done.stderr
    digests.append(hashlib.sha256(light("old")).hexdigest())
    done = call("swap", "--config", config, "--back", "--wait", 5)
    assert (done.exit_code, f"the run at http://127.0.0.1:{run.port} uses it now" in done.stderr) == (0, True), done.output
    run.close()
    done = call("swap", "--config", config, new)
    assert (done.exit_code, "no run answers, so the next one that starts takes the model" in done.stderr) == (0, True), (
        done.output
    )


def test_a_swapped_model_keeps_owner_and_mode(config, tmp_path):
    """Root may swap the model of a service that only its group may read."""
    import os

    from edgecls import swap_model
    from tests.cli.test_swap import light

    place = tmp_path / "light.onnx"
    place.write_bytes(light("old"))
    (tmp_path / "new.onnx").write_bytes(light("new"))
    place.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(place, 65534, 65534)
    swap_model(place, tmp_path / "new.onnx")
    for path in (place, tmp_path / "light.previous.onnx"):
        assert path.stat().st_mode & 0o777 == 0o640
        assert path.stat().st_uid == (65534 if os.geteuid() == 0 else os.getuid())


def test_no_answer_is_an_error_of_ours():
    """Not one of the HTTP client."""
    with pytest.raises(EdgeclsError, match="no answer"):
        ask(f"http://127.0.0.1:{own_port()}")
