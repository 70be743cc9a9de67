"""Check that 95 % intervals contain the truth in 95 of 100 cases: python scripts/intervals.py [--problems 200] [--seed 0].

Each problem is a small data set of drawn embeddings: 2 to 8 classes, nearly the same or far apart, some larger than others,
each of 3 to 30 groups, which are one picture or several that are alike. A head is learned as `edgecls learn` does, and its
accuracy on thousands of new pictures of new groups is the truth. Problems that are solved without a mistake are drawn again,
because every interval contains their truth.

Prints a line for each way to make the interval: the share that contains the truth, how often the truth was below and above, and
the mean width.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.learn.accuracy import accuracy
from edgecls.learn.cross_validation import Scored, cross_validated
from edgecls.learn.head import Views
from edgecls.metrics import Interval, effective_pictures, wilson

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIMENSIONS = 256
NEW_PICTURES = 1500
"""Of each class, to find the truth with."""
EASIEST = 0.995
"""Problems with a higher true accuracy are drawn again."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The scores of a problem, the group of each picture, and the true accuracy of the head."""

    scored: Scored
    group_of: NDArray[np.int64]
    truth: float


def main() -> None:
    """Solve the problems and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    solved: list[Solved] = []
    while len(solved) < given.problems:
        problem = solve(rng)
        if problem.truth <= EASIEST and len(problem.scored.scored):
            solved.append(problem)
    for name, way in WAYS.items():
        found = [(way(problem), problem.truth) for problem in solved]
        below = sum(truth < interval.low for interval, truth in found)
        above = sum(truth > interval.high for interval, truth in found)
        width = float(np.mean([interval.high - interval.low for interval, _ in found]))
        share = 1 - (below + above) / len(found)
        print(f"{name:52} {share:6.1%}   below {below:3}   above {above:3}   width {width:.3f}", flush=True)


def solve(rng: np.random.Generator) -> Solved:
    """Draw a problem and solve it."""
    classes, per_group = int(rng.integers(2, 9)), int(rng.choice([1, 1, 2, 5]))
    alike = float(rng.choice([0.2, 0.5, 0.9])) if per_group > 1 else 0.0
    groups = np.maximum(2, rng.integers(3, 31) * np.exp(rng.normal(0, 0.3, classes))).astype(int)
    scale = np.arange(1, DIMENSIONS + 1) ** -rng.uniform(0.4, 0.8)
    centers = rng.standard_normal((classes, DIMENSIONS)) * scale * rng.uniform(0.3, 1.1)

    def draw(class_id: int, count: int, size: int) -> NDArray[np.float32]:
        common = np.sqrt(alike) * rng.standard_normal((count, 1, DIMENSIONS))
        own = np.sqrt(1 - alike) * rng.standard_normal((count, size, DIMENSIONS))
        rows = (centers[class_id] + (common + own) * scale).reshape(-1, DIMENSIONS)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    sizes = [
        (c, 1 if per_group == 1 else max(1, int(rng.poisson(per_group)))) for c in range(classes) for _ in range(groups[c])
    ]
    class_ids = np.repeat([c for c, _ in sizes], [size for _, size in sizes])
    group_of = np.repeat(np.arange(len(sizes)), [size for _, size in sizes])
    views = Views(np.concatenate([draw(c, 1, size) for c, size in sizes])[:, None], class_ids, classes)
    scored = cross_validated(views, [np.flatnonzero(group_of == g).tolist() for g in range(len(sizes))], seed=0)
    head = views.fit(np.arange(len(class_ids)), scored.strength)
    recalls = [(head.logits(draw(c, NEW_PICTURES, 1)).argmax(axis=1) == c).mean() for c in range(classes)]
    return Solved(scored, group_of, float(np.bincount(class_ids) / len(class_ids) @ recalls))


def plain(problem: Solved) -> Interval:
    """Wilson's interval for independent pictures."""
    right = problem.scored.right[problem.scored.scored]
    return wilson(float(right.mean()), len(right))


def normal(problem: Solved) -> Interval:
    """The textbook: two standard errors to either side."""
    right = problem.scored.right[problem.scored.scored]
    half = 1.96 * float(np.sqrt(right.mean() * (1 - right.mean()) / len(right)))
    return Interval(float(right.mean()) - half, float(right.mean()) + half)


def by_group(problem: Solved) -> Interval:
    """Wilson's interval for as many pictures as the groups are worth."""
    held = problem.scored.scored
    right = problem.scored.right[held]
    return wilson(float(right.mean()), effective_pictures(right, problem.group_of[held].tolist()))


def used(problem: Solved) -> Interval:
    """The interval of `edgecls learn`."""
    labels = [str(i) for i in range(problem.scored.logits.shape[1])]
    found = accuracy(problem.scored, problem.group_of, labels).overall.interval
    return found if found is not None else Interval(0.0, 1.0)


WAYS: dict[str, Callable[[Solved], Interval]] = {
    "two standard errors": normal,
    "Wilson": plain,
    "Wilson, design effect of the groups": by_group,
    "Wilson, design effect, common training (used)": used,
}

if __name__ == "__main__":
    main()
