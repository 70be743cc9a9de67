"""Find the preprocessing of a network: try all usual ones on labelled pictures; the best must be clearly better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.export.adopt.preprocessing import Answers, Feed

PICTURES = 2000
"""The size of a random sample, which is enough to distinguish accuracies that differ by a few points."""
CLEAR_SIGMAS = 3.0
CLEAR_SHARE = 0.01
"""The least difference, as a share of the pictures; smaller ones may come from the interpolation."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A preprocessing that was tried.

    Attributes:
        feed: The preprocessing.
        meant: Whether it does not contradict the answers of the user.
        right: For each picture, whether its label is right, (N,) bool.
    """

    feed: Feed
    meant: bool
    right: NDArray[np.bool_]

    @property
    def top1(self) -> float:
        """The share of right labels, 0..1."""
        return float(self.right.mean())


def attempt(
    feeds: Sequence[Feed],
    answers: Answers,
    batch: NDArray[np.uint8],
    truth: NDArray[np.int64],
    run: Callable[[NDArray[np.uint8], Feed], NDArray[np.float32]],
) -> list[Tried]:
    """Try each preprocessing on labelled pictures.

    Args:
        feeds: The preprocessings.
        answers: What the user says about the network.
        batch: RGB or gray pictures, (N, height, width, channels) uint8.
        truth: Their class ids, (N,).
        run: Computes the probabilities of pictures whose channels are in the order of the feed.

    Returns:
        The results, the best first.
    """
    tried = []
    for feed in feeds:
        found = run(batch[..., ::-1] if feed.color == "bgr" else batch, feed)
        tried.append(Tried(feed, answers.agree(feed), found.argmax(axis=1) == truth))
    return sorted(tried, key=lambda t: -t.top1)


def clearly_better(one: Tried, other: Tried) -> bool:
    """Return whether `one` is better by more than chance and by CLEAR_SHARE.

    Chance is judged with a sign test on the pictures for which exactly one of them is right.
    """
    wins, losses = int((one.right & ~other.right).sum()), int((other.right & ~one.right).sum())
    return bool(wins - losses > max(CLEAR_SIGMAS * (wins + losses) ** 0.5, CLEAR_SHARE * len(one.right)))


def choose(tried: Sequence[Tried], truth: NDArray[np.int64], where: str, *, force: bool) -> Tried:
    """Return the best of the preprocessings that do not contradict the answers of the user.

    Args:
        tried: The results, the best first.
        truth: The class ids of the pictures, (N,).
        where: The file, for messages.
        force: Only require that the best of those that do not contradict the answers is clearly better than the others of them.

    Raises:
        ConfigError: The best of all is no better than the same label for all pictures. Or none of those that do not contradict
            the answers is clearly the best. Or one that contradicts the answers is clearly better.
    """
    commonest = float(np.bincount(truth).max() / len(truth))
    chance = commonest + CLEAR_SIGMAS * (commonest * (1 - commonest) / len(truth)) ** 0.5
    if tried[0].top1 <= chance and not force:
        raise ConfigError(
            f"{where}: the best preprocessing, {_list(tried[:1])}, is no better than the same label for all {len(truth)} check "
            f"pictures ({commonest:.1%}); check the order of the labels, `mean`, `std` and `fit`, or use `force`; nothing was "
            "written"
        )
    first, *others = [t for t in tried if t.meant]
    rivals = [t for t in others if not clearly_better(first, t)]
    if rivals:
        raise ConfigError(
            f"{where}: the check cannot distinguish {_list([first, *rivals])}; choose {_options([first, *rivals])}, or "
            "check with more pictures; nothing was written"
        )
    better = next((t for t in tried if not t.meant and clearly_better(t, first)), None)
    if better is not None and not force:
        raise ConfigError(
            f"{where}: {_list([better])} fits clearly better than {_list([first])} on {len(truth)} check pictures; use "
            f"{better.feed.options}, or `force` to keep the given settings; nothing was written"
        )
    return first


def _list(tried: Sequence[Tried]) -> str:
    return " and ".join(f"{t.feed} ({t.top1:.1%})" for t in tried)


def _options(tried: Sequence[Tried]) -> str:
    """Return the settings in which some preprocessings differ, with their values."""
    values = {name: dict.fromkeys(getattr(t.feed, name) for t in tried) for name in ("color", "values")}
    return " ".join(f"`{name}={'|'.join(found)}`" for name, found in values.items() if len(found) > 1)
