"""A whole run on a disk that fails from SIGUSR1 to SIGUSR2.

LD_PRELOAD=failing_disk.so python -m tests.run.failing_run FOLDER run --config cameras.toml
"""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path

from edgecls.cli.entry import app
from tests.run.failing_disk import FOREVER, Disk

if __name__ == "__main__":
    disk = Disk(Path(sys.argv[1]))
    signal.signal(signal.SIGUSR1, lambda *_: disk.fail(1, FOREVER, errno.EIO))
    signal.signal(signal.SIGUSR2, lambda *_: disk.recover())
    app(sys.argv[2:])
