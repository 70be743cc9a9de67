"""A program for the tests of children: it says who it is and waits until it is stopped, or fails as it is told to."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def say(line):
    """Write a message."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["fail"]:
        say(sys.argv[2])
        sys.exit(1)
    if sys.argv[1:2] == ["talk"]:
        for number in range(3000):
            say(f"line {number}")
        sys.exit(1)
    Path(tempfile.gettempdir(), "half").write_text("half written", encoding="ascii")
    say(f"folder {tempfile.gettempdir()}")
    if "stubborn" in sys.argv:
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        say(f"other {other.pid}")
    say(f"pid {os.getpid()} {os.nice(0)}")
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            if "stubborn" not in sys.argv:
                sys.exit(128 + signal.SIGINT)
