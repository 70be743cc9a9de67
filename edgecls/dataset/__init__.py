"""Labelled pictures: find them, split them by group into training and validation, and decode them for a model.

scan         a folder, a CSV manifest or an npz file -> Dataset     nothing is decoded yet
split        Dataset -> Split                                       frames of one track stay on one side
decode       items, InputSpec -> Pictures                           in memory or in a file; broken pictures are reported
decode_below a folder of pictures of no class -> Pictures
DataConfig   the settings of scan and split
"""

from edgecls.dataset.config import DataConfig
from edgecls.dataset.conflicts import in_two_classes
from edgecls.dataset.items import Dataset, Item, fingerprint, made_from
from edgecls.dataset.listing import pictures_under
from edgecls.dataset.pictures import Pictures, decode, decode_below
from edgecls.dataset.scan import scan
from edgecls.dataset.split import Split, merged_groups, split
from edgecls.dataset.storage import MemoryBudget

__all__ = [
    "DataConfig",
    "Dataset",
    "Item",
    "MemoryBudget",
    "Pictures",
    "Split",
    "decode",
    "decode_below",
    "fingerprint",
    "in_two_classes",
    "made_from",
    "merged_groups",
    "pictures_under",
    "scan",
    "split",
]
