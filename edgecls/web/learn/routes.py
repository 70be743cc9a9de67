"""The routes with which people make models of their labels, and put them in place.

GET  /api/learn                        what is going on, the model in use, its shadow and its trial, and the learned models
GET  /api/learn/store/STORE            the classes of a store, and whether their labels are enough
GET  /api/learn/model/NAME             a learned model: accuracy of each class, learning curve, advice, the latest comparison
POST /api/learn                        {"store": STORE, "size": 224}: begin to learn
POST /api/learn/cancel                 stop learning or comparing
POST /api/learn/model/NAME/compare     {"store": STORE}: begin to compare a learned model with the one in use
POST /api/learn/model/NAME/shadow      start it as the shadow, in the run and in cameras.toml
POST /api/learn/shadow/stop            stop the shadow
POST /api/learn/model/NAME/place       put it in place of the model in use
POST /api/learn/back                   put the model before back in place

A change is answered with what `GET /api/learn` answers then. What cannot be done is answered in one sentence: 400 not
understood, 404 no such store or model, 409 not possible now. Learning and comparing run in a child process, one at a time;
models are learned into files beside the one in use, such as `street-learned-1.onnx`, and never overwrite one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from edgecls.web.answers import answered, author_of, content_of, json_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from edgecls.web.learn.learning import Learning

SIZES = (64, 96, 128, 160, 192, 224, 240, 260, 288, 320)
"""Sides of the input in pixels that the page may ask for."""
EXPECTED = f'{{"store": "its id", "size": one of {", ".join(map(str, SIZES))}, or nothing for the usual one}}'


def learn_routes(learning: Learning) -> list[Route]:
    """Return the routes."""
    routes = _Routes(learning)
    model = "/api/learn/model/{name}"
    return [
        Route("/api/learn", routes.asking(routes.state)),
        Route("/api/learn/store/{store}", routes.asking(routes.labels)),
        Route(model, routes.asking(routes.details)),
        Route("/api/learn", routes.changing(routes.learn), methods=["POST"]),
        Route("/api/learn/cancel", routes.changing(lambda _request, _content: learning.cancel()), methods=["POST"]),
        Route(f"{model}/compare", routes.changing(routes.compare), methods=["POST"]),
        Route(f"{model}/shadow", routes.changing(routes.of_name(learning.start_shadow)), methods=["POST"]),
        Route("/api/learn/shadow/stop", routes.changing(lambda _request, _content: learning.stop_shadow()), methods=["POST"]),
        Route(f"{model}/place", routes.changing(routes.of_name(learning.place)), methods=["POST"]),
        Route("/api/learn/back", routes.changing(lambda _request, _content: learning.take_back()), methods=["POST"]),
    ]


class _Routes:
    def __init__(self, learning: Learning) -> None:
        self._learning = learning

    def asking(self, answer: Callable[[Request], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def asking(request: Request) -> Response:
            return await asyncio.to_thread(answered, lambda: json_answer(answer(request)))

        return asking

    def changing(self, act: Callable[[Request, dict[str, Any]], object]) -> Callable[[Request], Awaitable[Response]]:
        async def changing(request: Request) -> Response:
            body = await request.body()

            def answer() -> Response:
                act(request, content_of(body, EXPECTED))
                return json_answer(self._learning.state())

            return await asyncio.to_thread(answered, answer)

        return changing

    def of_name(self, act: Callable[[str], object]) -> Callable[[Request, dict[str, Any]], object]:
        return lambda request, _content: act(request.path_params["name"])

    def state(self, _request: Request) -> dict[str, Any]:
        return self._learning.state()

    def labels(self, request: Request) -> dict[str, Any]:
        return self._learning.labels(request.path_params["store"])

    def details(self, request: Request) -> dict[str, Any]:
        return self._learning.details(request.path_params["name"])

    def learn(self, request: Request, content: dict[str, Any]) -> None:
        size = content.get("size")
        if size is not None and (type(size) is not int or size not in SIZES):
            raise ValueError(f"expected {EXPECTED}")
        self._learning.learn(_store(content), size=size, by=author_of(request))

    def compare(self, request: Request, content: dict[str, Any]) -> None:
        self._learning.compare(request.path_params["name"], _store(content), by=author_of(request))


def _store(content: dict[str, Any]) -> str:
    store = content.get("store")
    if isinstance(store, str):
        return store
    raise ValueError(f"expected {EXPECTED}")
