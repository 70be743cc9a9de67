"""A TOML text in parts: its headers, such as [[camera.zone]], with what stands under each, and changes of these parts."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgecls.extras import load
from edgecls.settings.toml_lines import beginnings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def remove(blocks: list[Block], group: Sequence[Block]) -> None:
    """Remove blocks; comments that stand apart, by an empty line, stay."""
    for block in group:
        place = place_of(blocks, block)
        *lines, _ = block.header.splitlines(keepends=True)
        leading = "".join(lines)
        apart = leading.rfind("\n\n") + 1
        _, trailing = parted(block.body) if block is blocks[-1] else ("", "")
        kept = (leading[:apart] if leading[:apart].strip() else "") + trailing
        del blocks[place]
        blocks[place - 1].body += kept


def edit(blocks: Sequence[Block], block: Block, act: Callable[[Any], None]) -> None:
    """Change the keys under a header: `act` gets them as a table of tomlkit, which keeps comments and order."""
    tomlkit = load("tomlkit", extra="web", purpose="Changing cameras.toml")
    keys, rest = parted(block.body) if block is blocks[-1] else (block.body, "")
    table = tomlkit.parse(keys)
    before, indent = set(table), re.match(r"[ \t]*", keys.lstrip("\n"))
    act(table)
    for key in [key for key in table if key not in before]:
        table.item(key).trivia.indent = indent[0] if indent else ""
    block.body = tomlkit.dumps(table) + rest
