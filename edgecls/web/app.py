"""The routes of the page and its API.

GET  /                  the page
GET  /page/NAME         its files, also with their version, /page/VERSION/NAME
GET  /login             the form;  POST logs in;  POST /logout logs out
GET  /api/cameras       the cameras and their states
GET  /api/events...     see `edgecls.web.events.routes`
WS   /api/live          live pictures and what is found in them, see `edgecls.web.live.viewer`
     /api/recordings/.. recordings and what was found in them, see `edgecls.web.recorded.routes`
     /api/teach/...     labels for what the run collects, see `edgecls.web.teach.routes`
     /api/models...     the models of the run, see `edgecls.web.models.routes`
     /api/machine...    the machine that it runs on, see `edgecls.web.machine.routes`
     /api/learn/...     models made of them, see `edgecls.web.learn.routes`
     /api/config/...    what the page may change of cameras.toml, see `edgecls.web.config.routes`
GET  /api/openapi.json  the description of this API
GET  /healthz           200 while the loop of the run moves, else 503
GET  /readyz            200 while everything is delivered, or 503 with the reasons
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from edgecls.text.strict_json import dumps
from edgecls.web.config.routes import config_routes
from edgecls.web.events.routes import event_routes
from edgecls.web.fair_share import FairShare
from edgecls.web.jobs import JobRunner
from edgecls.web.learn.learning import Learning
from edgecls.web.learn.routes import learn_routes
from edgecls.web.live.status import now_record
from edgecls.web.live.viewer import Viewers
from edgecls.web.login.guard import COOKIE, VISITOR, Guard, cookie
from edgecls.web.login.sessions import SESSION_S
from edgecls.web.machine.routes import MachineRoutes
from edgecls.web.models.routes import ModelRoutes
from edgecls.web.names_only import NamesOnly
from edgecls.web.openapi import describe
from edgecls.web.recorded.routes import RecordingRoutes
from edgecls.web.teach.routes import TeachRoutes
from edgecls.web.teach.teaching import Teaching

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from starlette.requests import Request

    from edgecls.run.config import Config
    from edgecls.web.config.file import ConfigFile
    from edgecls.web.events.history import History
    from edgecls.web.live.view_sink import ViewSink
    from edgecls.web.login.sessions import Sessions

FILES = resources.files("edgecls.web") / "page"
TYPES = {
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
DESCRIPTION = "/api/openapi.json"
LOGIN_ERROR = "<!--error-->"
FOR_EVER = "private, max-age=31536000, immutable"
"""How long a browser keeps a file whose address names its version."""


def make_app(  # noqa: PLR0913 - each is a part of the page
    view: ViewSink, history: History, *, hosts: Collection[str], sessions: Sessions | None, is_secure: bool,
    config: ConfigFile | None = None, teach: TeachRoutes | None = None, recordings: RecordingRoutes | None = None,
    models: ModelRoutes | None = None, machine: MachineRoutes | None = None, learning: Learning | None = None,
    run_config: Callable[[], Config | None] = lambda: None,
) -> Starlette:  # fmt: skip
    """Return the application.

    Args:
        view: What to show.
        history: Where the past is looked up.
        hosts: The names under which the page is served.
        sessions: Who has logged in; None if nobody needs to.
        is_secure: Whether it is served by https, so that cookies are never sent otherwise.
        config: The cameras.toml that the page may change; None if there is none.
        teach: The routes for labels, which the caller closes.
        recordings: The routes of recordings, which the caller closes.
        models: The routes about models, which the caller closes.
        machine: The routes about the machine.
        learning: What the page does with learned models, which the caller closes.
        run_config: Returns the configuration of the run as it is now; None if there is no run.
    """
    teach = teach or TeachRoutes(Teaching(history.outs))
    recordings = recordings or RecordingRoutes(view)
    models, machine = models or ModelRoutes(None), machine or MachineRoutes(None, view, JobRunner())
    learning = learning or Learning(None, history.outs, config, JobRunner())
    routes = _Routes(view, sessions, is_secure=is_secure)
    app = Starlette(
        routes=[
            Route("/", routes.page),
            Route("/page/{name}", routes.file),
            Route("/page/{version}/{name}", routes.file),
            Route("/login", routes.login_page),
            Route("/login", routes.log_in, methods=["POST"]),
            Route("/logout", routes.log_out, methods=["POST"]),
            Route("/api/cameras", routes.cameras),
            *event_routes(history),
            *recordings.routes(),
            *teach.routes(),
            *models.routes(),
            *machine.routes(),
            *learn_routes(learning),
            *config_routes(config),
            Route("/healthz", routes.health),
            Route("/readyz", routes.ready),
            WebSocketRoute("/api/live", routes.viewers.serve),
        ],
        middleware=[
            Middleware(FairShare),
            Middleware(Guard, hosts=hosts, sessions=sessions),
            Middleware(NamesOnly, config=run_config),
        ],
    )
    description = dumps(describe([*app.routes, Route(DESCRIPTION, routes.page)])).encode()
    app.add_route(DESCRIPTION, lambda _request: Response(description, media_type="application/json"))
    return app


class _Routes:
    def __init__(self, view: ViewSink, sessions: Sessions | None, *, is_secure: bool) -> None:
        self._view = view
        self._sessions = sessions
        self._is_secure = is_secure
        self._files = {file.name: file.read_bytes() for file in FILES.iterdir() if file.name[file.name.rfind(".") :] in TYPES}
        version = hashlib.sha256(b"".join(self._files[name] for name in sorted(self._files))).hexdigest()[:16]
        self._version = version
        self._html = _with_version(self._files["index.html"], version, [name for name in self._files if name.endswith(".js")])
        self.viewers = Viewers(view, version)

    async def page(self, request: Request) -> Response:
        body = self._html
        if self._sessions is None:
            return HTMLResponse(body.replace(b'<form id="logout"', b'<form id="logout" hidden', 1))
        return HTMLResponse(body.replace(b"<body>", f'<body data-role="{request.state.visitor.role}">'.encode(), 1))

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._files:
            return PlainTextResponse("There is no such file.\n", 404)
        is_of_version = request.path_params.get("version") == self._version
        headers = {"Cache-Control": FOR_EVER if is_of_version else "no-cache"}
        return Response(self._files[name], media_type=TYPES[name[name.rfind(".") :]], headers=headers)

    async def login_page(self, _request: Request) -> Response:
        return RedirectResponse("/", 303) if self._sessions is None else HTMLResponse(self._files["login.html"])

    async def log_in(self, request: Request) -> Response:
        if self._sessions is None:
            return RedirectResponse("/", 303)
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=8)
        user, password = (form.get(name, [""])[0] for name in ("user", "password"))
        address = request.client.host if request.client else ""
        try:
            session = await asyncio.to_thread(self._sessions.log_in, user, password, address)
        except PermissionError as error:
            message = f'<p class="error" role="alert">{error}</p>'.encode()
            return HTMLResponse(self._files["login.html"].replace(LOGIN_ERROR.encode(), message), 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, session, max_age=int(SESSION_S), httponly=True, samesite="strict", secure=self._is_secure, path="/"
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        if self._sessions is not None:
            self._sessions.log_out(cookie(request.headers))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self._is_secure)
        return answer

    async def cameras(self, _request: Request) -> Response:
        return _json(now_record(self._view, self.viewers.reasons()))

    async def health(self, _request: Request) -> Response:
        found = await asyncio.to_thread(self._view.vitals.liveness)  # it waits for the loop
        return _json(found, status=200 if found["status"] == "ok" else 503)

    async def ready(self, request: Request) -> Response:
        found = await asyncio.to_thread(self._view.vitals.readiness)
        names = self._sessions is None or hasattr(request.state, VISITOR)
        return _json(found.record(names=names), status=200 if found.is_ready else 503)


def _with_version(html: bytes, version: str, modules: Iterable[str]) -> bytes:
    """Name the files of the page with their version, so that browsers keep them until the next one, and load them all at once
    instead of one after the other as each names the next.
    """
    base = f"/page/{version}/"
    preloads = "".join(f'<link rel="modulepreload" href="{base}{name}">\n' for name in sorted(modules))
    html = html.replace(b"<html ", f'<html data-page="{version}" '.encode(), 1).replace(b'"/page/', f'"{base}'.encode())
    return html.replace(b"<script ", preloads.encode() + b"<script ", 1)


def _json(value: Any, *, status: int = 200) -> Response:
    return Response(dumps(value).encode(), status, media_type="application/json")
