"""Change the zones, lines, areas and rules of one camera in the text of a cameras.toml, and nothing else of it.

The text is split at its headers, such as [[camera.zone]]. What stands under one header is a list of keys, which tomlkit changes
with all comments, spaces and the order kept; a new zone becomes a new header behind those of its camera. Everything else is
copied byte by byte. Finally the result is parsed by Python's own parser: unless it is exactly what was asked for, nothing is
changed.
"""

from __future__ import annotations

import copy
import os
import re
import tomllib
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls.errors import ConfigError
from edgecls.extras import load
from edgecls.settings.variables import fill, names_in
from edgecls.web.config.toml_blocks import Block, edit, parted, place_of, remove, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TABLES = ("zone", "line")
"""What a camera has lists of."""
LISTS = ("ignore", "private")
"""Areas without a name."""
RULES = ("count_every_s", "state", "track", "left")
"""Settings and tables of a camera that are its rules besides zones and lines."""


class Item(NamedTuple):
    """A zone, a line or an area as it shall be: its place `at` in the file before, None if it is new, and its settings."""

    at: int | None
    value: Any


class Wanted(NamedTuple):
    """What a camera shall have: `items` by the name of its list, in order, and `rules`; others are left out of the file."""

    items: Mapping[str, Sequence[Item]]
    rules: Mapping[str, Any]


def camera_table(text: str, name: str) -> dict[str, Any]:
    """Return zones, lines, areas and rules of a camera as written, with variables such as ${NAME}, and nothing else of it.

    Raises ConfigError if there is no such camera.
    """
    table = tomllib.loads(text)
    camera = table["camera"][_index(table, name)]
    lists = {key: camera.get(key, []) for key in (*TABLES, *LISTS)}
    return {**lists, "rules": {key: camera[key] for key in RULES if key in camera}}


def changed(text: str, name: str, wanted: Wanted) -> str:
    """Return the text of a cameras.toml in which a camera has other zones, lines, areas and rules.

    Args:
        text: The file, with line feeds as line ends.
        name: The camera, as written.
        wanted: All of its zones, lines, areas and rules. Those with a place keep their comments.

    Raises:
        ConfigError: There is no such camera, or the text is written in a way that only its author can change.
    """
    before = tomllib.loads(text)
    number = _index(before, name)
    expected = _expected(before, number, wanted)
    blocks = split(text if text.endswith("\n") or not text else f"{text}\n")
    try:
        _Camera(blocks, number).change(wanted)
        after = "".join(block.text for block in blocks)
        is_right = _bare(tomllib.loads(after)) == _bare(expected)
    except (LookupError, TypeError, ValueError):  # also of tomlkit
        is_right = False
    if not is_right:
        raise ConfigError(f"camera {name!r} is written in a way that the page cannot change; change it in the file")
    return after


def _index(table: Mapping[str, Any], name: str) -> int:
    cameras = table.get("camera", [])
    found = [i for i, camera in enumerate(cameras) if isinstance(camera, dict) and _filled(camera.get("name", "")) == name]
    if len(found) != 1:
        raise ConfigError(f"there is no camera {name!r} in the file")
    return found[0]


def _filled(name: str) -> str:
    """Return a name with its variables filled in, where they are known."""
    return fill(name, os.environ) if all(one in os.environ for one in names_in(name)) else name


def _expected(table: Mapping[str, Any], number: int, wanted: Wanted) -> dict[str, Any]:
    expected = copy.deepcopy(dict(table))
    camera = expected["camera"][number]
    for key, items in wanted.items.items():
        camera[key] = [item.value for item in items]
    for key in RULES:
        camera.pop(key, None)
    camera.update(wanted.rules)
    return expected


def _bare(value: Any) -> Any:
    """Return a value without empty tables and lists, which mean the same as none."""
    if isinstance(value, dict):
        bare = {key: _bare(inner) for key, inner in value.items()}
        return {key: inner for key, inner in bare.items() if inner not in ({}, [])}
    return [_bare(one) for one in value] if isinstance(value, list) else value


