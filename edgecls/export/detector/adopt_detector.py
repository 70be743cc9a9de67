"""Convert a detector that was trained with another tool: `adopt_detector(...)`.

FILE -> open_detector -> outputs for a picture -> kind, from the table of decoders
     -> preprocessing added to the graph, outputs named by their roles -> card and golden picture -> out.onnx
                                                  `- same boxes as the file
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from edgecls import extras, image
from edgecls._version import __version__
from edgecls.detect.card import DetectorCard
from edgecls.detect.decoders.kind import Seen, to_pixels
from edgecls.detect.decoders.table import recognise
from edgecls.detect.detector import Detector
from edgecls.detect.golden import ALIKE, GOLDEN_KEY, MOST, SIZE_HW, GoldenBoxes
from edgecls.detect.input import DetectorFit, DetectorInput, Order
from edgecls.errors import ConfigError, EdgeclsError, ExportError, ModelError
from edgecls.export.adopt.foreign import names_in
from edgecls.export.adopt.preprocessing import Answers, Feed
from edgecls.export.adopt.probe_images import drawn
from edgecls.export.build import refuse_same, writable
from edgecls.export.detector.graph import End, Original, converted
from edgecls.export.detector.source import Source, open_detector
from edgecls.files import whole_file
from edgecls.log import log_progress
from edgecls.model.card import DETECTOR_KEY

if TYPE_CHECKING:
    import onnx

    from edgecls.detect.boxes import Boxes
    from edgecls.detect.decoders.kind import Kind
    from edgecls.input_spec import Interpolation
    from edgecls.log import Say

PROBES = (0, 1, 8)
"""Which of the generated pictures are compared: two plain ones and one of noise."""
GOLDEN_CHOICES = 3
"""The golden picture is the one of so many plain ones with the highest scores."""
BACKGROUND = ("__background__", "background")
"""How makers that count classes from 1 call the class 0."""


@dataclass(frozen=True, slots=True)
class AdoptedDetector:
    """The outcome of an adoption.

    Attributes:
        out: The written file.
        card: Its card.
        same: The share of the best boxes of the original graph that the written file finds too, 0 to 1.
    """

    out: Path
    card: DetectorCard
    same: float


def adopt_detector(  # noqa: PLR0913 - each answers a question that only the user can answer
    source: str | Path, out: str | Path, *, classes: str | Path = "", kind: str = "", color: str = "", values: str = "",
    mean: tuple[float, ...] = (), std: tuple[float, ...] = (), size_hw: tuple[int, int] | tuple[()] = (), fit: str = "",
    interpolation: str = "", overlap: float | None = None, about: str = "", say: Say = log_progress,
) -> AdoptedDetector:  # fmt: skip
    """Convert a detector that was trained with another tool to one that edgecls can use, after checking that it finds the same.

    Its kind is recognised by the names and shapes of its outputs. What is left out is read from the file, or is what the maker
    of that kind does.

    Args:
        source: An .onnx file.
        out: The .onnx file to write; its folder exists.
        classes: A text file with the name of one class per line, in the order of the outputs; or "numbers".
        kind: The kind, a key of `edgecls.detect.decoders.table.KINDS`, if several fit.
        color: The channel order that the network expects: "rgb" or "bgr".
        values: The range to which the levels 0..255 are scaled: "0..1", "0..255", "-1..1" or "imagenet".
        mean: Mean to subtract from the scaled values: one number, or one per channel in the order of the network.
        std: Standard deviation to divide by, in the same order.
        size_hw: Height and width of the input in pixels, for a network that accepts any size.
        fit: How a frame is brought to the size of the input, see `DetectorFit`.
        interpolation: Interpolation when a frame is shrunk: "area" or "linear".
        overlap: The largest intersection over union of two boxes of a class. None: the maker's.
        about: Name and licence of the training data, for the card.
        say: Called with each line of progress. Default: the logger "edgecls".

    Returns:
        The written file, its card, and how far its boxes are those of `source`.

    Raises:
        ConfigError: A setting is missing, or contradicts the file.
        ModelError: `source` cannot be read, or its outputs fit no decoder; the message has their shapes and the known ones.
        ExportError: The result does not find the same boxes as the file; nothing is written.

    Example:
        adopted = edgecls.adopt_detector("yolo11n.onnx", "detector.onnx")
        print(adopted.card.kind, adopted.card.classes)
    """
    out = writable(Path(out))
    refuse_same(out, Path(source))
    given = Answers(values=values, mean=mean, std=std, interpolation=interpolation)
    _check_choice("color", color, get_args(Order))
    _check_choice("fit", fit, get_args(DetectorFit))
    names = names_in(str(classes)) if classes and classes != "numbers" else ()
    opened = open_detector(source, size_hw)
    where = opened.foreign.path
    original = Original(opened)
    names = names or opened.names
    found_kind, roles = _recognised(opened, original, "" if classes == "numbers" else names, kind)
    feed = _feed(opened, found_kind, given, color)
    for note in (f"{where}: {opened.foreign.kind}", f"kind {found_kind.name}: {found_kind.about}"):
        say(note)
    pictures = drawn((*opened.size_hw, 3))[list(PROBES)]
    raw = _by_role(original.outputs(pictures[0], feed), roles)
    end = _end(found_kind, raw, opened.size_hw)
    if end.factors:
        say("its boxes are in fractions of the input, so the graph multiplies them by its size")
    card = DetectorCard(
        kind=found_kind.name,
        classes=_names(found_kind, found_kind.classes(raw), names, str(classes), where),
        input=DetectorInput(
            *opened.size_hw,
            cast("Order", feed.color),
            cast("DetectorFit", fit or found_kind.fit),
            cast("Interpolation", interpolation or found_kind.interpolation),
        ),
        values=str(feed).partition(", ")[2],
        scheme=opened.foreign.scheme,
        about=about or opened.about,
        made_with=_made_with(opened),
    )
    if found_kind.suppression is not None:
        card = replace(card, overlap=found_kind.suppression.overlap, most=found_kind.suppression.most)
    if overlap is not None:
        if found_kind.suppression is None:
            raise ConfigError(f"`overlap={overlap:g}`: {found_kind.name} needs no suppression, or its graph contains it")
        card = replace(card, overlap=overlap)
    spec = card.input
    say(
        f"taken: {feed}, {spec.width}x{spec.height}, {len(card.classes)} classes; frames are fitted by {spec.fit}, "
        f"{spec.interpolation}"
    )
    model = converted(opened, feed, roles, end)
    made = _opened(_stamp(model, card), str(out))
    same = min(_share(made, end.of(_by_role(original.outputs(picture, feed), roles)), picture) for picture in pictures)
    if same < ALIKE:
        raise ExportError(
            f"{where}: the converted detector finds other boxes: {same:.0%} of them are the same, expected {ALIKE:.0%}; "
            "nothing was written. The conversion is wrong; please report this network"
        )
    golden = _golden(made)
    with whole_file(out) as path:
        path.write_bytes(_stamp(model, card, golden))
        _opened(path.read_bytes(), str(out))
    return AdoptedDetector(out, card, same)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value and value not in known:
        raise ConfigError(f"`{name}={value}`: expected one of {', '.join(known)} for a detector")


def _recognised(source: Source, original: Original, names: Any, kind: str) -> tuple[Kind, dict[str, str]]:
    """Return the kind and the roles of the outputs. Raises ModelError if it is no detector."""
    picture = drawn((*source.size_hw, 3))[PROBES[0]]
    outputs = original.outputs(picture, Feed("rgb", "0..1"))
    rows = [value.shape for value in outputs.values()]
    if len(rows) == 1 and (len(rows[0]) < 2 or np.prod(rows[0][1:]) == max(rows[0][1:])):
        name, shape = next(iter(outputs)), list(rows[0])
        raise ModelError(
            f"{source.foreign.path}: its output {name} {shape} is that of a classifier; adopt it without `detector`"
        )
    seen = Seen(outputs, source.size_hw, len(names), source.head, bool(source.size_input))
    return recognise(seen, source.foreign.path, kind)


def _feed(source: Source, kind: Kind, given: Answers, color: str) -> Feed:
    """Return the preprocessing: what was said, what the graph shows, or what the maker does."""
    color = color or kind.color
    if given.values or given.mean or given.std:
        return Feed(color, given.values or "0..1", given.mean, given.std, divides=True)
    if source.values:
        return Feed(color, source.values, divides=True)
    return Feed(color, kind.values, kind.mean, kind.std, divides=True)


def _names(kind: Kind, outputs: int, names: tuple[str, ...], classes: str, where: str) -> tuple[str, ...]:
    """Return the name of each class. Raises ConfigError if they are missing, or if their number is wrong."""
    if classes == "numbers" and outputs:
        return tuple(map(str, range(outputs)))
    if kind.first_class == 1 and names and names[0].lower() in BACKGROUND:
        names = names[1:]
    if not names:
        fix = "" if not outputs else ", or `classes=numbers`"
        raise ConfigError(f"{where}: it does not name its classes; say `classes=FILE`, a file with one name per line{fix}")
    if outputs and outputs - len(names) not in kind.extra_classes:
        said = f"`classes={classes}` has" if classes else "its metadata has"
        raise ConfigError(
            f"{where}: {said} {len(names)} names, the detector distinguishes {outputs} classes; expected one name for each"
        )
    return names


def _are_logits(scores: Any) -> bool:
    """Whether scores are logits. Nearly all logits of a heat map are far below 0, because nearly all of it is background."""
    return bool(scores.min() < 0 or scores.max() > 1)


def _end(kind: Kind, raw: dict[str, Any], size_hw: tuple[int, int]) -> End:
    """Return what a graph needs behind it, from what it gave for one picture, by role."""
    logits = kind.sigmoid if kind.sigmoid and _are_logits(raw[kind.sigmoid]) else ""
    if not kind.box_axis:
        return End(logits)
    ((role, candidates),) = raw.items()
    factors = to_pixels(candidates, kind.box_axis, size_hw)
    return End(logits, {} if factors is None else {role: factors})


def _by_role(outputs: dict[str, Any], roles: dict[str, str]) -> dict[str, Any]:
    return {role: outputs[name] for role, name in roles.items()}


def _share(made: Detector, expected: dict[str, Any], picture: Any) -> float:
    """Return the share of the best boxes of the file that the converted detector finds too."""
    wanted = made.boxes(expected, 0.0).best_first(MOST)
    return GoldenBoxes(picture, wanted).share_found(made.boxes(made.outputs(picture), 0.0), made.card.scheme)


def _golden(made: Detector) -> GoldenBoxes:
    """Return the plain picture with the highest scores, and its boxes."""
    found = []
    for picture in drawn((*SIZE_HW, 3))[:GOLDEN_CHOICES]:
        frame = image.as_frame(picture, "", 0, time_s=0.0, captured_at=0.0)
        found.append(GoldenBoxes(picture, _rounded(made.detect(frame, low=0.0).best_first(MOST))))
    return max(found, key=lambda golden: float(golden.expected.scores.sum()))


def _rounded(boxes: Boxes) -> Boxes:
    return boxes._replace(corners=boxes.corners.round(3), scores=boxes.scores.round(6))


def _opened(content: bytes, out: str) -> Detector:
    """Load the converted detector. Raises ExportError if it cannot be used."""
    try:
        return Detector.from_bytes(content, out, device="cpu", threads=1)
    except (EdgeclsError, ValueError) as error:
        why = str(error).removeprefix(f"{out}: ")
        raise ExportError(f"{out}: the converted detector cannot be used ({why}); nothing was written") from error


def _stamp(model: onnx.ModelProto, card: DetectorCard, golden: GoldenBoxes | None = None) -> bytes:
    """Return the bytes of the file with card and golden picture in its metadata."""
    onnx = extras.load("onnx", extra="export", purpose="Adopting a model")
    del model.metadata_props[:]
    kept = {} if golden is None else {GOLDEN_KEY: golden.to_json()}
    onnx.helper.set_model_props(model, {DETECTOR_KEY: card.to_json(), **kept})
    model.producer_name, model.producer_version = "edgecls", __version__
    return bytes(model.SerializeToString(deterministic=True))


def _made_with(source: Source) -> dict[str, str]:
    packages = {name: extras.load(name, extra="export", purpose="Adopting a model") for name in ("onnx", "onnxruntime")}
    return {
        "edgecls": __version__,
        **{name: str(package.__version__) for name, package in packages.items()},
        "adopted_from": Path(source.foreign.path).name,
        "adopted_sha256": source.foreign.sha256,
        "adopted_kind": source.foreign.kind,
    }
