"""Make an edgecls model of a classifier that somebody else has trained: `adopt(...)`.

FILE -> open_foreign -> graph, and what it says of itself -> ready: any number of pictures, today's operators
                                                                `- gives what the file gives
     -> feed: as the user says, or as the check pictures tell -> feed in front, probabilities behind -> scheme -> out.onnx
                                                                   `- gives what the file gives         `- loses little

Nothing is guessed from what a network happens to say: the layout comes from the input's dimensions, the kind of output from the
last operator, and where these do not tell, or nobody can know (colour, range of values, labels), the user must.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from edgecls import __version__, extras, golden
from edgecls.card import InputSpec, ModelCard
from edgecls.classifier import Classifier
from edgecls.dataset import DataConfig, Pictures
from edgecls.errors import ConfigError, ExportError
from edgecls.evaluate import measure
from edgecls.export.adopt import graph, suspects
from edgecls.export.adopt.drawn import NOISE, PLAIN, drawn
from edgecls.export.adopt.feed import Answers, Feed, feeds
from edgecls.export.adopt.foreign import open_foreign
from edgecls.export.adopt.network import SAME_OUTPUT, ready
from edgecls.export.adopt.runner import BATCH, probabilities
from edgecls.export.build import plainly, writable
from edgecls.export.convert import stamp
from edgecls.export.inputs import Tested, calibration_pictures, tested_pictures
from edgecls.export.parity import agreement
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import FLOATS
from edgecls.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edgecls.card import Color, Fit, Interpolation
    from edgecls.export.adopt.foreign import Foreign
    from edgecls.export.adopt.network import Network

PARITY_PICTURES = 64
"""So many check pictures must give the file's probabilities, besides the drawn ones."""


