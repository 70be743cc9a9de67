"""Tests of stdout and stderr that are closed or full, or get control characters."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecls.cli import main
from edgecls.cli.terminal import Stderr, Stdout, UnwritableError
from tests.conftest import ROOT

EDGECLS = f"{sys.executable} -m edgecls"
MODEL = ROOT / "models" / "street.onnx"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def shell(command):
    """Run a shell command in which `edgecls` is this one."""
    script = f'edgecls() {{ {EDGECLS} "$@"; }}; {command}'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("edgecls info {model} >&-", 1, "error: cannot write to stdout (it is closed"),
        ("edgecls --version >&-", 1, "error: cannot write to stdout (it is closed"),
        pytest.param("edgecls info {model} >/dev/full", 1, "error: cannot write to stdout (No space left", marks=needs_full),
        pytest.param("edgecls --help >/dev/full", 1, "error: cannot write to stdout (No space left", marks=needs_full),
        pytest.param("edgecls info {model} 2>/dev/full", 0, "", marks=needs_full),
        pytest.param("edgecls info nothing.onnx 2>/dev/full", 1, "", marks=needs_full),
        ("edgecls info nothing.onnx 2>&-", 1, ""),
        ("edgecls info {model} | head -c 1; exit ${{PIPESTATUS[0]}}", 0, ""),
        ("edgecls --help | true; exit ${{PIPESTATUS[0]}}", 0, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_one_line_or_none(command, code, told):
    """Lost data is one line and exit code 1; a lost message changes nothing."""
    ended = shell(command.format(model=MODEL))
    assert ended.returncode == code
    assert len(ended.stderr.splitlines()) == bool(told)
    assert ended.stderr.startswith(told)


def test_control_characters_and_secrets_are_hidden_in_every_message():
    """Usage errors of the option parser and our own errors are printed the same way."""
    ended = shell(
        r"edgecls info $'a\x1b[31m\u202e.onnx'; edgecls info a.onnx rtsp://adm:zzkw@host/1; edgecls run -s a -x zz://a:zzkw@b"
    )
    assert ended.stderr.startswith("error: a\\x1b[31m\\u202e.onnx:")
    assert "rtsp://***@host/1" in ended.stderr
    assert "zzkw" not in ended.stderr
    assert "\x1b" not in ended.stderr


def test_a_connection_that_breaks_is_no_reader_of_stdout_that_leaves(monkeypatch, capsys):
    """Only a closed stdout ends a command with 0."""

    def fail(*_args, **_options):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("edgecls.model.classifier.Classifier.load", fail)
    monkeypatch.setattr(sys, "argv", ["edgecls", "predict", str(MODEL), "a.png"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "BrokenPipeError" in capsys.readouterr().err


def stream(kind, raw, **given):
    """Return a stream of a kind over raw bytes."""
    return kind(io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"), **given)


class Full(io.RawIOBase):
    """A file on a full disk."""

    def writable(self):
        """Whether it is writable: it is."""
        return True

    is_full = True

    def write(self, data):
        """Fail, because nothing fits."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        return len(data)

    def fileno(self):
        """Return its own descriptor, which is replaced when nothing can be written."""
        return self.number


@pytest.fixture
def full():
    """Return a file on a full disk, with a real descriptor."""
    raw = Full()
    raw.number = os.open(os.devnull, os.O_WRONLY)
    yield raw
    os.close(raw.number)


def test_a_full_stdout_is_an_error_and_a_full_stderr_none(full):
    """Data is never lost silently, and a message never ends a run."""
    out, err = stream(Stdout, full), stream(Stderr, full)
    with pytest.raises(UnwritableError, match="No space left"):
        print("x", file=out, flush=True)
    print("x", file=err, flush=True)
    full.is_full = False  # else it would fail again when the streams are closed


def test_a_traceback_in_pieces_has_no_secret():
    """Python writes a traceback in pieces, and an address may be split between two of them."""
    raw = io.BytesIO()
    raw_stream = Stderr(io.TextIOWrapper(raw, encoding="utf-8"))
    for piece in ("ValueError: rtsp://adm:", "zzkw@host/1\n", "\x1b[2J\n"):
        raw_stream.write(piece)
    raw_stream.flush()
    assert raw.getvalue() == b"ValueError: rtsp://***@host/1\n\\x1b[2J\n"


def test_the_file_of_a_stream_outlives_it():
    """Python writes to it at the end, for example an uncaught exception."""
    raw = io.BytesIO()
    shared = io.TextIOWrapper(raw, encoding="utf-8")
    own = Stderr(shared)
    own.write("begun")
    del own
    print(" and ended", file=shared, flush=True)
    assert raw.getvalue() == b"begun and ended\n"


def test_a_fault_that_nobody_expected_shows_its_traceback_without_secrets():
    """The exit code is 1; the message may contain an address."""
    script = (
        "import sys; from edgecls.cli import entry\n"
        "def broken(**_): raise RuntimeError('rtsp://adm:zzkw@host/1')\n"
        "entry.application = lambda _: broken; sys.argv = ['edgecls', 'info']; entry.main()"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
    assert "RuntimeError: rtsp://***@host/1" in ended.stderr
    assert "zzkw" not in ended.stderr
