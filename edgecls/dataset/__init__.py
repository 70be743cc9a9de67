"""Labelled pictures: find them, hold some out by group, decode them to what a model eats.

scan      a folder, a CSV manifest or an npz file -> Dataset     nothing decoded yet
split     Dataset -> Split                                       frames of one track stay on one side
DataConfig                the settings of all that
decode    items, InputSpec -> Pictures                           broken ones named and counted; in memory, or in a file
"""

from edgecls.dataset.config import DataConfig
from edgecls.dataset.items import Dataset, Item, fingerprint
from edgecls.dataset.pictures import Pictures, decode
from edgecls.dataset.room import Room
from edgecls.dataset.scan import pictures_under, scan
from edgecls.dataset.split import Split, split

__all__ = [
    "DataConfig",
    "Dataset",
    "Item",
    "Pictures",
    "Room",
    "Split",
    "decode",
    "fingerprint",
    "pictures_under",
    "scan",
    "split",
]
