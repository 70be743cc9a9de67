"""Tests of clips of events, cut from the packets of the stream."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time

import av
import pytest

from edgecls import ConfigError, MissingExtraError, SinkError, StateChange
from edgecls.event import Event
from edgecls.labels.json_lines import event_record
from edgecls.sink import ClipSink, CutSettings
from edgecls.source import ReadingSettings, Reconnecting, open_source
from edgecls.source.pyav import PyAVSource
from tests.run.footage import (
    FPS,
    KEEP,
    event,
    level,
    levels_of,
    moment,
    packets_of,
    play,
    told,
    write_footage,
)
from tests.run.world import frame

CUT = CutSettings(pre_s=1.0, post_s=1.0)


@pytest.fixture
def clips(tmp_path):
    """Return an empty folder for clips."""
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


def only(folder, suffix: str = ".mp4"):
    """Return the only clip in a folder and its sidecar; there must be no other file."""
    (clip,) = folder.glob(f"*{suffix}")
    sidecar = clip.with_suffix(".json")
    assert {path.name for path in folder.iterdir()} == {clip.name, sidecar.name}
    return clip, json.loads(sidecar.read_text())


@pytest.mark.parametrize("bframes", [0, 2])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_clip_is_the_packets_of_the_stream(tmp_path, clips, ending, bframes):
    """For an event of frames 110 to 130, reported late, the clip has the packets from key frame 75, the last one a second
    before the event, to 155, byte for byte and with the same time steps.
    """
    source = packets_of(write_footage(tmp_path / f"v.{ending}", bframes=bframes))
    play(tmp_path / f"v.{ending}", ClipSink(clips, CUT), {125: [event(110)], 140: [event(110, 130)]})
    clip, said = only(clips)
    cut = packets_of(clip)
    first = next(i for i, (time, key, _) in enumerate(source) if key and time == 3.0)
    expected = source[first : first + len(cut)]
    assert [data for _, _, data in cut] == [data for _, _, data in expected]
    assert cut[0][1]
    assert [time for time, _, _ in cut] == pytest.approx([time - 3.0 for time, _, _ in expected], abs=1e-3)
    assert 155 / FPS <= max(time for time, _, _ in expected) <= (155 + bframes / 2) / FPS
    assert said["clip"]["first_s"] == 3.0
    assert said["clip"]["last_s"] == pytest.approx(max(time for time, _, _ in expected), abs=1e-3)
    assert said["clip"]["packets"] == len(cut)
    assert (said["clip"]["missing_packets"], said["clip"]["cut_short"]) == (0, None)
    assert levels_of(clip) == pytest.approx([level(75 + i) for i in range(len(cut))], abs=1)


def test_the_sidecar_says_whose_clip_it_is(tmp_path, clips):
    """It contains the event as in a line of JSON, and the size and sha256 of the clip."""
    play(write_footage(tmp_path / "v.mp4"), ClipSink(clips, CUT), {125: [event(110)], 140: [event(110, 130)]})
    clip, said = only(clips)
    assert clip.name == "gate-000004.400s-truck.mp4"
    assert said["event"] == event_record(event(110, 130))
    assert said["files"] == {clip.name: {"bytes": clip.stat().st_size, "sha256": hashlib.sha256(clip.read_bytes()).hexdigest()}}
    assert said["made_by"].startswith("edgecls ")


def test_the_name_of_a_live_clip_is_its_date_and_time(tmp_path, clips):
    """A known wall clock time is in the name, in UTC; characters that file names cannot contain become _."""
    one = Event("state", "gate", "zone", "../Größe 30 km/h", 0.9, moment(50, at_s=1763823787.25), moment(60))
    play(write_footage(tmp_path / "v.mp4"), ClipSink(clips, CUT), {65: [one]})
    assert only(clips)[0].name == "gate-20251122T150307.250Z-Größe_30_km_h.mp4"


def test_the_clip_of_a_long_event_is_cut(tmp_path, clips):
    """With 2 s at most, the clip ends 2 s after its first picture; the sidecar says so, and later when the event ended."""
    path = write_footage(tmp_path / "v.mp4")
    sink = ClipSink(clips, CutSettings(pre_s=1.0, most_s=2.0))
    with sink, open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            told(sink, one, {60: [event(55)], 200: [event(55, 190)]})
            if one.index == 150:
                assert only(clips)[1]["event"]["end"] is None
    clip, said = only(clips)
    assert (said["clip"]["first_s"], said["clip"]["last_s"]) == (1.0, 3.0)
    assert said["clip"]["cut_short"] == "longer than 2 s"
    assert said["event"]["end"]["frame"] == 190
    assert len(levels_of(clip)) == 51


def test_a_clip_may_end_with_the_stream(tmp_path, clips):
    """If its last seconds never arrive, it ends with the last packet, and the sidecar gives the reason."""
    path = write_footage(tmp_path / "v.mp4", 120)
    play(path, ClipSink(clips, CUT), {115: [event(110)]})
    clip, said = only(clips)
    assert said["clip"]["cut_short"] == "the run ended"
    assert said["clip"]["last_s"] == 119 / FPS
    assert levels_of(clip)[-1] == pytest.approx(level(119), abs=1)


def test_events_that_overlap_have_a_clip_each(tmp_path, clips):
    """Three events share packets, and two have the same name: three clips, each as if it were alone."""
    plan = {105: [event(100), event(100, 104, track_id=7)], 110: [event(90, 108, label="bus")]}
    plan[130] = [event(100, 120)]
    play(write_footage(tmp_path / "v.mp4"), ClipSink(clips, CUT), plan)
    names = sorted(path.name for path in clips.glob("*.mp4"))
    assert names == ["gate-000003.600s-bus.mp4", "gate-000004.000s-truck-2.mp4", "gate-000004.000s-truck.mp4"]
    assert [levels_of(clips / name)[0] for name in names] == pytest.approx([level(50), level(75), level(75)], abs=1)
    assert len(levels_of(clips / names[1])) == 104 + 25 - 75 + 1
    assert len(levels_of(clips / names[2])) == 120 + 25 - 75 + 1


def test_an_event_reported_twice_makes_one_clip(tmp_path, clips):
    """Events may be delivered again, which changes nothing."""
    ended = event(100, 120)
    play(write_footage(tmp_path / "v.mp4"), ClipSink(clips, CUT), {105: [event(100)], 130: [ended], 160: [ended], 200: [ended]})
    only(clips)


@pytest.mark.parametrize(("codec", "bframes", "suffix"), [("libx264", 0, ".mp4"), ("libx264", 2, ".mp4"), ("mjpeg", 0, ".mkv")])
def test_a_clip_that_grows_can_be_played_after_a_kill(tmp_path, clips, codec, bframes, suffix):
    """While the event lasts, the .part contains the pictures from the first one on, except for its last second."""
    path = write_footage(tmp_path / f"v.{'mp4' if codec == 'libx264' else 'avi'}", 200, codec=codec, bframes=bframes)
    with ClipSink(clips, CUT) as sink, open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            told(sink, one, {60: [event(55)]})
            if one.index == 150:
                (part,) = clips.glob(".*.part*")
                (tmp_path / f"left{suffix}").write_bytes(part.read_bytes())
    clip, _ = only(clips, suffix)
    left = packets_of(tmp_path / f"left{suffix}")
    assert len(left) >= 120 - FPS - 25  # from picture 25 or 30 on; a fragment ends at the next key frame, or after a second
    assert left == packets_of(clip)[: len(left)]
    with av.open(str(tmp_path / f"left{suffix}")) as container:
        assert next(container.decode(video=0)).time == 0


def test_counts_have_no_clip(tmp_path, clips):
    """There is nothing to see for an interval of counts."""
    count = Event("count", "gate", "line", "", 0.0, moment(0), moment(100), counts={"car": 3})
    play(write_footage(tmp_path / "v.mp4"), ClipSink(clips, CUT), {101: [count]})
    assert list(clips.iterdir()) == []


@pytest.mark.parametrize(("codec", "ending", "suffix"), [
    ("mpeg4", "mp4", ".mp4"), ("mpeg4", "avi", ".mp4"), ("msmpeg4", "avi", ".mkv"), ("ffv1", "mkv", ".mkv"),
    ("mjpeg", "avi", ".mkv"), ("libx264", "ts", ".mp4"), ("libx264", "h264", ".mp4"), ("libx265", "mp4", ".mp4"),
])  # fmt: skip
def test_a_codec_that_mp4_cannot_hold_gives_a_matroska_file(tmp_path, clips, codec, ending, suffix):
    """Whatever codec and file, the clip shows pictures 75 to 145, as the source does."""
    options = {"x265-params": "keyint=25:scenecut=0:bframes=0:log-level=0"} if codec == "libx265" else {}
    path = write_footage(tmp_path / f"v.{ending}", codec=codec, fmt="h264" if ending == "h264" else None, **options)
    play(path, ClipSink(clips, CUT), {125: [event(110)], 140: [event(110, 120)]})
    clip, _ = only(clips, suffix)
    shown = levels_of(clip)
    before = levels_of(path)
    first = before.index(shown[0])
    assert 70 <= first <= 85  # the last key frame before frame 85, which not every encoder sets every 25 frames
    assert shown == before[first : first + len(shown)]
    assert first + len(shown) - 1 in range(144, 148)


@pytest.mark.parametrize("ending", ["h264", "avi"])
@pytest.mark.parametrize("bframes", [2, 3])
def test_packets_without_presentation_times(tmp_path, clips, ending, bframes):
    """The clip gets the times from the decoder, evenly and in order."""
    path = write_footage(tmp_path / f"v.{ending}", fmt=ending, bframes=bframes)
    play(path, ClipSink(clips, CUT), {125: [event(110)], 150: [event(110, 120)]})
    clip, said = only(clips)
    shown = levels_of(clip)
    assert shown == pytest.approx([level(75 + i) for i in range(len(shown))], abs=1)
    assert 75 + len(shown) - 1 in range(144, 152)
    times = sorted(time for time, _, _ in packets_of(clip))
    assert times == pytest.approx([i / FPS for i in range(len(times))], abs=2e-3)
    assert said["clip"]["missing_packets"] == 0


def test_times_out_of_order_are_corrected(tmp_path, clips):
    """Two packets with the same time, and one that goes back a little, are all in the clip, which plays to the end."""
    whole, bent = write_footage(tmp_path / "whole.mkv"), tmp_path / "bent.nut"
    with av.open(str(whole)) as source, av.open(str(bent), "w", format="nut") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            data = av.Packet(bytes(packet))
            data.pts, data.dts, data.is_keyframe = packet.pts, packet.pts, packet.is_keyframe
            data.time_base, data.stream = packet.time_base, copy
            if number in (100, 110):
                data.pts -= 39
                data.dts = data.pts
            target.mux(data)
    play(bent, ClipSink(clips, CUT), {125: [event(110)], 140: [event(110, 120)]})
    clip, _ = only(clips)
    times = [time for time, _, _ in packets_of(clip)]
    assert len(levels_of(clip)) == len(times) >= 69
    assert times == sorted(set(times))


def test_leading_pictures_of_an_open_group_are_left_out(tmp_path, clips):
    """If pictures are shown before their key frame, the clip begins with the key frame."""
    options = {"x265-params": "keyint=25:min-keyint=25:scenecut=0:bframes=3:b-adapt=0:open-gop=1:log-level=0"}
    path = write_footage(tmp_path / "v.mkv", codec="libx265", **options)
    play(path, ClipSink(clips, CUT), {125: [event(110)], 140: [event(110, 120)]})
    clip, said = only(clips)
    first = round(said["clip"]["first_s"] * FPS)
    shown = levels_of(clip)
    assert shown == pytest.approx([level(first + i) for i in range(len(shown))], abs=2)
    assert len(shown) == said["clip"]["packets"]


def test_a_camera_without_packets_is_one_line(clips):
    """A camera that OpenCV reads by number has no packets: this is reported once, and each of its events counts as lost."""
    lines: list[str] = []
    with ClipSink(clips, CUT, say=lines.append) as sink:
        for i in range(20):
            told(sink, frame(i), {10: [event(5)], 15: [event(5, 12), event(13, 14)]})
    assert sink.lost == 2
    assert len(lines) == 1
    assert lines[0].startswith("camera gate: no clips, because its frames come without the packets of a stream")
    assert "ReadingSettings.keep_s" in lines[0]
    assert list(clips.iterdir()) == []


def test_packets_are_only_kept_on_request(tmp_path):
    """Without `keep_s`, frames have none. With OpenCV, which has no packets, `keep_s` is an error."""
    path = write_footage(tmp_path / "v.mp4", 10)
    with open_source(path) as source:
        assert {one.packets for one in source} == {None}
    with pytest.raises(ConfigError, match=r"clips need the packets that only PyAV keeps; remove `decoder=opencv`"):
        ReadingSettings(keep_s=1, decoder="opencv")
    with pytest.raises(ConfigError, match="keep_s must be 0 or more seconds"):
        ReadingSettings(keep_s=-1)


class Connections:
    """Opens the next file at each connection, like a live source that disconnects at its end."""

    def __init__(self, *paths) -> None:
        self._paths = list(paths)

    def __call__(self):
        source = PyAVSource.video(str(self._paths.pop(0)), "gate", KEEP)
        source.live = True
        return source


def test_a_clip_never_spans_two_connections(tmp_path, clips, monkeypatch):
    """An event that lasts when the camera is lost has a clip up to the loss; a later event has a clip of only the new
    connection, and media time continues.
    """
    monkeypatch.setattr(sys.modules[Reconnecting.__module__], "FIRST_WAIT_S", 0.01)
    first, second = write_footage(tmp_path / "a.mp4", 60), write_footage(tmp_path / "b.mp4", 100, first=60)
    frames = []
    sink = ClipSink(clips, CUT)
    source = Reconnecting("gate", Connections(first, second))
    source.on_state(sink.write_state)
    with sink, source:
        while len(frames) < 160:
            one = source.read()
            frames.append(one)
            told(sink, one, {55: [event(50)]})
            if len(frames) == 130:
                later = Event("state", "gate", "zone", "bus", 0.9, *(_moment_of(frames[i]) for i in (105, 110)))
                sink.write_event(later)
    truck, bus = (next(clips.glob(f"*-{label}.mp4")) for label in ("truck", "bus"))
    assert levels_of(truck) == pytest.approx([level(i) for i in range(25, 60)], abs=1)
    assert json.loads(truck.with_suffix(".json").read_text())["clip"]["cut_short"] == "the stream was lost"
    shown = levels_of(bus)
    assert shown == pytest.approx([level(60 + i) for i in range(len(shown))], abs=1)
    said = json.loads(bus.with_suffix(".json").read_text())["clip"]
    assert said["first_s"] == pytest.approx(frames[60].time_s, abs=2e-3)
    assert said["last_s"] == pytest.approx(frames[135].time_s, abs=2e-3)


def _moment_of(one):
    return moment(one.index)._replace(time_s=round(one.time_s, 3))


def of_two_sizes(path, sizes=((48, 64), (96, 128))):
    """Write a transport stream whose pictures change size after 60, as when a camera is reconfigured."""
    parts = [
        write_footage(path.with_name(f"{n}.ts"), 60, size_hw=size, first=60 * n, **{"x264-params": "repeat-headers=1"})
        for n, size in enumerate(sizes)
    ]
    with av.open(str(path), "w") as target, av.open(str(parts[0])) as first, av.open(str(parts[1])) as second:
        copy = target.add_stream_from_template(first.streams.video[0])
        for shift, part in ((0, first), (60 * 3600, second)):
            for packet in [p for p in part.demux(video=0) if p.size]:
                data = av.Packet(bytes(packet))
                data.pts, data.dts, data.is_keyframe = packet.pts + shift, packet.dts + shift, packet.is_keyframe
                data.time_base, data.stream = packet.time_base, copy
                target.mux(data)
    return path


def test_a_clip_never_spans_two_sizes(tmp_path, clips):
    """When the size changes, the clip ends; the next one contains only the new size, also in its header."""
    path = of_two_sizes(tmp_path / "v.ts")
    play(path, ClipSink(clips, CUT), {55: [event(50)], 85: [event(70, 80, label="bus")]})
    truck, bus = (next(clips.glob(f"*-{label}.mp4")) for label in ("truck", "bus"))
    assert levels_of(truck) == pytest.approx([level(i) for i in range(25, 60)], abs=1)
    assert json.loads(truck.with_suffix(".json").read_text())["clip"]["cut_short"] == "the stream began anew"
    assert levels_of(bus) == pytest.approx([level(i) for i in range(60, 106)], abs=1)
    with av.open(str(bus)) as container:
        assert (container.streams.video[0].height, container.streams.video[0].width) == (96, 128)


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_clip_continues_if_the_times_of_a_file_go_back(tmp_path, clips, bframes):
    """With two recordings in one file, a clip of frames 50 to 70 has the end of the first and the start of the second, with
    even steps.
    """
    parts = [write_footage(tmp_path / f"{n}.ts", 60, first=60 * n, bframes=bframes).read_bytes() for n in (0, 1)]
    path = tmp_path / "v.ts"
    path.write_bytes(b"".join(parts))
    play(path, ClipSink(clips, CUT), {55: [event(50)], 75: [event(50, 70)]})
    clip, said = only(clips)
    shown = levels_of(clip)
    assert len(shown) in range(71, 74)
    assert shown[:71] == pytest.approx([level(25 + i) for i in range(71)], abs=1)
    times = sorted(time for time, _, _ in packets_of(clip))[:71]
    assert times == pytest.approx([i / FPS for i in range(len(times))], abs=2e-3)
    assert said["clip"]["cut_short"] is None


def test_with_key_frames_alone_a_clip_is_whole(tmp_path, clips):
    """A run that decodes one picture per second still has all packets for its clips."""
    path = write_footage(tmp_path / "v.mp4")
    play(
        path,
        ClipSink(clips, CUT),
        {125: [event(100)], 175: [event(100, 150)]},
        reading=ReadingSettings(keep_s=15, keyframes=True),
    )
    assert levels_of(only(clips)[0]) == levels_of(path)[75:176]


def test_the_orientation_of_a_phone_is_in_its_clips(tmp_path, clips):
    """The clip of a rotated video is rotated the same way."""
    from tests.source.test_pyav import hold

    path = write_footage(tmp_path / "v.mp4", 100)
    hold(path, 0, 1, -1, 0)
    play(path, ClipSink(clips, CUT), {60: [event(50, 55)]})
    with av.open(str(path)) as before, av.open(str(only(clips)[0])) as after:
        assert next(before.decode(video=0)).rotation == next(after.decode(video=0)).rotation != 0


def test_a_packet_that_is_gone_is_counted(tmp_path, clips):
    """A sink that was blocked for longer than packets are kept continues with the next key frame, and the sidecar counts the
    missing ones.
    """
    path = write_footage(tmp_path / "v.mp4")
    sink = ClipSink(clips, CUT)
    with sink, open_source(f"gate={path}", reading=ReadingSettings(keep_s=1.0)) as source:
        for one in source:
            if not 60 < one.index < 200:
                told(sink, one, {55: [event(50)], 210: [event(50, 205)]})
    clip, said = only(clips)
    shown = levels_of(clip)
    gap = next(i for i in range(len(shown)) if shown[i + 1] - shown[i] > 4 or shown[i + 1] < shown[i])
    assert said["clip"]["missing_packets"] > 80
    assert len(shown) == said["clip"]["packets"]
    assert len(shown) + said["clip"]["missing_packets"] == 231 - 25
    assert packets_of(clip)[gap + 1][1]  # a key frame


def test_an_incomplete_clip_is_a_hidden_part(tmp_path, clips):
    """After an error in the block, the files are still completed."""
    path = write_footage(tmp_path / "v.mp4")

    def fail():
        with ClipSink(clips, CUT) as sink, open_source(f"gate={path}", reading=KEEP) as source:
            for one in source:
                told(sink, one, {55: [event(50)]})
                if one.index == 60:
                    assert [p.name for p in clips.iterdir()] == [".gate-000002.000s-truck.part.mp4"]
                    raise OSError("unplugged")

    with pytest.raises(OSError, match="unplugged"):
        fail()
    assert only(clips)[1]["clip"]["cut_short"] == "the run ended"


def test_a_missing_or_unwritable_folder_is_an_error(tmp_path, monkeypatch):
    """When the sink is opened, in one line that says what to do."""
    with pytest.raises(SinkError, match=r"missing: the folder for clips does not exist; create it first"):
        ClipSink(tmp_path / "missing")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SinkError, match=r"the folder for clips is not writable; check its owner and permissions"):
        ClipSink(tmp_path)


def test_without_pyav_the_error_is_the_command_that_installs_it(tmp_path, monkeypatch):
    """When the sink is opened."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"Cutting clips needs av, which is not installed: pip install"):
        ClipSink(tmp_path)


