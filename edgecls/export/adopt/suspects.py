"""Which way of feeding a network fits: each of the usual ones is tried on labelled pictures, and the best must stand out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.export.adopt.feed import Answers, Feed

PICTURES = 2000
"""So many, drawn by chance, tell two readings apart that differ by a few points."""
CLEAR_SIGMAS = 3.0
CLEAR_SHARE = 0.01
"""Better by this share of the pictures at least: less may be how they were shrunk."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One reading: its feed, whether the user may have meant it, and of which pictures it gives the right label."""

    feed: Feed
    meant: bool
    right: NDArray[np.bool_]

    @property
    def top1(self) -> float:
        """The share of right labels."""
        return float(self.right.mean())


def attempt(
    feeds: Sequence[Feed],
    answers: Answers,
    batch: NDArray[np.uint8],
    truth: NDArray[np.int64],
    run: Callable[[NDArray[np.uint8], Feed], NDArray[np.float32]],
) -> list[Tried]:
    """Try each feed on `batch`, (N, height, width, channels) uint8 red-green-blue or gray, whose classes are `truth`; the best
    first. `run` takes pictures with the channels in the order of the feed.
    """
    tried = []
    for feed in feeds:
        found = run(batch[..., ::-1] if feed.color == "bgr" else batch, feed)
        tried.append(Tried(feed, answers.agree(feed), found.argmax(axis=1) == truth))
    return sorted(tried, key=lambda t: -t.top1)


def clearly_better(one: Tried, other: Tried) -> bool:
    """Whether one is better by more than chance (a sign test on the pictures that tell them apart) and by CLEAR_SHARE."""
    wins, losses = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    return bool(wins - losses > max(CLEAR_SIGMAS * (wins + losses) ** 0.5, CLEAR_SHARE * len(one.right)))


def choose(tried: Sequence[Tried], truth: NDArray[np.int64], where: str, *, force: bool) -> Tried:
    """The best of the readings that the user may have meant.

    Raises ConfigError where the best of all is no better than one answer to all pictures, where none stands out among those
    that may have been meant, or where another one is clearly better; with `force` for the second alone.
    """
    commonest = float(np.bincount(truth).max() / len(truth))
    chance = commonest + CLEAR_SIGMAS * (commonest * (1 - commonest) / len(truth)) ** 0.5
    if tried[0].top1 <= chance and not force:
        raise ConfigError(
            f"{where}: the best reading, {_list(tried[:1])}, is no better than one answer to all of the {len(truth)} check "
            f"pictures ({commonest:.1%}); look at the order of the labels, --mean, --std and --fit, or take it as it is with "
            "--force; nothing was written"
        )
    first, *others = [t for t in tried if t.meant]
    rivals = [t for t in others if not clearly_better(first, t)]
    if rivals:
        raise ConfigError(
            f"{where}: the check does not tell {_list([first, *rivals])} apart; say which it is: {_say([first, *rivals])}, or "
            "check with more pictures; nothing was written"
        )
    better = next((t for t in tried if not t.meant and clearly_better(t, first)), None)
    if better is not None and not force:
        raise ConfigError(
            f"{where}: {_list([better])} fits clearly better than {_list([first])} on {len(truth)} check pictures; say "
            f"{better.feed.options}, or --force to keep to what was said; nothing was written"
        )
    return first


def _list(tried: Sequence[Tried]) -> str:
    return " and ".join(f"{t.feed} ({t.top1:.1%})" for t in tried)


def _say(tried: Sequence[Tried]) -> str:
    """The options in which some readings differ."""
    values = {name: dict.fromkeys(getattr(t.feed, name) for t in tried) for name in ("color", "values")}
    return " ".join(f"--{name} {'|'.join(found)}" for name, found in values.items() if len(found) > 1)
