"""Serve the page of a run in threads of its own.

view = ViewSink(camera.name for camera in config.camera)
with Run(config) as run, PageServer(view, WebSettings()) as server:
    run.sinks.append(view)
    print(server.address)
    for result, events in run:
        ...
"""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edgecls import extras
from edgecls.errors import ConfigError, EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from edgecls.run.run import Run
    from edgecls.run.web import WebSettings
    from edgecls.sink.kinds import SinkSettings
    from edgecls.web.config.file import ConfigFile
    from edgecls.web.live.view_sink import ViewSink

BACKLOG = 128
CLOSE_WAIT_S = 3.0
MOST_CONNECTIONS = 256
LARGEST_HEADERS, LARGEST_MESSAGE = 16384, 16384
"""In bytes; a message of a page names the cameras that it shows."""
PING_EVERY_S = 20.0
PURPOSE = "The page"


class PageServer:
    """The server of a page. Open from its creation until `close`.

    Attributes:
        address: The address of the page, such as "http://127.0.0.1:8765/".
        port: Its port.
    """

    def __init__(
        self, view: ViewSink, settings: WebSettings, *, config: ConfigFile | None = None,
        outs: Callable[[], Sequence[SinkSettings]] = tuple, run: Run | None = None,
    ) -> None:  # fmt: skip
        """Start to serve.

        Args:
            view: What to show; append it to the sinks of the run.
            settings: Where to listen and who may see the page.
            config: The cameras.toml that the page may change. None: it changes nothing.
            outs: Returns the settings of the run's sinks, where past events, clips and snapshots are looked up: for example
                `lambda: run.config.outputs`. Default: the page shows the latest events only.
            run: The run, whose models, sinks and drift the page shows. It may change the models. None: it shows none of this.

        Raises:
            ConfigError: A login is needed and there are no passwords, a file is missing, or a certificate cannot be used.
            EdgeclsError: The port is in use or not allowed.
            MissingExtraError: The extra `web` is not installed.
        """
        for package in ("websockets", "starlette", *(("tomlkit",) if config else ())):
            extras.load(package, extra="web", purpose=PURPOSE)
        uvicorn = extras.load("uvicorn", extra="web", purpose=PURPOSE)
        from edgecls.web.app import make_app
        from edgecls.web.events.history import History
        from edgecls.web.impatient import ImpatientProtocol
        from edgecls.web.jobs import JobRunner
        from edgecls.web.learn.learning import Learning
        from edgecls.web.login.passwords import Passwords
        from edgecls.web.login.sessions import Sessions
        from edgecls.web.machine.routes import MachineRoutes
        from edgecls.web.models.routes import ModelRoutes
        from edgecls.web.recorded.routes import RecordingRoutes
        from edgecls.web.teach.routes import TeachRoutes
        from edgecls.web.teach.teaching import Teaching
        from edgecls.web.visitor_network import PROXIES

        settings.check_files()
        if run is not None:
            view.attend(run.vitals)
        sessions = Sessions(Passwords(Path(settings.passwords))) if settings.needs_login else None
        listener = _listen(settings)
        host, _ = settings.address
        self.port: int = listener.getsockname()[1]
        shown = host if not _is_any(host) else socket.gethostname()
        self.address = f"{settings.scheme}://{f'[{shown}]' if ':' in shown else shown}:{self.port}/"
        history, is_secure = History(view, outs), bool(settings.certificate)
        self._teach, self._recordings = TeachRoutes(Teaching(outs)), RecordingRoutes(view)
        self._models, self._jobs = ModelRoutes(run), JobRunner()
        self._learning = Learning(run, outs, config, self._jobs)
        app = make_app(
            view,
            history,
            hosts=_names(settings, host),
            sessions=sessions,
            is_secure=is_secure,
            config=config,
            teach=self._teach,
            recordings=self._recordings,
            models=self._models,
            machine=MachineRoutes(run, view, self._jobs),
            learning=self._learning,
            run_config=lambda: None if run is None else run.config,
        )
        serving = uvicorn.Config(
            app,
            http=ImpatientProtocol,
            forwarded_allow_ips=list(PROXIES),
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            timeout_keep_alive=5,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=PING_EVERY_S,
            ws_ping_timeout=PING_EVERY_S,
            ssl_certfile=settings.certificate or None,
            ssl_keyfile=settings.key or None,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
        )
        try:
            serving.load()
        except OSError as error:  # also of the TLS library
            listener.close()
            raise ConfigError(f"certificate and key cannot be used ({error.strerror or error})") from error
        self._server: Any = uvicorn.Server(serving)
        self._server.install_signal_handlers = lambda: None
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving, and end all connections."""
        self._server.should_exit = self._server.force_exit = True
        self._learning.close()
        self._jobs.close()
        self._thread.join(CLOSE_WAIT_S)
        self._teach.close()
        self._models.close()
        self._recordings.close()
        self._listener.close()

    def __enter__(self) -> Self:
        """Return the server, which is already open."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop serving."""
        self.close()

    def _serve(self) -> None:
        with contextlib.suppress(SystemExit):
            self._server.run([self._listener])


def _listen(settings: WebSettings) -> socket.socket:
    host, port = settings.address
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise EdgeclsError(f"{settings.listen}: cannot listen there ({error.strerror or error})") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        advice = f"; choose another port with --listen {host}:{port + 1}" if port < 65535 else ""
        raise EdgeclsError(f"{settings.listen}: cannot listen there ({error.strerror or error}){advice}") from error
    return listener


def _names(settings: WebSettings, host: str) -> set[str]:
    """Return the names under which browsers may reach the page, in small letters."""
    names = {"localhost", "127.0.0.1", "::1", *(one.lower() for one in settings.hosts)}
    if not _is_any(host):
        return names | {host.lower()}
    own = {socket.gethostname(), socket.getfqdn()}
    with contextlib.suppress(OSError):
        own |= {str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(socket.gethostname(), None)}
    return names | {name.lower() for name in own} | _own_addresses()


def _own_addresses() -> set[str]:
    """Return the addresses from which this machine reaches others. Nothing is sent: a UDP socket is only given a route."""
    found = set()
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.add(str(probe.getsockname()[0]).partition("%")[0])
    return found


def _is_any(host: str) -> bool:
    return host in ("0.0.0.0", "::")  # noqa: S104 - compared, not listened on
