"""The routes with which people give labels to what the run collects.

GET  /api/teach                           the stores of the run's collect sinks, with the number of pictures of each class
GET  /api/teach/STORE/group?useful=1      similar pictures and the label that they probably have; or those that teach most
GET  /api/teach/STORE/suspects            labels that are probably wrong, and why
GET  /api/teach/STORE/picture/N?large=1   a picture, small or larger
POST /api/teach/STORE/label               {"pictures": [3, 5], "label": "car"}; a label that there was not before is a new class
POST /api/teach/STORE/confirm             {"pictures": [3, 5]}: their labels are right, and are suspected no more
POST /api/teach/STORE/unusable            {"pictures": [3, 5]}: they show nothing to learn from
POST /api/teach/STORE/skip                {"pictures": [3, 5]}: they come again after all others
POST /api/teach/STORE/undo                takes back the last label, or "unusable", of whoever asks

STORE is an id from the first answer, and pictures have numbers; no address names a file. A label is on the disk before it is
answered. One thread does all this, so that a large store never keeps the rest of the page waiting. What cannot be done is
answered in one sentence: 400 not understood, 404 no such store or picture, 409 not possible yet, 503 the store cannot be used.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edgecls.web.answers import NOT_READABLE, answered, author_of, content_of, json_answer, label_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from edgecls.web.teach.teaching import Teaching

MOST_PICTURES = 500
LARGEST_NUMBER = 2**63 - 1
EXPECTED = '{"pictures": [numbers of pictures], "label": "their label"}'
NO_LABEL = "a label is needed; whatever shows nothing to learn from is unusable"


class TeachRoutes:
    """The routes, and the thread that answers them."""

    def __init__(self, teaching: Teaching) -> None:
        """Give labels in these stores."""
        self._teaching = teaching
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="teach")

    def routes(self) -> list[Route]:
        """Return the routes."""
        store = "/api/teach/{store}"
        return [
            Route("/api/teach", self._asking(self._stores)),
            Route(f"{store}/group", self._asking(self._group)),
            Route(f"{store}/suspects", self._asking(self._suspects)),
            Route(f"{store}/picture/{{number}}", self._picture),
            Route(f"{store}/label", self._asking(self._label), methods=["POST"]),
            Route(f"{store}/confirm", self._asking(self._confirm), methods=["POST"]),
            Route(f"{store}/unusable", self._asking(self._unusable), methods=["POST"]),
            Route(f"{store}/skip", self._asking(self._skip), methods=["POST"]),
            Route(f"{store}/undo", self._asking(self._undo), methods=["POST"]),
        ]

    def close(self) -> None:
        """Close the stores after what is being done now; nothing more is answered."""
        self._worker.submit(self._teaching.close)
        self._worker.shutdown(wait=False)

    def _asking(self, answer: Callable[[str, Request, bytes], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def asking(request: Request) -> Response:
            body = await request.body()
            loop = asyncio.get_running_loop()
            store = request.path_params.get("store", "")
            try:
                return await loop.run_in_executor(self._worker, answered, answer, store, request, body)
            except RuntimeError:  # it was closed
                return PlainTextResponse("the run ends\n", NOT_READABLE)

        return asking

    def _stores(self, _store: str, _request: Request, _body: bytes) -> Response:
        return json_answer({"stores": self._teaching.stores()})

    def _group(self, store: str, request: Request, _body: bytes) -> Response:
        return json_answer(self._teaching.group(store, useful=_is_set(request, "useful")))

    def _suspects(self, store: str, _request: Request, _body: bytes) -> Response:
        return json_answer(self._teaching.suspects(store))

    async def _picture(self, request: Request) -> Response:
        return await asyncio.to_thread(answered, self._thumbnail, request)

    def _thumbnail(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not (number.isascii() and number.isdigit() and int(number[:20]) <= LARGEST_NUMBER):
            raise ValueError("a picture has a number")
        data = self._teaching.thumbnail(request.path_params["store"], int(number[:20]), large=_is_set(request, "large"))
        return Response(data, media_type="image/jpeg")

    def _label(self, store: str, request: Request, body: bytes) -> Response:
        content = content_of(body, EXPECTED)
        label, numbers = label_of(content), _numbers(content)
        if not label:
            raise ValueError(NO_LABEL)
        return json_answer(self._teaching.label(store, numbers, label, author=author_of(request)))

    def _confirm(self, store: str, request: Request, body: bytes) -> Response:
        return json_answer(self._teaching.confirm(store, _numbers(content_of(body, EXPECTED)), author=author_of(request)))

    def _unusable(self, store: str, request: Request, body: bytes) -> Response:
        return json_answer(self._teaching.reject(store, _numbers(content_of(body, EXPECTED)), author=author_of(request)))

    def _skip(self, store: str, _request: Request, body: bytes) -> Response:
        return json_answer(self._teaching.skip(store, _numbers(content_of(body, EXPECTED))))

    def _undo(self, store: str, request: Request, _body: bytes) -> Response:
        return json_answer(self._teaching.undo(store, author=author_of(request)))


def _is_set(request: Request, name: str) -> bool:
    return request.query_params.get(name, "") not in ("", "0")


def _numbers(content: dict[str, Any]) -> list[int]:
    """Return the numbers of pictures that a request names. Raises ValueError if there are none, or too many."""
    numbers = content.get("pictures")
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= MOST_PICTURES:
        raise ValueError(f"expected {EXPECTED}, with 1 to {MOST_PICTURES} pictures")
    if not all(type(number) is int and 0 < number <= LARGEST_NUMBER for number in numbers):
        raise ValueError(f"expected {EXPECTED}")
    return numbers
