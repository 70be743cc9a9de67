"""A detector that finds what is red, green or blue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import pytest

from tests.detect.tiny import ULTRALYTICS, color_graph

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def color_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an adopted detector, see `tests.detect.tiny`."""
    from edgecls.export.detector.adopt_detector import adopt_detector

    folder = tmp_path_factory.mktemp("detector")
    onnx.save(color_graph(ULTRALYTICS), folder / "theirs.onnx")
    return adopt_detector(folder / "theirs.onnx", folder / "colors.onnx").out
