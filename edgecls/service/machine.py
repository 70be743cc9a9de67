"""The machine on which a service is installed, or the folder of an image of one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import EdgeclsError
from edgecls.service.unit import NOTIFY_RELOAD

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = Path("/etc/systemd/system")
WAIT_S = 60.0
NOBODY = 65534


class Machine:
    """What is asked of a machine, and done to it. `root` is where its files are: / for this machine."""

    def __init__(self, root: str | Path = "/") -> None:
        """Change nothing yet."""
        self.root = Path(root).resolve()

    @property
    def is_this(self) -> bool:
        """Whether it is this machine, and not a folder with the files of another one."""
        return self.root == Path("/")

    @property
    def is_root(self) -> bool:
        """Whether this process may change the machine."""
        return not self.is_this or not hasattr(os, "geteuid") or os.geteuid() == 0

    @property
    def has_systemd(self) -> bool:
        """Whether systemd is what runs this machine, as sd_booted(3) finds out."""
        return Path("/run/systemd/system").is_dir()

    @property
    def has_nvidia(self) -> bool:
        """Whether this machine has a GPU of NVIDIA with its driver."""
        return self.is_this and Path("/dev/nvidiactl").exists()

    @property
    def systemd(self) -> int:
        """The version of systemd; one that every unit suits if it is unknown, as of another machine."""
        if not self.is_this or shutil.which("systemctl") is None:
            return NOTIFY_RELOAD - 1
        found = re.match(r"systemd (\d+)", self.run("systemctl", "--version", check=False).stdout)
        return int(found[1]) if found else NOTIFY_RELOAD - 1

    def at(self, path: str | Path) -> Path:
        """Return where a file of the machine is found from here."""
        return self.root / str(path).lstrip("/") if not self.is_this else Path(path)

    def has_group(self, name: str) -> bool:
        """Whether a group exists."""
        return self._has("group", name)

    def has_user(self, name: str) -> bool:
        """Whether a user exists."""
        return self._has("passwd", name)

    def _has(self, table: str, name: str) -> bool:
        if self.is_this:
            return self.run("getent", table, name, check=False).returncode == 0
        try:
            text = self.at(f"/etc/{table}").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return any(line.startswith(f"{name}:") for line in text.splitlines())

    def add_user(self, name: str, home: str) -> None:
        """Create a system user that cannot log in. Its home is not created here. Raises EdgeclsError."""
        self.run(
            "useradd", "--system", "--user-group", "--home-dir", home, "--no-create-home", "--shell", "/usr/sbin/nologin", name
        )

    def may(self, user: str, what: str, path: Path) -> bool:
        """Return whether a user may read ("-r"), write ("-w") or enter ("-x") a path. Of another machine nobody knows: True.

        It is tried as that user, so access lists and all folders above count. A user that does not exist is taken for nobody.
        """
        if not self.is_this or not self.is_root:
            return True
        options: dict[str, object] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        if self.has_user(user):
            import grp
            import pwd

            entry = pwd.getpwnam(user)
            groups = [one.gr_gid for one in grp.getgrall() if user in one.gr_mem]
            options = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
        words = ["/usr/bin/test", what, str(path)]
        done = subprocess.run(words, check=False, cwd="/", **options)  # type: ignore[call-overload]  # noqa: S603 - as above
        return bool(done.returncode == 0)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine. Raises EdgeclsError, with what it said, if it fails."""
        return _run(words, check=check)


def _run(words: Sequence[str], *, check: bool) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(  # noqa: S603 - the programs that are named in this folder
            words, capture_output=True, text=True, timeout=WAIT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if not check:
            return subprocess.CompletedProcess(words, 127, "", str(error))
        raise EdgeclsError(f"{words[0]} cannot be run ({getattr(error, 'strerror', None) or error})") from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise EdgeclsError(f"{' '.join(words)} failed: {said[-1] if said else f'exit code {done.returncode}'}")
    return done
