"""Ask a model about decoded pictures, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.model.answers import as_answers, joined

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edgecls.dataset.pictures import Pictures
    from edgecls.model.answers import Answers

BATCH = 64


def answers(
    run: Callable[[NDArray[np.uint8]], Answers | NDArray[np.float32]],
    pictures: Pictures,
    chosen: NDArray[np.int64] | None = None,
) -> Answers:
    """Compute the answers for all pictures, or for those at the indices `chosen`, in batches that fit into memory.

    Args:
        run: (N, height, width, channels) uint8 -> answers, or only probabilities, (N, classes) float32.
        pictures: The decoded pictures.
        chosen: Indices, (M,); None takes all.
    """
    step = pictures.at_a_time(BATCH)
    parts = (slice(i, i + step) for i in range(0, len(pictures.batch if chosen is None else chosen), step))
    return joined([as_answers(run(pictures.batch[part if chosen is None else chosen[part]])) for part in parts])
