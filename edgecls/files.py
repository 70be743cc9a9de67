"""Files whole or not at all: write beside, then rename."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import EdgeclsError, SinkError

if TYPE_CHECKING:
    from collections.abc import Iterator


def part_of(path: Path) -> Path:
    """Where a file grows until it is whole: hidden beside it, with the same ending."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a path beside `path`, with the same ending, to write to; it takes the name when the block ends well.

    After an error nothing is left, and what stood at `path` before still stands there. Raises SinkError where it
    cannot be written, as on a full disk.
    """
    path = Path(path)
    beside = part_of(path)
    try:
        yield beside
        os.replace(beside, path)  # noqa: PTH105 - Path.replace would do; this says that it is atomic
    except EdgeclsError:
        raise
    except OSError as error:
        why = error.strerror or error
        raise SinkError(
            f"{path}: cannot be written ({why}); what stood there before is kept: make room, and try again"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
