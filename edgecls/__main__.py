"""`python -m edgecls` is the command line."""

from edgecls.cli import main

main()
