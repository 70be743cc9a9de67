"""The entry point of the command line.

Data goes to stdout, messages and progress to stderr. Exit codes: 0 done, 1 a known failure (one line on stderr), 2 usage,
130 Ctrl-C, 143 SIGTERM; runs under a service manager also 77 and 78 (`edgecls.cli.supervised`). Importing this module does not
load OpenCV, ONNX Runtime, Keras or TensorFlow, so help appears at once.
Only the command that is called is loaded, so it begins sooner.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer

import edgecls
from edgecls.cli.help import GroupedCommand
from edgecls.cli.interrupt import Interrupt
from edgecls.cli.memory import look_for_cycles, stop_looking_for_cycles
from edgecls.cli.messages import data, say
from edgecls.cli.terminal import ReaderLeftError, UnwritableError, standard_streams
from edgecls.errors import EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_debug = False

COMMANDS = {
    "train": "train",
    "learn": "learn",
    "export": "export",
    "adopt": "adopt",
    "eval": "evaluate",
    "compare": "compare",
    "predict": "predict",
    "run": "run",
    "web": "web",
    "collect": "collect",
    "label": "label",
    "archive": "archive",
    "swap": "swap",
    "bundle": "bundle",
    "fleet": "fleet",
    "service": "service",
    "replay": "replay",
    "summary": "summary",
    "check-config": "check_config",
    "info": "info",
    "bench": "bench",
    "doctor": "doctor",
}
"""The commands, and the module of each, whose function has the same name."""
RUNS = ("run", "web")
"""The commands that look for cycles only when all is open (`edgecls.cli.run.run_config`)."""


@functools.cache
def application(only: str = "") -> typer.Typer:
    """Return the command line with all commands, or with `only` one of them, which loads no others."""
    built = typer.Typer(
        name="edgecls",
        help="From labelled pictures to trustworthy labels on live cameras.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    built.callback()(_options)
    for name in [only] if only else COMMANDS:
        module = COMMANDS[name]
        command = getattr(importlib.import_module(f"edgecls.cli.{module}"), module)
        built.command(name, cls=GroupedCommand)(_guarded(command, is_run=name in RUNS))
    return built


def __getattr__(name: str) -> typer.Typer:
    """Return the whole command line as `app`, built when it is first asked for (PEP 562)."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return application()


def main() -> None:
    """Run the command line and exit."""
    global _debug  # noqa: PLW0603 - one process, one command line
    stop_looking_for_cycles()
    _debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != "--debug"]
    word = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    with standard_streams():
        try:
            application(word if word in COMMANDS else "")(prog_name="edgecls")
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
    """Exit at once if a reader thread is blocked in a read that cannot be interrupted, or if workers of a training run are
    still connected, for which JAX would wait. All output has been written by then.
    """
    if any(thread.name.startswith(("read ", "link ")) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure. May also follow the command.")
    ] = False,
) -> None:
    """Declare the options before the command, which their callbacks and `main` handle."""


def _code_of(error: EdgeclsError | OSError) -> int:
    """Return the exit code of a run that failed, after waiting for a signal if its container would be started again."""
    from edgecls.cli.supervised import code_of, waits

    code = code_of(error)
    if waits(code):
        with Interrupt() as interrupt:
            say("starting again would not help, so this waits to be stopped; then mend it and start again")
            interrupt.wait_for(threading.Event().wait)
    return code


def _guarded(command: Callable[P, R], *, is_run: bool) -> Callable[P, R]:
    """Turn the exceptions of a command into a one-line message and an exit code."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_run:
            look_for_cycles()
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
            raise typer.Exit(_code_of(error) if is_run else 1) from None
        except KeyboardInterrupt as error:  # from the keyboard, or from a second signal with its number
            number = signal.Signals(error.args[0] if error.args else signal.SIGINT)
            say(f"stopped by {'Ctrl-C' if number == signal.SIGINT else number.name}")
            raise typer.Exit(128 + number) from None

    return guarded
