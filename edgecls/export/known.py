"""Fit the novelty of a graph to known pictures, of which some had no part in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgecls import extras
from edgecls.export.features import add_features
from edgecls.export.novelty import Adding, add_novelty
from edgecls.model import confidence
from edgecls.model.classifier import INPUT_NAME, OUTPUT_NAME
from edgecls.model.novelty import NoveltyLimit, fit, fit_novelty

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from edgecls.dataset import Pictures

FEWEST_HELD_OUT = 20
"""How many pictures it takes to set a limit."""
SHARES = 11


@dataclass(frozen=True, slots=True, eq=False)
class KnownPictures:
    """Pictures of the classes of a model.

    Attributes:
        fitting: To fit the distance to; the model may have been trained on them.
        held_out: To set the limit with; the model was not trained on them. None sets it with `fitting`, by cross-validation.
        reject: The share of known pictures that may come out as unknown, by scores and novelty together, 0..1; by novelty alone
            without `held_out`.
    """

    fitting: Pictures
    held_out: Pictures | None
    reject: float


class WithNovelty(NamedTuple):
    """A graph with the output "novelty", what the card says of it, and the share of known pictures left for the scores."""

    model: onnx.ModelProto
    limit: NoveltyLimit
    reject: float


def with_novelty(model: onnx.ModelProto, known: KnownPictures) -> WithNovelty | None:
    """Return a graph that also computes the novelty of a picture, fitted to what this very graph computes.

    None if nothing may be rejected, for less than FEWEST_HELD_OUT pictures, or if the graph has no features to use.
    """
    if not known.reject or len((known.held_out or known.fitting).batch) < FEWEST_HELD_OUT:
        return None
    made = type(model)()
    made.CopyFrom(model)
    parts = add_features(made)
    if not parts:
        return None
    found, _ = _run(made, list(parts), known.fitting)
    weights = _weights(found, list(parts.values()))
    features, class_ids, share = np.hstack(found) * weights, known.fitting.class_ids, known.reject
    if known.held_out is None:
        groups = np.array([item.group for item in known.fitting.items])
        novelty = fit_novelty(features, class_ids, groups, np.random.default_rng(0), kept=1 - share)
    else:
        held_out, probabilities = _run(made, list(parts), known.held_out)
        unlimited = fit(features, class_ids)
        scores = unlimited.scores(np.hstack(held_out) * weights)
        share = _share(scores, probabilities, known.reject)
        novelty = unlimited.limited(scores, 1 - share)
    made = add_novelty(made, _joined(made, list(parts), weights), novelty)
    return WithNovelty(made, NoveltyLimit(kept=round(1 - share, 4), quantiles=novelty.quantiles), share)


def _weights(features: Sequence[NDArray[np.float32]], weights: Sequence[float]) -> NDArray[np.float32]:
    """Return the factor of each feature, (D,), with which the sums of the parts are in the ratio of their weights."""
    sums = [max(float(np.maximum(part, 0).sum(axis=1).mean()), 1e-6) for part in features]
    factors = [weight / total for weight, total in zip(weights, sums, strict=True)]
    return np.concatenate([np.full(part.shape[1], f, np.float32) for part, f in zip(features, factors, strict=True)])


def _joined(model: onnx.ModelProto, parts: Sequence[str], weights: NDArray[np.float32]) -> str:
    adding = Adding(model, "weighted")
    joined = parts[0] if len(parts) == 1 else adding.node("Concat", parts, axis=1)
    return adding.node("Mul", [joined, adding.constant(weights)])


def _share(scores: NDArray[np.float32], probabilities: NDArray[np.float32], reject: float) -> float:
    """Return the share of pictures to reject by each of novelty and scores, so that both together reject `reject`."""
    if len(scores) < confidence.MIN_PICTURES_TO_FIT:  # the scores reject nothing then
        return reject
    unsure = -confidence.familiarity(probabilities)
    for share in np.linspace(reject, reject / 2, SHARES).tolist():
        either = (scores > np.quantile(scores, 1 - share)) | (unsure > np.quantile(unsure, 1 - share))
        if either.mean() <= reject + 0.5 / len(scores):
            return float(share)
    return reject / 2


def _run(
    model: onnx.ModelProto, parts: Sequence[str], pictures: Pictures
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the features of pictures, (N, size) for each part, and their probabilities, (N, labels)."""
    onnx = extras.load("onnx", extra="export", purpose="Exporting")
    ort = extras.load("onnxruntime", extra="export", purpose="Exporting")
    shown = type(model)()
    shown.CopyFrom(model)
    shown.graph.output.extend(onnx.helper.make_tensor_value_info(p, onnx.TensorProto.FLOAT, None) for p in parts)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
    step = pictures.at_a_time(64)
    batches = [pictures.batch[i : i + step] for i in range(0, len(pictures.batch), step)]
    found = [session.run([*parts, OUTPUT_NAME], {INPUT_NAME: batch}) for batch in batches]
    *features, probabilities = (np.concatenate(of_output) for of_output in zip(*found, strict=True))
    return features, probabilities
