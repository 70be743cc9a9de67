"""File access: atomic writes, reads that never block, and locks that keep a file to one run."""

from edgecls.files.reading import NO_WAIT, NotAFileError, open_file, open_regular, read_regular, read_small
from edgecls.files.stamp import stamp_of
from edgecls.files.writing import (
    is_there,
    make_private_folder,
    open_part,
    open_private,
    part_of,
    private_mode,
    private_part,
    unlink_quietly,
    whole_file,
)

__all__ = [
    "NO_WAIT",
    "NotAFileError",
    "is_there",
    "make_private_folder",
    "open_file",
    "open_part",
    "open_private",
    "open_regular",
    "part_of",
    "private_mode",
    "private_part",
    "read_regular",
    "read_small",
    "stamp_of",
    "unlink_quietly",
    "whole_file",
]
