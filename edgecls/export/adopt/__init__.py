"""Convert a classifier that was trained with another tool to an edgecls model."""

from edgecls.export.adopt.adoption import Adopted, Check, Watching, adopt
from edgecls.export.adopt.foreign import names_in, open_foreign
from edgecls.export.adopt.forms import Form, Scheme, best_form, judge_of
from edgecls.export.adopt.network import ready, same_output
from edgecls.export.adopt.preprocessing import Answers, Feed, feeds
from edgecls.export.adopt.probe_images import drawn
from edgecls.export.adopt.runner import BATCH, probabilities

__all__ = [
    "BATCH",
    "Adopted",
    "Answers",
    "Check",
    "Feed",
    "Form",
    "Scheme",
    "Watching",
    "adopt",
    "best_form",
    "drawn",
    "feeds",
    "judge_of",
    "names_in",
    "open_foreign",
    "probabilities",
    "ready",
    "same_output",
]
