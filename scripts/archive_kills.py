"""Kill an archive at random moments until it is complete, and compare it with an undisturbed one.

    python scripts/archive_kills.py [KILLS]

Kills the command or one of its workers with SIGKILL, stops it with SIGTERM, or fills its disk, 30 times by default. Where it
may (as root on Linux), the archive lies on a small disk in memory that is filled for a moment. At the end every part must be
there once, none broken, and all tables equal.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from edgecls.archive.archive import Archive

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests import tiny
from tests.archive.inline import lamp


def main() -> int:
    """Kill, go on, compare. Returns 1 if the tables differ."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    rng = random.Random(7)  # noqa: S311 - not for secrets
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model = place / "light.onnx"
        model.write_bytes(tiny.light_model())
        nas = place / "nas"
        write_recordings(nas)
        disk = SmallDisk(place / "disk")
        out, done = disk.path / "out", Counter()
        with disk:
            while done.total() < kills:
                done[strike(model, nas, out, disk, rng)] += 1
            archive(model, nas, out)
            archive(model, nas, place / "undisturbed")
            same = [table(out, kind) == table(place / "undisturbed", kind) for kind in ("labels", "events")]
            files = [sorted(p.relative_to(one) for p in one.rglob("*.parquet")) for one in (out, place / "undisturbed")]
            left = [p for p in out.rglob(".*") if p.suffix == ".tmp"]
    print(f"{dict(done)}: the same labels {same[0]}, events {same[1]}, files {files[0] == files[1]} ({len(files[0])})")
    print(f"{len(left)} leftovers")
    return 0 if all(same) and files[0] == files[1] and not left else 1


def strike(model: Path, nas: Path, out: Path, disk: SmallDisk, rng: random.Random) -> str:
    """Run the command, and strike at a random moment. An archive that is complete begins again from half of its parts."""
    parts = sorted(out.rglob("*.parquet"))
    for path in rng.sample(parts, len(parts) // 2) if len(parts) > 8 else ():
        path.unlink()
    command = [sys.executable, "-m", "edgecls", "archive", str(model), str(nas), "--out", str(out), "--split", "0.1", "-w", "2"]
    run = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(rng.uniform(1.0, 4.0))
    whom = rng.choice(["command", "worker", "stop", "disk" if disk.is_small else "worker"])
    if run.poll() is not None:
        return "too late"
    if whom == "worker":
        for child in rng.sample(children := children_of(run.pid), min(1, len(children))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    elif whom == "disk":
        with disk.filled(), contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(3)
    else:
        run.send_signal(signal.SIGKILL if whom == "command" else signal.SIGTERM)
    run.wait(120)
    return whom


def write_recordings(nas: Path) -> None:
    """Write six short recordings and one that is split."""
    for i in range(6):
        lamp(nas / "yard" / f"{i}.avi", 300 + i, 300)
    lamp(nas / "yard" / "long.avi", 1000, 1000)


def archive(model: Path, nas: Path, out: Path) -> None:
    """Complete an archive."""
    with Archive(model, [nas], out=out, split_s=6.0) as work:
        while work.step() is not None:
            pass


def table(out: Path, kind: str) -> list[dict[str, object]]:
    """Return all rows of a table."""
    return [row for path in sorted((out / kind).rglob("*.parquet")) for row in pq.ParquetFile(path).read().to_pylist()]


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


class SmallDisk:
    """A disk of 4 MB in memory, where that is allowed; otherwise a folder."""

    def __init__(self, path: Path) -> None:
        """Mount it."""
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(path)]
        self.is_small = (
            shutil.which("mount") is not None and not subprocess.run(mount, capture_output=True, check=False).returncode
        )

    @contextlib.contextmanager
    def filled(self):
        """Fill it for as long as the block lasts."""
        filler = self.path / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        try:
            yield
        finally:
            filler.unlink()

    def __enter__(self) -> SmallDisk:
        """Return the disk."""
        return self

    def __exit__(self, *_: object) -> None:
        """Unmount it."""
        if self.is_small:
            unmount = [shutil.which("umount") or "umount", "-l", str(self.path)]
            subprocess.run(unmount, check=False)


if __name__ == "__main__":
    sys.exit(main())
