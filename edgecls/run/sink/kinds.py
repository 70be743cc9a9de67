"""Each kind of sink with its settings, as a table [[sink]] of cameras.toml has them.

Settings are values: those that are equal ask for the same sink, by whichever way they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edgecls.errors import ConfigError
from edgecls.files import part_of
from edgecls.run.sink.aside import Aside
from edgecls.run.sink.clip import ClipSink, Cut
from edgecls.run.sink.jsonl import JsonlSink
from edgecls.run.sink.lossy import Lossy
from edgecls.run.sink.mqtt import ANSWER_WAIT_S, MqttSink, broker_of
from edgecls.run.sink.prometheus import PrometheusSink, host_and_port
from edgecls.run.sink.quota import Quota
from edgecls.run.sink.snapshot import Shot, SnapshotSink
from edgecls.run.sink.sqlite import SqliteSink
from edgecls.run.sink.table import CsvSink
from edgecls.run.sink.video import CAMERA, PART_S, START, VideoSink, check_name
from edgecls.run.sink.webhook import TIMEOUT_S, WebhookSink
from edgecls.run.sink.window import WindowSink
from edgecls.settings import check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edgecls.run.say import Say
    from edgecls.run.sink.contract import Sink

GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class QuotaRule:
    """How much room recordings may take: `most_gb` gigabytes in their folder (left out: any), while `keep_free_gb` of its disk
    stay free. The oldest make room for the newest.
    """

    most_gb: float | None = None
    keep_free_gb: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what holds nothing."""
        check("most_gb", self.most_gb, self.most_gb is None or 1 <= self.most_gb * GB < inf, "more than 0")
        check("keep_free_gb", self.keep_free_gb, 0 <= self.keep_free_gb < inf, "0 or more")

    def of(self, folder: str | Path) -> Quota:
        """The quota of this folder."""
        most = None if self.most_gb is None else round(self.most_gb * GB)
        return Quota(folder, most_bytes=most, keep_free_bytes=round(self.keep_free_gb * GB))


@dataclass(frozen=True, slots=True)
class JsonlOut:
    """A line of JSON for each result, event and change of state, to the file `path`; "-" is stdout."""

    path: str
    kind: Literal["jsonl"] = "jsonl"


@dataclass(frozen=True, slots=True)
class VideoOut:
    """The annotated video `path`, with {camera} in its name for several cameras, {start} for the date and time it begins at.
    With a `quota` it is cut into parts of `part_s` seconds, the oldest of which make room.
    """

    path: str
    kind: Literal["video"] = "video"
    part_s: float = PART_S
    quota: QuotaRule | None = None

    def __post_init__(self) -> None:
        """Refuse parts that are none, and a name with what stands for nothing."""
        check_name(self.path)
        check("part_s", self.part_s, 0 < self.part_s < inf, "above 0 seconds")
        if self.quota is None and self.part_s != PART_S:
            raise ConfigError("part_s is for a video with a quota, which is cut into parts; say most_gb or keep_free_gb too")


@dataclass(frozen=True, slots=True)
class WindowOut:
    """The annotated picture on the screen."""

    kind: Literal["window"] = "window"


@dataclass(frozen=True, slots=True)
class ClipOut:
    """A clip of each event in the folder `path`; `cut` says what it shows, `quota` how much room all may take."""

    path: str
    kind: Literal["clip"] = "clip"
    cut: Cut = field(default_factory=Cut)
    quota: QuotaRule | None = None


@dataclass(frozen=True, slots=True)
class SnapshotOut:
    """The frame that each event began with, in the folder `path`; `shot` says how, `quota` how much room all may take."""

    path: str
    kind: Literal["snapshot"] = "snapshot"
    shot: Shot = field(default_factory=Shot)
    quota: QuotaRule | None = None


@dataclass(frozen=True, slots=True)
class CsvOut:
    """A row for each event that has ended, in the file `path`."""

    path: str
    kind: Literal["csv"] = "csv"


@dataclass(frozen=True, slots=True)
class SqliteOut:
    """Events and changes of state in the database `path`, for `keep_days` days (left out: for ever)."""

    path: str
    kind: Literal["sqlite"] = "sqlite"
    keep_days: float | None = None

    def __post_init__(self) -> None:
        """Refuse what keeps nothing."""
        days = self.keep_days
        check("keep_days", days, days is None or 0 < days < inf, "more than 0")


@dataclass(frozen=True, slots=True)
class MqttOut:
    """Events and changes of state to the broker `to`: mqtt://[USER:PASSWORD@]HOST[:PORT]/PREFIX, mqtts for TLS. One that does
    not answer for `answer_wait_s` seconds is asked again.
    """

    to: str
    kind: Literal["mqtt"] = "mqtt"
    answer_wait_s: float = ANSWER_WAIT_S

    def __post_init__(self) -> None:
        """Refuse what is no address of a broker."""
        broker_of(self.to)
        check("answer_wait_s", self.answer_wait_s, 0 < self.answer_wait_s < inf, "above 0 seconds")


