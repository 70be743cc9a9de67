"""`learn_model`: a classifier from a few labelled pictures, in seconds and without TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls._version import __version__
from edgecls.compare.held_out import HeldOut, picture_key
from edgecls.dataset import DataConfig, Dataset, decode, fingerprint
from edgecls.errors import ConfigError, ExportError
from edgecls.evaluate import Report
from edgecls.export.build import plain_answers, refuse_same, writable
from edgecls.export.convert import stamp
from edgecls.export.novelty import add_novelty
from edgecls.files import whole_file
from edgecls.input_spec import Fit, InputSpec
from edgecls.learn.accuracy import Accuracy, accuracy
from edgecls.learn.advice import advice
from edgecls.learn.backbone import DEFAULT, EMBEDDING, Backbone, open_backbone
from edgecls.learn.cross_validation import Scored, cross_validated
from edgecls.learn.curve import Curve, curve
from edgecls.learn.foreign import novelty_of
from edgecls.learn.head import MEANS, Head
from edgecls.learn.model_file import with_head
from edgecls.learn.pictures import EMBEDDED, Known, known_pictures
from edgecls.log import log_progress
from edgecls.model import confidence, golden
from edgecls.model.card import ModelCard
from edgecls.model.classifier import Classifier
from edgecls.model.novelty import NoveltyLimit
from edgecls.settings import build
from edgecls.text.words import counted

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import onnx
    from numpy.typing import NDArray

    from edgecls.log import Progress, Say

LARGEST_DIFFERENCE = 2e-3
"""Between a probability of the file and of the head in numpy, which round differently."""
MOST_COMPARED = 32
CURVE, WRITING = 0.88, 0.95
"""The shares of the work that are done when these stages begin. Mostly, the pictures take the time."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """The outcome of `learn_model`.

    Attributes:
        out: The written file.
        card: Its card.
        accuracy: How many labels are right in cross-validation, of all pictures and of each class, with 95 % intervals.
        curve: The accuracy with fewer pictures, and what to expect of more.
        advice: What follows from both, in sentences.
        report: The scores of all pictures that were held out, as `evaluate_model` returns them. Its times are NaN.
        computed: How many pictures were embedded; the embeddings of the others were in the cache.
        held_out: The answers of cross-validation, which `compare_models` takes in place of those of the file.
    """

    out: Path
    card: ModelCard
    accuracy: Accuracy
    curve: Curve
    advice: tuple[str, ...]
    report: Report
    computed: int
    held_out: HeldOut


def learn_model(  # noqa: PLR0913 - each is an option of the command
    data: str | Path | DataConfig | Mapping[str, Any], out: str | Path, *, backbone: str = DEFAULT, size: int | None = None,
    fit: Fit = "stretch", mirror: tuple[str, ...] = (), reject: float = 0.02, about: str = "", seed: int = 0,
    threads: int | None = None, say: Say = log_progress, progress: Progress = lambda _stage, _share: None,
) -> Learned:  # fmt: skip
    """Learn a classifier from a few labelled pictures and write it to one .onnx file.

    A network with ImageNet weights turns pictures into embeddings, and a linear head is fitted to these. It is fitted to
    all pictures; its accuracy comes from cross-validation by group. The same pictures and settings give the same file.

    Args:
        data: Class folders, a store, a CSV manifest or an npz file; or the fields of `DataConfig`, of which `val_fraction` does
            not matter. Pictures of a test part are left aside.
        out: The .onnx file to write; its folder exists.
        backbone: A name in `edgecls.learn.backbone.BACKBONES`. Its package must be installed.
        size: The side of the input in pixels, from 64. None takes that of the backbone, such as 224; 96 is five times as fast,
            and as accurate for objects that fill the picture.
        fit: How pictures of another aspect ratio are fitted: "stretch", "letterbox" or "center-crop".
        mirror: The labels whose pictures may be flipped left to right, or "all".
        reject: The share (0 to below 1) of known pictures that may be classified as unknown, so that foreign ones are. Below 20
            pictures of several classes, none is.
        about: Free text for the card, such as the name and license of the data.
        seed: Shuffles the groups before they are spread over the folds.
        threads: CPU threads for the backbone; None takes all cores.
        say: Called with each warning and note. Default: the logger "edgecls".
        progress: Called with what is done now, such as "embedding the pictures", and the share that is done, 0..1.

    Returns:
        The written file, its card, and its accuracy.

    Raises:
        MissingExtraError: The package with the weights is not installed.
        ConfigError: A setting is not valid.
        DataError: The pictures cannot be used.
        ExportError: The file does not compute the same as the head; nothing is written.

    Example:
        >>> import edgecls
        >>> learned = edgecls.learn_model("shapes", "shapes.onnx", size=64)
        >>> print("right:", learned.accuracy.overall)
        right: ... % (... to ... %)
    """
    if not 0 <= reject < 1:
        raise ConfigError(f"reject {reject}: expected the share of known pictures that may be unknown, from 0 to below 1")
    out = writable(Path(out))
    config = _data_config(data)
    refuse_same(out, Path(config.path))
    progress("opening the network", 0.0)
    network = open_backbone(backbone, size=size, threads=threads)
    spec = InputSpec(network.size, network.size, "rgb", fit)
    dataset = config.scan(fewest_classes=1)
    for line in dataset.notes:
        say(f"note: {line}")
    known = known_pictures(dataset, spec, network, mirror=mirror, strict=config.strict, say=say, progress=progress)
    with _one_blas_thread():
        progress("measuring the accuracy", EMBEDDED)
        scored = cross_validated(known.views, known.groups, seed=seed)
        head = known.views.fit(np.arange(len(known.items)), scored.strength)
        found = accuracy(scored, known.group_of, dataset.labels)
        progress("measuring the learning curve", CURVE)
        ahead = curve(known.views, scored, known.group_of, seed=seed)
        novelty = novelty_of(known, reject=reject, seed=seed)
    report = _report(dataset, known, scored, reject if novelty is None else 0.0)
    card = ModelCard(
        labels=dataset.labels,
        input=spec,
        scheme="int8",
        about=about,
        dataset=fingerprint(dataset),
        split=f"none: cross-validation in {found.folds} folds by group ({dataset.group_rule}), seed {seed}",
        confidence=report.confidence,
        novelty=None if novelty is None else NoveltyLimit(kept=round(novelty.kept, 4)),
        metrics=_metrics(report, found),
        measured=report.measured if found.overall.scored else None,
        measured_on=f"cross-validation of {counted(found.overall.scored, 'picture')} in {counted(found.groups, 'group')}"
        if found.overall.scored
        else "",
        made_with=_made_with(network, head, known, seed),
    )
    model = with_head(network, head)
    if novelty is not None:
        model = add_novelty(model, EMBEDDING, novelty)
    progress("writing the model", WRITING)
    content = _whole(model, card, known, head, str(out))
    with whole_file(out) as beside:
        beside.write_bytes(content)
    held_out = _held_out(content, dataset, known, report)
    advised = advice(found, ahead, scored, known.group_of)
    return Learned(out, card, found, ahead, advised, report, known.computed, held_out)


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Keep NumPy's linear algebra to one thread during a `with` block. The matrices of a few pictures are small: on a machine
    that runs cameras besides, threads that wait for each other take four times as long, and six times the CPU time.
    """
    limits: AbstractContextManager[Any] = extras.load(
        "threadpoolctl", extra="pretrained", purpose="Learning"
    ).threadpool_limits(1, "blas")
    return limits


