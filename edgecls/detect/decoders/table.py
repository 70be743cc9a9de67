"""The table of decoders, and which of them fit the outputs of a detector."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgecls.detect.decoders import centernet, detr, nanodet, ssd, yolo
from edgecls.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from edgecls.detect.boxes import Boxes
    from edgecls.detect.decoders.kind import Kind, Outputs, Seen

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*yolo.KINDS, *detr.KINDS, *ssd.KINDS, *nanodet.KINDS, *centernet.KINDS)}
"""All kinds of detectors, by name."""


def kind_named(name: str) -> Kind:
    """Return the kind of this name. Raises ConfigError for an unknown one."""
    if name not in KINDS:
        raise ConfigError(f"`kind={name}`: expected one of {', '.join(KINDS)}")
    return KINDS[name]


def recognise(seen: Seen, where: str, name: str = "") -> tuple[Kind, dict[str, str]]:
    """Find the kind of a detector from what it gave for one picture.

    Args:
        seen: Its outputs.
        where: The file, for error messages.
        name: The kind that it is said to be; "" to find it.

    Returns:
        The kind, and the name of the output for each role of its decoder.

    Raises:
        ConfigError: Several kinds fit, or the kind that was named is not known.
        ModelError: No kind fits, or not the one that was named.
    """
    kinds = [kind_named(name)] if name else list(KINDS.values())
    fitting = [(kind, roles) for kind in kinds if (roles := kind.roles(seen))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(
            f"{where}: its outputs, {shapes_of(seen)}, fit several kinds; choose with `kind`: "
            + "; ".join(f"{kind.name} ({kind.about})" for kind, _ in fitting)
        )
    if seen.classes and any(kind.roles(replace(seen, classes=0)) for kind in kinds):
        raise ConfigError(f"{where}: its outputs, {shapes_of(seen)}, are not those of {seen.classes} classes; check `classes`")
    height, width = seen.size_hw
    found = f"{where}: its outputs, {shapes_of(seen)} for an input of {width}x{height},"
    if name:
        raise ModelError(f"{found} are not those of {name}: {kinds[0].shapes}")
    raise ModelError(f"{found} fit no decoder; known are {'; '.join(f'{kind.name}: {kind.shapes}' for kind in kinds)}")


def shapes_of(seen: Seen) -> str:
    """Return the outputs with their shapes, for messages."""
    return ", ".join(f"{name} {list(value.shape)}" for name, value in seen.outputs.items()) or "none"


def decode(kind: Kind, outputs: Outputs, size_hw: tuple[int, int], low: float) -> Boxes:
    """Return the candidates of a detector with a score above `low`, with classes from 0, before any suppression.

    Args:
        kind: The kind of the detector.
        outputs: What it gave for one picture, by role.
        size_hw: Height and width of its input in pixels.
        low: The lowest score, 0 to 1.
    """
    found = kind.decode(outputs, size_hw, low)
    found = found._replace(class_ids=found.class_ids - kind.first_class)
    return found.take(found.class_ids >= 0)
