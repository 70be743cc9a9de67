"""How routes answer: values as JSON, and what is wrong in one line, with a status that says whose fault it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response

from edgecls.errors import EdgeclsError
from edgecls.store.store import LONGEST_LABEL
from edgecls.text.strict_json import dumps, loads
from edgecls.web.login.guard import VISITOR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

BAD_REQUEST, NOT_FOUND, NOT_POSSIBLE, NOT_READABLE = 400, 404, 409, 503


class NotThereError(Exception):
    """What is asked for does not exist."""


class NotPossibleError(Exception):
    """What is asked for cannot be done as things are."""


def answered(answer: Callable[..., Response], *values: Any) -> Response:
    """Return what `answer` returns for these values, or one line that says what is wrong."""
    try:
        return answer(*values)
    except NotThereError as error:
        return PlainTextResponse(f"{error}\n", NOT_FOUND)
    except NotPossibleError as error:
        return PlainTextResponse(f"{error}\n", NOT_POSSIBLE)
    except EdgeclsError as error:
        return PlainTextResponse(f"{error}\n", NOT_READABLE)
    except OSError as error:  # a recording or picture that the quota has just removed
        return PlainTextResponse(f"it cannot be read ({error.strerror or error})\n", NOT_FOUND)
    except ValueError as error:
        return PlainTextResponse(f"{error}\n", BAD_REQUEST)


def answering(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return a route that answers in another thread, since disks may be slow. What is wrong is said in one line."""

    async def route(request: Request) -> Response:
        return await asyncio.to_thread(answered, answer, request)

    return route


def json_answer(value: Any) -> Response:
    """Return a value as JSON."""
    return Response(dumps(value).encode(), media_type="application/json")


def content_of(body: bytes, expected: str) -> dict[str, Any]:
    """Return the object in a body, {} if it is empty. Raises ValueError, which says what was `expected`."""
    try:
        return dict((loads(body.decode("utf-8")) if body else {}).items())
    except (ValueError, AttributeError) as error:
        raise ValueError(f"expected {expected}") from error


def label_of(content: dict[str, Any]) -> str:
    """Return the label that a request names, "" if none. Raises ValueError if it is not a text on one line."""
    label = str(content.get("label", "")).strip()
    if not label.isprintable() or len(label) > LONGEST_LABEL:
        raise ValueError(f"a label is a text on one line of at most {LONGEST_LABEL} characters")
    return label


def author_of(request: Request) -> str:
    """Return the name of who asks; "page" where no login is needed."""
    visitor = getattr(request.state, VISITOR, None)
    return "page" if visitor is None else visitor.name
