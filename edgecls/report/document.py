"""The HTML document around the content of a page. It loads nothing, needs no script, and can be mailed."""

from __future__ import annotations

from pathlib import Path

from edgecls._version import __version__
from edgecls.errors import ConfigError
from edgecls.files import whole_file
from edgecls.files.advice import of_no_folder
from edgecls.report.markup import Markup, joined, tag
from edgecls.report.style import policy, script, style


def document(title: str, body: Markup) -> str:
    """Return a whole HTML document with the style sheet, the script that sorts tables, and a footer."""
    foot = tag("footer", f"Written by edgecls {__version__}.")
    sorting = script()
    head = joined(
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy(sorting)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(style())),
    )
    main = tag("body", tag("main", body, foot), tag("script", Markup(sorting)))
    return f"<!DOCTYPE html>\n{tag('html', tag('head', head), main, lang='en')}\n"


def check_place(path: str | Path) -> Path:
    """Return the path after checking that a report can be written there. Raises ConfigError."""
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise ConfigError(f"report {path}: expected a file name that ends in .html")
    if fault := of_no_folder(path.parent):
        raise ConfigError(f"report {path}: {fault}")
    return path


def write_document(content: str, path: str | Path) -> None:
    """Write an HTML document atomically. Raises ConfigError if it cannot be written."""
    try:
        with whole_file(path) as beside:
            beside.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"report {error}; or choose another place") from error
