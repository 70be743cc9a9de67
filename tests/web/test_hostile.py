"""The page among people who mean harm: slow readers, half requests, foreign pages in a browser, names that are markup."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edgecls.event import Moment
from edgecls.frame import Box, Detection, Prediction
from edgecls.sink.recordings.folder import RecordingFolder
from edgecls.sink.sqlite import SqliteSink
from edgecls.video.fragments import LEAD_S
from edgecls.web.events.memory import EventMemory
from edgecls.web.events.query import EventPage
from edgecls.web.fair_share import MOST_PER_ADDRESS, TOO_MANY
from edgecls.web.login.sessions import FREE_TRIES
from edgecls.web.visitor_network import THIS_MACHINE, network_of
from tests.run.world import event, frame, result
from tests.web.served import PASSWORD, parts_of, served

MARKUP = "<img src=x onerror=alert(1)>"


def wait_for(condition, seconds=10.0):
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def test_a_table_is_read_no_faster_than_it_is_taken(monkeypatch):
    """Of a table without end, whoever reads nothing gets what fits into the buffers; when they are gone, it stops."""
    pages: list[str] = []

    def page(_self, _wanted, *, before="", limit):
        pages.append(before)
        events = [event(i, label="x" * 500) for i in range(200)]
        return EventPage(events, [one.id for one in events], str(len(pages)))

    monkeypatch.setattr(EventMemory, "page", page)
    with served("gate") as served_:
        with socket.create_connection(("127.0.0.1", served_.server.port), timeout=10) as slow:
            slow.sendall(f"GET /api/events.csv HTTP/1.1\r\nHost: 127.0.0.1:{served_.server.port}\r\n\r\n".encode())
            wait_for(lambda: _is_still(pages))
            assert served_.ask("/api/cameras").status == 200
        wait_for(lambda: _is_still(pages))
        assert len(pages) < 400


def _is_still(pages: list[str]) -> bool:
    """Whether pages were read, and none within some time."""
    before = len(pages)
    time.sleep(0.4)
    return before > 1 and len(pages) == before


def test_a_viewer_who_reads_nothing_delays_nobody():
    """Not the run, which writes on, nor other viewers. What it gets when it reads again is not all that it has missed."""
    number = 400
    found = [Detection(Box(0, 0, 9, 9), Prediction("x" * 1000, 0.9, 0, ()), "motion")] * 25
    with served("gate") as page, ExitStack() as stack:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        raw.connect(("127.0.0.1", page.server.port))
        address = f"ws://127.0.0.1:{page.server.port}/api/live"
        slow = stack.enter_context(connect(address, sock=raw, max_queue=1, max_size=None, close_timeout=0.1))
        fast = stack.enter_context(connect(address, max_size=None))
        for viewer in (slow, fast):
            viewer.send('{"watch": ["gate"]}')
        sent = 0.0
        for i in range(number):  # 10 MB, more than the buffers of a connection hold
            page.view.write(result(frame(i), *found))
            sent = round(frame(i).time_s + LEAD_S, 6)
            while i % 20 == 19 and _overlay_time(fast, page, frame(i)) < sent:
                pass
        times: list[float] = []
        while not times or times[-1] < sent:
            times.append(_overlay_time(slow, page, frame(number)))
        assert len(times) < number // 2


def _overlay_time(viewer, page, latest) -> float:
    """Read until the next message with overlays, and return the time of the last picture. The camera goes on meanwhile."""
    while True:
        try:
            parts = parts_of(viewer.recv(timeout=0.05))
        except TimeoutError:
            page.view.write(result(latest))
            continue
        overlays = [found for part in parts if isinstance(part, str) and (found := json.loads(part))["kind"] == "overlay"]
        if overlays:
            return overlays[-1]["time"]


def test_half_requests_do_not_keep_others_out():
    """Hundreds of connections that send a byte now and then (slow headers)."""
    with served("gate") as page, ExitStack() as stack:
        for _ in range(700):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", page.server.port), timeout=10))
            one.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert [page.ask("/api/cameras").status for _ in range(3)] == [200] * 3


def ask_on(raw: socket.socket) -> tuple[int, bytes]:
    """Send a request on an open connection, which stays open. Returns its status and its body."""
    raw.sendall(f"GET /api/cameras HTTP/1.1\r\nHost: 127.0.0.1:{raw.getpeername()[1]}\r\n\r\n".encode())
    answer = http.client.HTTPResponse(raw)
    answer.begin()
    return answer.status, answer.read()


def test_one_address_does_not_take_the_connections_of_others():
    """However fast it is: those beyond its share are refused in a sentence, and whoever comes from elsewhere is served."""
    with served("gate") as page, ExitStack() as stack:

        def connected(address: str) -> socket.socket:
            return stack.enter_context(
                socket.create_connection(("127.0.0.1", page.server.port), timeout=10, source_address=(address, 0))
            )

        try:
            answers = [ask_on(connected("127.0.0.2")) for _ in range(300)]
        except OSError as error:
            pytest.skip(f"this machine has no 127.0.0.2 ({error})")
        assert [status for status, _ in answers] == [200] * MOST_PER_ADDRESS + [503] * (300 - MOST_PER_ADDRESS)
        assert answers[-1][1].decode() == TOO_MANY + "\n"
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://127.0.0.1:{page.server.port}/api/live", sock=connected("127.0.0.2"))
        assert TOO_MANY.encode() in refused.value.response.body
        assert [ask_on(connected(address))[0] for address in ("127.0.0.3", "127.0.0.1")] == [200, 200]
        for raw in [connected("127.0.0.1") for _ in range(MOST_PER_ADDRESS + 1)]:  # as a proxy has
            assert ask_on(raw)[0] == 200


def test_behind_a_proxy_each_address_has_its_share():
    """Only of a proxy on this machine is the word taken; viewers of one address leave room for others."""
    with served("gate") as page, ExitStack() as stack:

        def viewer(address: str):
            url = f"ws://127.0.0.1:{page.server.port}/api/live"
            return stack.enter_context(connect(url, additional_headers={"X-Forwarded-For": address}, close_timeout=0.1))

        viewers = [viewer("192.0.2.7") for _ in range(MOST_PER_ADDRESS)]
        with pytest.raises(ConnectionClosed, match="your address has 48 connections"):
            viewer("192.0.2.7").recv(10)
        assert page.ask("/api/cameras", X_Forwarded_For="192.0.2.7").status == 503
        assert json.loads(viewer("192.0.2.8").recv(10))["kind"] == "cameras"
        viewers.pop().close()
        wait_for(lambda: page.ask("/api/cameras", X_Forwarded_For="192.0.2.7").status == 200)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("2001:db8:0:1::7", "2001:db8:0:1:ffff::8", True),
        ("2001:db8:0:1::7", "2001:db8:0:2::7", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("127.0.0.1", "::ffff:127.0.0.1", True),
        ("127.0.0.1", "::1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("anna's phone", "bob's phone", False),
    ],
)
def test_what_counts_as_one_visitor(one, other, is_same):
    """An IPv4 address, also as IPv6 writes it, or the 64 bits of an IPv6 network; this machine has three names."""
    assert (network_of(one) == network_of(other)) == is_same
    assert (network_of(one) == THIS_MACHINE) == (one in ("127.0.0.1", "::1", "::ffff:127.0.0.1"))


def test_addresses_of_one_ipv6_network_share_what_they_get():
    """Those of another one have their own."""
    with served("gate") as page, ExitStack() as stack:

        def viewer(address: str):
            url = f"ws://127.0.0.1:{page.server.port}/api/live"
            return stack.enter_context(connect(url, additional_headers={"X-Forwarded-For": address}, close_timeout=0.1))

        for i in range(MOST_PER_ADDRESS):
            viewer(f"2001:db8:0:1::{i:x}")
        assert page.ask("/api/cameras", X_Forwarded_For="2001:db8:0:1:2::7").status == 503
        assert page.ask("/api/cameras", X_Forwarded_For="2001:db8:0:2::7").status == 200


def test_a_proxy_reaches_a_page_of_both_versions_of_ip_as_this_machine(tmp_path):
    """Its own connections are not counted, and the addresses that it names are."""
    try:
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True).close()
    except (OSError, ValueError) as error:
        pytest.skip(f"this machine has no IPv6 ({error})")
    with served("gate", listen="[::]:0", passwords=tmp_path / "p.json") as page, ExitStack() as stack:
        for _ in range(MOST_PER_ADDRESS + 2):
            raw = stack.enter_context(socket.create_connection(("127.0.0.1", page.server.port), timeout=10))
            assert ask_on(raw)[0] == 401
        for _ in range(FREE_TRIES):
            wrong = page.ask("/login", "POST", body="user=admin&password=wrong", X_Forwarded_For="192.0.2.7")
        assert wrong.status == 401
        answers = [
            page.ask("/login", "POST", body=f"user=admin&password={PASSWORD.replace(' ', '+')}", X_Forwarded_For=address)
            for address in ("192.0.2.7", "192.0.2.8")
        ]
        assert b"Too many tries" in answers[0].body
        assert answers[1].status == 303


def test_large_headers_are_refused():
    """The connection is closed, and others go on."""
    with served("gate") as page:
        with socket.create_connection(("127.0.0.1", page.server.port), timeout=10) as raw, suppress(OSError):
            raw.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{page.server.port}\r\nX: {'y' * 2_000_000}\r\n\r\n".encode())
            assert b" 400 " in raw.recv(100)
        assert page.ask("/api/cameras").status == 200


def test_many_ranges_of_a_clip_are_cheap(tmp_path):
    """As many as fit into the headers: refused or answered, while others go on."""
    folder = RecordingFolder(tmp_path, "clips", quota=None, say=print)
    name = folder.name(event(0))
    folder.put(name, [folder.write(f"{name}.mp4", bytes(100_000))], event(0), {})
    with served("gate", sinks=[f"clip:{tmp_path}"]) as page:
        page.view.write_event(event(0))
        ranges = "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 2000, 2))
        assert page.ask(f"/api/events/{event(0).id}/clip", Range=ranges).status in (200, 206, 400, 416)
        assert page.ask("/api/cameras").status == 200


def test_names_in_past_events_are_shown_as_text(tab, tmp_path):
    """Of cameras, labels, zones, sides and files: in the table, the timeline, the filters, the dialog and its suggestions."""
    noon = time.time()
    fields = {"camera": MARKUP, "label": MARKUP, "region": MARKUP, "direction": MARKUP, "model": MARKUP}
    with SqliteSink(tmp_path / "events.db") as sink:
        sink.write_event(replace(event(0, **fields), start=Moment(0, 0.0, noon)))
        sink.write_event(replace(event(1, **fields), start=Moment(0, 0.0, None, f"/videos/{MARKUP}.mp4")))
    (tmp_path / "shots").mkdir()
    sinks = [f"sqlite:{tmp_path}/events.db", f"collect:{tmp_path}/store", f"snapshot:{tmp_path}/shots"]
    dialogs: list[str] = []
    tab.on("dialog", lambda dialog: dialogs.append(dialog.message))
    with served(MARKUP, sinks=sinks) as page:
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/events")
        tab.locator(".bars").wait_for()
        assert tab.locator("tbody tr").count() == 2
        assert f"of {MARKUP}.mp4" in tab.inner_text("tbody")
        for i in range(2):
            tab.locator("tbody button").nth(i).click()
            tab.get_by_role("heading", name=f"crossing: {MARKUP} over {MARKUP} → {MARKUP}").wait_for()
            tab.keyboard.press("Escape")
        tab.goto(f"http://127.0.0.1:{page.server.port}/#/camera/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
        tab.locator(".side li").first.wait_for()
        assert (dialogs, tab.locator("main img").count()) == ([], 0)


def test_a_foreign_page_changes_nothing(tab, tmp_path):
    """A form of another site, in the browser of somebody who has logged in: refused, and the session goes on."""
    with served(passwords=tmp_path / "p.json") as page:
        own = f"http://127.0.0.1:{page.server.port}"
        tab.goto(own)
        tab.get_by_label("Name").fill("admin")
        tab.get_by_label("Password").fill("a password of the tests")
        tab.get_by_role("button", name="Log in").click()
        tab.get_by_role("article").wait_for()
        for path in ("/logout", "/api/events/0123456789abcdef/wrong"):
            tab.goto("about:blank")
            tab.set_content(f'<form method="post" action="{own}{path}"><button>Win a prize</button></form>')
            with tab.expect_response(f"{own}{path}") as answer:
                tab.get_by_role("button").click()
            assert answer.value.status == 403
        tab.goto(own)
        tab.get_by_role("article").wait_for()
