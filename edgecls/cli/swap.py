"""`edgecls swap`: put a new model in place of the one that a run uses, or take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import say

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.run.config import Config


def swap(
    config: Annotated[str, typer.Option("--config", metavar="CAMERAS.toml", help="The configuration of the run, whose model is replaced.")],
    new: Annotated[str | None, typer.Argument(metavar="[NEW.onnx]", help="The .onnx file to put in its place. It is copied.")] = None,
    back: Annotated[bool, typer.Option("--back", help="Put the last good model back in place instead.")] = False,
    wait: Annotated[float, typer.Option("--wait", metavar="S", min=0, max=3600, help="Seconds to wait until the run says, at its metrics port or its page, that it uses the model. 0: do not ask.")] = 15.0,
) -> None:  # fmt: skip
    """Put a new model in place of the one in CAMERAS.toml. A run that uses it switches between two frames, and loses none.

    The model that was in place is kept beside it. The new one is checked first: it must load, give its own answers on this machine,
    and have the labels that the rules name. Exits with 1 if a run that can be asked does not use the model in time.
    """
    from edgecls.errors import ConfigError
    from edgecls.run.swap import label_changes, previous_of, rejected_of, swap_back, swap_model
    from edgecls.service.secrets import read_config_of_service

    if (new is None) != back:
        raise typer.BadParameter("expected either NEW.onnx or --back")
    found = read_config_of_service(config)
    if not found.model:
        raise ConfigError(f"{config}: there is no model to replace; its detectors name all objects")
    if new is None:
        swap_back(found.model, config=found)
        say(f"{found.model}: the last good model is in place again; the other one is kept as {rejected_of(found.model)}")
    else:
        placed = swap_model(found.model, new, config=found)
        previous = previous_of(found.model)
        say(f"{found.model}: {new} is in place; the model before is kept as {previous}")
        if changes := label_changes(_labels(previous) or placed.card.labels, placed.card.labels):
            say(f"note: {new} has other labels; {changes}")
    if wait:
        _wait_for_run(found, wait)


def _wait_for_run(config: Config, wait_s: float) -> None:
    """Wait until the run says that it uses the model in place, and say how it went. Raises EdgeclsError if it does not."""
    from edgecls.errors import EdgeclsError
    from edgecls.service.taken import wait_until_taken

    taken, line = wait_until_taken(config, wait_s)
    if taken is False:
        raise EdgeclsError(line)
    say(line)


def _labels(model: Path) -> tuple[str, ...]:
    """Return the labels of a model; none if it is not there or damaged."""
    from edgecls.errors import ModelError
    from edgecls.model.classifier import Classifier

    try:
        return Classifier.load(model, device="cpu", on_mismatch="ignore").card.labels
    except ModelError:
        return ()
