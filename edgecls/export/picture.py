"""The ladder as a picture: accuracy against microseconds, the size of a point by its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls import extras
from edgecls.ladder import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.ladder import Ladder, Rung

LARGEST_POINT = 900.0  # square points
SMALLEST_POINT = 25.0
COLORS = "tab20"


def load_matplotlib() -> Any:
    """What draws. Raises MissingExtraError."""
    return extras.load("matplotlib.figure", extra="export", purpose="Drawing the ladder")


def draw(ladder: Ladder, path: Path) -> None:
    """Write the picture: a full point passes, an empty one does not, a ring is taken; under the line is too much loss."""
    figure = load_matplotlib().Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    colors = extras.load("matplotlib", extra="export", purpose="Drawing the ladder").colormaps[COLORS]
    largest = max(rung.bytes for rung in ladder.rungs)
    for i, rung in enumerate(ladder.rungs):
        area = max(SMALLEST_POINT, LARGEST_POINT * rung.bytes / largest)
        passes = not rung.refused or rung.refused == REFERENCE
        color = colors(i % 20)
        axes.scatter(rung.us, 100 * rung.top1, s=area, edgecolors=[color], facecolors=[color] if passes else "none", alpha=0.7)
        axes.scatter([], [], s=60, edgecolors=[color], facecolors=[color] if passes else "none", label=_told(rung, ladder))
        if rung.name == ladder.chosen:
            axes.scatter(rung.us, 100 * rung.top1, s=1.6 * LARGEST_POINT, facecolors="none", edgecolors="black", linewidths=1.5)
    floor = 100 * ladder.rungs[0].top1 - ladder.limits.max_drop
    axes.axhline(floor, color="black", linestyle=":", linewidth=1)
    told = f"{ladder.limits.max_drop:g} points under {ladder.rungs[0].name}"
    axes.annotate(told, (0.01, floor), xycoords=("axes fraction", "data"), va="bottom", fontsize=8)
    axes.set(xscale="log", xlabel=_time_label(ladder), ylabel=f"top-1 in % of {ladder.measured_on}")
    axes.set_title(f"{ladder.chosen or 'none'} is taken for {ladder.target}; the area of a point is its bytes")
    axes.grid(alpha=0.3, which="both")
    axes.margins(0.15)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)


def _told(rung: Rung, ladder: Ladder) -> str:
    taken = " (taken)" if rung.name == ladder.chosen else ""
    return f"{rung.name}{taken}, {rung.bytes / 1000:,.0f} kB"


def _time_label(ladder: Ladder) -> str:
    whose = "" if ladder.timed_here else f", which is no {ladder.target}"
    return f"microseconds for one picture, one thread of {ladder.processor}{whose}"
