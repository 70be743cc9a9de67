"""Which of the pictures that a run sees are worth a label.

selection   keep few, unlike each other, of all hours, with a steady random share
likeness    how unlike a picture is to those that are kept
embedder    where a picture lies among others, by a pretrained network
best_views  the frame that shows each tracked object best
"""

from edgecls.collect.best_views import BestViews
from edgecls.collect.embedder import Embedder
from edgecls.collect.likeness import Look
from edgecls.collect.selection import Candidate, Choice, Selection, SelectionSettings

__all__ = ["BestViews", "Candidate", "Choice", "Embedder", "Look", "Selection", "SelectionSettings"]
