"""Tests of the settings of sinks, from texts and tables."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from typing import get_args

import pytest

from edgecls.collect import SelectionSettings
from edgecls.errors import ConfigError
from edgecls.run.config import Config
from edgecls.settings import build
from edgecls.sink import (
    SINKS,
    ClipSettings,
    CollectSettings,
    CsvSettings,
    CutSettings,
    ExplainSettings,
    JsonlSettings,
    MqttSettings,
    PrometheusSettings,
    QuotaSettings,
    ShotSettings,
    SinkSettings,
    SnapshotSettings,
    SqliteSettings,
    VideoSettings,
    WebhookSettings,
    WindowSettings,
    as_text,
    open_sink,
    parse_sink,
    place_of,
)
from tests.run.world import event, frame, result

TEXTS = [
    ("jsonl:out.jsonl", JsonlSettings("out.jsonl")),
    ("jsonl:what?.jsonl", JsonlSettings("what?.jsonl")),
    ("video:{camera}.mp4", VideoSettings("{camera}.mp4")),
    ("video:out.mp4?part_s=60&most_gb=1.5", VideoSettings("out.mp4", part_s=60.0, quota=QuotaSettings(1.5))),
    ("window", WindowSettings()),
    ("clip:clips", ClipSettings("clips")),
    (
        "clip:my/clips?pre_s=3&kinds=crossing,presence&most_gb=20&keep_free_gb=5",
        ClipSettings("my/clips", cut=CutSettings(pre_s=3.0, kinds=("crossing", "presence")), quota=QuotaSettings(20.0, 5.0)),
    ),
    ("snapshot:shots?shows=frame,crop&quality=80", SnapshotSettings("shots", shot=ShotSettings(("frame", "crop"), 80))),
    ("explain:why", ExplainSettings("why")),
    ("collect:pictures?per_day=50", CollectSettings("pictures", choice=SelectionSettings(per_day=50))),
    ("csv:events.csv", CsvSettings("events.csv")),
    ("sqlite:events.db?keep_days=30", SqliteSettings("events.db", keep_days=30.0)),
    ("mqtts://me:secret@host/a?discovery=x", MqttSettings("mqtts://me:secret@host/a?discovery=x")),
    ("webhook:https://host/p?a=b#secret=c", WebhookSettings("https://host/p?a=b#secret=c")),
    ("prometheus:0.0.0.0:9108", PrometheusSettings("0.0.0.0:9108")),
]


@pytest.mark.parametrize(("text", "out"), TEXTS)
def test_a_text_and_a_table_give_the_same_settings(text, out):
    """Parsed from a text, formatted and parsed again, or built from a table: the settings are equal."""
    assert parse_sink(text) == out
    assert as_text(out) == text
    table = {"model": "m", "camera": [{"name": "a", "source": 0}], "sink": [json.loads(json.dumps(dataclasses.asdict(out)))]}
    quota = table["sink"][0].get("quota", {})
    table["sink"][0] = {name: value for name, value in table["sink"][0].items() if value is not None}
    if quota:
        table["sink"][0]["quota"] = {name: value for name, value in quota.items() if value is not None}
    assert build(Config, table, "f").outputs == (out,)


def test_every_kind_has_a_text_here():
    """No row is missing, and each has its own settings."""
    assert {text.partition(":")[0] for text, _ in TEXTS} == set(SINKS) - {"mqtt"}
    assert {type(out) for _, out in TEXTS} == {row.settings for row in SINKS.values()}


def test_each_kind_is_one_module_and_a_row():
    """Settings and row are in one module, which no other kind shares; mqtts is mqtt with TLS."""
    assert all(row.is_folder == row.needs.startswith("a folder") for row in SINKS.values())
    modules = {name: sys.modules[row.settings.__module__] for name, row in SINKS.items()}
    assert all(modules[name].KIND is row for name, row in SINKS.items())
    assert len(set(modules.values())) == len(SINKS) - 1
    assert set(get_args(SinkSettings)) == {row.settings for row in SINKS.values()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip:clips?pre=3", "sink 'clip:clips?pre=3': unknown setting pre; did you mean pre_s? known are pre_s, post_s"),
        ("clip:clips?pre_s=soon", "sink 'clip:clips?pre_s=soon': pre_s must be a number, not 'soon'"),
        ("clip:clips?pre_s=-1", "sink 'clip:clips?pre_s=-1': pre_s must be 0 or more seconds, not -1.0"),
        ("collect:p?random=2", "sink 'collect:p?random=2': random must be from 0 to 1, not 2.0"),
        ("snapshot:s?most_gb=-1", "sink 'snapshot:s?most_gb=-1': most_gb must be more than 0, not -1.0"),
        ("clip:clips?kinds=crosing", "cut.kinds[0] must be one of state, label, object, presence, crossing, left, removed"),
        ("clip:?pre_s=3", "expected a folder after the colon, such as clip:clips"),
        ("snapshot:s?quality=80.5", "quality must be a whole number, not '80.5'"),
        ("snapshot:s?most_gb=0", "most_gb must be more than 0, not 0.0"),
        ("video:x.mp4?part_s=60", "part_s is for a video with a quota, which is written in parts; set most_gb or"),
        ("sqlite:x.db?keep_days=-1", "keep_days must be more than 0, not -1.0"),
        ("mqtt:host", "sink 'mqtt:host': mqtt:host: is not the address of a broker; expected mqtt://"),
        ("webhook:ftp://host", "expected an address such as webhook:https://host/path"),
        ("prometheus:port", "expected a port or HOST:PORT"),
    ],
)  # fmt: skip
def test_mistakes_are_named(text, said):
    """The error names the text, the setting and what is expected; nothing is opened."""
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_sink(text)


def test_a_sink_is_named_without_its_password_and_settings():
    """Only the target is shown."""
    assert place_of(parse_sink("clip:clips?pre_s=3")) == "clip:clips"
    assert place_of(parse_sink("mqtt://me:secret@host/a")) == "mqtt://***@host/a"
    assert place_of(WindowSettings()) == "window"


def test_the_settings_reach_the_sinks(tmp_path, monkeypatch):
    """Seconds of clips, kinds and pictures of snapshots, days of databases, parts and quotas of videos."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EDGECLS_SPOOL", str(tmp_path / "spool"))
    with open_sink("clip:.?pre_s=3&most_gb=2") as clips:
        assert clips._sink._cut == CutSettings(pre_s=3)
        assert clips._sink._folder._quota._most == 2_000_000_000
    with open_sink("snapshot:.?late_s=3&keep_free_gb=0.5") as shots:
        assert shots._sink._shot == ShotSettings(late_s=3)
        assert shots._sink._folder._quota._keep_free == 500_000_000
    with open_sink("sqlite:e.db?keep_days=3") as database:
        assert database._sink._keep_days == 3
    with open_sink("video:v.mp4?most_gb=1&part_s=9") as video:
        assert (video._part_s, video._quota._most, video._quota._folder) == (9, 1_000_000_000, tmp_path.relative_to(tmp_path))
    with open_sink(MqttSettings("mqtt://127.0.0.1:1/x", answer_wait_s=0.5)) as mqtt:
        assert mqtt._sink._answer_wait_s == 0.5
    with open_sink(WebhookSettings("http://127.0.0.1:1/", timeout_s=0.5)) as hook:
        assert hook._sink._timeout_s == 0.5


def test_a_quota_in_a_text_removes_the_oldest(tmp_path):
    """With 50 kB for the snapshots of 40 events, the oldest are removed and the newest kept."""
    (tmp_path / "shots").mkdir()
    with open_sink(f"snapshot:{tmp_path}/shots?most_gb=0.00005", say=pytest.fail) as shots:
        for i in range(40):
            shots.write(result(frame(i * 25, size_hw=(240, 320))))
            shots.write_event(event(i, ended=False))
            while shots._queue:
                time.sleep(0.001)
    kept = sorted((tmp_path / "shots").glob("*.jpg"))
    assert 2 <= len(kept) < 40
    assert sum(path.stat().st_size for path in (tmp_path / "shots").iterdir()) <= 50_000
    newest = json.loads(kept[-1].with_suffix(".json").read_text())["event"]["track_id"]
    assert newest == 39
