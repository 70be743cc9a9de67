"""Generate the tables in docs/: options of the commands, settings of cameras.toml, public names.

With `--check` it only compares, and exits with 1 if a page is out of date. A table is between a line that names it and
`<!-- end -->`:

    <!-- options: run -->        the options of `edgecls run`
    <!-- settings: camera -->    the settings of the table [[camera]] of cameras.toml; a single dot is the whole file
    <!-- names -->               what `import edgecls` offers

Names, types, choices and defaults come from the code; the descriptions of settings from scripts/reference.toml.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from typer.main import get_command

import edgecls
from edgecls.cli.entry import app

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS, WORDS = Path("docs"), Path("scripts/reference.toml")
PLACE = re.compile(r"(<!-- (options: [\w-]+|settings: [\w.]+|names) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]  # the app has several commands
DEFAULT = re.compile(r"\s*\[default: (.+?)\]$")
VALUES = {int: "N", float: "X"}
SAME = {"camera.zone.state": "camera.state", "bundle.trial": "shadow.trial"}
"""Tables with the same settings as another, which are shown once."""


class OutdatedError(Exception):
    """A page or scripts/reference.toml does not match the code."""


def main() -> int:
    """Write the tables, or report with `--check` which are out of date."""
    check = sys.argv[1:] == ["--check"]
    try:
        pages = {path: made(path.read_text(encoding="utf-8")) for path in sorted(DOCS.glob("*.md"))}
        check_complete(pages)
    except OutdatedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    behind = [path for path, text in pages.items() if text != path.read_text(encoding="utf-8")]
    for path in behind:
        if check:
            print(f"error: {path} is out of date; update it with: python scripts/reference.py", file=sys.stderr)
        else:
            path.write_text(pages[path], encoding="utf-8")
            print(f"{path}: written")
    return 1 if check and behind else 0


def made(page: str) -> str:
    """Return the text of a page with up-to-date tables."""
    return PLACE.sub(lambda place: f"{place[1]}{table(place[2])}{place[4]}", page)


def check_complete(pages: dict[Path, str]) -> None:
    """Check that every table is in a page and that every description belongs to a setting. Raises OutdatedError."""
    there = {place[2] for page in pages.values() for place in PLACE.finditer(page)}
    tables = {(place.split(".")[0] if place.startswith("sink") else SAME.get(place, place)) or "." for place in settings()}
    wanted = {f"options: {name}" for name in COMMANDS} | {"names"} | {f"settings: {place}" for place in tables}
    if missing := sorted(wanted - there):
        raise OutdatedError(f"no page in {DOCS} has a table for {', '.join(missing)}")
    known = {key for place, rows in settings().items() for name in rows for key in keys(place, name)}
    if strange := sorted(set(words()) - known):
        raise OutdatedError(f"{WORDS} describes {', '.join(strange)}, which are not settings")


def table(place: str) -> str:
    """Return the lines of a table."""
    kind, _, name = place.partition(": ")
    if kind == "names":
        rows: Iterator[tuple[str, ...]] = names()
        head: tuple[str, ...] = ("name", "")
    elif kind == "options":
        if name not in COMMANDS:
            raise OutdatedError(f"there is no command {name!r}")
        rows, head = options(name), ("option", "default", "")
    else:
        rows, head = rows_of("" if name == "." else name), ("setting", "value", "default", "")
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def options(command: str) -> Iterator[tuple[str, str, str]]:
    """Yield each argument and option of a command: its form, default and help."""
    kinds = get_type_hints(inspect.unwrap(COMMANDS[command].callback))
    for parameter in COMMANDS[command].params:
        if "--help" not in parameter.opts:
            text = " ".join((getattr(parameter, "help", None) or "").split())
            said = DEFAULT.search(text)
            default = said[1] if said else shown(parameter)
            yield f"`{written(parameter, kinds.get(parameter.name))}`", default, DEFAULT.sub("", text).strip()


def written(parameter: Any, kind: Any) -> str:
    """Return an option as it is written, with the name of its value."""
    metavar = parameter.metavar or next((name for of, name in VALUES.items() if of in (kind, *get_args(kind))), "TEXT")
    if parameter.param_type_name == "argument":
        return f"{parameter.metavar or parameter.name.upper()}"
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} {metavar}"


def shown(parameter: Any) -> str:
    """Return the default of an option as shown by --help."""
    said, default = getattr(parameter, "show_default", None), parameter.default
    if isinstance(said, str):
        return said
    if default is True:
        return "on"
    return f"{default:g}" if isinstance(default, float) else str(default) if isinstance(default, (int, str)) and default else ""


def settings() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the settings of each table of cameras.toml, by path, from its JSON Schema.

    Each kind of sink is a table of its own, called sink.KIND.
    """
    whole = schema()
    found: dict[str, dict[str, dict[str, Any]]] = {}

    def visit(place: str, node: dict[str, Any]) -> None:
        properties = node["properties"]
        found[place] = {name: {**of, "required": name in node.get("required", ())} for name, of in properties.items()}
        for name, of in properties.items():
            inner = of.get("items", of)
            path = f"{place}.{name}".lstrip(".")
            tables_of = [one["$ref"] for one in inner.get("oneOf", [inner]) if "$ref" in one]
            for reference in tables_of:
                table_of = whole["$defs"][reference.rsplit("/", 1)[1]]
                visit(path if len(tables_of) == 1 else f"{path}.{kind_of(table_of)}", table_of)

    visit("", whole)
    return found


