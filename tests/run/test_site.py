"""Tests of the cameras and sinks of a configuration, and of switching to another one."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edgecls import Classifier, ConfigError, Pipeline, SinkError, SourceError, image
from edgecls.events.rules import Zone
from edgecls.events.states import StateSettings
from edgecls.frame import StateChange
from edgecls.regions.geometry import Polygon
from edgecls.run.camera import Camera
from edgecls.run.cameras import open_cameras
from edgecls.run.config import Config
from edgecls.run.site import Site
from edgecls.sink import ClipSettings, CsvSettings, JsonlSettings, ListSink, SqliteSettings
from edgecls.source import FakeSource, Merged
from edgecls.source.source import ReadingSettings
from tests.drawn import gray_levels, write_video
from tests.run.world import assert_only_main_thread
from tests.source.two import write_h264

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECTS = Zone("bay", Polygon.rectangle(0.1, 0.1, 0.5, 0.5), look="objects")
RULE = StateSettings(seconds=0.2)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """Check after each test that only the main thread is left."""
    yield
    assert_only_main_thread()


@pytest.fixture
def lamp(tmp_path) -> str:
    """Write a video: dark for 100 frames, then bright for 100."""
    return str(write_video(tmp_path / "lamp.avi", gray_levels([0] * 100 + [255] * 100)))


@pytest.fixture
def site(lamp, light_model, tmp_path):
    """Open two cameras on the video and a file of lines: (results of the pipeline, the site, its messages)."""
    config = Config(str(light_model), tuple(Camera(name, lamp, state=RULE) for name in ("a", "b")))
    config = replace(config, sink=(JsonlSettings(str(tmp_path / "out.jsonl")),))
    told: list[str] = []
    with open_cameras(config, say=told.append) as frames, Site(config, frames, spool=tmp_path / "spool", say=told.append) as it:
        it.seen = []
        it.results = Pipeline(Classifier.load(light_model), regions=it.regions).over(frames)
        yield it


def take(site: Site, count: int) -> None:
    """Write this many results; `site.seen` has all (camera, index) so far."""
    for result in islice(site.results, count):
        site.write(result)
        site.seen.append((result.frame.camera, result.frame.index))


def changed(site: Site, config: Config) -> str:
    """Switch the configuration together with the next frame, and return the changes."""
    plan = site.prepare(config)
    left = []
    site._frames.between(lambda: left.append(site.change(plan)))
    while not left:
        take(site, 1)
    for sink in left[0]:
        sink.close()
    return str(plan)


def rest(site: Site) -> dict[str, list[int]]:
    """Write all remaining results; returns the indices of each camera."""
    before = len(site.seen)
    take(site, 10_000)
    site.finish()
    return by_camera(site.seen[before:])


def by_camera(seen: list[tuple[str, int]]) -> dict[str, list[int]]:
    """Return the indices of each camera."""
    return {camera: [i for n, i in seen if n == camera] for camera in dict(seen)}


def with_camera(config: Config, name: str, **fields) -> Config:
    return replace(config, camera=tuple(replace(c, **fields) if c.name == name else c for c in config.camera))


def test_unchanged_parts_continue(site):
    """With the same file, sources, backgrounds, states and sinks stay, and every frame arrives once."""
    take(site, 60)
    before = ([*site._frames.sources], dict(site._regions), dict(site.events._cameras), [*site.sinks])
    assert changed(site, replace(site.config)) == "no changes"
    assert before == ([*site._frames.sources], site._regions, site.events._cameras, site.sinks)
    rest(site)
    assert by_camera(site.seen) == {"a": list(range(200)), "b": list(range(200))}


def test_a_lost_camera_is_an_event(light_model, tmp_path):
    """The loop over the frames need not handle states: the site reports them and passes them to each sink."""
    config, told, sink = Config(str(light_model), (Camera("gate", str(tmp_path)),)), [], ListSink()
    with Merged([FakeSource([])], say=told.append) as frames, Site(config, frames, say=told.append) as site:
        site.sinks.append(sink)
        frames.sources[0].tell([StateChange("gate", "lost", "cut", 5.0), StateChange("gate", "ended", "given up", 9.0)])
        site.finish()
    assert told == [str(StateChange("gate", "lost", "cut", 5.0))]
    assert [change.state for change in sink.changes] == ["lost", "ended"]
    assert [(event.label, event.duration_s) for event in sink.events] == [("lost", None), ("lost", 4.0)]


def test_a_removed_camera_ends_and_the_other_continues(site, lamp):
    """Its events end with its last frame, and its state is reported; all frames of the other arrive."""
    heard = ListSink()
    site.sinks.append(heard)
    take(site, 60)
    state = site.events._cameras["a"]
    said = changed(site, replace(site.config, camera=site.config.camera[:1]))
    assert said == "gone: b"
    last = max(by_camera(site.seen)["b"])
    assert [(e.camera, e.label, e.end.frame) for e in heard.events if e.end] == [("b", "dark", last)]
    assert [(c.camera, c.state, c.why) for c in heard.changes] == [("b", "ended", "it was taken out of the configuration")]
    assert site.events._cameras["a"] is state
    rest(site)
    assert by_camera(site.seen) == {"a": list(range(200)), "b": list(range(last + 1))}


def test_a_new_camera_is_opened(site, lamp):
    """It begins with its first frame; the others are not affected."""
    take(site, 60)
    assert changed(site, replace(site.config, camera=(*site.config.camera, Camera("c", lamp)))) == "new: c"
    rest(site)
    assert by_camera(site.seen) == {name: list(range(200)) for name in "abc"}


@pytest.mark.parametrize("fields", [{"reading": ReadingSettings(every=2)}, {"source": ""}])
def test_another_source_or_reading_opens_the_camera_again(site, lamp, tmp_path, fields):
    """It starts again, with its own events; the other continues."""
    if "source" in fields:
        fields = {"source": str(write_video(tmp_path / "other.avi", gray_levels([128] * 10)))}
    take(site, 60)
    kept = site.events._cameras["a"]
    assert changed(site, with_camera(site.config, "b", **fields)) == "reopened: b"
    rest(site)
    found = by_camera(site.seen)["b"]
    anew = found[found.index(0, 1) :]
    assert anew == (list(range(0, 200, 2)) if "reading" in fields else list(range(10)))
    assert site.events._cameras["a"] is kept


def test_a_substream_that_comes_changes_and_goes(site, tmp_path):
    """Each time the camera is opened again, and its frames have the size of what is watched; the other continues."""
    sizes = {name: (high, 2 * high) for name, high in (("main", 64), ("small", 32), ("smaller", 16))}
    for name, size_hw in sizes.items():
        pictures = [np.full((*size_hw, 3), level, np.uint8) for level in [0] * 100 + [255] * 100]
        write_h264(tmp_path / f"{name}.mp4", pictures, fps=25, gop=25)
    where = {name: str(tmp_path / f"{name}.mp4") for name in sizes}
    camera = Camera("b", where["main"], state=RULE)
    take(site, 4)
    kept, shown = site.events._cameras["a"], []
    for substream in ("", where["small"], where["smaller"], ""):
        config = replace(site.config, camera=(site.config.camera[0], replace(camera, substream=substream)))
        assert changed(site, config) == "reopened: b"
        shown.append(next(result.frame.size_hw for result in site.results if result.frame.camera == "b"))
    assert shown == [sizes[name] for name in ("main", "small", "smaller", "main")]
    assert site.events._cameras["a"] is kept


def test_other_rules_keep_the_source_and_the_background(site):
    """Ongoing events end, and begin again by the new rules; no frame is skipped, and the background stays."""
    heard = ListSink()
    site.sinks.append(heard)
    take(site, 60)
    sources = [*site._frames.sources]
    assert changed(site, with_camera(site.config, "a", when="motion")) == "other settings: a"
    take(site, 20)
    assert not [e for e in heard.events if e.end]  # regions are no rules of events
    looks = site._regions["a"]
    assert changed(site, with_camera(site.config, "a", state=StateSettings(seconds=0.4))) == "other settings: a"
    assert [e.camera for e in heard.events if e.end] == ["a"]
    assert site._regions["a"] is looks
    assert site._frames.sources == sources
    rest(site)


def test_a_new_zone_of_objects_keeps_the_background(site):
    """Objects are found as before; a new zone with a state is looked at anew."""
    site_config = with_camera(site.config, "a", when="motion", state=StateSettings(), zone=(OBJECTS,))
    changed(site, site_config)
    looks = site._regions["a"]
    for zone in (replace(OBJECTS, name="other"), replace(OBJECTS, area=Polygon.rectangle(0.1, 0.1, 0.2, 0.2))):
        changed(site, with_camera(site.config, "a", zone=(OBJECTS, replace(zone, name="b"))))
        assert site._regions["a"] is looks
    changed(site, with_camera(site.config, "a", zone=(OBJECTS, replace(OBJECTS, name="c", look="state"))))
    assert site._regions["a"] is not looks
    rest(site)


def test_other_health_settings_restart_only_health(site):
    """A black camera is reported by its new settings, only after their seconds; the other camera's fault continues."""
    black = image.as_frame(np.zeros((48, 64, 3), np.uint8), "a", 0, time_s=0.0, captured_at=0.0)
    unfit = {name: [] for name in "ab"}
    for index in range(60):
        if index == 30:
            a, b = site.config.camera
            site.health.use({"a": replace(a.health, black_s=1.0), "b": b.health})
        for name, found in unfit.items():
            frame = black.at(index, index / 10)
            frame.camera = name
            found.append(site.health(frame) is not None)
    assert unfit["b"].index(True) == 20
    assert all(unfit["b"][20:])
    assert unfit["a"][30:].index(True) == 10


