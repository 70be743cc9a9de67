"""One self-contained HTML page about a model: what `edgecls train` and `edgecls eval --report` write.

page        Page -> HTML: the headline numbers and the sections
certainty   95 % intervals, which are shown where the pictures are few
charts      learning curves, reliability, risk against coverage
classes     confusion matrix, confused pairs, a table with a row per class
mistakes    the pictures with the most confident wrong labels
ladder      the forms that an export measured
timeline    a separate picture: which labels a recording shows when
comparison  another page: two models on the same pictures
document    the HTML document around a page, and how it is written
facts       the facts about model and data
markup, svg, style     escaped HTML, shapes and axes, the style sheet
"""

from edgecls.report.certainty import certainty, interval_of
from edgecls.report.comparison import write_comparison
from edgecls.report.document import check_place
from edgecls.report.facts import of_card, of_evaluation, of_settings
from edgecls.report.page import Page, Training, to_html, write

__all__ = [
    "Page",
    "Training",
    "certainty",
    "check_place",
    "interval_of",
    "of_card",
    "of_evaluation",
    "of_settings",
    "to_html",
    "write",
    "write_comparison",
]
