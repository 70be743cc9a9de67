"""Tests of `edgecls doctor` in a script and for a person."""

from __future__ import annotations

import json

from edgecls.doctor import Finding, folded


def test_text_and_json_say_the_same(edgecls, light_model):
    """The text has a line for each check in the JSON, but one for all absent devices; `ok` matches the exit code."""
    text, record = edgecls("doctor", light_model), edgecls("doctor", light_model, "--json")
    told = json.loads(record.stdout)
    lines = [line.split()[0] for line in text.stdout.splitlines() if not line.startswith(" ")]
    shown = folded([Finding(**check) for check in told["checks"]])
    assert lines == [finding.status for finding in shown]
    assert told["ok"] is (record.returncode == 0) is (text.returncode == 0)
    assert set(told["checks"][0]) == {"name", "status", "found", "fix"}


def test_a_problem_is_exit_code_1(edgecls):
    """A missing model is a line with a fix, and exit code 1."""
    done = edgecls("doctor", "missing.onnx")
    assert done.returncode == 1
    assert "problem " in done.stdout
    assert "fix: make one with: edgecls export" in done.stdout
    assert done.stderr == ""