def test_sinks_are_added_and_removed(site, tmp_path):
    """An unchanged one continues in its file; a new one gets everything from now on; a removed one is complete."""
    take(site, 30)
    csv, lines = CsvSettings(str(tmp_path / "events.csv")), site.config.sink[0]
    assert changed(site, replace(site.config, sink=(lines, csv))) == f"sinks opened: csv:{tmp_path / 'events.csv'}"
    take(site, 30)
    assert changed(site, replace(site.config, sink=(csv,))) == f"sinks closed: jsonl:{tmp_path / 'out.jsonl'}"
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(site.seen) - len([line for line in written if '"event"' not in line]) == 1  # the first one after it
    rest(site)
    site.close()
    rows = (tmp_path / "events.csv").read_text().splitlines()[1:]
    assert sorted(row.split(",")[2:5:2] for row in rows) == [["a", "bright"], ["a", "dark"], ["b", "bright"], ["b", "dark"]]


def test_a_sink_with_other_settings_keeps_its_place_and_its_events(site, tmp_path):
    """A database with a shorter `keep_days` replaces the old one while events arrive, and every event is in it."""
    path = str(tmp_path / "events.db")
    assert changed(site, replace(site.config, sink=(SqliteSettings(path),))).endswith(
        f"sinks closed: jsonl:{tmp_path / 'out.jsonl'}"
    )
    take(site, 150)
    buffer = site.sinks[0]
    assert changed(site, replace(site.config, sink=(SqliteSettings(path, keep_days=30),))) == f"sinks changed: sqlite:{path}"
    rest(site)
    site.close()
    assert site.sinks == [buffer]
    assert buffer._sink._keep_days == 30

    with closing(sqlite3.connect(path)) as db:
        told = db.execute('SELECT camera, label, "end" IS NULL FROM events ORDER BY camera, start').fetchall()
    assert told == [("a", "dark", 0), ("a", "bright", 0), ("b", "dark", 0), ("b", "bright", 0)]


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (lambda c: with_camera(c, "b", source="missing.mp4"), SourceError, "missing.mp4: no such file"),
        (lambda c: replace(c, sink=(*c.sink, CsvSettings("missing/e.csv"))), SinkError, "missing/e.csv: cannot be written"),
        (
            lambda c: replace(c, sink=(*c.sink, CsvSettings("x.csv"), CsvSettings("x.csv"))),
            ConfigError,
            "sink 'csv:x.csv' is named twice",
        ),
    ],
)
def test_what_cannot_be_opened_changes_nothing(site, lamp, tmp_path, monkeypatch, bad, error, said):
    """The error gives the reason, what was opened is closed again, and everything continues."""
    monkeypatch.chdir(tmp_path)
    config = bad(replace(site.config, camera=(*site.config.camera, Camera("new", lamp))))
    take(site, 30)
    with pytest.raises(error, match=said):
        site.prepare(config)
    after = rest(site)
    assert sorted(after) == ["a", "b"]


