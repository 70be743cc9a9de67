"""`adopt_model`: adopt a classifier that was trained with another tool, in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecls.export.adopt.adoption import Check, Watching, adopt
from edgecls.export.adopt.forms import Scheme
from edgecls.export.adopt.preprocessing import Answers
from edgecls.log import log_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edgecls.export.adopt.adoption import Adopted
    from edgecls.export.adopt.preprocessing_search import Tried
    from edgecls.log import Say


def adopt_model(  # noqa: PLR0913 - each answers a question that only the user can answer
    source: str | Path, out: str | Path, *, labels: str | Path = "", color: str = "", values: str = "",
    mean: tuple[float, ...] = (), std: tuple[float, ...] = (), layout: str = "", size_hw: tuple[int, int] | tuple[()] = (),
    output: str = "", output_name: str = "", fit: str = "", interpolation: str = "", check: str | Path = "", roi: bool = False,
    force: bool = False, scheme: str = "fp32", calibration: str | Path = "", max_drop: float = 0.5, about: str = "",
    say: Say = log_progress, tried: Callable[[Sequence[Tried]], None] = lambda _tried: None,
) -> Adopted:  # fmt: skip
    """Convert a classifier that was trained with another tool to an edgecls model, after checking that it computes the same.

    Settings that are left out are read from the file. If the file does not contain them, the error names them.

    Args:
        source: An .onnx, .keras or Keras 2 .h5 file.
        out: The .onnx file to write; its folder exists.
        labels: A text file with one label per line, in the order of the outputs; or "numbers".
        color: The channel order that the network expects: "rgb", "bgr" or "gray".
        values: The range to which the levels 0..255 are scaled: "0..1", "0..255", "-1..1" or "imagenet".
        mean: Mean to subtract from the scaled values: one number, or one per channel in the order of the network.
        std: Standard deviation to divide by, in the same order.
        layout: "nchw" or "nhwc", if the dimensions of the input are ambiguous.
        size_hw: Height and width of the input in pixels, for a network that accepts any size.
        output: "logits" or "probabilities", if the last operator is ambiguous.
        output_name: Which output to use, if there are several.
        fit: How a picture is brought to the size of the input: "stretch" (the default), "letterbox" or "center-crop".
        interpolation: Interpolation when a picture is shrunk: "area" (the default) or "linear".
        check: Labelled pictures that show which colour and values are right, in a format that `train_model` accepts.
        roi: Crop to the regions of interest in the manifest.
        force: Use the given settings even if the check pictures fit others better.
        scheme: "fp32", "fp16", "int8" or another key of `edgecls.export.quantize.SCHEMES`; "auto": the fastest that passes.
        calibration: Labelled pictures to calibrate int8 with.
        max_drop: Maximum loss of accuracy of the scheme on the check pictures, in percentage points. Without check pictures,
            the maximum percentage of calibration pictures whose label changes.
        about: Name and licence of the training data, for the card.
        say: Called with each line of progress and each warning. Default: the logger "edgecls".
        tried: Called with all preprocessings that were tried on the check pictures, the best first.

    Returns:
        The written file, its card, its preprocessing, and the difference of its probabilities from those of `source`.

    Raises:
        ConfigError: A setting is missing, or contradicts the file or the check pictures.
        ModelError: `source` cannot be read, or is not an image classifier.
        ExportError: The result does not compute the same as the file, or the scheme loses too much; nothing is written.

    Example:
        >>> import edgecls
        >>> adopted = edgecls.adopt_model("theirs.keras", "adopted.onnx", labels="labels.txt", values="0..1")
        >>> adopted.out, adopted.card.labels
        (PosixPath('adopted.onnx'), ('disc', 'ring', 'square', 'stripes'))
    """
    return adopt(
        source,
        out,
        Answers(str(labels), size_hw, layout, color, values, mean, std, fit, interpolation, output, output_name),
        check=Check(str(check), roi, force),
        scheme=Scheme(scheme, str(calibration), max_drop),
        about=about,
        watching=Watching(say, tried),
    )
