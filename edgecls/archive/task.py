"""What a worker is told and what it answers: plain values that processes and machines can exchange."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edgecls.errors import ConfigError, EdgeclsError
from edgecls.files.reading import open_regular
from edgecls.run.options import OptionCamera
from edgecls.text.strict_json import dumps

if TYPE_CHECKING:
    from pathlib import Path

    from edgecls.archive.recordings import Recording
    from edgecls.run.camera import Camera
    from edgecls.run.config import Config
    from edgecls.source.spans import Span

BLOCK_BYTES = 1 << 20
_NO_RULES = frozenset(
    {"name", "source", "substream", "drift", "open_timeout_s", "read_timeout_s", "give_up_after_s", "keep_s", "keep_bytes"}
)
"""Settings that change no label of a recording."""


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of an archive share.

    Attributes:
        config: The model and the rules of each camera. `rules_of` chooses those of a recording.
        out: The folder of the archive.
        model: The sha256 of the model file.
        by_name: Whether rules are those of the camera with the same name; otherwise those of the only one.
        threads: How many threads a worker decodes with.
        split_s: Recordings at least twice as long are labelled in spans of about this many seconds; 0: never.
        warm_up_s: How many seconds before its span a worker begins to watch, where labels depend on what was before, as with
            motion. 0: such recordings are not split.
    """

    config: Config
    out: str
    model: str
    by_name: bool
    threads: int = 1
    split_s: float = 0.0
    warm_up_s: float = 0.0

    def rules_of(self, name: str) -> Camera:
        """Return the rules for recordings of a camera. Raises ConfigError if there are none."""
        if not self.by_name:
            return replace(self.config.camera[0], name=name)
        for camera in self.config.camera:
            if camera.name == name:
                return camera
        known = ", ".join(camera.name for camera in self.config.camera)
        raise ConfigError(f"`config` has no camera {name!r}; it has {known}")

    def of(self, recording: Recording, path: str) -> Config:
        """Return the configuration of one recording, which can be read at `path`."""
        camera = replace(self.rules_of(recording.camera), source=path, substream="")
        reading = replace(camera.reading, substream="", decode_threads=self.threads)
        return replace(self.config, camera=(replace(camera, reading=reading),))


@dataclass(frozen=True, slots=True)
class Task:
    """Label a recording, or one of its spans, or join its spans.

    Attributes:
        recording: The recording.
        known_sha256: The hash of what its parts in the archive were made of, if it may be the same still; "": there are none.
        is_whole: Whether it must not be split.
        span: The span to label; None: all of it.
        sha256: Of a span, the hash of the recording.
        began_us: Of a span, when the recording began.
        joins: How many spans are to be joined; 0: none.
    """

    recording: Recording
    known_sha256: str = ""
    is_whole: bool = False
    span: Span | None = None
    sha256: str = ""
    began_us: int = 0
    joins: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        kind: "done", "same" (the parts that are there are of this recording), "unreadable" (there are no labels), "split" (it
            is to be labelled in spans), or "whole" (a span cannot be read by itself: it is to be labelled as a whole).
        frames: How many frames were labelled.
        events: How many events they gave.
        media_s: How many seconds of media time they cover.
        fault: Why the recording has no labels, or none after a damage; "" if it is whole.
        parts: The files of labels that it has now.
        spans: How it is split.
        sha256: The hash of what is split.
        began_us: When what is split began, in microseconds since 1970.
    """

    kind: Literal["done", "same", "unreadable", "split", "whole"]
    frames: int = 0
    events: int = 0
    media_s: float = 0.0
    fault: str = ""
    parts: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()
    sha256: str = ""
    began_us: int = 0


def fingerprint_of_file(path: str | Path, error: type[EdgeclsError]) -> str:
    """Return the sha256 of a file. Raises `error` if it cannot be read."""
    digest = hashlib.sha256()
    with open_regular(path, error=error) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fingerprint_of_rules(camera: Camera, detector: str = "") -> str:
    """Return a hash of all settings of a camera that may change labels or events of a recording.

    Settings with their default values do not count, so a new version of edgecls with more settings gives the same.

    Args:
        camera: The rules.
        detector: The hash of the file of its detector; "" without one.
    """
    record = {"rules": _settings(camera), "detector": detector}
    if camera.detector is not None:
        record["rules"]["detector"].pop("model", None)
    return hashlib.sha256(dumps(record, sort_keys=True).encode()).hexdigest()


def _settings(value: Any) -> Any:
    """Return settings as plain values, without those that have their default."""
    if is_dataclass(value):
        found = {}
        for one in fields(value):
            now = getattr(value, one.name)
            factory = one.default_factory
            usual = factory() if callable(factory) else one.default
            if one.name not in _NO_RULES and now != usual:
                found[one.name] = _settings(now)
        return found
    if isinstance(value, dict):
        return {str(key): _settings(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_settings(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def plain_camera(camera: Camera) -> OptionCamera:
    """Return a camera whose name may contain any characters, as folders have them."""
    return OptionCamera(**{one.name: getattr(camera, one.name) for one in fields(camera)})
