"""Pictures of cameras that wait for a label or have one: a folder of pictures with a SQLite database beside them.

entry     what is known about a picture
likeness  which pictures belong together
rows      from an origin to a row of the database, and back
schema    the tables, their versions, how the database is opened
store     add, label, undo, list, remove
upkeep    files and rows in step

A store is data to learn from and is filled by cameras. So it lies below `edgecls.dataset`, which reads it, and below whatever
collects the pictures.
"""

from edgecls.store.entry import Entry, Origin
from edgecls.store.likeness import copies_among, merged_groups
from edgecls.store.schema import is_store
from edgecls.store.store import Store
from edgecls.store.upkeep import sweep

__all__ = ["Entry", "Origin", "Store", "copies_among", "is_store", "merged_groups", "sweep"]
