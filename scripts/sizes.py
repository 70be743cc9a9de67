"""Check the sizes of the repository, the models and the modules. Exits with 1 if something is too large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LARGEST_REPOSITORY = 40_000_000  # bytes of all tracked files
LARGEST_MODEL = 1_500_000  # bytes
LONGEST_MODULE = 320  # lines


def main() -> int:
    """Measure the sizes and print those that are too large."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    files = [path for name in listed.split("\0") if name and (path := Path(name)).is_file()]
    total = sum(path.stat().st_size for path in files)
    problems = []
    if total > LARGEST_REPOSITORY:
        problems.append(f"the repository has {total:,} bytes, expected at most {LARGEST_REPOSITORY:,}")
    for path in files:
        if path.suffix == ".onnx" and path.stat().st_size > LARGEST_MODEL:
            problems.append(f"{path} has {path.stat().st_size:,} bytes, expected at most {LARGEST_MODEL:,}")
        if path.suffix == ".py" and path.parts[0] == "edgecls":
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONGEST_MODULE:
                problems.append(f"{path} has {lines} lines, expected at most {LONGEST_MODULE}; split it into a folder")
    print(f"{len(files)} files, {total:,} bytes")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
