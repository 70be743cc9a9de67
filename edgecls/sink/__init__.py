"""Sinks for results and events: files, databases, networks, screens."""

from edgecls.sink.callback import CallbackSink
from edgecls.sink.collect import CollectSettings, CollectSink
from edgecls.sink.csv_file import CsvSettings, CsvSink
from edgecls.sink.delivery.background import Background
from edgecls.sink.delivery.spool import Spool
from edgecls.sink.delivery.spooled import Spooled
from edgecls.sink.dry_run import dry_run
from edgecls.sink.jsonl import JsonlSettings, JsonlSink
from edgecls.sink.kinds import SINKS, SinkSettings
from edgecls.sink.memory import ListSink
from edgecls.sink.mqtt import MqttSettings, MqttSink
from edgecls.sink.open import BUFFERED, check_sinks, close_sink, keep_s, open_sink, open_sinks, spool_name
from edgecls.sink.prometheus import PrometheusSettings, PrometheusSink
from edgecls.sink.recordings.clip import ClipSettings, ClipSink
from edgecls.sink.recordings.clip_file import CutSettings
from edgecls.sink.recordings.explain import ExplainSettings, ExplainSink
from edgecls.sink.recordings.quota import Quota, QuotaSettings
from edgecls.sink.recordings.snapshot import ShotSettings, SnapshotSettings, SnapshotSink
from edgecls.sink.recordings.video import VideoSettings, VideoSink
from edgecls.sink.sink import Backlog, Sink, SinkKind
from edgecls.sink.spec import as_text, check_meeting, check_places, check_use, identity_of, parse_sink, place_of, places_of
from edgecls.sink.sqlite import SqliteSettings, SqliteSink
from edgecls.sink.webhook import WebhookSettings, WebhookSink
from edgecls.sink.window import WindowSettings, WindowSink

__all__ = [
    "BUFFERED",
    "SINKS",
    "Background",
    "Backlog",
    "CallbackSink",
    "ClipSettings",
    "ClipSink",
    "CollectSettings",
    "CollectSink",
    "CsvSettings",
    "CsvSink",
    "CutSettings",
    "ExplainSettings",
    "ExplainSink",
    "JsonlSettings",
    "JsonlSink",
    "ListSink",
    "MqttSettings",
    "MqttSink",
    "PrometheusSettings",
    "PrometheusSink",
    "Quota",
    "QuotaSettings",
    "ShotSettings",
    "Sink",
    "SinkKind",
    "SinkSettings",
    "SnapshotSettings",
    "SnapshotSink",
    "Spool",
    "Spooled",
    "SqliteSettings",
    "SqliteSink",
    "VideoSettings",
    "VideoSink",
    "WebhookSettings",
    "WebhookSink",
    "WindowSettings",
    "WindowSink",
    "as_text",
    "check_meeting",
    "check_places",
    "check_sinks",
    "check_use",
    "close_sink",
    "dry_run",
    "identity_of",
    "keep_s",
    "open_sink",
    "open_sinks",
    "parse_sink",
    "place_of",
    "places_of",
    "spool_name",
]
