"""The routes with which a page changes the configuration of its run.

GET  /api/config/schema               the settings of zones, lines and rules, as JSON Schema
GET  /api/config/camera/NAME          zones, lines, ignored and private areas and rules of a camera, as written in cameras.toml
PUT  /api/config/camera/NAME          changes them: in the run within seconds, and in cameras.toml
POST /api/config/camera/NAME/test     what a change would have made of the last minutes; nothing changes
POST /api/config/undo                 takes the last change back

A change names the hash of the file for which it was made, which every answer holds:

    {"hash": "5f...", "zone": [{"at": 0, "value": {"name": "bay", "area": [0.1, 0.2, 0.3, 0.4]}}], "line": [],
     "ignore": [{"at": null, "value": [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]}], "rules": {"count_every_s": 60}}

`at` is the place of a zone, line or area in the file, null if it is new; those that are not named are removed. Private areas,
`"private": [...]`, stay as they are if the change says nothing of them. What cannot be done is answered in one sentence: 404 no
such camera or no file, 409 the file was changed by somebody else, 422 not valid, 423 the file cannot be written now, 507 the
disk is full.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from edgecls.errors import EdgeclsError
from edgecls.run.camera import Camera
from edgecls.settings.schema import schema_of
from edgecls.text.redaction import public_text
from edgecls.text.strict_json import dumps, loads
from edgecls.web.answers import NO_SPACE, fault_of, is_full
from edgecls.web.config.file import ChangedError, ClosedError, ConfigFile
from edgecls.web.config.text import LISTS, RULES, TABLES, Item, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

NO_FILE, CHANGED, NOT_VALID, CLOSED = 404, 409, 422, 423
MOST_ITEMS = 200
PRIVATE = "private"
NOT_SERVED = "this run has no cameras.toml that the page may change"


def config_routes(file: ConfigFile | None) -> list[BaseRoute]:
    """Return the routes. Without a file, they answer that nothing can be changed."""
    routes = _Routes(file)
    return [
        Route("/api/config/schema", routes.schema),
        Route("/api/config/camera/{name}", routes.read, methods=["GET"]),
        Route("/api/config/camera/{name}", routes.save, methods=["PUT"]),
        Route("/api/config/camera/{name}/test", routes.test, methods=["POST"]),
        Route("/api/config/undo", routes.undo, methods=["POST"]),
    ]


class _Routes:
    def __init__(self, file: ConfigFile | None) -> None:
        self._file = file

    async def schema(self, _request: Request) -> Response:
        return Response(_schema(), media_type="application/json")

    async def read(self, request: Request) -> Response:
        name = request.path_params["name"]
        return await self._answer(lambda file: file.camera(name), otherwise=NO_FILE)

    async def save(self, request: Request) -> Response:
        return await self._with_change(request, ConfigFile.save)

    async def test(self, request: Request) -> Response:
        return await self._with_change(request, ConfigFile.test)

    async def _with_change(self, request: Request, act: Callable[[ConfigFile, str, Wanted, str], dict[str, Any]]) -> Response:
        name = request.path_params["name"]
        try:
            digest, wanted = wanted_of(await _json(request))
        except (ValueError, TypeError, KeyError) as error:
            return PlainTextResponse(f"expected a change as {__name__} describes it ({error})\n", 400)
        return await self._answer(lambda file: act(file, name, wanted, digest))

    async def undo(self, request: Request) -> Response:
        try:
            digest = str((await _json(request))["hash"])
        except (ValueError, TypeError, KeyError):
            return PlainTextResponse('expected {"hash": ...}\n', 400)
        return await self._answer(lambda file: file.undo(digest))

    async def _answer(self, act: Callable[[ConfigFile], dict[str, Any]], *, otherwise: int = NOT_VALID) -> Response:
        """Answer with what a change returns; it runs in a thread of its own, as it waits for the run."""
        file = self._file
        if file is None:
            return PlainTextResponse(NOT_SERVED + "\n", NO_FILE)
        try:
            answer = await asyncio.to_thread(act, file)
        except EdgeclsError as error:
            status = CHANGED if isinstance(error, ChangedError) else CLOSED if isinstance(error, ClosedError) else otherwise
            status = NO_SPACE if is_full(error) else status
            text = public_text(str(error)).replace(str(file.path), file.path.name)
            return PlainTextResponse(text + "\n", status)
        except OSError as error:
            return PlainTextResponse(fault_of(error) + "\n", NO_SPACE if is_full(error) else CLOSED)
        return Response(dumps(answer).encode(), media_type="application/json")


async def _json(request: Request) -> Any:
    return loads((await request.body()).decode())


def wanted_of(record: Any) -> tuple[str, Wanted]:
    """Return the hash and the change in a request. Raises ValueError, TypeError or KeyError if it is none."""
    kept = () if PRIVATE in record else (PRIVATE,)  # no script shows what is private because it does not know of it
    items = {name: [_item(one) for one in record[name]] for name in (*TABLES, *LISTS) if name not in kept}
    for name, found in items.items():
        places = [item.at for item in found if item.at is not None]
        kind = dict if name in TABLES else list
        if len(found) > MOST_ITEMS or places != sorted(set(places)) or not all(isinstance(one.value, kind) for one in found):
            raise ValueError(f"{name} is not a list of places, in order, with their values")
    rules = {str(key): value for key, value in record["rules"].items()}
    if not set(rules) <= set(RULES):
        raise ValueError(f"rules are {', '.join(RULES)}")
    return str(record["hash"]), Wanted(items, rules)


def _item(record: Any) -> Item:
    at = record["at"]
    if at is not None and (type(at) is not int or not 0 <= at < MOST_ITEMS):
        raise ValueError(f"at is a place or null, not {at!r}")
    return Item(at, record["value"])


@cache
def _schema() -> bytes:
    return dumps(schema_of(Camera, title="a camera of cameras.toml")).encode()
