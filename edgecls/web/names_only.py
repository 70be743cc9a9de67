"""Who may only look does not learn where files lie: answers name files and folders, without the folders that these are in."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from edgecls.files.cache import user_state
from edgecls.sink import SINKS
from edgecls.text.strict_json import dumps
from edgecls.web.login.guard import VISITOR

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from edgecls.run.config import Config

TEXTS = ("application/json", "text/")
BEFORE, AFTER = r"(?<![^\s\"'`(\[{<=:;,|])", r"(?=[\s\"'`)\]}>:;,|]|$)"
"""What may stand before a path, so that the middle of a longer one is none, and after one."""


class NamesOnly:
    """ASGI middleware that shortens paths for visitors with the role `view`. It stands behind the guard, which knows them."""

    def __init__(self, app: ASGIApp, *, config: Callable[[], Config | None]) -> None:
        """Shorten what an application answers, by the configuration of its run, which may change."""
        self._app = app
        self._config = config
        self._known: tuple[Config | None, re.Pattern[str]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        visitor = scope.get("state", {}).get(VISITOR)
        if visitor is None or visitor.role == "edit":
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Shortened(send, self._folders()))

    def _folders(self) -> re.Pattern[str]:
        config = self._config()
        if self._known is None or self._known[0] is not config:
            self._known = config, pattern_of(folders_of(config))
        return self._known[1]


class _Shortened:
    """Sends messages with shorter texts."""

    def __init__(self, send: Send, folders: re.Pattern[str]) -> None:
        self._send = send
        self._folders = folders
        self._start: Message | None = None
        self._is_text = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send" and message.get("text") is not None:
            message = {**message, "text": shortened(self._folders, message["text"])}
        elif kind == "http.response.start":
            self._is_text = MutableHeaders(scope=message).get("content-type", "").startswith(TEXTS)
            if self._is_text:  # its length is known with its body
                self._start = message
                return
        elif kind == "http.response.body" and self._is_text:
            message = {**message, "body": self._body(message.get("body", b""))}
            if self._start is not None:
                start, self._start = self._start, None
                headers = MutableHeaders(scope=start)
                if not message.get("more_body", False):
                    headers["content-length"] = str(len(message["body"]))
                elif "content-length" in headers:
                    del headers["content-length"]
                await self._send(start)
        await self._send(message)

    def _body(self, body: bytes) -> bytes:
        return shortened(self._folders, body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def folders_of(config: Config | None) -> set[str]:
    """Return the folders whose names are nobody's business: those around what a run reads and writes, and those of its user."""
    paths = set() if config is None else {Path(path) for path in _paths_of(config) if path}
    found = {folder for path in paths for folder in (path.absolute().parent, path.resolve().parent)} | {Path.cwd()}
    with contextlib.suppress(RuntimeError, ValueError):  # a user without a home
        found |= {Path.home(), user_state(), user_state().parent}
    return {str(folder) for folder in found if folder != folder.parent}


def pattern_of(folders: Collection[str]) -> re.Pattern[str]:
    """Return what matches such a folder at the beginning of a path, as it is and as JSON writes it."""
    forms = {form for folder in folders for form in (folder, dumps(folder)[1:-1])}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(f"{BEFORE}(?:{'|'.join(map(re.escape, longest_first))})(?:(?P<inside>[/\\\\]+)|{AFTER})")


def shortened(folders: re.Pattern[str], text: str) -> str:
    """Return a text in which paths are without these folders; a path that is one of them becomes its name."""
    return folders.sub(lambda found: "" if found["inside"] else re.split(r"[/\\]", found[0])[-1], text)


def _paths_of(config: Config) -> Iterator[str]:
    yield from (config.where.file, config.model, "" if config.shadow is None else config.shadow.model)
    for camera in config.camera:
        source = str(camera.source)
        yield "" if "://" in source else source
        yield "" if camera.detector is None else camera.detector.model
    for out in config.outputs:
        row = SINKS[out.kind]
        target = row.target_of(out)
        yield target if row.target == "path" and target != "-" else ""
