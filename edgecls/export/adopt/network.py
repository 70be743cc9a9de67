"""Prepare a graph of another tool: current operators if possible, any batch size, and the meaning of its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ConfigError, ModelError
from edgecls.export.adopt import graph, ports
from edgecls.export.adopt.foreign import labels_of, opset_of
from edgecls.export.adopt.preprocessing import Answers, Feed
from edgecls.export.adopt.probe_images import drawn
from edgecls.export.adopt.questions import KNOWN_ENDINGS, Known, ask, unsaid
from edgecls.export.adopt.runner import Runner
from edgecls.export.trace import OPSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.foreign import Foreign

SAME_OUTPUT = {"FLOAT16": 1e-2, "FLOAT": 1e-3, "DOUBLE": 1e-3, "UINT8": 1e-3}
"""By the type of the input: how far the outputs of a network may differ when it is computed in another way, as a share of its
largest output."""
SAME_BY_SCHEME = {"fp32": 0.0, "fp16": 1e-2, "int8": 5e-2}
"""The same by the number format of the graph: with 8 bits, a sum may be rounded to the neighbouring level."""
SUM_BOUND = 1e-2
"""How far the sum of probabilities may be from 1; in 16 bits it differs by this much."""


@dataclass(frozen=True, slots=True)
class Network:
    """A graph of another tool, ready for any number of pictures.

    Attributes:
        ports: Its input and output.
        model: The graph.
        runner: Runs the graph.
        original: Runs the graph of the file.
        answer: The dimensions of the output for one picture.
        ending: The kind of output, a key of `graph.ENDINGS`.
        labels: The labels of the outputs.
        notes: Lines to show to the user.
    """

    ports: ports.Ports
    model: onnx.ModelProto
    runner: Runner
    original: Runner
    answer: tuple[int, ...]
    ending: str
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def same_output(dtype: str, scheme: str) -> float:
    """Return how far the outputs of a network may differ, by the type of its input and its number format."""
    return max(SAME_OUTPUT[dtype], SAME_BY_SCHEME[scheme])


def ready(foreign: Foreign, answers: Answers, *, checked: bool) -> Network:
    """Prepare a graph of another tool.

    Args:
        foreign: The opened file.
        answers: What the user and the file say about the network.
        checked: Whether colour and values may be missing, because there are check pictures.

    Raises:
        ConfigError: Settings are missing; the message lists them. Or an answer contradicts the file.
        ModelError: The graph is not a classifier, or works only for a fixed number of pictures.
    """
    where = foreign.path
    found, missing = ports.find(foreign.model, answers, where)
    if found is None:
        last = ports.last_of(foreign.model, answers)
        raise ask(where, missing + unsaid(answers, foreign.names, Known(last=last), checked=checked))
    original = Runner(foreign.model, found, where, batch=found.batch)
    seen = drawn((*found.size_hw, found.channels))
    any_feed = Feed("gray" if found.channels == 1 else "rgb", "0..1")
    expected = original.outputs(seen, any_feed)
    outputs = expected.shape[1]
    missing = unsaid(answers, foreign.names, Known(found.channels, outputs, found.last), checked=checked)
    if missing:
        raise ask(where, missing)
    ending = _ending(found.last, answers.output, outputs, where)
    _check_outputs(expected, ending, where)
    labels = labels_of(foreign, answers.labels, max(2, outputs))
    model, runner, notes = _free(foreign, found, seen, expected, any_feed)
    return Network(found, model, runner, original, runner.answer, ending, labels, notes)


def _ending(last: str, given: str, outputs: int, where: str) -> str:
    """Return the kind of output from the last operator and the answer of the user. Raises ConfigError or ModelError."""
    known = KNOWN_ENDINGS.get(last, "")
    if known == "Sigmoid" and outputs > 1:
        raise ModelError(
            f"{where}: its last operator is Sigmoid, a yes or no for each of {outputs} labels; edgecls needs a network that "
            "gives one label per picture"
        )
    if given == "logits" and known not in ("", "logits"):
        raise ConfigError(f"{where}: its last operator is {last}, so its outputs are not logits; leave `output` out")
    if given == "probabilities" and known == "LogSoftmax":
        raise ConfigError(f"{where}: its last operator is LogSoftmax, so its outputs are not probabilities; leave `output` out")
    ending = given or known
    if outputs == 1:
        return "one logit" if ending == "logits" else "Sigmoid"
    return known if known == "LogSoftmax" else ending


def _check_outputs(outputs: NDArray[np.float64], ending: str, where: str) -> None:
    """Raise ModelError if the outputs cannot be of this kind."""
    if not np.isfinite(outputs).all():
        raise ModelError(f"{where}: the network gives no numbers (NaN or infinite) for generated pictures")
    low, high = float(outputs.min()), float(outputs.max())
    sums = np.ones(1) if outputs.shape[1] == 1 else outputs.sum(axis=1)
    are_probabilities = low >= -SUM_BOUND and high <= 1 + SUM_BOUND and bool(np.abs(sums - 1).max() <= SUM_BOUND)
    if ending in ("probabilities", "Sigmoid") and not are_probabilities:
        raise ModelError(
            f"{where}: its outputs are not probabilities: they are between {low:.3g} and {high:.3g} and add up to "
            f"{sums.min():.3g} to {sums.max():.3g}; use `output=logits` if they are logits"
        )
    if ending == "logits" and are_probabilities:
        raise ModelError(f"{where}: its outputs are not logits: they add up to 1 for every picture; use `output=probabilities`")


def _free(
    foreign: Foreign, found: ports.Ports, seen: NDArray[np.uint8], expected: NDArray[np.float64], feed: Feed
) -> tuple[onnx.ModelProto, Runner, tuple[str, ...]]:
    """Return the graph for any number of pictures, its Runner, and notes. Current operators are preferred to its own."""
    opset = opset_of(foreign.model)
    whys: list[str] = []
    for model, kept in _forms(foreign.model, computed=bool(found.batch)):
        try:
            freed = graph.freed(model, found)
            runner = Runner(freed, found, "changed so", batch=0)
            _check_same(runner, seen, expected, feed, same_output(found.dtype, foreign.scheme))
        except ModelError as error:
            whys.append(str(error))
            continue
        why = whys[0] if whys else f"onnx cannot convert them to {OPSET}"
        return freed, runner, (f"its operators stay those of opset {opset}: {why}",) if kept else ()
    why = whys[0] if whys else f"its operators are of opset {opset}, too old, and onnx cannot convert them to {OPSET}"
    if found.batch:
        raise ModelError(
            f"{foreign.path}: it takes {found.batch} picture{'s' if found.batch > 1 else ''} at a time, and cannot be changed "
            f"to take any number ({why}); export it again with a free batch axis"
        )
    raise ModelError(f"{foreign.path}: the graph cannot be converted ({why}); export it again with newer operators")


def _forms(model: onnx.ModelProto, *, computed: bool) -> Iterator[tuple[onnx.ModelProto, bool]]:
    """Yield the forms of a graph to try, the best first, and whether each keeps the old operators."""
    trials = [(graph.modern(model), False)]
    if opset_of(model) < OPSET:
        trials.append((graph.old(model), True))
    for form, kept in trials:
        if form is not None:
            yield form, kept
            constant = graph.computed(form) if computed else None
            if constant is not None:
                yield constant, kept


def _check_same(runner: Runner, seen: NDArray[np.uint8], expected: NDArray[np.float64], feed: Feed, bound: float) -> None:
    """Raise ModelError unless the outputs are those of the file, for batches of one, three and all pictures."""
    for count in (1, 3, len(seen)):
        apart = float(np.abs(runner.outputs(seen[:count], feed) - expected[:count]).max())
        if not apart <= bound * max(1.0, float(np.abs(expected).max())):
            raise ModelError(f"with {count} at once, its outputs are off by {apart:.3g}")