@dataclass(frozen=True, slots=True)
class WebhookOut:
    """A POST for each event and change of state to the address `to`, http or https, with #secret=TEXT behind it to sign. One
    that does not answer for `timeout_s` seconds is asked again.
    """

    to: str
    kind: Literal["webhook"] = "webhook"
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        """Refuse what is no address."""
        check("timeout_s", self.timeout_s, 0 < self.timeout_s < inf, "above 0 seconds")
        WebhookSink(self.to, timeout_s=self.timeout_s)  # it checks the address, and opens nothing before it is written to


@dataclass(frozen=True, slots=True)
class PrometheusOut:
    """Numbers for Prometheus at `to`: a port of this machine, or HOST:PORT."""

    to: str | int
    kind: Literal["prometheus"] = "prometheus"

    def __post_init__(self) -> None:
        """Refuse what is no port."""
        host_and_port(str(self.to))


Out: TypeAlias = (
    JsonlOut | VideoOut | WindowOut | ClipOut | SnapshotOut | CsvOut | SqliteOut | MqttOut | WebhookOut | PrometheusOut
)


@dataclass(frozen=True, slots=True)
class SinkKind:
    """A row of `SINKS`: the settings, how they are opened, the setting that stands after the colon, and what to say when it
    does not. `draws`: it shows the picture. `buffered`: it stands behind a buffer with a spool. `aside`: it writes in a thread
    of its own, for which its closing waits. `is_address`: its target holds the name of the kind. `files`: those that it writes
    to, for cameras of these names. `keep_s`: how many seconds of packets sources must keep for it.
    """

    settings: type[Any]
    open: Callable[[Any, Say], Sink]
    target: str
    needs: str
    draws: bool = False
    buffered: bool = False
    aside: bool = False
    is_address: bool = False
    files: Callable[[Any, Sequence[str]], list[Path]] = lambda _out, _cameras: []
    keep_s: Callable[[Any], float] = lambda _: 0.0


def _file(out: JsonlOut | CsvOut | SqliteOut, _cameras: Sequence[str]) -> list[Path]:
    return [] if out.path == "-" else [Path(out.path)]


def _videos(out: VideoOut, cameras: Sequence[str]) -> list[Path]:
    """A video of each camera, and where it grows; with a quota their names have the time, so they are nobody else's."""
    paths = [Path(out.path.replace(CAMERA, camera)) for camera in cameras if Path(out.path).name]
    paths = [path.with_stem(f"{path.stem}-{START}") for path in paths] if out.quota else paths
    return [*paths, *map(part_of, paths)]


def _room(out: ClipOut | SnapshotOut) -> Quota | None:
    return out.quota.of(out.path) if out.quota else None


def _clips(out: ClipOut, say: Say) -> Sink:
    return Aside(ClipSink(out.path, out.cut, quota=_room(out), say=say), name=f"clip:{out.path}", say=say)


def _snapshots(out: SnapshotOut, say: Say) -> Sink:
    return Aside(SnapshotSink(out.path, out.shot, quota=_room(out), say=say), name=f"snapshot:{out.path}", say=say)


def _video(out: VideoOut, say: Say) -> Sink:
    quota = out.quota.of(Path(out.path).parent) if out.quota else None
    return Lossy(VideoSink(out.path, quota=quota, part_s=out.part_s), out.path, "frames of the video", say=say)


def _mqtt(out: MqttOut, _say: Say) -> Sink:
    return MqttSink(out.to, answer_wait_s=out.answer_wait_s)


_MQTT = SinkKind(*(MqttOut, _mqtt, "to", "a broker, such as {kind}://host/edgecls"), buffered=True, aside=True, is_address=True)
_FOLDER = "a folder after the colon, such as {kind}:"
_FILE = "a file after the colon, such as {kind}:"

SINKS: dict[str, SinkKind] = {
    "clip": SinkKind(ClipOut, _clips, "path", f"{_FOLDER}clips", aside=True, keep_s=lambda out: out.cut.keep_s),
    "jsonl": SinkKind(JsonlOut, lambda out, say: JsonlSink(out.path, say=say), "path", f"{_FILE}out.jsonl", files=_file),
    "snapshot": SinkKind(
        *(SnapshotOut, _snapshots, "path", f"{_FOLDER}snapshots"), draws=True, aside=True, keep_s=lambda out: out.shot.keep_s
    ),
    "video": SinkKind(VideoOut, _video, "path", f"{_FILE}out.mp4", draws=True, files=_videos),
    "window": SinkKind(WindowOut, lambda _out, _say: WindowSink(), "", "", draws=True),
    "csv": SinkKind(
        *(CsvOut, lambda out, _: CsvSink(out.path), "path", f"{_FILE}events.csv"), buffered=True, aside=True, files=_file
    ),
    "sqlite": SinkKind(
        *(SqliteOut, lambda out, _: SqliteSink(out.path, keep_days=out.keep_days), "path", f"{_FILE}events.db"),
        buffered=True,
        aside=True,
        files=_file,
    ),
    "mqtt": _MQTT,
    "mqtts": _MQTT,
    "webhook": SinkKind(
        *(WebhookOut, lambda out, _: WebhookSink(out.to, timeout_s=out.timeout_s), "to"),
        "an address, such as {kind}:https://host/path",
        buffered=True,
        aside=True,
    ),
    "prometheus": SinkKind(PrometheusOut, lambda out, _: PrometheusSink(str(out.to)), "to", "a port, such as {kind}:9108"),
}
"""Each kind by the name that it has before the colon."""
