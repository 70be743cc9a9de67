"""A foreign graph made ready: today's operators where they can be had, any number of pictures, and what its output means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgecls.errors import ConfigError, ModelError
from edgecls.export.adopt import graph, ports
from edgecls.export.adopt.drawn import drawn
from edgecls.export.adopt.feed import VALUES, Answers, Feed
from edgecls.export.adopt.foreign import labels_of, opset_of
from edgecls.export.adopt.runner import Runner
from edgecls.export.convert import OPSET

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.foreign import Foreign

SAME_OUTPUT = {"FLOAT16": 1e-2, "FLOAT": 1e-3, "DOUBLE": 1e-3, "UINT8": 1e-3}
"""By the type of the input: how far the same network may be off when it is computed in another way, as a share of its largest
output."""
SUM_BOUND = 1e-2
"""Probabilities add up to 1 within this; in 16 bits they are off by that much."""


@dataclass(frozen=True, slots=True)
class Network:
    """A foreign graph that takes any number of pictures (`model`, started as `runner`), and the one of the file, started.

    `ending` is a key of `graph.ENDINGS`: what the numbers of its `answer` (the dimensions for one
    picture) mean; `labels` what they are called.
    """

    ports: ports.Ports
    model: onnx.ModelProto
    runner: Runner
    original: Runner
    answer: tuple[int, ...]
    ending: str
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def ready(foreign: Foreign, answers: Answers, *, checked: bool) -> Network:
    """Make it ready. `checked`: colour and range of values may be left unsaid, because pictures will tell them.

    Raises ConfigError that lists the options that are missing, ModelError for a graph that is no classifier or takes a fixed
    number of pictures only.
    """
    where = foreign.path
    found, missing = ports.find(foreign.model, answers, where)
    if found is None:
        last = ports.last_of(foreign.model, answers)
        raise _ask(where, missing + _unsaid(foreign, answers, channels=0, outputs=0, last=last, checked=checked))
    original = Runner(foreign.model, found, where, batch=found.batch)
    seen = drawn((*found.size_hw, found.channels))
    any_feed = Feed("gray" if found.channels == 1 else "rgb", "0..1")
    said = original.outputs(seen, any_feed)
    outputs = said.shape[1]
    missing = _unsaid(foreign, answers, channels=found.channels, outputs=outputs, last=found.last, checked=checked)
    if missing:
        raise _ask(where, missing)
    ending = _ending(found.last, answers.output, outputs, where)
    _check_outputs(said, ending, where)
    labels = labels_of(foreign, answers.labels, max(2, outputs))
    model, runner, notes = _free(foreign, found, seen, said, any_feed)
    return Network(found, model, runner, original, runner.answer, ending, labels, notes)


def _ask(where: str, missing: list[str]) -> ConfigError:
    return ConfigError(f"{where}: say what the file does not: {'; '.join(missing)}; nothing was written")


def _unsaid(
    foreign: Foreign, answers: Answers, *, channels: int, outputs: int, last: str | None, checked: bool
) -> list[str]:  # fmt: skip
    """The options that nobody has given, each with what it may be; `channels` and `outputs` are 0 and `last` is None
    where not known yet.
    """
    missing = []
    if not answers.labels and not foreign.names:
        count = f"{max(2, outputs)} labels, one a line" if outputs else "one label a line"
        missing.append(f"--labels FILE ({count}; or numbers)")
    if channels != 1 and not answers.color and not checked:
        missing.append("--color rgb|bgr" if channels else "--color gray|rgb|bgr")
    if not answers.values and not checked:
        missing.append(
            "--values 0..1|0..255" if answers.mean or answers.std else f"--values {'|'.join(VALUES)} (or with --mean and --std)"
        )
    if not answers.output and last is not None and last not in _KNOWN_ENDINGS:
        missing.append(f"--output logits|probabilities (its last operator is {last or 'not known'})")
    if missing and not checked and (not answers.values or (channels != 1 and not answers.color)):
        missing[-1] += "; or give --check DATA, labelled pictures that tell colour and values"
    return missing


_KNOWN_ENDINGS = {"Softmax": "probabilities", "LogSoftmax": "LogSoftmax", "Sigmoid": "Sigmoid", "linear": "logits"}
"""What the last operator tells of an output."""


def _ending(last: str, said: str, outputs: int, where: str) -> str:
    known = _KNOWN_ENDINGS.get(last, "")
    if known == "Sigmoid" and outputs > 1:
        raise ModelError(
            f"{where}: its last operator is Sigmoid, a yes or no for each of {outputs} labels; edgecls takes networks that "
            "give one label to a picture"
        )
    if said == "logits" and known not in ("", "logits"):
        raise ConfigError(f"{where}: its last operator is {last}, so what it gives are no logits; leave --output out")
    if said == "probabilities" and known == "LogSoftmax":
        raise ConfigError(
            f"{where}: its last operator is LogSoftmax, so what it gives are no probabilities; leave --output out"
        )
    ending = said or known
    if outputs == 1:
        return "one logit" if ending == "logits" else "Sigmoid"
    return known if known == "LogSoftmax" else ending


def _check_outputs(said: NDArray[np.float64], ending: str, where: str) -> None:
    """Whether what the network says can be what it is taken for."""
    if not np.isfinite(said).all():
        raise ModelError(f"{where}: the network gives no numbers (NaN or infinite) for drawn pictures")
    sums = np.ones(1) if said.shape[1] == 1 else said.sum(axis=1)
    looks = said.min() >= -SUM_BOUND and said.max() <= 1 + SUM_BOUND and bool(np.abs(sums - 1).max() <= SUM_BOUND)
    if ending in ("probabilities", "Sigmoid") and not looks:
        raise ModelError(
            f"{where}: its outputs are no probabilities: they lie between {said.min():.3g} and {said.max():.3g} and add up to "
            f"{sums.min():.3g} to {sums.max():.3g}; say --output logits if they are"
        )
    if ending == "logits" and looks:
        raise ModelError(f"{where}: its outputs are no logits: they add up to 1 for every picture; say --output probabilities")


def _free(
    foreign: Foreign, found: ports.Ports, seen: NDArray[np.uint8], said: NDArray[np.float64], feed: Feed
) -> tuple[onnx.ModelProto, Runner, tuple[str, ...]]:
    """The graph with today's operators, else with its own, for any number of pictures; with what is to be said of that."""
    opset = opset_of(foreign.model)
    whys: list[str] = []
    for model, kept in _forms(foreign.model, computed=bool(found.batch)):
        try:
            freed = graph.freed(model, found)
            runner = Runner(freed, found, "changed so", batch=0)
            _check_same(runner, seen, said, feed, SAME_OUTPUT[found.dtype])
        except ModelError as error:
            whys.append(str(error))
            continue
        why = whys[0] if whys else f"onnx cannot bring them to {OPSET}"
        return freed, runner, (f"its operators stay those of opset {opset}: {why}",) if kept else ()
    why = whys[0] if whys else f"its operators are of opset {opset}, too old, and onnx cannot bring them to {OPSET}"
    if found.batch:
        raise ModelError(
            f"{foreign.path}: it takes {found.batch} picture{'s' if found.batch > 1 else ''} at a time, and cannot be made to "
            f"take any number ({why}); export it again with a free batch axis"
        )
    raise ModelError(f"{foreign.path}: the graph cannot be taken over ({why}); export it again with newer operators")


def _forms(model: onnx.ModelProto, *, computed: bool) -> Iterator[tuple[onnx.ModelProto, bool]]:
    """The forms in which a graph may be taken over, the best first, and whether it keeps its old operators in it."""
    trials = [(graph.modern(model), False)]
    if opset_of(model) < OPSET:
        trials.append((graph.old(model), True))
    for form, kept in trials:
        if form is not None:
            yield form, kept
            constant = graph.computed(form) if computed else None
            if constant is not None:
                yield constant, kept


def _check_same(runner: Runner, seen: NDArray[np.uint8], said: NDArray[np.float64], feed: Feed, bound: float) -> None:
    """Raise ModelError unless one picture, and three, and all give what the file gives."""
    for count in (1, 3, len(seen)):
        apart = float(np.abs(runner.outputs(seen[:count], feed) - said[:count]).max())
        if not apart <= bound * max(1.0, float(np.abs(said).max())):
            raise ModelError(f"with {count} at once, its outputs are off by {apart:.3g}")
