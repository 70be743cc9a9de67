"""How routes answer: values as JSON, and what is wrong in one line, with a status that says whose fault it is."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response

from edgecls.errors import EdgeclsError
from edgecls.files.writing import FULL
from edgecls.store.store import LONGEST_LABEL
from edgecls.text.strict_json import dumps, loads
from edgecls.web.login.guard import VISITOR

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

BAD_REQUEST, NOT_FOUND, NOT_POSSIBLE, NOT_READABLE, NO_SPACE = 400, 404, 409, 503, 507


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
    except (NotPossibleError, EdgeclsError) as error:
        usual = NOT_POSSIBLE if isinstance(error, NotPossibleError) else NOT_READABLE
        return PlainTextResponse(f"{error}\n", NO_SPACE if is_full(error) else usual)
    except (FileNotFoundError, NotADirectoryError) as error:  # a recording or picture that the quota has just removed
        return PlainTextResponse(f"{fault_of(error)}\n", NOT_FOUND)
    except OSError as error:
        return PlainTextResponse(f"{fault_of(error)}\n", NO_SPACE if is_full(error) else NOT_READABLE)
    except ValueError as error:
        return PlainTextResponse(f"{error}\n", BAD_REQUEST)


def is_full(error: BaseException | None) -> bool:
    """Return whether an error comes from a disk that is full."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def fault_of(error: OSError) -> str:
    """Return in one line what an error of the system says, with the name of the file and what to do."""
    name = PurePath(str(error.filename)).name if error.filename else "a file"
    found = f"{name} cannot be used ({error.strerror or error})"
    return f"{found}; free some space on its disk, then try again" if is_full(error) else found


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