@dataclass(frozen=True, slots=True)
class Check:
    """Labelled pictures to check a reading with; `roi` cuts the regions of interest of a manifest, `force` keeps to what was
    said where another reading fits better.
    """

    data: str = ""
    roi: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Scheme:
    """The number format of the weights, a key of SCHEMES: `calibration` names pictures for those that need some, `max_drop` is
    the most points of accuracy that may be lost on the check pictures.
    """

    name: str = "fp32"
    calibration: str = ""
    max_drop: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what is none, or misses its pictures."""
        if self.name not in SCHEMES:
            raise ConfigError(f"scheme {self.name!r} is not known; expected one of {', '.join(SCHEMES)}")
        if self.name not in FLOATS and not self.calibration:
            raise ConfigError(f"--scheme {self.name} needs --calibration DATA: pictures that tell the range of each value")


@dataclass(frozen=True, slots=True)
class Watching:
    """Who hears of it: `say` gets lines, `tried` all readings that were tried on the check pictures, the best first."""

    say: Callable[[str], None] = lambda _line: None
    tried: Callable[[Sequence[suspects.Tried]], None] = lambda _tried: None


@dataclass(frozen=True, slots=True)
class Adopted:
    """The written file and its card, how it is fed, how far its probabilities in float are from those of the foreign file, and
    the share of pictures that keep their label in the scheme.
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
    """Write an edgecls model made of the classifier in `source`, an .onnx, .keras or .h5 file, to the file `out`.

    `answers` are what the user knows of it. With `check`, all usual readings are tried on labelled pictures: what was left
    unsaid is taken from the one that stands out. `about` goes on the card.

    Raises ConfigError for what must be said first, or that the check contradicts, ModelError for a file that is no such
    classifier, ExportError for a result that is not what the file computes; then nothing is written.
    """
    out, check, scheme, watching = writable(Path(out)), check or Check(), scheme or Scheme(), watching or Watching()
    foreign = open_foreign(source, answers.size_hw)
    answers = _together(answers, foreign.known)
    network = ready(foreign, answers, checked=bool(check.data))
    for note in (f"{foreign.path}: {foreign.kind}", *foreign.notes, *network.notes):
        watching.say(note)
    spec = _spec(network, answers)
    tested = tested_pictures(DataConfig(check.data, roi=check.roi), network.labels, spec) if check.data else None
    pictures = _named_alike(tested, watching) if tested else None
    feed = _choose(foreign, network, answers, pictures, check, watching)
    spec = replace(spec, color=cast("Color", feed.color))
    watching.say(
        f"taken: {feed}, {spec.width}x{spec.height}, {network.ports.layout}, {_IN_WORDS[network.ending]}; "
        f"pictures are fitted by {spec.fit}, {spec.interpolation}"
    )

    made = graph.as_edgecls(network.model, network.ports, feed, network.ending, network.answer)
    card = ModelCard(network.labels, spec, "fp32", about=about or foreign.about, made_with=_made_with(foreign, network, feed))
    seen, class_ids = drawn(spec.shape), np.arange(PLAIN + NOISE)
    if pictures is not None:
        seen, class_ids = _in_order(pictures.batch[:], feed), pictures.class_ids
        pictures = replace(pictures, batch=seen)
    in_float = Classifier.from_bytes(stamp(made, card), f"{out} (fp32)", device="cpu", threads=1)
    compared = np.concatenate([drawn(spec.shape), seen[:PARITY_PICTURES]])
    difference = _difference(in_float, network, feed, compared, foreign.path)

    final = in_float
    if scheme.name != "fp32":
        made = SCHEMES[scheme.name](made, _calibration(scheme.calibration, spec, roi=check.roi) if scheme.calibration else seen)
        card = replace(card, scheme=scheme.name)
        final = Classifier.from_bytes(stamp(made, card), f"{out} ({scheme.name})", device="cpu", threads=1)
    same = agreement(in_float.probabilities(compared), final.probabilities(compared))
    if pictures is not None and tested is not None:
        card, same = _measured(card, in_float, final, pictures, scheme)
        card = replace(card, measured_on=tested.name("check"))
    kept = golden.make(seen, class_ids, final.probabilities, plainly(stamp(made, card)), scheme=scheme.name)
    with whole_file(out) as path:
        path.write_bytes(stamp(made, card, kept))
    return Adopted(out, card, feed, difference, same)


_IN_WORDS = {
    "probabilities": "gives probabilities",
    "logits": "gives logits, softmax put behind",
    "LogSoftmax": "gives logarithms of probabilities",
    "Sigmoid": "gives the probability of the second label",
    "one logit": "gives the logit of the second label",
}


def _together(said: Answers, known: Answers) -> Answers:
    """What the user says, and what the file says where the user says nothing."""
    return Answers(**{f.name: getattr(said, f.name) or getattr(known, f.name) for f in fields(Answers)})


def _spec(network: Network, answers: Answers) -> InputSpec:
    """The picture, in red-green-blue as long as the colour is not chosen."""
    height, width = network.ports.size_hw
    color: Color = "gray" if network.ports.channels == 1 else "rgb"
    fit, interpolation = cast("Fit", answers.fit or "stretch"), cast("Interpolation", answers.interpolation or "area")
    return InputSpec(height, width, color, fit, interpolation)


def _named_alike(tested: Tested, watching: Watching) -> Pictures:
    """The check pictures, with the network's classes."""
    for line in tested.pictures.broken:
        watching.say(f"left out: {line}")
    return replace(tested.pictures, class_ids=np.asarray(tested.class_ids, np.int64)[tested.pictures.class_ids])


def _choose(
    foreign: Foreign, network: Network, answers: Answers, pictures: Pictures | None, check: Check, watching: Watching
) -> Feed:  # fmt: skip
    if pictures is None:
        color = "gray" if network.ports.channels == 1 else answers.color
        return Feed(color, answers.values, answers.mean, answers.std)
    some = np.random.default_rng(0).permutation(len(pictures.batch))[: suspects.PICTURES]
    truth = pictures.class_ids[some]
    tried = suspects.attempt(
        _feeds(network, answers), answers, pictures.batch[some], truth,
        lambda batch, feed: probabilities(network.runner.outputs(batch, feed), network.ending),
    )  # fmt: skip
    watching.tried(tried)
    return suspects.choose(tried, truth, foreign.path, force=check.force).feed


