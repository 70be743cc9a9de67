"""Bundles that the tests of fleets roll out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from edgecls.bundle import make, make_keys
from edgecls.fleet.rollout import RollOut
from tests import tiny

if TYPE_CHECKING:
    from pathlib import Path

STAGES = (0.1, 0.5, 1.0)
WAIT_S = 60.0


class Made(NamedTuple):
    """Bundles of versions 1, 2 and 3 in a folder, and the key that devices trust."""

    folder: Path
    key: Path

    def rollout(self, url: str, version: int, **settings) -> RollOut:
        """A roll-out of a bundle."""
        path = self.folder / f"{version}.bundle"
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        known = {"stages": STAGES, "settle_s": 0.0, "wait_s": WAIT_S} | settings
        return RollOut(f"{version}-test", f"{url}/{path.name}", sha256, version, **known)


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Made:
    """The bundles, made once."""
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    folder = tmp_path_factory.mktemp("bundles")
    private, public = make_keys("fleet", folder)
    (folder / "light.onnx").write_bytes(tiny.light_model())
    for version in (1, 2, 3):
        make(folder / f"{version}.bundle", name="light", version=version, model=folder / "light.onnx", keys=[private])
    return Made(folder, public)
