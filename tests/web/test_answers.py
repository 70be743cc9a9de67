"""What is wrong is said in one line, with a status that says whose fault it is."""

from __future__ import annotations

import sqlite3

import pytest

from edgecls.errors import DataError, SinkError
from edgecls.web.answers import NotPossibleError, NotThereError, answered

FULL = OSError(28, "No space left on device", "/data/models/a.onnx")


def because(error, cause):
    """Return an error that another one has caused."""
    error.__cause__ = cause
    return error


def full_database():
    """The error of a database whose disk is full."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (NotThereError("no such store"), 404, "no such store"),
        (FileNotFoundError(2, "No such file or directory", "/data/clips/a.mp4"), 404, "a.mp4 cannot be used (No such file or"),
        (NotPossibleError("not now"), 409, "not now"),
        (ValueError("expected a label"), 400, "expected a label"),
        (DataError("pictures: the store cannot be used"), 503, "pictures: the store"),
        (PermissionError(13, "Permission denied", "/data/a.onnx"), 503, "a.onnx cannot be used (Permission denied)"),
        (OSError(5, "Input/output error"), 503, "a file cannot be used (Input/output error)"),
        (FULL, 507, "a.onnx cannot be used (No space left on device); free some space on its disk, then try again"),
        (OSError(122, "Disk quota exceeded"), 507, "a file cannot be used (Disk quota exceeded); free some space"),
        (because(SinkError("a.onnx: cannot be written"), FULL), 507, "a.onnx: cannot be written"),
        (because(NotPossibleError("not placed"), because(SinkError("x"), FULL)), 507, "not placed"),
        (because(DataError("pictures: the store cannot be used (full)"), full_database()), 507, "pictures: the store cannot"),
    ],
)
def test_each_error_has_its_status_and_one_line(error, status, line):
    """Nobody is told that something is missing because a disk is full, and no folder is named."""

    def fail():
        raise error

    answer = answered(fail)
    assert answer.status_code == status
    text = answer.body.decode()
    assert text.startswith(line)
    assert text.count("\n") == 1
    assert "/data" not in text
