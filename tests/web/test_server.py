"""Serving the page: its routes, who may see it, and what it survives."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.event import Moment
from edgecls.frame import GONE, StateChange
from edgecls.run.web import WebSettings
from edgecls.web import PageServer, ViewSink
from edgecls.web.app import FILES, make_app
from edgecls.web.events.history import History
from edgecls.web.login.guard import COOKIE, LARGEST_BODY, OPEN_PATHS
from edgecls.web.login.passwords import ROLES, add_token, remove_token, set_password
from tests.run.world import event, frame, result
from tests.web.served import PASSWORD, parts_of, served


@pytest.fixture
def page():
    """A page of this machine, which needs no login."""
    with served("gate", "yard") as found:
        yield found


def routes() -> list[tuple[str, str]]:
    """Return every path of the application with a method that it answers to; "WS" for a WebSocket."""
    found = []
    view = ViewSink(["gate"])
    for route in make_app(view, History(view, tuple), hosts=["localhost"], sessions=None, is_secure=False).routes:
        path = route.path.replace("{name}", "app.js").replace("{event}", "0123456789abcdef")
        path = path.replace("{version}", "0").replace("{camera}", "gate").replace("{number:int}", "0")
        found += [(path, method) for method in sorted(getattr(route, "methods", None) or {"WS"})]
    return found


def test_the_page_and_its_files_are_served(page):
    """Every file that the page names is there, and none that it does not have."""
    html = page.ask("/")
    assert (html.status, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name in (
        "app.js",
        "connection.js",
        "live.js",
        "events.js",
        "event.js",
        "teach.js",
        "teach.css",
        "model.js",
        "drift.js",
        "machine.js",
        "charts.js",
        "tables.js",
        "models.css",
        "timeline.js",
        "player.js",
        "overlay.js",
        "dom.js",
        "style.css",
        "icon.svg",
    ):
        assert page.ask(f"/page/{name}").status == 200
    for path in ("/page/nothing.js", "/page/../app.py", "/page/..%2f..%2fapp.py", "/page//etc/passwd", "/page/%00", "/nothing"):
        assert page.ask(path).status == 404


def test_files_are_kept_by_browsers_until_their_next_version(page):
    """Their addresses in the page name the version; all modules are loaded at once. Other addresses are never kept."""
    html = page.ask("/").body.decode()
    found = re.findall(r'"(/page/([0-9a-f]{16})/[\w.-]+)"', html)
    assert len({version for _, version in found}) == 1
    assert f'data-page="{found[0][1]}"' in html
    modules = set(re.findall(r'rel="modulepreload" href="([^"]+)"', html))
    assert {path.split("/")[-1] for path in modules} == {file.name for file in FILES.iterdir() if file.name.endswith(".js")}
    for path, _ in found:
        assert page.ask(path).headers["cache-control"] == "private, max-age=31536000, immutable"
    for path in ("/page/app.js", f"/page/{'0' * 16}/app.js"):
        assert (page.ask(path).status, page.ask(path).headers["cache-control"]) == (200, "no-cache")
    assert page.ask("/").headers["cache-control"] == "no-store"


def test_cameras_tell_their_state(page):
    """Connecting, live with a rate, lost with the reason; a camera that was taken out is gone."""
    page.view.write(result(frame()))
    page.view.write(result(frame(1)))
    page.view.write_state(StateChange("yard", "lost", "rtsp://user:secret@10.0.0.7/1: no more frames", 1.0))
    gate, yard = page.ask("/api/cameras").json()["cameras"]
    assert (gate["name"], gate["state"], gate["size"], gate["age_ms"]) == ("gate", "live", [64, 48], 3.1)
    assert gate["fps"] > 0
    assert (yard["state"], "secret" in yard["why"], "no more frames" in yard["why"]) == ("lost", False, True)
    ready = page.ask("/readyz")
    assert (ready.status, [one["name"] for one in ready.json()["faults"]]) == (503, ["yard"])
    assert (page.ask("/healthz").status, page.ask("/healthz").json()) == (200, {"status": "ok"})
    page.view.write_state(StateChange("yard", "ended", GONE, 2.0))
    assert [one["name"] for one in page.ask("/api/cameras").json()["cameras"]] == ["gate"]
    assert page.ask("/readyz").status == 200


def test_strangers_learn_which_kind_of_part_fails_only(tmp_path):
    """Container runtimes have no login; names and reasons are for those who have."""
    with served("gate", passwords=tmp_path / "p.json") as page:
        page.view.write_state(StateChange("gate", "lost", "no route to 10.0.0.7", 1.0))
        answer = page.ask("/readyz")
        assert (answer.status, answer.json()["faults"]) == (503, [{"part": "camera"}])
        assert page.ask("/healthz").status == 200
        session = page.log_in().headers["set-cookie"].partition(";")[0]
        found = page.ask("/readyz", Cookie=session).json()["faults"]
        assert found == [{"part": "camera", "name": "gate", "why": "lost: no route to 10.0.0.7"}]


def test_events_are_filtered_and_the_newest_comes_first(page):
    """The end of an event replaces its beginning."""
    for i in range(4):
        page.view.write_event(event(i, ended=False, camera="gate" if i % 2 else "yard"))
    page.view.write_event(event(1, ended=True))
    found = page.ask("/api/events").json()["events"]
    assert [one["track_id"] for one in found] == [3, 2, 1, 0]
    assert [one["duration_s"] for one in found] == [None, None, 0.5, None]
    assert [one["track_id"] for one in page.ask("/api/events?camera=gate&limit=1").json()["events"]] == [3]
    assert page.ask("/api/events?label=nothing").json() == {"events": [], "next": None, "source": "memory"}
    for limit in ("0", "-1", "1001", "x", ""):
        assert page.ask(f"/api/events?limit={limit}").status == 400


def test_events_of_a_recording_have_no_time_of_day(page):
    """They come in the order of the run."""
    for i in range(3):
        page.view.write_event(replace(event(i, ended=False), start=Moment(i, float(i), None, "a.mp4")))
    assert [one["track_id"] for one in page.ask("/api/events").json()["events"]] == [2, 1, 0]


def test_every_answer_keeps_the_browser_to_the_pages_own_files(page):
    """Also errors and refusals."""
    for answer in (page.ask("/"), page.ask("/nothing"), page.ask("/", host="evil.example"), page.ask("/api/events?limit=x")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


def test_no_route_answers_without_a_login(tmp_path):
    """Except for the login page, its style and the health check; a test walks all routes."""
    with served(passwords=tmp_path / "p.json") as page:
        seen = routes()
        assert len(seen) >= 10
        for path, method in seen:
            if path in OPEN_PATHS:
                continue
            if method == "WS":
                with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{page.server.port}{path}"):
                    pass
            else:
                assert page.ask(path, method).status == 401, (path, method)
        assert page.ask("/", Accept="text/html").headers["location"] == "/login"


def test_who_may_only_look_changes_nothing(tmp_path):
    """Neither a user nor a token with the role view: a test walks all routes. Looking is allowed, and so is logging out."""
    passwords = tmp_path / "p.json"
    tokens = {role: add_token(passwords, role, role) for role in ROLES}
    set_password(passwords, "eve", PASSWORD, "view")
    with served(passwords=passwords) as page:
        session = page.log_in(user="eve").headers["set-cookie"].partition(";")[0]
        assert b'<body data-role="view">' in page.ask("/", Cookie=session).body
        view = {"Authorization": f"Bearer {tokens['view']}"}
        changes = [(path, method) for path, method in routes() if method not in ("GET", "HEAD", "WS")]
        assert len(changes) >= 5
        for path, method in changes:
            if path in ("/login", "/logout"):
                continue
            for headers in (view, {"Cookie": session}):
                answer = page.ask(path, method, body="{}", **headers)
                assert (answer.status, b"may only look" in answer.body) == (403, True), (path, method)
            answer = page.ask(path, method, body="{}", Authorization=f"Bearer {tokens['edit']}")
            expected = (200, 409) if path.startswith("/api/machine/") else (400, 404, 409)
            assert answer.status in expected, (path, method)
        assert page.ask("/api/cameras", **view).status == 200
        assert page.ask("/api/cameras", Authorization="Bearer x").status == 401
        assert page.ask("/logout", "POST", Cookie=session).status == 303
        with connect(f"ws://127.0.0.1:{page.server.port}/api/live", additional_headers=view) as viewer:
            assert json.loads(viewer.recv())["kind"] == "cameras"
            remove_token(passwords, "view")
            with pytest.raises(ConnectionClosed):
                _read_for_ever(viewer)


def test_a_login_opens_the_page_until_the_logout(tmp_path):
    """The cookie cannot be read by scripts, nor be sent by other sites; a wrong or broken one opens nothing."""
    with served(passwords=tmp_path / "p.json") as page:
        refused = page.log_in("wrong")
        assert (refused.status, b"The name or the password is wrong." in refused.body) == (401, True)
        answer = page.log_in()
        cookie = answer.headers["set-cookie"]
        assert answer.headers["location"] == "/"
        assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        session = cookie.partition(";")[0]
        assert page.ask("/api/cameras", Cookie=session).status == 200
        assert b'<form id="logout" method' in page.ask("/", Cookie=session).body
        with connect(f"ws://127.0.0.1:{page.server.port}/api/live", additional_headers={"Cookie": session}) as socket_:
            assert json.loads(socket_.recv())["kind"] == "cameras"
        for broken in (f"{COOKIE}=", f"{COOKIE}=x", f"{COOKIE}", "=;;=", f"other={session}", f"{session}x"):
            assert page.ask("/api/cameras", Cookie=broken).status == 401
        assert page.ask("/logout", "POST", Cookie=session).status == 303
        assert page.ask("/api/cameras", Cookie=session).status == 401


def test_names_in_an_answer_are_never_html(tmp_path):
    """A login with a name of markup is answered without it."""
    with served(passwords=tmp_path / "p.json") as page:
        answer = page.ask("/login", "POST", body="user=<script>alert(1)</script>&password=x")
        assert b"<script>alert" not in answer.body


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example", "[::", "127.0.0.1@evil.example"])
def test_a_foreign_name_is_refused(page, host):
    """A name that resolves to this machine reads nothing (DNS rebinding)."""
    assert page.ask("/api/cameras", host=host or " ").status == 421


def test_further_names_are_served():
    """Those in `hosts`, with any port and in any case."""
    with served(hosts=("box.lan",)) as page:
        assert page.ask("/", host="BOX.lan:80").status == 200
        assert page.ask("/", host=f"localhost:{page.server.port}").status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}],
)
def test_pages_of_other_sites_change_nothing(page, headers):
    """Neither by a form nor by a WebSocket; reading is prevented by the browser itself."""
    assert page.ask("/logout", "POST", **headers).status == 403
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with (
        pytest.raises(InvalidStatus, match="403"),
        connect(f"ws://127.0.0.1:{page.server.port}/api/live", additional_headers=sent),
    ):
        pass


def test_the_pages_own_requests_pass(page):
    """With the headers that a browser sends."""
    own = f"http://127.0.0.1:{page.server.port}"
    assert page.ask("/logout", "POST", Origin=own, Sec_Fetch_Site="same-origin").status == 303
    with connect(f"ws://127.0.0.1:{page.server.port}/api/live", origin=own) as socket_:
        assert json.loads(socket_.recv())["kind"] == "cameras"


def test_a_large_body_is_refused(tmp_path):
    """Whether it says its size or not."""
    with served(passwords=tmp_path / "p.json") as page:
        assert page.ask("/login", "POST", body="x" * (LARGEST_BODY + 1)).status == 413
        assert page.ask("/login", "POST", Content_Length="-1").status in (400, 413)
        with socket.create_connection(("127.0.0.1", page.server.port), timeout=10) as raw:
            raw.sendall(
                f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{page.server.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
            with pytest.raises(OSError, match=r"reset|pipe"):
                _send_for_ever(raw, chunk)
        assert page.log_in().status == 303


def test_a_thousand_silent_connections_do_not_keep_others_out(page):
    """Those that say nothing make room for those that ask."""
    with ExitStack() as stack:
        for _ in range(900):
            stack.enter_context(socket.create_connection(("127.0.0.1", page.server.port), timeout=10))
        assert [page.ask("/api/cameras").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"watch": 1}', '{"watch": [[1]]}', "x" * 3000])
def test_nonsense_ends_the_connection_of_whoever_sends_it(page, text):
    """Others go on."""
    with connect(f"ws://127.0.0.1:{page.server.port}/api/live") as good:
        with connect(f"ws://127.0.0.1:{page.server.port}/api/live") as bad:
            bad.send(text)
            if text != '{"watch": [[1]]}':  # a camera that does not exist
                with pytest.raises(ConnectionClosed):
                    _read_for_ever(bad)
        good.send('{"watch": ["gate"]}')
        assert json.loads(good.recv(timeout=5))["kind"] == "cameras"


def _send_for_ever(raw, data):
    for _ in range(2000):
        raw.sendall(data)
        time.sleep(0.01)


def _read_for_ever(viewer):
    for _ in range(2000):
        viewer.recv(timeout=5)


def test_what_is_found_is_sent_to_those_who_look(page):
    """The scene and the boxes, in fractions of the frame, with the time of the picture."""
    with connect(f"ws://127.0.0.1:{page.server.port}/api/live") as viewer:
        viewer.send('{"watch": ["gate", "nothing"]}')
        until = time.monotonic() + 10
        kinds: dict[str, dict] = {}
        index = 0
        while not {"scene", "overlay"} <= kinds.keys() and time.monotonic() < until:
            page.view.write(result(frame(index)))
            index += 1
            for message in parts_of(viewer.recv(timeout=5)):
                if isinstance(message, str):
                    found = json.loads(message)
                    kinds[found["kind"]] = found
    overlay = kinds["overlay"]
    assert overlay["camera"] == "gate"
    assert round((overlay["time"] - 10) * 25, 3) % 1 == 0
    assert overlay["boxes"] == [{"box": [0, 0, 1, 1], "label": "stop", "score": 0.9, "region": "frame", "whole": True}]
    assert kinds["scene"]["areas"] == []


def test_a_camera_without_packets_is_shown_as_pictures(page):
    """With the reason; nothing is encoded for those who do not look."""
    with connect(f"ws://127.0.0.1:{page.server.port}/api/live") as viewer:
        viewer.send('{"watch": ["gate"]}')
        until, message = time.monotonic() + 10, ""
        while isinstance(message, str) and time.monotonic() < until:
            page.view.write(result(frame(int(time.monotonic() * 25))))
            message = parts_of(viewer.recv(timeout=5))[-1]
        assert isinstance(message, bytes)
        assert (message[0], message[11:14]) == (2, b"\xff\xd8\xff")
        assert page.ask("/api/cameras").json()["cameras"][0]["reason"] == "this camera delivers single pictures only"
    until = time.monotonic() + 10
    while page.view.cameras["gate"].wants_frames and time.monotonic() < until:
        time.sleep(0.02)
    page.view.write(result(frame(1)))
    assert page.view.cameras["gate"].frame is None


def test_a_port_in_use_is_said_in_one_line():
    """With another port to choose."""
    with served() as page:
        port = page.server.port
        with pytest.raises(EdgeclsError, match=rf"{port}: cannot listen there \(Address already in use\); choose another port"):
            PageServer(ViewSink(["gate"]), WebSettings(listen=port))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"listen": "0.0.0.0:0"}, "can be reached from other machines, which needs a login"),
        ({"passwords": "nothing.json"}, "passwords: nothing.json does not exist"),
        ({"certificate": "a.pem", "key": "b.pem"}, "certificate: a.pem does not exist"),
    ],
)
def test_an_unsafe_or_incomplete_configuration_is_refused(settings, fault):
    """Before anything is served."""
    with pytest.raises(ConfigError, match=fault):
        PageServer(ViewSink(["gate"]), WebSettings(**{"listen": 0} | settings))


@pytest.mark.parametrize("listen", ["", "host", "1:2:3x", "127.0.0.1:70000", "a b:1", "127.0.0.1:-1"])
def test_an_invalid_address_is_refused(listen):
    """With what is expected."""
    with pytest.raises(ConfigError, match="listen: "):
        WebSettings(listen=listen)


@pytest.mark.parametrize(
    ("listen", "is_local"),
    [
        (1, True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("127.9.9.9:1", True),
        ("0.0.0.0:1", False),
        ("10.0.0.1:1", False),
        ("box.lan:1", False),
    ],
)
def test_other_addresses_need_a_login(listen, is_local):
    """Only loopback addresses do not."""
    assert WebSettings(listen=listen).needs_login is not is_local


def test_certificate_and_key_come_together():
    """One alone is refused."""
    with pytest.raises(ConfigError, match="https needs both certificate and key"):
        WebSettings(certificate="a.pem")


def test_a_closed_page_is_gone():
    """Its port can be used again at once, and its threads have ended."""
    with served() as page:
        port = page.server.port
    with PageServer(ViewSink(["gate"]), WebSettings(listen=port)) as again:
        assert again.port == port
