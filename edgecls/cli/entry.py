"""The entry point of the command line.

Data goes to stdout, messages and progress to stderr. Exit codes: 0 done, 1 a known failure (one line on stderr), 2 usage,
130 Ctrl-C, 143 SIGTERM. Importing this module does not load OpenCV, ONNX Runtime, Keras or TensorFlow, so help appears at once.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

import edgecls
from edgecls.cli import (
    adopt,
    archive,
    bench,
    check_config,
    collect,
    compare,
    doctor,
    evaluate,
    export,
    info,
    label,
    learn,
    predict,
    replay,
    run,
    summary,
    swap,
    train,
    web,
)
from edgecls.cli.help import GroupedCommand
from edgecls.cli.messages import data, say
from edgecls.cli.terminal import ReaderLeftError, UnwritableError, standard_streams
from edgecls.errors import EdgeclsError

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
    _debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    with standard_streams():
        try:
            app(prog_name="edgecls")
        except ReaderLeftError:  # from --help, which `_guarded` does not cover; so is the next one
            sys.exit(0)
        except UnwritableError as error:
            say(f"error: {_line(error)}")
            sys.exit(1)
        except Exception:  # noqa: BLE001 - a bug of ours: `Stderr` hides secrets in the traceback
            say(traceback.format_exc())
            sys.exit(1)
        except SystemExit as end:
            _exit_despite_readers(end.code if isinstance(end.code, int) else 0)
            raise


def _line(error: EdgeclsError | OSError) -> str:
    """Return why a command failed, as one line; "" if the error is neither one of edgecls nor about a file."""
    if isinstance(error, UnwritableError):
        return f"cannot write to stdout ({error.strerror})"
    if isinstance(error, EdgeclsError):
        return str(error)
    return f"{error.filename}: cannot be used ({error.strerror}); check the path" if isinstance(error.filename, str) else ""


def _version(wanted: bool) -> None:
    if wanted:
        data(f"edgecls {edgecls.__version__}")
        raise typer.Exit


def _exit_despite_readers(code: int) -> None:
    """Exit at once if a reader thread is blocked in a read that cannot be interrupted. All output has been written by then."""
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
        bool, typer.Option("--debug", help="Show the traceback of a failure. May also follow the command.")
    ] = False,
) -> None:
    """Declare the options before the command, which their callbacks and `main` handle."""


def _guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the exceptions of a command into a one-line message and an exit code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ReaderLeftError:
            raise typer.Exit(0) from None
        except (EdgeclsError, UnwritableError, OSError) as error:
            line = _line(error)
            if _debug or not line:  # such as a connection error: Click would take it for one of stdout and exit silently
                say(traceback.format_exc())
            if line:
                say(f"error: {line}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt as error:  # from the keyboard, or from a second signal with its number
            number = signal.Signals(error.args[0] if error.args else signal.SIGINT)
            say(f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}")
            raise typer.Exit(128 + number) from None

    return guarded


for _name, _command in (
    ("train", train.train),
    ("learn", learn.learn),
    ("export", export.export),
    ("adopt", adopt.adopt),
    ("eval", evaluate.evaluate),
    ("compare", compare.compare),
    ("predict", predict.predict),
    ("run", run.run),
    ("web", web.web),
    ("collect", collect.collect),
    ("label", label.label),
    ("archive", archive.archive),
    ("swap", swap.swap),
    ("replay", replay.replay),
    ("summary", summary.summary),
    ("check-config", check_config.check_config),
    ("info", info.info),
    ("bench", bench.bench),
    ("doctor", doctor.doctor),
):
    app.command(_name, cls=GroupedCommand)(_guarded(_command))