class _Camera:
    """Changes the blocks of one camera."""

    def __init__(self, blocks: list[Block], number: int) -> None:
        self._blocks = blocks
        self._tomlkit = load("tomlkit", extra="web", purpose="Changing cameras.toml")
        heads = [block for block in blocks if block.path == ("camera",)]
        self._head = heads[number] if heads else blocks[0]
        self._number = None if heads else number
        """Its place in a list of inline tables, `camera = [{...}]`."""

    def change(self, wanted: Wanted) -> None:
        for key, items in wanted.items.items():
            if key in TABLES and self._number is None and not self._has(key):
                self._change_blocks(key, items)
            else:
                self._edit(partial(self._change_list, key=key, items=items))
        own = {block.path[1]: block for block in self._own() if len(block.path) == 2 and block.path[1] in RULES}
        for key, block in own.items():
            if key in wanted.rules:
                edit(self._blocks, block, partial(self._update, value=wanted.rules[key]))
            else:
                remove(self._blocks, [block])
        rest = {key: value for key, value in wanted.rules.items() if key not in own}
        self._edit(lambda camera: self._update(camera, rest, only=[key for key in RULES if key not in own]))

    def _own(self) -> list[Block]:
        """Return the blocks of the camera besides its own, in order."""
        if self._number is not None:
            return []
        start = place_of(self._blocks, self._head) + 1
        later = self._blocks[start:]
        end = next((i for i, block in enumerate(later) if block.path == ("camera",)), len(later))
        return [block for block in later[:end] if block.path[0] == "camera"]

    def _has(self, key: str) -> bool:
        """Return whether the camera's own block has a key."""
        return key in self._tomlkit.parse(self._head.body)

    def _change_blocks(self, key: str, items: Sequence[Item]) -> None:
        """Change a list whose members have a header each, as [[camera.zone]]."""
        groups: list[list[Block]] = []
        for block in self._own():
            if block.path == ("camera", key):
                groups.append([block])
            elif block.path[:2] == ("camera", key):
                groups[-1].append(block)
        kept = {item.at for item in items}
        for i, group in enumerate(groups):
            if i not in kept:
                remove(self._blocks, group)
        for item in items:
            if item.at is not None:
                self._change_group(groups[item.at], item.value)
        for item in items:
            if item.at is None:
                self._insert(key, self._fresh(item.value))

    def _change_group(self, group: list[Block], value: Mapping[str, Any]) -> None:
        """Change a zone or a line, whose inner tables may have headers too."""
        own = {block.path[2]: block for block in group[1:]}
        for key, block in own.items():
            if key in value:
                edit(self._blocks, block, partial(self._update, value=value[key]))
            else:
                remove(self._blocks, [block])
        rest = {key: inner for key, inner in value.items() if key not in own}
        edit(self._blocks, group[0], lambda table: self._update(table, rest))

    def _insert(self, key: str, body: str) -> None:
        """Add a member behind the others of its list, or behind everything of the camera."""
        own = [self._head, *self._own()]
        last = next((block for block in reversed(own) if block.path[:2] == ("camera", key)), own[-1])
        rest = ""
        if last is self._blocks[-1]:  # what belongs to a next header stays at the end
            last.body, rest = parted(last.body)
        indent = (re.match(r"[ \t]*", last.header.split("\n")[-2] if last.header else "") or [""])[0]
        lines = "".join(f"{indent}{line}\n" for line in body.splitlines())
        new = Block(("camera", key), f"\n{indent}[[camera.{key}]]\n", lines + rest)
        self._blocks.insert(place_of(self._blocks, last) + 1, new)

    def _edit(self, act: Callable[[Any], None]) -> None:
        """Change the keys of the camera's own block, or of its inline table."""
        number = self._number
        edit(self._blocks, self._head, act if number is None else lambda table: act(table["camera"][number]))

    def _fresh(self, value: Mapping[str, Any]) -> str:
        table = self._tomlkit.document()
        self._update(table, value)
        text: str = self._tomlkit.dumps(table)
        return text

    def _change_list(self, camera: Any, key: str, items: Sequence[Item]) -> None:
        """Change a list in brackets."""
        if not items:
            camera.pop(key, None)
            return
        if key not in camera:
            camera[key] = self._tomlkit.item([])
        found = camera[key]
        kept = {item.at: item.value for item in items if item.at is not None}
        for i, value in kept.items():
            if isinstance(value, dict):
                self._update(found[i], value)
            elif _value(found[i]) != value:
                found[i] = self._plain(value)
        for i in reversed(range(len(found))):
            if i not in kept:
                del found[i]
        for item in items:
            if item.at is None:
                found.append(self._plain(item.value))

    def _update(self, table: Any, value: Mapping[str, Any], only: Sequence[str] | None = None) -> None:
        """Give a table other values. What stays the same is not touched. `only` names the keys to look at."""
        for key in [key for key in table if key not in value and (only is None or key in only)]:
            del table[key]
        for key, inner in value.items():
            if key in table and isinstance(inner, dict) and isinstance(table[key], dict):
                self._update(table[key], inner)
            elif key in table and _is_alike(_value(table[key]), inner):
                for i, one in enumerate(inner):
                    if _value(table[key][i]) != one:
                        table[key][i] = self._plain(one)
            elif key not in table or _value(table[key]) != inner:
                table[key] = self._plain(inner)

    def _plain(self, value: Any) -> Any:
        """Return a value in one line: tables in braces, lists in brackets."""
        if not isinstance(value, dict):
            return self._tomlkit.item(value)
        table = self._tomlkit.inline_table()
        for key, inner in value.items():
            table.append(key, self._plain(inner))
        return table


def _is_alike(before: Any, after: Any) -> bool:
    """Return whether both are lists of one length, so that members may change one by one."""
    return isinstance(before, list) and isinstance(after, list) and len(before) == len(after)


def _value(item: Any) -> Any:
    return item.unwrap() if hasattr(item, "unwrap") else item
