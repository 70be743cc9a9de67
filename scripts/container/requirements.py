"""Print the packages that some extras of edgecls need, as a requirements file for a machine without a screen.

    python scripts/container/requirements.py cpu mqtt metrics web

OpenCV comes without its windows: they need libraries of a desktop, which a container does not have.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

SCREEN, HEADLESS = "opencv-python>", "opencv-python-headless>"


def main() -> int:
    """Print the requirements; 2 for an extra that does not exist."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    unknown = [name for name in sys.argv[1:] if name not in extras]
    if unknown:
        print(f"there is no extra {', '.join(unknown)}; expected some of {', '.join(sorted(extras))}", file=sys.stderr)
        return 2
    wanted = [*project["dependencies"], *(one for name in sys.argv[1:] for one in extras[name])]
    print("\n".join(dict.fromkeys(one.replace(SCREEN, HEADLESS) for one in wanted)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
