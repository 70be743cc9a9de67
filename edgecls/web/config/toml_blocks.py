"""A TOML text in parts: its headers, such as [[camera.zone]], with what stands under each."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls.settings.toml_lines import beginnings

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = re.compile(r"[ \t]*\[")


@dataclass
class Block:
    """A header, such as `[[camera.zone]]`, and what stands under it up to the next one."""

    path: tuple[str, ...]
    header: str
    body: str

    @property
    def text(self) -> str:
        """Header and body."""
        return self.header + self.body


def split(text: str) -> list[Block]:
    """Split a text at its headers. The first block has none. Comments before a header, up to the last empty line before
    them, belong to the header.
    """
    lines = text.splitlines(keepends=True)
    starts = [number - 1 for number in beginnings(text) if number <= len(lines) and _HEADER.match(lines[number - 1])]
    ends = [*starts, len(lines)]
    blocks = [Block((), "", "".join(lines[: ends[0]]))]
    for start, end in zip(starts, ends[1:], strict=True):
        body, leading = parted(blocks[-1].body)
        blocks[-1].body = body
        blocks.append(Block(path_of(lines[start]), leading + lines[start], "".join(lines[start + 1 : end])))
    return blocks


def parted(body: str) -> tuple[str, str]:
    """Split off the comments and empty lines at the end of a block that belong to what follows: from the first empty line on,
    or all if there is none.
    """
    lines = body.splitlines(keepends=True)
    first = len(lines)
    while first and (not lines[first - 1].strip() or lines[first - 1].lstrip().startswith("#")):
        first -= 1
    cut = next((i for i in range(first, len(lines)) if not lines[i].strip()), first)
    return "".join(lines[:cut]), "".join(lines[cut:])


def path_of(header: str) -> tuple[str, ...]:
    """Return the names in a header."""
    value: Any = tomllib.loads(header)
    names = []
    while value:
        value = value[0] if isinstance(value, list) else value
        if value:
            ((name, value),) = value.items()
            names.append(name)
    return tuple(names)


def place_of(blocks: Sequence[Block], block: Block) -> int:
    """Return the index of this very block."""
    return next(i for i, one in enumerate(blocks) if one is block)
