"""What every test of a run has in common."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.run.world import assert_only_main_thread


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    """After each test of a run only the main thread is left."""
    yield
    assert_only_main_thread()


@pytest.fixture(scope="session")
def real_videos() -> Path:
    """The folder with the real videos, from the environment variable EDGECLS_DATA."""
    data = os.environ.get("EDGECLS_DATA")
    if not data:
        pytest.skip("EDGECLS_DATA is not set; it names the folder with video/car-detection.mp4 and video/vtest.avi")
    return Path(data) / "video"
