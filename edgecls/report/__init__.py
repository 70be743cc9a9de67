"""One self-contained HTML page about a model: what `edgecls train` and `edgecls eval --report` write.

page        Page -> HTML: the numbers, the sections, what belongs to no number
charts      learning curves, reliability, risk against coverage
classes     confusion matrix, confused pairs, a row for each class
mistakes    the surest wrong answers as pictures
ladder      the schemes of an export
timeline    a picture of its own: which labels a recording shows when
facts       what is said about model and data
markup, svg, style     HTML that escapes, shapes, looks
"""

from edgecls.report.facts import of_card, of_evaluation, of_settings
from edgecls.report.page import Page, Training, check_place, to_html, write

__all__ = ["Page", "Training", "check_place", "of_card", "of_evaluation", "of_settings", "to_html", "write"]
