"""What library calls say when nobody gave them a function to say it with."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from edgecls import read_labels
from edgecls.log import log_progress, log_warning
from tests.conftest import ROOT

LINE = '{"camera": "a", "frame": 0, "time_s": 0.0, "detections": []}'


def test_a_library_call_logs_what_it_has_to_say(tmp_path, caplog):
    """As a warning of the logger "edgecls": here of a recording whose last line is cut off."""
    recording = tmp_path / "labels.jsonl"
    recording.write_text(f"{LINE}\n{LINE[:20]}")
    assert len(list(read_labels(recording))) == 1
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("edgecls", logging.WARNING)
    assert str(recording) in record.getMessage()


@pytest.mark.parametrize("line", ["cannot reach rtsp://ann:secret@camera/1", "a line\nof two \x1b[31mcolours"])
@pytest.mark.parametrize("log", [log_warning, log_progress])
def test_a_line_is_one_line_without_secrets(line, log, caplog):
    """Passwords and control characters do not reach the log."""
    caplog.set_level(logging.INFO, "edgecls")
    log(line)
    (message,) = caplog.messages
    assert "secret" not in message
    assert "\x1b" not in message


def test_progress_is_information_and_a_warning_is_one(caplog):
    """A tool's lines are seen by who asks for them; its warnings by everybody."""
    caplog.set_level(logging.INFO, "edgecls")
    log_progress("4 classes")
    log_progress("warning: 12 pictures are too few")
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.INFO, "4 classes"),
        (logging.WARNING, "12 pictures are too few"),
    ]


def test_without_configuration_python_prints_warnings_on_stderr():
    """A script that knows nothing of logging still hears of trouble, and of nothing else."""
    code = "from edgecls.log import log_progress, log_warning; log_progress('of no interest'); log_warning('lost 3 events')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "lost 3 events\n")
