"""Calls the command line on a case, and tells what is wrong with the way the call ended."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.conftest import ROOT
from tests.fuzz.state import SECRET

if TYPE_CHECKING:
    from tests.fuzz.case import Case

LIMIT_S = 30.0
MOST_MB = 2048
CODES = frozenset({0, 1, 2, 130, 143})


class Outcome(NamedTuple):
    """How a call ended, and what it wrote."""

    code: int
    hung: bool
    peak_mb: float
    seconds: float
    stdout: str
    stderr: str


@dataclass
class Tally:
    """What the calls of a target came to: how many had which exit code, the highest memory, the longest time and its case."""

    codes: Counter[int] = field(default_factory=Counter)
    peak_mb: float = 0.0
    seconds: float = 0.0
    slowest_s: float = 0.0
    slowest: str = ""

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count a call."""
        self.codes[outcome.code] += 1
        self.peak_mb = max(self.peak_mb, outcome.peak_mb)
        self.seconds += outcome.seconds
        if outcome.seconds > self.slowest_s:
            self.slowest_s, self.slowest = outcome.seconds, repr(case)

    def __str__(self) -> str:
        """All of it in one line."""
        calls = self.codes.total()
        took = f"{calls} calls of {self.seconds / max(1, calls):.2f} s; {dict(self.codes)} by exit code"
        return f"{took}; at most {self.peak_mb:.0f} MB and {self.slowest_s:.1f} s, in {self.slowest[:300]}"


class Caller:
    """Calls the command line through a server that has the libraries loaded, see `tests.fuzz.server`."""

    def __init__(self, *arguments: str) -> None:
        """Start the server."""
        command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.server", *arguments]
        self._server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def call(self, case: Case, name: str) -> tuple[Outcome, str]:
        """Call it on a case of the target `name`. Returns what is wrong too, "" for nothing; the files of what was stay."""
        folder = Path(tempfile.mkdtemp(prefix=f"edgecls-fuzz-{name}-"))
        outcome = self._call(case, folder)
        found = faults(case, outcome)
        if not found:
            shutil.rmtree(folder)
            return outcome, ""
        return outcome, f"{', '.join(found)}\n{case!r}\nin {folder}\n{outcome.stderr[-1500:]}"

    def close(self) -> None:
        """End the server."""
        self._server.communicate()

    def _call(self, case: Case, folder: Path) -> Outcome:
        """Write the case's files into an empty folder and call the command line there."""
        for name, content in case.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        asked = {"argv": [*map(str, case.argv)], "cwd": str(folder), "limit_s": LIMIT_S, "environment": dict(case.environment)}
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        texts = {name: (folder / name).read_bytes().decode(errors="replace") for name in ("stdout", "stderr")}
        return Outcome(**answer, **texts)


def faults(case: Case, outcome: Outcome) -> list[str]:
    """What is wrong with the way a call ended. One line tells why, but `check-config` has one for each sink."""
    found = [f"exit code {outcome.code}"] if outcome.code not in CODES and not outcome.hung else []
    found += [f"no end within {LIMIT_S:g} s"] if outcome.hung else []
    found += [f"{outcome.peak_mb:.0f} MB of memory"] if outcome.peak_mb > MOST_MB else []
    output = outcome.stdout + outcome.stderr
    found += ["a traceback"] if "Traceback (most recent call last)" in output else []
    found += ["a secret in its output"] if SECRET in output else []
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    errors_are_few = len(errors) == 1 or (errors and case.argv[0] == "check-config")
    found += [f"exit code 1 with {len(errors)} lines of error"] if outcome.code == 1 and not errors_are_few else []
    return found + [
        f"no JSON: {line[:80]}" for line in outcome.stdout.splitlines() if line.startswith("{") and not _is_json(line)
    ]


def _is_json(line: str) -> bool:
    """Whether a line is JSON as the standard has it, which knows no NaN."""
    try:
        json.loads(line, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(word: str) -> None:
    raise ValueError(word)
