"""Give labels to the pictures of a store with few strokes, and find labels that are probably wrong.

positions   where each picture lies: its embedding by a backbone, or its thumbnail
groups      which pictures belong together, which label they probably have, which are most useful next
session     `Labelling`: the next group, a label for it, undo
suspects    labels that contradict those of similar pictures
"""

from edgecls.labelling.session import Group, Labelling
from edgecls.labelling.suspects import Suspect, suspects

__all__ = ["Group", "Labelling", "Suspect", "suspects"]