def _data_config(data: str | Path | DataConfig | Mapping[str, Any]) -> DataConfig:
    if isinstance(data, DataConfig):
        return data
    table = dict(data) if isinstance(data, Mapping) else {"path": str(data)}
    config: DataConfig = build(DataConfig, table, "data")
    return config


def _report(dataset: Dataset, known: Known, scored: Scored, reject: float) -> Report:
    """Return the scores of the held-out pictures with their calibration."""
    held, probabilities = scored.scored, scored.probabilities
    truth = scored.truth[held]
    fitted = confidence.fit(probabilities, truth, reject=reject)
    found = Report(
        labels=dataset.labels,
        truth=truth,
        probabilities=probabilities,
        ms=float("nan"),
        p99_ms=float("nan"),
        broken=known.broken,
        items=tuple(known.items[i] for i in held.tolist()),
    )
    return found.read_as(replace(fitted, temperature=scored.temperature))


def _held_out(content: bytes, dataset: Dataset, known: Known, report: Report) -> HeldOut:
    """Return the answers of cross-validation by picture."""
    row_of = dict(zip(report.items, report.probabilities, strict=True))
    digest_of = dict(zip(dataset.items, dataset.hashes, strict=True))
    answers = {picture_key(digest_of[item], item.roi): row_of.get(item) for item in known.items}
    return HeldOut(hashlib.sha256(content).hexdigest(), dataset.labels, answers)


def _metrics(report: Report, found: Accuracy) -> dict[str, float]:
    """Return the metrics for the card: those of cross-validation, and the interval of the accuracy."""
    if found.overall.interval is None:
        return {}
    low, high = found.overall.interval
    return {**report.as_metrics(), "top1_low": round(low, 5), "top1_high": round(high, 5)}


def _made_with(network: Backbone, head: Head, known: Known, seed: int) -> dict[str, str]:
    versions = {
        name: str(extras.load(name, extra="pretrained", purpose="Learning").__version__) for name in ("onnx", "onnxruntime")
    }
    return {
        "edgecls": __version__,
        **versions,
        "backbone": network.name,
        "backbone_sha256": network.sha256[:16],
        "head": "class means" if head.strength == MEANS else f"logistic regression, weight decay {head.strength:g}",
        "pictures": str(len(known.items)),
        "seed": str(seed),
    }


def _whole(model: onnx.ModelProto, card: ModelCard, known: Known, head: Head, where: str) -> bytes:
    """Return the bytes of the file with card and golden pictures, after comparing its results with those of the head.

    Raises:
        ExportError: They differ.
    """
    firsts = np.unique(known.views.class_ids, return_index=True)[1][:MOST_COMPARED]
    pictures = decode([known.items[i] for i in firsts.tolist()], card.input)
    plain = replace(card, confidence=confidence.Confidence())
    run = Classifier.from_bytes(stamp(model, plain), where, device="cpu", threads=1).answers
    expected: NDArray[np.float32] = head.probabilities(known.views.embeddings[firsts, 0])
    difference = float(np.abs(run(pictures.batch[:]).probabilities - expected).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"{where}: the file computes something else than the head (a probability differs by {difference:.2g}, at most "
            f"{LARGEST_DIFFERENCE:g}); nothing was written. Empty the cache of embeddings and learn again"
        )
    kept = golden.make(pictures.batch, pictures.class_ids, run, plain_answers(model.SerializeToString()), scheme=card.scheme)
    content = stamp(model, card, kept)
    Classifier.from_bytes(content, where, device="cpu", threads=1)  # as every user of the file will
    return content
