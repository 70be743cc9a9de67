"""Draw which label a region showed when, as an SVG file with a row per label and a bar per stretch."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from edgecls.frame import WHOLE_FRAME
from edgecls.labels.stretches import clock, of_stream
from edgecls.model.confidence import UNKNOWN
from edgecls.report.markup import Markup, percent, tag
from edgecls.report.style import style
from edgecls.report.svg import Scale, line, rect, shortened, svg, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edgecls.event import Moment
    from edgecls.labels.stretches import Shown, Stretch, Total

WIDTH, RIGHT = 1000.0, 132.0
ROW, BAR = 22.0, 14.0
HEAD, FOOT = 30.0, 40.0
"""The height above and below the rows of a region."""
LETTER_PX = 6.6
LONGEST_LABEL, LONGEST_HEADING = 28, 90
MOST_ROWS = 24
"""The most rows of a region; the labels shown for the least time share one more row."""
ONE_BAR_PX = 0.75
"""Bars that are closer are drawn as one, so that a day of flicker does not make a huge file."""
THINNEST_PX = 1.0
LABELS = 7
"""About the number of times on the axis."""
DAY_S = 86_400
STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S)


class _Row(NamedTuple):
    name: str
    whole_name: str
    stretches: list[Stretch]
    totals: list[Total]


class _Bar(NamedTuple):
    """A bar from pixel to pixel: one stretch, or several that are too close to distinguish."""

    start: float
    end: float
    first: Stretch
    last: Stretch
    stretches: int = 1

    def with_another(self, stretch: Stretch, end: float) -> _Bar:
        """Return the bar extended by one more stretch."""
        last = stretch if end >= self.end else self.last
        return _Bar(self.start, max(self.end, end), self.first, last, self.stretches + 1)

    @property
    def words(self) -> str:
        """The text of the tooltip."""
        span = f"{clock(self.first.start)} to {clock(self.last.end)}"
        if self.stretches > 1:
            return f"{span}: {self.stretches} stretches"
        return f"{self.first.label}, {span}, score {self.first.score:.2f}"


def timeline(regions: Sequence[Shown], *, title: str = "What was shown when") -> str:
    """Draw what regions showed, one below the other, each with its own time axis.

    The axis of a file has positions (h:mm:ss), that of a live camera the time of day in the time zone of this machine.

    Args:
        regions: What each region showed.
        title: The heading.

    Returns:
        The content of an .svg file that loads nothing and has a light and a dark style.
    """
    panels = [(shown, _rows(shown)) for shown in regions]
    letters = max((len(row.name) for _, rows in panels for row in rows), default=0)
    left = max(90.0, letters * LETTER_PX + 22)
    parts: list[Markup] = [text(14, 24, title, anchor="start", class_="title")]
    top = 40.0
    for shown, rows in panels:
        parts += _panel(shown, rows, left, top)
        top += HEAD + ROW * max(1, len(rows)) + FOOT
    described = "; ".join(map(_described, regions)) or "nothing was recorded"
    rules = f"{style()} svg {{ background: var(--page); color: var(--ink); font-family: sans-serif; }}"
    return svg(WIDTH, top + 4, *parts, title=title, desc=described, class_="chart timeline", rules=rules)


def _rows(shown: Shown) -> list[_Row]:
    totals = shown.totals
    rest = totals[MOST_ROWS:] if len(totals) > MOST_ROWS + 1 else []
    alone = totals[: len(totals) - len(rest)]
    by_label: dict[str, list[Stretch]] = {total.label: [] for total in totals}
    for stretch in shown.stretches:
        by_label[stretch.label].append(stretch)
    rows = [_Row(shortened(t.label, LONGEST_LABEL), t.label, by_label[t.label], [t]) for t in alone]
    if rest:
        others = {total.label for total in rest}
        name = f"{len(rest)} other labels"
        rows.append(_Row(name, ", ".join(sorted(others)), [s for s in shown.stretches if s.label in others], rest))
    return rows


def _panel(shown: Shown, rows: Sequence[_Row], left: float, top: float) -> list[Markup]:
    ends = [_position(m) for m in (shown.first, shown.last)]
    ends += [_position(m) for stretch in shown.stretches for m in (stretch.start, stretch.end)]
    x = Scale(min(ends), max(ends), left, WIDTH - RIGHT)
    under = top + HEAD + ROW * max(1, len(rows))
    heading = shortened(
        f"{shown.camera}: {'the whole frame' if shown.region == WHOLE_FRAME else shown.region}", LONGEST_HEADING
    )
    parts = [text(14, top + 18, heading, anchor="start", class_="strong"), *_axis(shown, x, top + HEAD, under)]
    if not rows:
        parts.append(text(left + 8, top + HEAD + 15, "no label lasted", anchor="start", class_="tick"))
    for number, row in enumerate(rows):
        parts += _row(row, x, top + HEAD + number * ROW)
    return parts


def _row(row: _Row, x: Scale, top: float) -> list[Markup]:
    middle = top + ROW / 2
    named = [tag("title", row.whole_name)] if row.whole_name != row.name else []
    seconds = sum(total.seconds for total in row.totals)
    share = percent(min(1.0, sum(total.share for total in row.totals)))
    kind = "stretch unknown" if row.whole_name == UNKNOWN else "stretch"
    bars = [
        rect(bar.start, middle - BAR / 2, max(THINNEST_PX, bar.end - bar.start), BAR, tag("title", bar.words), class_=kind)
        for bar in _bars(row.stretches, x)
    ]
    label = tag("text", row.name, *named, x=x.start - 8, y=middle + 4, text_anchor="end")
    numbers = ((WIDTH - 72, share), (WIDTH - 14, of_stream(seconds, tenths=seconds < 3600)))
    return [label, *bars, *(text(right, middle + 4, number, anchor="end", class_="tick") for right, number in numbers)]


def _bars(stretches: Iterable[Stretch], x: Scale) -> list[_Bar]:
    bars: list[_Bar] = []
    for stretch in stretches:
        a, b = sorted((x(_position(stretch.start)), x(_position(stretch.end))))
        if bars and a - bars[-1].end <= ONE_BAR_PX:
            bars[-1] = bars[-1].with_another(stretch, b)
        else:
            bars.append(_Bar(a, b, stretch, stretch))
    return bars


def _axis(shown: Shown, x: Scale, top: float, under: float) -> list[Markup]:
    live = shown.first.at_s is not None
    step_s = _step(x.high - x.low)
    shift_s = _east_of_utc_s(x.low) if live else 0.0  # so that the ticks are round hours of the day
    first, last = (math.ceil((x.low + shift_s) / step_s - 1e-9), math.floor((x.high + shift_s) / step_s + 1e-9))
    times = [i * step_s - shift_s for i in range(first, last + 1)]
    parts = [line((x(at), top), (x(at), under), "grid") for at in times]
    parts += [line((x.start, under), (x.end, under), "axis")]
    long = live and x.high - x.low > DAY_S
    parts += [text(x(at), under + 15, _of_axis(at, step_s, live=live, dated=long), class_="tick") for at in times]
    if live:
        day = datetime.fromtimestamp(x.low).astimezone()
        parts.append(text(x.end, top - HEAD + 18, day.strftime("%Y-%m-%d, UTC%z"), anchor="end", class_="tick"))
    return parts


def _step(span_s: float) -> float:
    """Return the seconds between two times on the axis."""
    rough = span_s / LABELS
    whole_days = DAY_S * math.ceil(rough / DAY_S)
    return next((step for step in STEPS_S if step >= rough), whole_days)


def _of_axis(at: float, step_s: float, *, live: bool, dated: bool) -> str:
    if not live:
        return of_stream(at, tenths=step_s < 1)
    form = ("%m-%d " if dated else "") + ("%H:%M" if step_s >= 60 else "%H:%M:%S")
    return datetime.fromtimestamp(at).astimezone().strftime(form)


def _east_of_utc_s(at_s: float) -> float:
    offset = datetime.fromtimestamp(at_s).astimezone().utcoffset()
    return offset.total_seconds() if offset else 0.0


def _position(moment: Moment) -> float:
    return moment.time_s if moment.at_s is None else moment.at_s


def _described(shown: Shown) -> str:
    most = ", ".join(f"{total.label} {percent(total.share)}" for total in shown.totals[:3]) or "no label lasted"
    return f"{shown.camera}, {shown.region}: {most}"
