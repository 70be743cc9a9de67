"""Add a novelty to a model that has none, from pictures of its classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgecls import extras
from edgecls.dataset import DataConfig, decode
from edgecls.dataset.matching import match_labels
from edgecls.errors import ConfigError
from edgecls.export.build import plain_answers, writable
from edgecls.export.convert import drop_unused, stamp
from edgecls.export.inputs import fitting_count
from edgecls.export.known import FEWEST_HELD_OUT, KnownPictures, with_novelty
from edgecls.files import whole_file
from edgecls.model import golden, vet
from edgecls.model.classifier import Classifier
from edgecls.model.confidence import Confidence
from edgecls.model.golden import GOLDEN_KEY, Golden
from edgecls.model.novelty import NOVELTY_NAME

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgecls.dataset import Pictures
    from edgecls.frame import Batch
    from edgecls.model.card import ModelCard


@dataclass(frozen=True, slots=True)
class WithKnown:
    """The written file, its card, its size in bytes, and how many known pictures it was fitted to."""

    out: Path
    card: ModelCard
    bytes: int
    pictures: int


def add_known(
    model: str | Path, out: str | Path, data: str | Path, *, reject: float = 0.02, group: str = "", roi: bool = False
) -> WithKnown:  # fmt: skip
    """Write a model that also computes the novelty of a picture, by which pictures of no class are unknown.

    The novelty is fitted to what this very file computes, and its limit is set by cross-validation. An earlier one is replaced.

    Args:
        model: An .onnx file of edgecls.
        out: The .onnx file to write; it may be the same.
        data: Labelled pictures of its classes, best such that it was not trained on.
        reject: The share (0 to 1) of known pictures that may come out as unknown by novelty, besides those by their scores.
        group: A regular expression, whose first group in the path of a picture names pictures that belong together.
        roi: Whether to crop pictures to the region of interest in the manifest.

    Raises:
        ModelError: The file is not a classifier of edgecls.
        DataError: The pictures cannot be used.
        ConfigError: There are too few pictures, or the graph has no layers to use.

    Example:
        >>> from edgecls.export.known_model import add_known
        >>> print(add_known("shapes.onnx", "strict.onnx", "shapes").card.novelty.kept)
        0.98
    """
    out, content = writable(Path(out)), vet.read(model)
    before = Classifier.from_bytes(content, str(model), device="cpu", threads=1)
    card, graph = before.card, _without_novelty(content)
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    pictures = _pictures(card, DataConfig(str(data), roi=roi, group=group))
    fitted = with_novelty(graph, KnownPictures(pictures, None, reject))
    if fitted is None:
        why = "the graph has no layer with features" if len(pictures.batch) >= FEWEST_HELD_OUT else (
            f"found {len(pictures.batch)} pictures in {data}, expected at least {FEWEST_HELD_OUT}")  # fmt: skip
        raise ConfigError(f"{model}: a novelty cannot be fitted, {why}; nothing was written")
    chosen: tuple[Batch, NDArray[np.int64]] = pictures.batch, pictures.class_ids
    if GOLDEN_KEY in metadata:
        earlier = Golden.from_json(metadata[GOLDEN_KEY], card.input, len(card.labels), str(model)).pictures
        chosen = earlier, np.arange(len(earlier))
    made_with = {**card.made_with, "novelty_pictures": str(len(pictures.batch))}
    card = replace(card, novelty=fitted.limit, made_with=made_with)
    uncalibrated = stamp(fitted.model, replace(card, confidence=Confidence()))
    run = Classifier.from_bytes(uncalibrated, str(out), device="cpu", threads=1).answers
    kept = golden.make(*chosen, run, plain_answers(uncalibrated), scheme=card.scheme)
    made = stamp(fitted.model, card, kept)
    with whole_file(out) as path:
        path.write_bytes(made)
    return WithKnown(out, card, len(made), len(pictures.batch))


def is_edgecls(model: str | Path) -> bool:
    """Whether a file has the card of a classifier of edgecls."""
    return b'"reject_temperature"' in vet.read(model)  # a field that only such a card has, which is text in the file


def _without_novelty(content: bytes) -> onnx.ModelProto:
    onnx = extras.load("onnx", extra="export", purpose="Adding a novelty")
    model = onnx.load_from_string(content)
    for output in [o for o in model.graph.output if o.name == NOVELTY_NAME]:
        model.graph.output.remove(output)
    drop_unused(model.graph)
    return model


def _pictures(card: ModelCard, data: DataConfig) -> Pictures:
    """Return a random sample of the pictures, with the class ids of the model."""
    dataset = data.scan()
    class_ids = np.asarray(match_labels(dataset, card.labels), np.int64)
    order = np.random.default_rng(0).permutation(len(dataset.items))[: fitting_count(card.input)]
    found = decode([dataset.items[i] for i in order.tolist()], card.input)
    return replace(found, class_ids=class_ids[found.class_ids])
