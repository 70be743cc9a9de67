"""The command line: one file for each command, which parses, calls one function and prints.

Data goes to stdout, talk and progress to stderr. Exit codes: 0 done, 1 a known failure (one line on stderr), 2 usage,
130 Ctrl-C, 143 SIGTERM. Importing this module loads no OpenCV, ONNX Runtime, Keras or TensorFlow: help comes at once.
"""

from __future__ import annotations

import functools
import io
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

import edgecls
from edgecls.cli import adopt, bench, check_config, doctor, evaluate, export, info, predict, replay, run, summary, train
from edgecls.cli.talk import data, say
from edgecls.errors import EdgeclsError, redact

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_debug = False

app = typer.Typer(
    name="edgecls",
    help="From labelled pictures to trustworthy labels on live cameras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def main() -> None:
    """Run the command line and exit."""
    global _debug  # noqa: PLW0603 - one process, one command line
    if isinstance(sys.stdout, io.TextIOWrapper):  # data is UTF-8 everywhere, whatever the locale of a pipe would be
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    _debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(prog_name="edgecls")
    except SystemExit as end:
        _leave_readers(end.code if isinstance(end.code, int) else 0)
        raise


def _version(wanted: bool) -> None:
    if wanted:
        data(f"edgecls {edgecls.__version__}")
        raise typer.Exit


def _leave_readers(code: int) -> None:
    """End at once if a reader is still inside a read that cannot be broken off: all that was to be written is written."""
    if any(thread.name.startswith("read ") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure; works after the command too.")
    ] = False,
) -> None:
    """Take the options that stand before the command; their callbacks and `main` have acted on them."""


def _guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what a command raises into its one line and its exit code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:  # the reader of stdout has left, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except EdgeclsError as error:
            if _debug:
                say(redact(traceback.format_exc()))
            say(f"error: {error}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt as error:  # from the keyboard, or with the number of a second signal
            number = signal.Signals(error.args[0] if error.args else signal.SIGINT)
            say(f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}")
            raise typer.Exit(128 + number) from None

    return guarded


for _name, _command in (
    ("train", train.train),
    ("export", export.export),
    ("adopt", adopt.adopt),
    ("eval", evaluate.evaluate),
    ("predict", predict.predict),
    ("run", run.run),
    ("replay", replay.replay),
    ("summary", summary.summary),
    ("check-config", check_config.check_config),
    ("info", info.info),
    ("bench", bench.bench),
    ("doctor", doctor.doctor),
):
    app.command(_name)(_guarded(_command))
