"""A request and an answer, apart from the server, which takes long to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import Message


class Request(NamedTuple):
    """A request."""

    method: str
    path: str
    query: str
    headers: Message


class Answer(NamedTuple):
    """An answer. `status` is a code with its reason, such as "200 OK"."""

    status: str
    headers: Sequence[tuple[str, str]]
    body: bytes
