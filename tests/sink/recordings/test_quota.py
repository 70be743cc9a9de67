"""Tests of limits of disk space: the oldest recordings of edgecls are removed, and no other files."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress

import pytest

from edgecls import ConfigError, SinkError
from edgecls.sink import ClipSink, CutSettings, Quota, ShotSettings, SnapshotSink
from edgecls.sink.recordings import quota as quota_module
from edgecls.sink.recordings.quota import write_sidecar
from edgecls.source import open_source
from tests.run.disk import fill, small_disk
from tests.run.footage import KEEP, event, play, told, write_footage

MEGABYTE = 1_000_000


def recording(folder, name: str, size: int, at_s: float) -> None:
    """Write a file of ours with its sidecar."""
    (folder / name).write_bytes(bytes(size))
    write_sidecar((folder / name).with_suffix(".json"), [folder / name], at_s, {})


def names(folder, suffix: str = ".mp4") -> list[str]:
    return sorted(path.name for path in folder.glob(f"*{suffix}"))


def test_the_oldest_recordings_are_removed(tmp_path):
    """By the time in the sidecar, whatever their names and modification times; no more than necessary."""
    for name, at_s in (("c.mp4", 1), ("a.mp4", 3), ("b.mp4", 2), ("d.mp4", 4)):
        recording(tmp_path, name, 10_000, at_s)
    os.utime(tmp_path / "c.mp4")
    quota = Quota(tmp_path, most_bytes=50_000)
    quota.make_room(5_000)
    assert names(tmp_path) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    quota.make_room(15_000)
    assert names(tmp_path) == ["a.mp4", "b.mp4", "d.mp4"]
    assert names(tmp_path, ".json") == ["a.json", "b.json", "d.json"]
    quota.make_room(5_000, unfinished=30_000)
    assert names(tmp_path) == ["d.mp4"]
    assert quota.removed == 3


def test_files_of_the_user_stay(tmp_path):
    """Files without a sidecar, with a foreign one, changed or linked ones, and folders are never touched."""
    recording(tmp_path, "ours.mp4", 10_000, 9)
    recording(tmp_path, "changed.mp4", 10_000, 1)
    (tmp_path / "changed.mp4").write_bytes(bytes(10_001))
    recording(tmp_path, "linked.mp4", 10_000, 1)
    shutil.move(tmp_path / "linked.mp4", tmp_path / "elsewhere.bin")
    (tmp_path / "linked.mp4").symlink_to(tmp_path / "elsewhere.bin")
    (tmp_path / "holiday.mp4").write_bytes(bytes(10_000))
    (tmp_path / "notes.json").write_text('{"files": {"holiday.mp4": {"bytes": 10000}}, "written_at_s": 0}')
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "broken.json").write_bytes(b"\xff{")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "sub.json").mkdir()
    outside = tmp_path / "folder"
    outside.mkdir()
    (outside / "x.mp4").write_bytes(bytes(5))
    (outside / "x.json").write_text(
        json.dumps({"made_by": "edgecls 1", "written_at_s": 0, "files": {"../holiday.mp4": {"bytes": 10_000}}})
    )
    before = {path for path in tmp_path.rglob("*") if path.stem != "ours"}
    Quota(tmp_path, most_bytes=12_000).make_room(12_000)
    Quota(outside, most_bytes=10).make_room(10)
    assert {path for path in tmp_path.rglob("*") if path.stem != "ours"} >= before - {outside / "x.json"}
    assert not (tmp_path / "ours.mp4").exists()
    assert (tmp_path / "holiday.mp4").exists()


def test_nothing_is_removed_if_it_would_not_suffice(tmp_path):
    """A recording larger than the quota, or a disk filled by others, is an error and removes nothing."""
    recording(tmp_path, "a.mp4", 10_000, 1)
    with pytest.raises(SinkError, match=r"the recording being written exceeds the limit of 12,000 bytes for all recordings"):
        Quota(tmp_path, most_bytes=12_000).make_room(2_001, unfinished=10_000)
    with pytest.raises(SinkError, match=r"bytes of the disk must stay free, but other files take them"):
        Quota(tmp_path, keep_free_bytes=1 << 60).make_room(1)
    assert names(tmp_path) == ["a.mp4"]


def test_the_free_space_is_kept(tmp_path, monkeypatch):
    """With 30,000 bytes to keep free and 25,000 free, one recording of 10,000 is removed."""
    for name in "abc":
        recording(tmp_path, f"{name}.mp4", 10_000, ord(name))
    total = sum(path.stat().st_size for path in tmp_path.iterdir())

    def usage(_folder):
        taken = sum(path.stat().st_size for path in tmp_path.iterdir())
        return shutil._ntuple_diskusage(0, 0, 25_000 + total - taken)

    monkeypatch.setattr("shutil.disk_usage", usage)
    Quota(tmp_path, keep_free_bytes=30_000).make_room(1_000)
    assert names(tmp_path) == ["b.mp4", "c.mp4"]


def test_clips_and_snapshots_keep_to_a_quota(tmp_path):
    """For twenty events with room for a few, the size never exceeds the limit, and the newest are kept."""
    path = write_footage(tmp_path / "v.mp4", 500)
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "holiday.mp4").write_bytes(bytes(500_000))
    most = 60_000
    quota = Quota(folder, most_bytes=most)
    clips, pictures = ClipSink(folder, CutSettings(0.5, 0.5), quota=quota), SnapshotSink(folder, quota=quota)
    largest = 0
    with clips, pictures, open_source(f"gate={path}", reading=KEEP) as source:
        for one in source:
            plan = {i + 8: [event(i, i + 5)] for i in range(20, 480, 24)}
            told(clips, one, plan)
            told(pictures, one, plan)
            ours = sum(p.stat().st_size for p in folder.iterdir() if p.name != "holiday.mp4")
            largest = max(largest, ours)
    assert clips.lost == pictures.lost == 0
    assert quota.removed > 5
    assert largest <= most
    assert event(452).id in {json.loads(p.read_text())["event"]["event"] for p in folder.glob("*.json")}
    assert (folder / "holiday.mp4").stat().st_size == 500_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"most_bytes": 0}, "most_bytes must be above 0"), ({"keep_free_bytes": -1}, "keep_free_bytes must be 0 or more")],
)
def test_invalid_limits_are_rejected(settings, message):
    """They raise ConfigError."""
    with pytest.raises(ConfigError, match=message):
        Quota(".", **settings)


@pytest.mark.parametrize("kind", ["clips", "snapshots"])
def test_a_disk_that_fills_up(tmp_path, kind):
    """On a disk of 200 kB that fills up, every frame is still accepted, each loss is counted, and one message is printed; once
    there is room, the next recording is complete, with another message.
    """
    footage = write_footage(tmp_path / "v.mp4", 250, size_hw=(240, 320))
    with small_disk(tmp_path / "disk", "200k") as disk:
        lines: list[str] = []
        if kind == "clips":
            sink = ClipSink(disk, CutSettings(0.5, 0.5), say=lines.append)
        else:
            sink = SnapshotSink(disk, ShotSettings(quality=100), say=lines.append)
        plan = {i + 4: [event(i, i + 2)] for i in (20, 60, 100, 180)}
        taken = 0
        with sink, open_source(f"gate={footage}", reading=KEEP) as source:
            for one in source:
                if one.index == 15:
                    fill(disk / "somebody's")
                if one.index == 150:
                    (disk / "somebody's").unlink()
                told(sink, one, plan)
                taken += 1
        assert taken == 250
        assert sink.lost == 3
        assert len(lines) == 2, lines
        assert "No space left on device" in lines[0]
        assert lines[1] == f"{disk}: {kind} are written again; 3 were lost"
        assert len(list(disk.iterdir())) == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_becomes_unwritable(tmp_path):
    """It costs its recordings, and nothing else."""
    folder = tmp_path / "clips"
    folder.mkdir()
    lines: list[str] = []
    sink = ClipSink(folder, CutSettings(0.5, 0.5), say=lines.append)
    folder.chmod(0o500)
    try:
        play(write_footage(tmp_path / "v.mp4", 100), sink, {60: [event(50, 55)]})
    finally:
        folder.chmod(0o700)
    assert sink.lost == 1
    assert "Permission denied" in lines[0]


def test_each_sidecar_is_read_once(tmp_path, monkeypatch):
    """Of 200 recordings, only new ones are read the next time."""
    read: list[str] = []
    original = quota_module._read
    monkeypatch.setattr(quota_module, "_read", lambda folder, name: read.append(name) or original(folder, name))
    for i in range(200):
        recording(tmp_path, f"{i}.mp4", 10, i)
    quota = Quota(tmp_path, most_bytes=100 * MEGABYTE)
    quota.make_room(1)
    assert len(read) == 200
    recording(tmp_path, "new.mp4", 10, 200)
    quota.make_room(1)
    assert read[200:] == ["new.json"]
    assert quota.removed == 0


def test_a_recording_that_a_person_removed_takes_no_room(tmp_path):
    """A sidecar alone counts only its own bytes."""
    recording(tmp_path, "a.mp4", 10_000, 1)
    recording(tmp_path, "b.mp4", 10_000, 2)
    (tmp_path / "a.mp4").unlink()
    Quota(tmp_path, most_bytes=13_000).make_room(2_000)
    assert names(tmp_path) == ["b.mp4"]


HOSTILE = {
    "infinite": '{"bytes": 1e999}',
    "not a number": '{"bytes": NaN}',
    "negative": '{"bytes": -1000000}',
    "a text": '{"bytes": "10"}',
    "a fraction": '{"bytes": 10.5}',
    "true": '{"bytes": true}',
    "huge": '{"bytes": 1' + "0" * 400 + "}",
    "too many digits": '{"bytes": 1' + "0" * 5000 + "}",
    "missing": "{}",
    "a list": "[1]",
    "nothing": "null",
    "deep": "[" * 100_000,
}


def hostile(folder, listed: str, *, name: str = '"gate.mp4"', at_s: str = "0") -> None:
    """Write a sidecar that claims to be ours and lists something that edgecls never would."""
    text = f'{{"made_by": "edgecls 1", "written_at_s": {at_s}, "files": {{{name}: {listed}}}}}'
    (folder / "gate.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("listed", HOSTILE.values(), ids=HOSTILE)
def test_a_sidecar_that_lies_takes_and_gives_no_room(tmp_path, listed):
    """It is ignored: the files that it lists stay, and other recordings are unaffected."""
    hostile(tmp_path, listed)
    (tmp_path / "gate.mp4").write_bytes(bytes(10))
    recording(tmp_path, "ours.mp4", 10_000, 9)
    quota = Quota(tmp_path, most_bytes=15_000)
    quota.make_room(1_000)
    assert names(tmp_path) == ["gate.mp4", "ours.mp4"]
    quota.make_room(10_000)
    assert names(tmp_path) == ["gate.mp4"]


@pytest.mark.parametrize("at_s", ["NaN", "1e999", "1" + "0" * 400, '"nan"', "null", "[]"])
def test_a_sidecar_with_an_invalid_time_is_ignored(tmp_path, at_s):
    """Otherwise the others could not be sorted."""
    hostile(tmp_path, '{"bytes": 10}', at_s=at_s)
    (tmp_path / "gate.mp4").write_bytes(bytes(10))
    Quota(tmp_path, most_bytes=16).make_room(16)
    assert names(tmp_path) == ["gate.mp4"]


@pytest.mark.parametrize(
    "name", ['".."', '"."', '""', '"../gate.mp4"', '"/etc/passwd"', '"gate\\u0000.mp4"', '"a/b"', '"folder"']
)
def test_a_sidecar_that_lists_other_paths_removes_nothing(tmp_path, name):
    """Neither folders nor files elsewhere."""
    (tmp_path / "clips" / "folder").mkdir(parents=True)
    (tmp_path / "gate.mp4").write_bytes(bytes(10))
    size = (tmp_path / "clips" / "folder").stat().st_size
    for listed in (10, size):
        hostile(tmp_path / "clips", f'{{"bytes": {listed}}}', name=name)
        with suppress(SinkError):
            Quota(tmp_path / "clips", most_bytes=16).make_room(10)
    assert (tmp_path / "gate.mp4").exists()
    assert (tmp_path / "clips" / "folder").is_dir()


def test_a_recording_that_cannot_be_removed_does_not_keep_the_others(tmp_path, monkeypatch):
    """The next oldest is removed instead; if none can be, the error gives the reason."""
    for number in range(4):
        recording(tmp_path, f"{number}.mp4", 10_000, number)
    unlink = os.unlink
    stuck = {"0.mp4"}

    def unlink_some(path, **options: object) -> None:
        if os.path.basename(path) in stuck:  # noqa: PTH119 - a path as the system gets it
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", unlink_some)
    quota = Quota(tmp_path, most_bytes=45_000)
    quota.make_room(10_000)
    assert names(tmp_path) == ["0.mp4", "2.mp4", "3.mp4"]
    stuck |= {"2.mp4", "3.mp4"}
    with pytest.raises(SinkError, match=r"exceeds the limit of 45,000 bytes .*; .*\.mp4: cannot be removed .*not permitted"):
        quota.make_room(20_000)


@pytest.mark.parametrize("kind", ["deep", "a list", "not UTF-8", "large", "a pipe", "a folder", "a link"])
@pytest.mark.parametrize("sink", ["clip", "snapshot"])
def test_a_sidecar_in_the_way_of_a_name_ends_no_run(tmp_path, sink, kind):
    """The recording gets another name; a pipe is not waited for, and no large file is read."""
    folder = tmp_path / "out"
    folder.mkdir()
    name = "gate-000004.400s-truck" + {"clip": "", "snapshot": f"-{event(110).id}"}[sink]
    sidecar = folder / f"{name}.json"
    if kind == "a pipe":
        os.mkfifo(sidecar)
    elif kind == "a folder":
        sidecar.mkdir()
    elif kind == "a link":
        sidecar.symlink_to(tmp_path / "nowhere")
    elif kind == "large":
        with sidecar.open("wb") as file:
            file.truncate(1 << 33)
    else:
        sidecar.write_bytes(
            {"deep": b'{"made_by": "edgecls 1", "event": ' + b"[" * 100_000, "a list": b"[1]"}.get(kind, b"\xff{")
        )
    opened = ClipSink(folder, CutSettings(pre_s=1, post_s=1)) if sink == "clip" else SnapshotSink(folder, ShotSettings())
    play(write_footage(tmp_path / "v.mp4", 200), opened, {125: [event(110)], 140: [event(110, 130)]})
    assert opened.lost == 0
    assert {path.stem for path in folder.iterdir()} == {name, f"{name}-2"}
    assert not (tmp_path / "nowhere").exists()
