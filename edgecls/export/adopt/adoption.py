"""Convert a classifier that was trained with another tool to an edgecls model: `adopt(...)`.

FILE -> open_foreign -> graph and metadata -> ready: any batch size, current operators
                                                `- same outputs as the file
     -> preprocessing: given, or found with check pictures -> added to the graph, with softmax -> scheme -> out.onnx
                                                                `- same outputs as the file         `- loses little

Nothing is guessed from the outputs of a network. The layout comes from the dimensions of the input, the kind of output from the
last operator. If these are ambiguous, or for what no file contains (colour, range of values, labels), the user must say it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls import extras
from edgecls._version import __version__
from edgecls.dataset import DataConfig, Pictures
from edgecls.errors import ConfigError, EdgeclsError, ExportError, ModelError
from edgecls.export.adopt import graph, preprocessing_search
from edgecls.export.adopt.foreign import names_in, open_foreign
from edgecls.export.adopt.forms import Form, Scheme, best_form, judge_of
from edgecls.export.adopt.network import ready, same_output
from edgecls.export.adopt.preprocessing import Answers, Feed, feeds
from edgecls.export.adopt.probe_images import drawn
from edgecls.export.adopt.runner import BATCH, probabilities
from edgecls.export.build import plainly, refuse_same, writable
from edgecls.export.convert import stamp
from edgecls.export.inputs import Tested, calibration_pictures, tested_pictures
from edgecls.files import whole_file
from edgecls.input_spec import InputSpec
from edgecls.model import golden
from edgecls.model.card import ModelCard, family
from edgecls.model.classifier import Classifier
from edgecls.model.golden import SMALLEST_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import onnx
    from numpy.typing import NDArray

    from edgecls.export.adopt.foreign import Foreign
    from edgecls.export.adopt.network import Network
    from edgecls.input_spec import Color, Fit, Interpolation

PARITY_PICTURES = 64
"""The number of check pictures to compare with the original file, besides the generated ones."""


@dataclass(frozen=True, slots=True)
class Check:
    """Labelled pictures that show which preprocessing is right.

    Attributes:
        data: Where the pictures are; "" for none.
        roi: Crop to the regions of interest in the manifest.
        force: Use the given settings even if another preprocessing fits better.
    """

    data: str = ""
    roi: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Watching:
    """Callbacks: `say` gets lines of progress, `tried` all preprocessings tried on the check pictures, the best first."""

    say: Callable[[str], None] = lambda _line: None
    tried: Callable[[Sequence[preprocessing_search.Tried]], None] = lambda _tried: None


@dataclass(frozen=True, slots=True)
class Adopted:
    """The outcome of an adoption.

    Attributes:
        out: The written file.
        card: Its card.
        feed: The preprocessing of its pictures.
        largest_difference: The largest difference of its probabilities, computed in float, from those of the original file.
        agreement: The share of pictures whose label in the scheme is that in float, 0..1.
    """

    out: Path
    card: ModelCard
    feed: Feed
    largest_difference: float
    agreement: float


def adopt(
    source: str | Path, out: str | Path, answers: Answers, *, check: Check | None = None, scheme: Scheme | None = None,
    about: str = "", watching: Watching | None = None,
) -> Adopted:  # fmt: skip
    """Convert the classifier in `source`, an .onnx, .keras or .h5 file, to the edgecls model `out`.

    Args:
        source: The file to read.
        out: The .onnx file to write.
        answers: What the user says about the network.
        check: Labelled pictures. All usual preprocessings are tried on them, and settings that were not given are those of the
            one that is clearly the best.
        scheme: The number format.
        about: Name and licence of the training data, for the card.
        watching: Callbacks for progress.

    Raises:
        ConfigError: A setting is missing, or contradicts the file or the check pictures.
        ModelError: The file cannot be read, or is not an image classifier.
        ExportError: The result does not compute the same as the file; nothing is written.
    """
    out, check, scheme, watching = writable(Path(out)), check or Check(), scheme or Scheme(), watching or Watching()
    refuse_same(out, Path(source))
    if answers.labels not in ("", "numbers"):
        names_in(answers.labels)
    calibrating = DataConfig(scheme.calibration, roi=check.roi).scan() if scheme.calibration else None
    answers = replace(answers, missing=scheme.missing)
    foreign = open_foreign(source, answers, checked=bool(check.data))
    answers = _merged(answers, foreign.known)
    network = ready(foreign, answers, checked=bool(check.data))
    for note in (f"{foreign.path}: {foreign.kind}", *foreign.notes, *network.notes):
        watching.say(note)
    spec = _spec(network, answers)
    tested = tested_pictures(DataConfig(check.data, roi=check.roi), network.labels, spec) if check.data else None
    pictures = _check_pictures(tested, watching) if tested else None
    feed = _choose(foreign, network, answers, pictures, check, watching)
    spec = replace(spec, color=cast("Color", feed.color))
    watching.say(
        f"taken: {feed}, {spec.width}x{spec.height}, {network.ports.layout}, {_IN_WORDS[network.ending]}; "
        f"pictures are fitted by {spec.fit}, {spec.interpolation}"
    )

    made = _made(foreign, network, feed, network.ending)
    if foreign.scheme == "int8" and scheme.name != "fp32":
        raise ConfigError(f"{foreign.path}: it is quantized already, so leave `scheme` out; nothing was written")
    card = ModelCard(
        network.labels, spec, foreign.scheme, about=about or foreign.about, made_with=_made_with(foreign, network, feed)
    )
    calibration = drawn(spec.shape) if calibrating is None else calibration_pictures(calibrating.items, spec, seed=0)
    seen = calibration
    if pictures is not None:
        seen = _in_order(pictures.batch[:], feed)
        pictures = replace(pictures, batch=seen)
    in_float = Classifier.from_bytes(stamp(made, card), f"{out} ({card.scheme})", device="cpu", threads=1)
    compared = np.concatenate([drawn(spec.shape), seen[:PARITY_PICTURES]])
    difference = _difference(in_float, network, feed, compared, foreign)

    form = best_form(Form(made, card, in_float), scheme, calibration, judge_of(in_float, pictures, seen), watching.say)
    card = form.card
    if form.report is not None and tested is not None:
        report = form.report
        card = replace(card, metrics=report.as_metrics(), measured=report.measured, measured_on=tested.name("check"))
    class_ids = form.classifier.probabilities(seen).argmax(axis=1) if pictures is None else pictures.class_ids
    run = form.classifier.probabilities
    kept = golden.make(seen, class_ids, run, plainly(stamp(form.model, card)), scheme=card.scheme)
    with whole_file(out) as path:
        path.write_bytes(stamp(form.model, card, kept))
        _check_written(path, out, compared, run(compared))
    return Adopted(out, card, feed, difference, form.same)


def _check_written(path: Path, out: Path, pictures: NDArray[np.uint8], expected: NDArray[np.float32]) -> None:
    """Load the written file. Raises ExportError unless it gives the expected probabilities, for one picture and for several."""
    try:
        written = Classifier.load(path, device="cpu", threads=1)
        found = np.concatenate([written.probabilities(pictures[:1]), written.probabilities(pictures[1:])])
    except (EdgeclsError, ValueError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise ExportError(f"{out}: the converted model cannot be used ({why}); nothing was written") from error
    if found.shape != expected.shape or not np.abs(found - expected).max() <= SMALLEST_BOUNDS[family(written.card.scheme)]:
        raise ExportError(f"{out}: loaded again, the converted model gives other probabilities; nothing was written")


_IN_WORDS = {
    "probabilities": "gives probabilities",
    "logits": "gives logits, softmax put behind",
    "LogSoftmax": "gives logarithms of probabilities",
    "Sigmoid": "gives the probability of the second label",
    "one logit": "gives the logit of the second label",
}


def _merged(given: Answers, known: Answers) -> Answers:
    """Return the answers of the user, completed by those that the file contains."""
    return Answers(**{f.name: getattr(given, f.name) or getattr(known, f.name) for f in fields(Answers)})


def _spec(network: Network, answers: Answers) -> InputSpec:
    """Return the specification of the input; colour pictures are "rgb" until the channel order is chosen."""
    height, width = network.ports.size_hw
    color: Color = "gray" if network.ports.channels == 1 else "rgb"
    fit, interpolation = cast("Fit", answers.fit or "stretch"), cast("Interpolation", answers.interpolation or "area")
    return InputSpec(height, width, color, fit, interpolation)


def _check_pictures(tested: Tested, watching: Watching) -> Pictures:
    """Return the check pictures with the class ids of the network."""
    for line in tested.pictures.broken:
        watching.say(f"left out: {line}")
    for line in tested.pictures.notes:
        watching.say(f"note: {line}")
    return replace(tested.pictures, class_ids=np.asarray(tested.class_ids, np.int64)[tested.pictures.class_ids])


def _choose(
    foreign: Foreign, network: Network, answers: Answers, pictures: Pictures | None, check: Check, watching: Watching
) -> Feed:  # fmt: skip
    """Return the preprocessing: the given one, or the best on the check pictures. Raises ConfigError if that is not clear."""
    if pictures is None:
        color = "gray" if network.ports.channels == 1 else answers.color
        return Feed(color, answers.values, answers.mean, answers.std)
    some = np.random.default_rng(0).permutation(len(pictures.batch))[: preprocessing_search.PICTURES]
    truth = pictures.class_ids[some]
    tried = preprocessing_search.attempt(
        _feeds(network, answers), answers, pictures.batch[some], truth,
        lambda batch, feed: probabilities(network.runner.outputs(batch, feed), network.ending),
    )  # fmt: skip
    watching.tried(tried)
    return preprocessing_search.choose(tried, truth, foreign.path, force=check.force).feed


def _feeds(network: Network, answers: Answers) -> list[Feed]:
    """Return the preprocessings to try. A network with uint8 input scales the levels itself, so only its colour is tried."""
    found = feeds(network.ports.channels, answers)
    return [f for f in found if f.values == "0..255" and not f.mean and not f.std] if network.ports.dtype == "UINT8" else found


def _made(foreign: Foreign, network: Network, feed: Feed, ending: str) -> onnx.ModelProto:
    """Return the graph with preprocessing and output as edgecls needs them. Raises ModelError if onnx refuses the result."""
    try:
        return graph.as_edgecls(network.model, network.ports, feed, ending, network.answer)
    except EdgeclsError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{foreign.path}: the graph cannot be converted ({why}); export it again with newer operators"
        ) from error


def _in_order(batch: NDArray[np.uint8], feed: Feed) -> NDArray[np.uint8]:
    """Return RGB pictures with their channels in the order of the feed."""
    return batch[..., ::-1] if feed.color == "bgr" else batch


def _difference(made: Classifier, network: Network, feed: Feed, seen: NDArray[np.uint8], foreign: Foreign) -> float:
    """Return the largest difference of the probabilities from those of the file. Raises ExportError if it is too large.

    Different logits can all give probabilities of 0 and 1, so the outputs of the network are compared too.
    """
    expected = network.original.outputs(seen, feed)
    bare = plainly(_made(foreign, network, feed, "probabilities").SerializeToString())
    found = np.concatenate([bare(seen[i : i + BATCH]) for i in range(0, len(seen), BATCH)])
    bound = same_output(network.ports.dtype, foreign.scheme)
    apart = float(np.abs(found[:, -expected.shape[1] :] - expected).max()) / max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(made.probabilities(seen) - probabilities(expected, network.ending)).max())
    worst = max(difference, apart)
    if not worst <= bound:
        raise ExportError(
            f"{foreign.path}: the converted model gives other results, by up to {worst:.2g}, expected at most {bound:g}; "
            "nothing was written. The conversion is wrong; please report this network"
        )
    return difference


def _made_with(foreign: Foreign, network: Network, feed: Feed) -> dict[str, str]:
    """Return the entries for the card: the origin of the model, its preprocessing, and the versions of the packages."""
    packages = {name: extras.load(name, extra="export", purpose="Adopting a model") for name in ("onnx", "onnxruntime")}
    return {
        "edgecls": __version__,
        **{name: str(package.__version__) for name, package in packages.items()},
        "adopted_from": Path(foreign.path).name,
        "adopted_sha256": foreign.sha256,
        "adopted_kind": foreign.kind,
        "adopted_as": f"{feed}; {network.ports.layout}; {_IN_WORDS[network.ending]}",
    }