def test_a_plan_that_is_dropped_leaves_nothing_open(site, lamp, tmp_path):
    """If a run ends before the switch, what was opened for it is closed."""
    plan = site.prepare(
        replace(site.config, camera=(*site.config.camera, Camera("c", lamp)), sink=(CsvSettings(str(tmp_path / "e.csv")),))
    )
    plan.drop()
    assert plan.new == ("c",)
    assert plan.sources[0].read() is None
    rest(site)


def test_clips_need_packets_so_cameras_are_opened_again(site, tmp_path):
    """The first clip sink makes all cameras keep their packets; removing it changes nothing."""
    take(site, 30)
    plain = site.config
    said = changed(site, replace(plain, sink=(*plain.sink, ClipSettings(str(tmp_path)))))
    assert said == f"reopened: a, b; sinks opened: clip:{tmp_path}"
    take(site, 30)
    assert changed(site, plain) == f"sinks closed: clip:{tmp_path}"
    rest(site)


def test_a_source_of_the_library_is_changed_while_it_waits():
    """`between` reaches a thread that waits for frames of a silent camera."""

    class Silent(FakeSource):
        def __init__(self, name):
            super().__init__([], name=name, live=True)
            self.gone = threading.Event()

        def read(self):
            self.gone.wait()

        def stop(self):
            self.gone.set()

    with Merged([Silent("a"), Silent("b")], say=pytest.fail) as source:
        new = FakeSource(gray_levels([1, 2, 3]), name="b")
        threading.Timer(0.1, source.between, [lambda: source.change(["b"], [new])]).start()
        assert (frame := source.read()).camera == "b"
        assert frame.index == 0
        assert source.name == "a+b"
