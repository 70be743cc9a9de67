"""Values of settings, records and tables become others: what the format allows and nobody expects.

Most of them stay of their kind, so that they pass the first check and reach what stands behind it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 10**400, -0.0, 1e-320, 1e308, float("inf"), float("nan"), "", " ",
    "\x00", "\n", "é", "\ud800", "x" * 5000, [], {}, [[]], [None], {"a": {}}, [0] * 3000, "1", "1e999",
)  # fmt: skip
"""What takes the place of a value of any kind."""
TEXTS = (
    "", " ", "x", "0", "-1", "é", "e\u0301", "\u202e", "\U0001f600", "\ud800", "\x00", "\x1b[2J", "\n", "a/b", ".", "~",
    "-", "x" * 300, "x" * 5000, "${HOME}", "${NOT_SET}", "%s", "{0}", "{camera}", "{start}", "*", "+/#", "a,b;c", '"', "'",
    "\\", "frame", "motion", "unknown", "nan", "con", "a b", "C:\\a", "file:///dev/zero", "/dev/full", "/dev/stdin", "CPU",
)  # fmt: skip
WHOLE = (0, 1, -1, 2, 3, 7, 255, 256, 10_000, 10**6, 2**31 - 1, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63))
REAL = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-9,
    1e-320,
    0.1,
    59.94,
    1e3,
    1e6,
    1e9,
    1e15,
    1e30,
    1e300,
    -1e300,
    math.nan,
    math.inf,
    -math.inf,
)
DEEP = 400
"""So deep are lists nested at times."""


class _Again(str):
    """A key that stands beside an equal one, as a file may have it and no dict."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]  # by identity

    def __eq__(self, other: object) -> bool:
        return self is other


@st.composite
def in_json(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to three values of a JSON document become others, are left out or stand there twice."""
    root = _changed(draw, json.loads(seed))
    text = json.dumps(root, ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", draw(st.sampled_from(("surrogatepass", "replace"))))


@st.composite
def in_json_lines(draw: st.DrawFn, seed: bytes) -> bytes:
    """As `in_json`, in one line of several; or lines trade places, or stand there twice."""
    lines = seed.splitlines(keepends=True)
    at, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    kind = draw(st.integers(0, 4))
    if kind == 0:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 1:
        lines.insert(other, lines[at])
    else:
        lines[at] = draw(in_json(lines[at])) + draw(st.sampled_from((b"\n", b"\n", b"\r\n", b"")))
    return b"".join(lines)


@st.composite
def in_toml(draw: st.DrawFn, seed: bytes) -> bytes:
    """As `in_json`, in a TOML document."""
    root = _changed(draw, tomllib.loads(seed.decode()))
    text = "".join(f"{_toml(str(key))} = {_toml(value)}\n" for key, value in root.items()) if isinstance(root, dict) else "x"
    return text.encode("utf-8", "surrogatepass")


@st.composite
def in_cells(draw: st.DrawFn, seed: bytes) -> bytes:
    """One to three cells, columns or rows of a CSV table change; at times its quotes, ends of lines or encoding do."""
    text = seed.decode()
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(rows) - 1))
        column = draw(st.integers(0, max(0, len(rows[at]) - 1)))
        kind = draw(st.sampled_from(("cell", "cell", "cell", "leave out", "repeat", "row", "no row", "column")))
        if kind == "cell":
            rows[at][column : column + 1] = [draw(_cell(rows[at][column] if rows[at] else ""))]
        elif kind == "leave out":
            del rows[at][column : column + 1]
        elif kind == "repeat":
            rows[at][column:column] = rows[at][column : column + 1] * draw(st.sampled_from((1, 2, 500)))
        elif kind == "row":
            rows[at:at] = [list(rows[at])] * draw(st.sampled_from((1, 2, 500)))
        elif kind == "no row" and len(rows) > 1:
            del rows[at]
        else:
            rows = [row[:column] + row[column : column + 1] * 2 + row[column + 1 :] for row in rows]
    out = io.StringIO()
    end, quoting = draw(st.sampled_from(("\n", "\r\n", "\r"))), draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
    csv.writer(out, delimiter=draw(st.sampled_from((delimiter, delimiter, ",", ";", "\t"))), quoting=quoting,
               lineterminator=end).writerows(rows)  # fmt: skip
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1")))
    before = draw(st.sampled_from(("", "", "", "sep=;\n", "\n\n", "# list\n", "\ufeff\ufeff")))
    return (before + out.getvalue()).encode(encoding, "replace")


@st.composite
def _cell(draw: st.DrawFn, old: str) -> str:
    backslashes, quoted = old.replace("/", "\\"), f'"{old}"'
    other = st.sampled_from(
        (f" {old} ", old.upper(), f"./{old}", f"C:\\data\\{backslashes}", f"/data/x/{old}", f"../{old}", quoted)
    )
    number = st.sampled_from((*WHOLE, *REAL, 10**400)).map(str)
    return draw(st.one_of(other, number, st.sampled_from([text for text in TEXTS if text != "\ud800"])))


def _changed(draw: st.DrawFn, document: Any) -> Any:
    """The document after one to three changes."""
    root = [document]
    for _ in range(draw(st.integers(1, 3))):
        places = _places(root)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.integers(0, 11))
        if kind == 0 and holder is not root:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[_Again(key)] = deepcopy(draw(odd(holder[key])))
        elif kind == 2 and isinstance(holder, dict):
            holder[draw(st.sampled_from(TEXTS))] = holder[key]
        else:
            holder[key] = deepcopy(draw(odd(holder[key])))
    return root[0]


def odd(value: Any) -> st.SearchStrategy[Any]:
    """What takes the place of a value: mostly something of its kind."""
    return st.one_of(_alike(value), _alike(value), st.sampled_from(VALUES), st.integers(1, DEEP).map(_nested))


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def _alike(value: Any) -> st.SearchStrategy[Any]:
    if isinstance(value, bool) or value is None:
        return st.sampled_from((True, False, None))
    if isinstance(value, int):
        return st.sampled_from((*WHOLE, value + 1, value - 1, -value, value * 1000, float(min(value, 10**300))))
    if isinstance(value, float):
        return st.sampled_from((*REAL, -value, value / 2, value * 2, value * 1e6, value + 1e-9))
    if isinstance(value, str):
        return st.sampled_from(
            (*TEXTS, value * 2, value.upper(), f"{value} ", f" {value}", f"{value}é", value[:-1], f"{value}/x")
        )
    if isinstance(value, list):
        return st.sampled_from(([], value[:1], value[1:], value * 2, value[::-1], value * 300, [value], [*value, None]))
    return st.sampled_from(({}, {**value, "x": 1}, [value], {key.upper(): inner for key, inner in value.items()}))


def _places(root: Any) -> list[tuple[Any, Any]]:
    """Each (list or table, key) in a document."""
    found: list[tuple[Any, Any]] = []
    waiting = [root]
    while waiting:
        holder = waiting.pop()
        for key in range(min(len(holder), 50)) if isinstance(holder, list) else list(holder):
            found.append((holder, key))
            if isinstance(holder[key], list | dict):
                waiting.append(holder[key])
    return found


def _toml(value: Any) -> str:
    """A value as TOML, tables within the line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).replace("Infinity", "inf")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_toml(str(key))} = {_toml(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else str(value or 0)
