"""Facts on real pictures: GTSRB, from the folder that EDGECLS_DATA names; skipped where it is not set."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecls.dataset import DataConfig

pytestmark = pytest.mark.skipif("EDGECLS_DATA" not in os.environ, reason="EDGECLS_DATA names no folder of labelled pictures")


def test_no_group_of_the_real_data_is_parted():
    """Groups and equal pictures stay on one side, every class trains, and about 15 of 100 pictures are held out."""
    config = DataConfig(str(Path(os.environ.get("EDGECLS_DATA", "."))))
    found = config.scan()
    sides = config.split(found)
    assert not {i.group for i in sides.train} & {i.group for i in sides.val}
    assert {i.class_id for i in sides.train} == set(range(len(found.labels)))
    assert 0.1 < len(sides.val) / (len(sides.train) + len(sides.val)) < 0.2
