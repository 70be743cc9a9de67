"""Facts on real pictures: GTSRB, from DIR/GTSRB/Final_Training/Images where EDGECLS_DATA names DIR; skipped elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgecls.dataset import DataConfig

IMAGES = Path(os.environ.get("EDGECLS_DATA", "")) / "GTSRB" / "Final_Training" / "Images"


@pytest.mark.skipif(not IMAGES.is_dir(), reason="EDGECLS_DATA names no folder with GTSRB/Final_Training/Images")
def test_no_group_of_the_real_data_is_parted():
    """Groups and equal pictures stay on one side, every class trains, and about 15 of 100 pictures are held out."""
    config = DataConfig(str(IMAGES))
    found = config.scan()
    sides = config.split(found)
    assert not {i.group for i in sides.train} & {i.group for i in sides.val}
    assert {i.class_id for i in sides.train} == set(range(len(found.labels)))
    assert 0.1 < len(sides.val) / (len(sides.train) + len(sides.val)) < 0.2
