"""`train_model`: a training run as one call, with its settings as keyword arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.errors import ConfigError
from edgecls.log import log_progress
from edgecls.settings import as_table, build, check, merged, read_toml
from edgecls.train.config import NO_AUGMENT, TrainConfig
from edgecls.train.fit import fit
from edgecls.train.model import architecture
from edgecls.train.progress import Watcher

if TYPE_CHECKING:
    from edgecls.dataset import DataConfig
    from edgecls.train.fit import TrainReport
    from edgecls.train.workers.worker import Worker


class _Logging(Watcher):
    """Sends notes and warnings to the logger "edgecls"."""

    def say(self, line: str) -> None:
        """Log one sentence."""
        log_progress(line)


def train_model(
    data: str | Path | DataConfig | Mapping[str, Any] | None,
    out: str | Path,
    *,
    config: TrainConfig | str | Path | None = None,
    resume: bool = False,
    watcher: Watcher | None = None,
    memory_gb: float | None = None,
    worker: Worker | None = None,
    **settings: Any,
) -> TrainReport:
    """Train a Keras network on labelled pictures and write a run folder. Ctrl-C keeps the best epoch so far.

    Args:
        data: Class folders, a store, a CSV manifest or an npz file; or fields of `DataConfig`; None takes those of `config`.
        out: The run folder. It is created if needed, or contains the run to resume.
        config: Settings to start from: a `TrainConfig`, or a TOML file such as the config.toml of a run.
        resume: Continue the run in `out` after its last completed epoch, with its config.toml unless `config` is given.
        watcher: Receives messages and progress; None sends notes and warnings to the logger "edgecls".
        memory_gb: How much memory the decoded pictures may take, in GB; None takes half of the machine's. Pictures beyond it go
            to a temporary file in `out`.
        worker: Which of several workers this process is, see docs/train.md; None: the only one. If another worker ends too
            early, this process ends at once.
        settings: Fields of `TrainConfig`, such as `epochs`, `arch` or `rate`; they override `config`. A group of settings
            is a mapping, as in `input={"width": 48, "height": 32}`; `augment=False` switches all augmentation off.

    Returns:
        The outcome of the run: the folder, the card, the evaluation on the held-out pictures, and whether it was interrupted.

    Raises:
        ConfigError: A setting is not valid, or `out` holds another run.
        DataError: The pictures cannot be used.
        TrainError: The loss became NaN or infinite. Completed epochs are kept.
        WorkerError: The other workers cannot be reached, or were started differently.
        KeyboardInterrupt: The run was interrupted before its first epoch was complete.

    Example:
        >>> import edgecls
        >>> run = edgecls.train_model("shapes", "runs/shapes", epochs=3, input={"width": 24, "height": 24})
        >>> run.out, run.epochs, run.card.labels
        (PosixPath('runs/shapes'), 3, ('disc', 'ring', 'square', 'stripes'))
        >>> print(f"right: {run.val.top1:.0%} of {run.val.pictures} held-out pictures")
        right: ...% of ... held-out pictures
    """
    check("memory_gb", memory_gb, memory_gb is None or 0 <= memory_gb < float("inf"), "a number of GB, 0 or above")
    base = config or (Path(out) / "config.toml" if resume else None)
    table = _table(base)
    if settings.get("augment") is False:
        settings["augment"] = NO_AUGMENT
    changes = {name: _plain(value) for name, value in settings.items()}
    if data is not None:
        changes["data"] = {"path": str(data)} if isinstance(data, str | Path) else _plain(data)
    table = merged(table, changes)
    pretrained = architecture(str(table["arch"])).pretrained if "arch" in table else None
    if pretrained is not None and isinstance(table.get("input", {}), dict):
        table["input"] = {"width": pretrained.size, "height": pretrained.size, "color": "rgb", **table.get("input", {})}
    data_table = table.get("data", {})
    if isinstance(data_table, dict) and not data_table.get("path"):
        raise ConfigError("data: expected class folders, a CSV manifest or an npz file to train on, found none")
    chosen = build(TrainConfig, table, "settings" if base is None or isinstance(base, TrainConfig) else str(base))
    memory_bytes = None if memory_gb is None else int(memory_gb * 1e9)
    return fit(chosen, out, resume=resume, watcher=watcher or _Logging(), memory_bytes=memory_bytes, worker=worker)


def _table(base: TrainConfig | str | Path | None) -> dict[str, Any]:
    """Return the settings to start from as a table."""
    if base is None:
        return {}
    return as_table(base) if isinstance(base, TrainConfig) else read_toml(base)


def _plain(value: Any) -> Any:
    """Return a setting in the types of a TOML file: tables, lists, texts, numbers."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_table(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