def _feeds(network: Network, answers: Answers) -> list[Feed]:
    """Uint8 pictures a network takes as they are, so of those the colour alone is tried."""
    found = feeds(network.ports.channels, answers)
    return [f for f in found if f.values == "0..255" and not f.mean and not f.std] if network.ports.dtype == "UINT8" else found


def _in_order(batch: NDArray[np.uint8], feed: Feed) -> NDArray[np.uint8]:
    """Red-green-blue pictures with their channels in the order of the feed."""
    return batch[..., ::-1] if feed.color == "bgr" else batch


def _difference(made: Classifier, network: Network, feed: Feed, seen: NDArray[np.uint8], where: str) -> float:
    """How far the probabilities of what was made are from those of the file. Raises ExportError for too far.

    Probabilities of 0 and 1 hide what made them, so the network's own outputs are compared too.
    """
    said = network.original.outputs(seen, feed)
    bare = plainly(graph.as_edgecls(network.model, network.ports, feed, "probabilities", network.answer).SerializeToString())
    again = np.concatenate([bare(seen[i : i + BATCH]) for i in range(0, len(seen), BATCH)])
    bound = SAME_OUTPUT[network.ports.dtype]
    apart = float(np.abs(again[:, -said.shape[1] :] - said).max()) / max(1.0, float(np.abs(said).max()))
    difference = float(np.abs(made.probabilities(seen) - probabilities(said, network.ending)).max())
    worst = max(difference, apart)
    if not worst <= bound:
        raise ExportError(
            f"{where}: what was made of it gives something else, by up to {worst:.2g}, expected at most {bound:g}; "
            "nothing was written. Report this network: it was taken over wrongly"
        )
    return difference


def _calibration(data: str, spec: InputSpec, *, roi: bool) -> NDArray[np.uint8]:
    return calibration_pictures(DataConfig(data, roi=roi).scan().items, spec, seed=0)


def _measured(
    card: ModelCard, in_float: Classifier, final: Classifier, pictures: Pictures, scheme: Scheme
) -> tuple[ModelCard, float]:  # fmt: skip
    """The card with what the final file gets on the check pictures, and the share that keeps its label from float.

    Raises ExportError for more points of accuracy lost than the scheme may.
    """
    after = measure(final.probabilities, card.labels, pictures, range(len(card.labels)))
    before = after if final is in_float else measure(in_float.probabilities, card.labels, pictures, range(len(card.labels)))
    lost = 100 * (before.top1 - after.top1)
    if lost > scheme.max_drop:
        raise ExportError(
            f"{scheme.name}: {lost:.2f} points of accuracy are lost against float on the check pictures, expected at most "
            f"{scheme.max_drop:g}; nothing was written. Take --scheme fp32, or allow more with --max-drop"
        )
    return replace(card, metrics=after.as_metrics()), agreement(before.probabilities, after.probabilities)


def _made_with(foreign: Foreign, network: Network, feed: Feed) -> dict[str, str]:
    """Where the model comes from and how it was read, and the versions that did it."""
    packages = {name: extras.load(name, extra="export", purpose="Adopting a model") for name in ("onnx", "onnxruntime")}
    return {
        "edgecls": __version__,
        **{name: str(package.__version__) for name, package in packages.items()},
        "adopted_from": Path(foreign.path).name,
        "adopted_sha256": foreign.sha256,
        "adopted_kind": foreign.kind,
        "adopted_as": f"{feed}; {network.ports.layout}; {_IN_WORDS[network.ending]}",
    }
