"""What lies beside a model file: the ladder of its export, and its report. No other file is ever opened."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.files.reading import read_small
from edgecls.model.ladder import VERSION
from edgecls.text.strict_json import loads

if TYPE_CHECKING:
    from edgecls.model.card import ModelCard

LARGEST_LADDER, LARGEST_REPORT = 1 << 20, 64 << 20
MOST_RUNGS = 100
NUMBERS = ("top1", "macro_recall", "worst_recall", "agreement", "calibration_error", "bytes", "us", "p99_us", "macro_f1")
TEXTS = ("name", "worst_class", "refused")


def ladder_of(model: str, card: ModelCard) -> tuple[dict[str, Any] | None, str]:
    """Return the ladder beside a model for JSON, and why there is none, both empty if the export has written none."""
    path = Path(model).with_suffix(".ladder.json")
    try:
        record = loads(read_small(path, LARGEST_LADDER).decode("utf-8"))
        if record["version"] != VERSION:
            return None, f"{path.name} has version {str(record['version'])[:20]}, this edgecls knows {VERSION}; update edgecls"
        ladder = {name: str(record.get(name, "")) for name in ("target", "processor", "chosen", "measured_on", "tested_on")}
        rungs = [_rung(rung) for rung in record["rungs"][:MOST_RUNGS]]
        left_out = [{name: str(one[name]) for name in ("name", "why")} for one in record.get("left_out", ())[:MOST_RUNGS]]
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None, f"{path.name} cannot be read; export the model again to have its ladder"
    if ladder["chosen"] != card.scheme or card.measured_on not in (ladder["measured_on"], ladder["tested_on"]):
        return None, f"{path.name} belongs to another model: the file may have been swapped since"
    return {**ladder, "timed_here": bool(record.get("timed_here")), "rungs": rungs, "left_out": left_out}, ""


def report_of(model: str) -> Path | None:
    """Return the report page beside a model: M.html, M.report.html or report.html; None if there is none."""
    path = Path(model)
    for name in (f"{path.stem}.html", f"{path.stem}.report.html", "report.html"):
        found = path.with_name(name)
        try:
            if stat.S_ISREG(found.lstat().st_mode):  # a link may lead anywhere
                return found
        except OSError:
            continue
    return None


def read_report(model: str) -> bytes | None:
    """Return the report page beside a model. Raises OSError if it cannot be read, EdgeclsError if it is too large."""
    path = report_of(model)
    return None if path is None else read_small(path, LARGEST_REPORT)


def _rung(record: Any) -> dict[str, Any]:
    numbers = {name: _number(record.get(name)) for name in NUMBERS}
    return {**{name: str(record.get(name, "")) for name in TEXTS}, **numbers}


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if type(value) not in (int, float):
        raise TypeError("expected a number")
    return float(value)