@pytest.mark.parametrize(("settings", "message"), [
    ({"pre_s": -1}, "pre_s must be 0 or more seconds"), ({"post_s": float("nan")}, "post_s must be 0 or more seconds"),
    ({"most_s": 5.0}, "most_s must be more than pre_s, which is 5 s"),
])  # fmt: skip
def test_invalid_settings_are_rejected(settings, message):
    """The error says what is expected."""
    with pytest.raises(ConfigError, match=message):
        CutSettings(**settings)


def test_a_clip_that_cannot_be_finished_is_counted_and_reported(tmp_path, clips):
    """If a folder has the name of a clip, its loss is one message; the next clip succeeds, which is another."""
    path = write_footage(tmp_path / "v.mp4")
    lines: list[str] = []
    sink = ClipSink(clips, CUT, say=lines.append)
    with sink, open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            told(sink, one, {55: [event(50, 52)], 150: [event(140, 142)]})
            if one.index == 60:
                (clips / "gate-000002.000s-truck.mp4" / "in the way").mkdir(parents=True)
    assert sink.lost == 1
    assert len(lines) == 2
    assert lines[0].startswith(f"clips cannot be written and are counted as lost: {clips}: ")
    assert lines[1] == f"{clips}: clips are written again; 1 were lost"
    assert [p.name for p in clips.glob("*.json")] == ["gate-000005.600s-truck.json"]
    assert [p.name for p in clips.glob(".*")] == []


