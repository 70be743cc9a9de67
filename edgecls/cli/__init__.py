"""The command line: one module per command, which parses options, calls one function and prints the result."""

from edgecls.cli.entry import main

__all__ = [
    "main",
]
