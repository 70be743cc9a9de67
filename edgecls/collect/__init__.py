"""Which of the pictures that a run sees are worth a label.

selection   keep few, unlike each other, of all hours, with a steady random share
"""

from edgecls.collect.selection import Candidate, Choice, Selection, SelectionSettings

__all__ = ["Candidate", "Choice", "Selection", "SelectionSettings"]