def test_parts_of_killed_runs_are_removed_when_they_are_old(clips):
    """After an hour; not those that another run may be writing, nor other files."""
    start = "20251122T150307.250Z"
    old = [f".gate-{start}-truck.part.mp4", ".gate-000002.000s-car.part.mkv", f".gate-{start}-truck.part.json"]
    others = [f".out-{start}.part.mp4", ".out.part.mp4", f"gate-{start}-truck.mp4", ".holiday.part.mp4"]
    for name in (*old, *others):
        (clips / name).write_bytes(b"x")
        os.utime(clips / name, (0, time.time() - 3700))
    (clips / ".gate-000009.000s-car.part.mp4").write_bytes(b"x")
    ClipSink(clips, CUT).close()
    assert sorted(path.name for path in clips.iterdir()) == sorted([*others, ".gate-000009.000s-car.part.mp4"])


def test_a_camera_that_is_lost_finishes_its_clips(tmp_path, clips):
    """At once, not when it comes back."""
    path = write_footage(tmp_path / "v.mp4", 60)
    sink = ClipSink(clips, CUT)
    with open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            told(sink, one, {55: [event(50)]})
    sink.write_state(StateChange("other", "lost", "cut", 0.0))
    assert list(clips.glob("gate*")) == []
    sink.write_state(StateChange("gate", "stalled", "silent", 0.0))
    assert only(clips)[1]["clip"]["cut_short"] == "the stream was lost"
    sink.close()
    sink.close()


def test_an_event_without_any_frame_is_lost(clips):
    """The loss is reported."""
    lines: list[str] = []
    with ClipSink(clips, say=lines.append) as sink:
        sink.write_event(event(5, 10))
    assert (sink.lost, len(lines)) == (1, 1)
