"""A machine for services: its files in a folder, and systemd pretended."""

from __future__ import annotations

import subprocess

import pytest

from edgecls.service.machine import Machine

PROGRAM = "/usr/bin/env"
"""A program that exists, in place of edgecls, which the tests run from where a service would not see it."""
CONFIG = """
model = "/etc/edgecls/model.onnx"
sinks = ["sqlite:events.db", "clip:clips", "prometheus:9108"]

[[camera]]
name = "gate"
source = "rtsp://${CAMERA_USER}:${CAMERA_PASSWORD}@10.0.0.7/1"
"""
SECRETS = 'CAMERA_USER=viewer\n# of the gate\nCAMERA_PASSWORD="a#secret@with:\\"signs\\""\n'


class Pretended(Machine):
    """A machine with systemd and root, as far as edgecls sees; its files lie in a folder, and programs are only noted."""

    def __init__(self, root):
        super().__init__(root)
        self.ran: list[tuple[str, ...]] = []
        self.said = ""
        self.users: set[str] = set()
        self.forbidden: set[tuple[str, str]] = set()

    is_this = True
    is_root = True
    has_systemd = True
    has_nvidia = False
    systemd = 252

    def at(self, path):
        return self.root / str(path).lstrip("/")

    def has_user(self, name):
        return name in self.users

    def has_group(self, name):
        return name in ("video", "render")

    def may(self, user, what, path):
        return (what, str(path)) not in self.forbidden

    def run(self, *words, check=True):
        self.ran.append(words)
        if words[0] == "useradd":
            self.users.add(words[-1])
        return subprocess.CompletedProcess(words, 0, self.said, "")


@pytest.fixture
def machine(tmp_path):
    """A machine with /etc/edgecls/cameras.toml, its model and its secrets."""
    folder = tmp_path / "etc" / "edgecls"
    folder.mkdir(parents=True)
    (folder / "cameras.toml").write_text(CONFIG)
    (folder / "model.onnx").write_bytes(b"")
    (folder / "secrets.env").write_text(SECRETS)
    (folder / "secrets.env").chmod(0o600)
    (tmp_path / "etc" / "systemd" / "system").mkdir(parents=True)
    return Pretended(tmp_path)
