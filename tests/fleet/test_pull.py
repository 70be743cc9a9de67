"""Pulling a bundle from servers that break off, go on for ever, answer anything, or have another file."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ipaddress
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from edgecls.fleet import pull as pulling
from edgecls.fleet.pull import BrokenPullError, Pull, RefusedPullError
from tests.run.disk import small_disk
from tests.run.world import assert_only_main_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MOST = 10_000_000


@pytest.fixture(autouse=True)
def _no_thread_is_left(monkeypatch):
    """Servers that say nothing are given up soon. After each test only the main thread is left."""
    monkeypatch.setattr(pulling, "STALLED_S", 0.5)
    yield
    assert_only_main_thread()


class Server:
    """A server of one file. `answer` may answer a request itself; `asked` are the ranges that were asked for."""

    def __init__(self, answer: Callable | None = None, *, ranges: bool = True, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - named by http.server
                wanted = handler.headers.get("Range", "")
                self.asked.append(wanted)
                if answer is None or not answer(handler, len(self.asked)):
                    send(handler, wanted if ranges else "")

            def log_message(handler, *_: object) -> None:  # noqa: N805
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False
        scheme = "http"
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}/7.bundle"


def send(handler, wanted: str, size: int | None = None) -> None:
    """Send the file from where it is wanted, the first `size` bytes of that if given."""
    begin = int(wanted.removeprefix("bytes=").rstrip("-") or 0) if wanted else 0
    if wanted and begin >= len(CONTENT):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(CONTENT)}")
        handler.end_headers()
        return
    handler.send_response(206 if wanted else 200)
    handler.send_header("Content-Length", str(len(CONTENT) - begin))
    if wanted:
        handler.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.end_headers()
    handler.wfile.write(CONTENT[begin:][:size])


@contextmanager
def server(answer: Callable | None = None, **options) -> Iterator[Server]:
    """A server for the length of a block."""
    running = Server(answer, **options)
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        running.server.shutdown()
        thread.join()
        running.server.server_close()


def pull(url: str, folder, sha256: str = SHA256, *, most: int = MOST, **options) -> Pull:
    """A pull that nobody ends."""
    return Pull(url, sha256, folder, most_bytes=most, is_over=threading.Event(), **options)


def plain(status: int, **headers: str) -> Callable:
    """Answer with a status and nothing else."""

    def answer(handler, _number: int) -> bool:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        return True

    return answer


def test_a_file_comes_whole(tmp_path):
    """It is the one that was asked for, only its owner may read it, and another call asks nobody."""
    with server() as running:
        seen: list[tuple[int, int | None]] = []
        path = pull(running.url, tmp_path / "new").run(lambda done, of: seen.append((done, of)))
        assert path.read_bytes() == CONTENT
        assert path.stat().st_mode & 0o077 == 0
        assert seen[-1] == (len(CONTENT), len(CONTENT))
        assert pull(running.url, tmp_path / "new").run() == path
        assert len(running.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_half_download_goes_on(tmp_path, ranges):
    """From where it broke off; where the server knows no ranges, from the beginning."""

    def breaks(handler, number: int) -> bool:
        if number <= 2:
            send(handler, handler.headers.get("Range", "") if ranges else "", 100_000)
        return number <= 2

    with server(breaks, ranges=ranges) as running:
        for _ in range(2):
            with pytest.raises(BrokenPullError, match="broke off"):
                pull(running.url, tmp_path).run()
        assert pull(running.url, tmp_path).run().read_bytes() == CONTENT
        assert running.asked == ["", "bytes=100000-", "bytes=200000-" if ranges else "bytes=100000-"]


def test_what_has_come_of_another_file_is_replaced(tmp_path):
    """Too long a rest, one of another file, and the rest of an earlier bundle."""
    with server() as running:
        first = pull(running.url, tmp_path)
        first.path.write_bytes(CONTENT + b"more")
        with pytest.raises(BrokenPullError, match="another file than before"):
            first.run()
        assert first.run().read_bytes() == CONTENT
        first.path.write_bytes(b"x" * 1000)
        with pytest.raises(BrokenPullError, match="what came before is not of this file"):
            first.run()
        assert first.run().read_bytes() == CONTENT
        with pytest.raises(RefusedPullError):
            pull(running.url, tmp_path, "ab" * 32).run()
        assert list(tmp_path.iterdir()) == []


def test_a_server_that_never_ends_is_left(tmp_path):
    """At the size that is allowed, whether it says a size or not; and nothing of it stays."""

    def endless(handler, _number: int) -> bool:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(65_536))
        except OSError:
            return True

    with server(endless) as running, pytest.raises(RefusedPullError, match=r"more than 0\.3 MB, the most_mb of"):
        pull(running.url, tmp_path, most=300_000).run()
    with server() as running, pytest.raises(RefusedPullError, match=r"more than 0\.3 MB"):
        pull(running.url, tmp_path, most=300_000).run()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_says_nothing_more_is_given_up(tmp_path):
    """It may be tried again; `stop` ends the wait at once."""
    ended = threading.Event()

    def silent(handler, _number: int) -> bool:
        send(handler, "", 1000)
        ended.wait(10)
        return True

    with server(silent) as running:
        with pytest.raises(BrokenPullError, match="timed out"):
            pull(running.url, tmp_path).run()
        over = threading.Event()
        stopped = Pull(running.url, SHA256, tmp_path, most_bytes=MOST, is_over=over)

        def stop() -> None:
            over.set()
            stopped.stop()

        timer = threading.Timer(0.1, stop)
        timer.start()
        with pytest.raises(BrokenPullError):
            stopped.run()
        timer.join()
        ended.set()


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (plain(404), RefusedPullError, "answers 404 Not Found"),
        (plain(403), RefusedPullError, "answers 403"),
        (plain(503), BrokenPullError, "answers 503"),
        (plain(429), BrokenPullError, "answers 429"),
        (plain(204), RefusedPullError, "answers 204"),
        (plain(302, Location="ftp://127.0.0.1/x"), RefusedPullError, "its scheme is ftp, expected https"),
        (plain(302, Location="/7.bundle"), RefusedPullError, "without an end"),
        (plain(302, Location="http://198.51.100.7/x"), RefusedPullError, "http is not in allow of"),
        (plain(302), RefusedPullError, "answers 302"),
        (plain(206), RefusedPullError, "another part"),
        (plain(416), BrokenPullError, "another file"),
        (lambda handler, _: handler.wfile.write(b"garbage\r\n\r\n"), BrokenPullError, "broke off"),
        (lambda handler, _: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: -7\r\n\r\n"), RefusedPullError, "SHA-256"),
        (lambda handler, _: handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000), BrokenPullError, "broke off"),
        (lambda handler, _: handler.connection.close() or True, BrokenPullError, "broke off"),
    ],
)
def test_what_a_server_may_answer(tmp_path, answer, error, why):
    """What may pass is tried again, the rest is refused."""
    with server(answer) as running, pytest.raises(error, match=why):
        pull(running.url, tmp_path).run()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://198.51.100.7/7.bundle", "http is not in allow of"),
        ("ftp://host/7.bundle", "its scheme is ftp, expected https"),
        ("file:///etc/passwd", "its scheme is file, expected https"),
        ("7.bundle", "its scheme is missing, expected https"),
        ("javascript:alert(1)", "its scheme is missing"),
        ("https://", "its scheme is https|host"),
        ("https://host:0/x", "the port must be a number"),
        ("https://a\nb/x", "control characters"),
    ],
)
def test_what_address_may_be_asked(tmp_path, url, why):
    """Nothing is sent to any other."""
    with pytest.raises(RefusedPullError, match=why):
        pull(url, tmp_path)


def test_only_hosts_that_are_allowed_are_asked(tmp_path):
    """Also after a redirect."""
    with pytest.raises(RefusedPullError, match="is not one of hosts"):
        pull("https://elsewhere.example/x", tmp_path, hosts=("bundles.example",))
    refused = pytest.raises(RefusedPullError, match="is not one of hosts")
    with server(plain(302, Location="https://elsewhere.example/x")) as running, refused:
        pull(running.url, tmp_path, hosts=("127.0.0.1",)).run()


def test_a_file_is_copied_where_that_is_allowed(tmp_path):
    """One that is not there, or is too large, is refused."""
    source = tmp_path / "7.bundle"
    source.write_bytes(CONTENT)
    assert pull(source.as_uri(), tmp_path / "new", allow=("file",)).run().read_bytes() == CONTENT
    with pytest.raises(RefusedPullError, match="cannot be read"):
        pull((tmp_path / "other").as_uri(), tmp_path / "new", "ab" * 32, allow=("file",)).run()
    with pytest.raises(RefusedPullError, match="more than"):
        pull(source.as_uri(), tmp_path / "more", allow=("file",), most=1000).run()


def test_a_full_disk_is_said(tmp_path):
    """It is no fault of the network, so it is not tried again and again."""
    full = pytest.raises(RefusedPullError, match=r"cannot be stored in .* \(No space left on device\)")
    with server() as running, small_disk(tmp_path / "disk", "200k") as disk, full:
        pull(running.url, disk / "downloads").run()
    (tmp_path / "new").write_text("a file where the folder should be")
    with server() as running, pytest.raises((RefusedPullError, BrokenPullError), match="cannot be stored in"):
        pull(running.url, tmp_path / "new").run()


def certificate(folder, begins: datetime.datetime) -> ssl.SSLContext:
    """A server's certificate for this machine, valid for two days, as certificate.pem."""
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, begins, begins + datetime.timedelta(days=2))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    place, pem = folder / "certificate.pem", serialization.Encoding.PEM
    place.write_bytes(made.public_bytes(pem))
    raw = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(raw)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place, folder / "key.pem")
    return context


def test_certificates_are_checked(tmp_path, monkeypatch):
    """One that nobody vouches for is said; with an expired one the clock of the device is said, which may be wrong."""
    now = datetime.datetime.now(datetime.UTC)
    with server(tls=certificate(tmp_path, now - datetime.timedelta(days=1))) as running:
        with pytest.raises(BrokenPullError, match="its certificate is refused"):
            pull(running.url, tmp_path / "new").run()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        assert pull(running.url, tmp_path / "new").run().read_bytes() == CONTENT
    expired = pytest.raises(BrokenPullError, match=r"expired; the clock of this device says 20\d\d-")
    with server(tls=certificate(tmp_path, now - datetime.timedelta(days=9))) as running, expired:
        pull(running.url, tmp_path / "other").run()