def kind_of(node: dict[str, Any]) -> str:
    """Return the kind of sink that a table describes."""
    kind: str = node["properties"]["kind"]["const"]
    return kind


@functools.cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of cameras.toml."""
    printed = subprocess.run(
        [sys.executable, "-m", "edgecls", "check-config", "--schema"], capture_output=True, text=True, check=True
    )
    read: dict[str, Any] = json.loads(printed.stdout)
    return read


def words() -> dict[str, str]:
    """Return the description of each setting, by its path."""
    read = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return {f"{place}.{name}" if place != "file" else name: text for place, rows in read.items() for name, text in rows.items()}


def keys(place: str, name: str) -> tuple[str, str]:
    """Return the keys of a setting's description: its full path, or the last name of its table and its own name."""
    return f"{place}.{name}".lstrip("."), f"{place.rpartition('.')[2]}.{name}".lstrip(".")


def rows_of(place: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of a table of settings. `sink` includes all kinds of sinks, with their nested tables."""
    tables = settings()
    if place != "sink" and place not in tables:
        raise OutdatedError(f"cameras.toml has no table {place!r}")
    for path, rows in tables.items():
        if path != place and not (place == "sink" and path.startswith("sink.")):
            continue
        kind, _, inner = path.removeprefix("sink.").partition(".") if place == "sink" else ("", "", "")
        if place == "sink" and not inner:
            yield f"**`{kind}`**", "", "", ""
        yield from _rows(path, rows, prefix=f"{inner}." if inner else "")


def _rows(place: str, rows: dict[str, dict[str, Any]], *, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    told = words()
    for name, of in rows.items():
        if "const" in of:
            continue
        text = next((told[key] for key in keys(place, name) if key in told), None)
        if text is None:
            raise OutdatedError(f"{WORDS} does not say what {keys(place, name)[0]} is for")
        yield f"`{prefix}{name}`", value(of), "required" if of["required"] else as_toml(of.get("default")), text


def value(of: dict[str, Any]) -> str:
    """Return the possible values of a setting."""
    if "enum" in of:
        return ", ".join(f"`{choice}`" for choice in of["enum"])
    if "$ref" in of:
        return "a table"
    if "oneOf" in of:
        return " or ".join(value(one) for one in of["oneOf"])
    if of.get("type") == "array":
        inner = of["items"]
        if "$ref" in inner or "oneOf" in inner:
            return "tables"
        if "maxItems" not in of:
            return f"list of {value(inner)}"
        return f"{of['maxItems']} {value(inner)}s" if inner.get("type") != "array" else f"{of['maxItems']} times {value(inner)}"
    if "anyOf" in of:
        return "area"
    kinds = of.get("type", "")
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return " or ".join(names.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def as_toml(default: Any) -> str:
    """Return a default in TOML syntax; "" if there is none."""
    if default is None or default in ("", []):
        return ""
    return f"`{json.dumps(default)}`" if not isinstance(default, float) else f"`{default:g}`"


def names() -> Iterator[tuple[str, str]]:
    """Yield each public name with the first sentence of its docstring."""
    for name in sorted(edgecls.__all__, key=str.lower):
        if name.startswith("__"):
            continue
        text = " ".join((inspect.getdoc(getattr(edgecls, name)) or "").split())
        yield f"`{name}`", re.split(r"(?<=\.) ", text, maxsplit=1)[0]


if __name__ == "__main__":
    sys.exit(main())
