"""Nothing that a run gives away holds a secret of its addresses: one run with every sink, and all that comes of it searched."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from urllib.parse import quote, urlsplit

import pytest

from tests.drawn import gray_levels
from tests.live.mqtt_broker import broker, listener
from tests.live.process import edgecls, watched
from tests.run.world import assert_only_main_thread, web_server
from tests.sink.test_webhook import Request, receiver

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
MARK = re.compile(rb"zq[a-z]{6}", re.IGNORECASE)
"""How each piece of each secret reads, raw, percent-encoded, cut off, or in capitals."""
CAMERA = "Zqcamuser", "Zqcamfirst/Zqcamsecond@:Zqcamthirdö#Zqcamfourth"
STREAM = "Zqrtspuser", "Zqrtspfirst&Zqrtspsecond%Zqrtspthird"
BROKER = "Zqmqttuser", "Zqmqttfirst/Zqmqttsecond@Zqmqttthird"
HOOK = "Zqhookuser", "Zqhookfirst/Zqhooksecond"
LOGINS = (CAMERA, STREAM, BROKER, HOOK)
CONFIG = """
model = "{model}"
sinks = ["jsonl:out/log.jsonl", "csv:out/e.csv", "sqlite:out/e.db", "video:out/{{camera}}-{{start}}.mp4", "clip:out",
  "snapshot:out", "prometheus:127.0.0.1:{port}", "mqtt://{broker}/cams", "webhook:http://{hook}"]
[[camera]]
name = "gate"
source = "http://{camera}"
[camera.state]
seconds = 0.3
[camera.reading]
read_timeout_s = 1.0
[[camera]]
name = "yard"
source = "rtsp://{stream}"
"""


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    assert_only_main_thread()


def at(login: tuple[str, str], place: str) -> str:
    """USER:PASSWORD@PLACE, percent-encoded."""
    return ":".join(quote(part, safe="") for part in login) + f"@{place}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def fetched(url: str) -> bytes:
    """The body and the headers of an answer, of an error too."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - of this machine
            return answer.read() + bytes(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.read() + bytes(error.headers)


def assert_clean(given: dict[str, bytes]) -> None:
    """No secret is in the names or in the bytes, and neither is a login as HTTP sends it."""
    encoded = [base64.b64encode(":".join(login).encode()) for login in LOGINS]
    for name, data in given.items():
        for text in (name.encode(), data):
            found = MARK.search(text)
            assert found is None, f"{name}: ...{text[max(0, found.start() - 200) : found.end() + 60]!r}"
            assert not [one for one in encoded if one in text], name


def test_no_secret_leaves_a_run(tmp_path, light_model):
    """User, password and tokens of cameras, broker and webhook are in no line, file, name, message, number or answer, while a
    camera is live, lost and back, and another one never comes. The servers themselves got what was meant for them.
    """
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed (Debian, Ubuntu: apt-get install mosquitto)")
    users = tmp_path / "users"
    users.write_text(":".join(BROKER) + "\nears:right\n")
    users.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-U", users], check=True, capture_output=True)
    (tmp_path / "out").mkdir()
    came: list[Request] = []

    def answer(request: Request) -> tuple[int | None, dict[str, str]]:
        came.append(request)
        return (503 if len(came) < 3 else 200), {}

    pictures = gray_levels(([20] * 25 + [235] * 25) * 40, (48, 64))
    given: dict[str, bytes] = {}
    with ExitStack() as stack:
        running = stack.enter_context(broker(tmp_path, f"allow_anonymous false\npassword_file {users}"))
        ears = stack.enter_context(listener(running.port, user="ears", password="right"))  # noqa: S106 - it lives for a second
        hook = stack.enter_context(receiver(answer))
        camera = stack.enter_context(ExitStack())
        place = urlsplit(camera.enter_context(web_server(pictures, wait_s=0.02))).netloc
        port = free_port()
        text = CONFIG.format(
            model=light_model,
            port=port,
            broker=at(BROKER, f"127.0.0.1:{running.port}"),
            hook=at(HOOK, f"{hook}/services/Zqhookpath?token=Zqhooktoken#secret=Zqhooksecret"),
            camera=at(CAMERA, f"{place}/camera?pwd=Zqcamquery&token=Zqcamtoken"),
            stream=at(STREAM, f"127.0.0.1:{free_port()}/live/token/Zqrtsppath?pwd=Zqrtspquery"),
        )
        (tmp_path / "cameras.toml").write_text(text)
        options = {"cwd": tmp_path, "env": {**os.environ, "EDGECLS_SPOOL": str(tmp_path / "out")}}
        for kind in ("--json", "--pictures=out"):
            done = subprocess.run(
                edgecls("check-config", "cameras.toml", kind), capture_output=True, check=False, timeout=60, **options
            )
            given[f"check-config {kind}"] = done.stdout + done.stderr
        run = stack.enter_context(watched(*edgecls("run", "--config", "cameras.toml", "--debug"), **options))
        run.until(lambda line: line.get("kind") == "state" and line["end"] is not None)
        given["metrics"], given["health"] = (fetched(f"http://127.0.0.1:{port}/{path}") for path in ("metrics", "readyz"))
        camera.close()
        run.until_state("lost")
        time.sleep(2.0)  # for the event that it is lost, and a try that fails
        given["lost metrics"], given["lost"] = (fetched(f"http://127.0.0.1:{port}/{path}") for path in ("metrics", "readyz"))
        assert run.end(signal.SIGTERM) == 143
        late = stack.enter_context(listener(running.port, user="ears", password="right"))  # noqa: S106
        late.until(lambda _: late.last("cams/gate/state") is not None)
        time.sleep(0.5)
        for said in (ears, late):
            given |= {f"{'retained ' * kept}{topic} {i}": text.encode() for i, (topic, text, kept) in enumerate(said.came)}
    given["stderr"], given["stdout"] = run.errors.encode(), str(run.lines).encode()
    for i, request in enumerate(came):
        headers = {name: value for name, value in request.headers.items() if name not in ("authorization", "webhook-signature")}
        given[f"webhook {i}"] = request.body + str(headers).encode()
    given |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert_all_there(given, came)
    assert_clean(given)


def assert_all_there(given: dict[str, bytes], came: list[Request]) -> None:
    """Each way out was used, so the search looked at something; and what is meant for a server reached it."""
    endings = {name.rpartition(".")[2] for name in given if name.startswith("out/")}
    assert endings >= {"jsonl", "csv", "db", "mp4", "mkv", "jpg", "json", "spool"}
    assert b"503" in given["stderr"]
    assert given["stderr"].count(b"***@") >= 3
    assert b"edgecls_" in given["metrics"]
    assert b"gate" in given["lost"]
    assert any(name.startswith("retained homeassistant/") for name in given)
    assert any(name.startswith("cams/gate/event") for name in given)
    assert {request.path for request in came} == {"/services/Zqhookpath?token=Zqhooktoken"}
    login = base64.b64encode(":".join(HOOK).encode()).decode()
    assert {request.headers["authorization"] for request in came} == {f"Basic {login}"}
