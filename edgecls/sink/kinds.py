"""The kinds of sinks. Each has its own module, with its settings, the sink, and its row `KIND`.

Settings are compared by value: equal settings mean the same sink, wherever they come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from edgecls.sink import collect, csv_file, jsonl, mqtt, prometheus, sqlite, webhook, window
from edgecls.sink.collect import CollectSettings
from edgecls.sink.csv_file import CsvSettings
from edgecls.sink.jsonl import JsonlSettings
from edgecls.sink.mqtt import MqttSettings
from edgecls.sink.prometheus import PrometheusSettings
from edgecls.sink.recordings import clip, explain, snapshot, video
from edgecls.sink.recordings.clip import ClipSettings
from edgecls.sink.recordings.explain import ExplainSettings
from edgecls.sink.recordings.snapshot import SnapshotSettings
from edgecls.sink.recordings.video import VideoSettings
from edgecls.sink.sqlite import SqliteSettings
from edgecls.sink.webhook import WebhookSettings
from edgecls.sink.window import WindowSettings

if TYPE_CHECKING:
    from edgecls.sink.sink import SinkKind

SinkSettings: TypeAlias = (
    JsonlSettings
    | VideoSettings
    | WindowSettings
    | ClipSettings
    | SnapshotSettings
    | ExplainSettings
    | CollectSettings
    | CsvSettings
    | SqliteSettings
    | MqttSettings
    | WebhookSettings
    | PrometheusSettings
)
SINKS: dict[str, SinkKind[Any]] = {
    "clip": clip.KIND,
    "explain": explain.KIND,
    "collect": collect.KIND,
    "jsonl": jsonl.KIND,
    "snapshot": snapshot.KIND,
    "video": video.KIND,
    "window": window.KIND,
    "csv": csv_file.KIND,
    "sqlite": sqlite.KIND,
    "mqtt": mqtt.KIND,
    "mqtts": mqtt.KIND,
    "webhook": webhook.KIND,
    "prometheus": prometheus.KIND,
}
"""The kinds, by their name before the colon in a specification."""
