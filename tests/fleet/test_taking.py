"""A real `edgecls run` takes bundles that are rolled out to it, and refuses others."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")

from edgecls.bundle import make, make_keys
from edgecls.fleet import Desired
from tests.fleet.test_agent import device, until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_bundle_is_taken_without_losing_a_frame_and_others_are_refused(made, tmp_path):
    """The run takes a good one, refuses a tampered one, one of a stranger and an old one, goes on while the broker is away, and
    takes the one before when it is told to; frame after frame.
    """
    stranger, _ = make_keys("stranger", tmp_path)
    make(tmp_path / "stranger.bundle", name="light", version=2, model=made.folder / "light.onnx", keys=[stranger])
    content = bytearray((made.folder / "2.bundle").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "tampered.bundle").write_bytes(content)
    more = f'[bundle]\nfolder = "bundles"\nkeys = ["{made.key.as_posix()}"]\ntrial = {{ frames = 20 }}\n'

    def desired(version: int, path: Path | None = None, **fields: str) -> Desired:
        path = path or made.folder / f"{version}.bundle"
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return replace(Desired(f"{version}-test", version, sha256, path.as_uri()), **fields)

    with device(tmp_path, 'allow = ["https", "file"]', more) as here:
        here.tell(desired(1))
        found = here.until(lambda one: one["update"]["state"] == "applied" and one["bundle"] is not None)
        assert (found["bundle"]["name"], found["bundle"]["version"], found["update"]["version"]) == ("light", 1, 1)
        here.tell(desired(2, tmp_path / "tampered.bundle"))
        here.until_update("refused")
        here.tell(desired(2, tmp_path / "stranger.bundle"))
        here.until_update("refused", "is signed by a key that is not trusted here")
        here.tell(desired(2, url="gopher://host/2.bundle"))
        found = here.until_update("refused", "its scheme is gopher")
        assert (found["bundle"]["version"], found["faults"]) == (1, [])
        here.broker.save()
        here.broker.kill()
        count = len(here.run.lines)
        until(lambda: len(here.run.lines) > count + 20)
        here.broker.start()
        here.tell(desired(3))
        here.until(lambda one: one["update"]["state"] == "applied" and one["bundle"]["version"] == 3)
        here.tell(desired(2))
        here.until_update("refused", "version 2 is older than 3, which this device has taken already")
        here.tell(desired(3, action="back"))
        here.until(lambda one: one["update"]["state"] == "rolled back" and one["bundle"]["version"] == 1)
        count = len(here.run.lines)
        until(lambda: here.run.lines[-1].get("model", "light-1") == "light-1" and len(here.run.lines) > count + 20)
    here.assert_whole()
