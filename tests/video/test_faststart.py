"""Moving the index of an MP4 before its pictures."""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING

import av
import pytest

from edgecls.sink import ClipSink, CutSettings, VideoSink
from edgecls.video.faststart import put_index_first
from tests.run.disk import fill, small_disk
from tests.run.footage import event, levels_of, packets_of, play, write_footage
from tests.run.world import frame, result

if TYPE_CHECKING:
    from pathlib import Path


def kinds(path: Path) -> list[str]:
    """Return the box types of an MP4, in order."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        size = struct.unpack_from(">Q", data, at + 8)[0] if size == 1 else size or len(data) - at
        found.append(kind.decode("latin1"))
        at += size
    return found


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return an MP4 box."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4_of(tables: bytes, media: bytes = b"pictures") -> bytes:
    """Return an MP4 with one track and these tables, in FFmpeg's order: type, data, index, and a box after it."""
    track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stts", bytes(8)), tables))))
    return box(b"ftyp", b"isom") + box(b"mdat", media) + box(b"moov", box(b"mvhd", bytes(8)), track) + box(b"free", b"rest")


@pytest.mark.parametrize(("kind", "form"), [(b"stco", ">I"), (b"co64", ">Q")])
def test_offsets_point_to_the_same_bytes(tmp_path, kind, form):
    """With 32 and with 64 bits; offsets outside the moved data do not change."""
    path = tmp_path / "a.mp4"
    offsets = (20, 24, 3)  # the data begins at 20, the type at 0
    table = box(kind, bytes(4), struct.pack(">I", 3), *(struct.pack(form, offset) for offset in offsets))
    path.write_bytes(mp4_of(table))
    index = path.read_bytes()[28:-12]
    put_index_first(path)
    assert kinds(path) == ["ftyp", "moov", "mdat", "free"]
    moved = path.read_bytes()
    at = moved.index(kind) + 12
    size = struct.calcsize(form)
    found = [struct.unpack_from(form, moved, at + i * size)[0] for i in range(3)]
    assert found == [20 + len(index), 24 + len(index), 3]
    assert moved[found[0] : found[0] + 8] == b"pictures"


@pytest.mark.parametrize("how", ["first already", "no index", "truncated", "a count that lies", "empty", "text"])
def test_a_file_whose_index_cannot_be_moved_is_unchanged(tmp_path, how):
    """It has the same bytes, and no other file is left in the folder."""
    path = tmp_path / "a.mp4"
    good = mp4_of(box(b"stco", bytes(4), struct.pack(">II", 1, 20)))
    path.write_bytes({
        "first already": box(b"moov") + box(b"mdat"),
        "no index": box(b"ftyp") + box(b"mdat"),
        "truncated": good[:-20],
        "a count that lies": mp4_of(box(b"stco", bytes(4), struct.pack(">II", 2**31, 20))),
        "empty": b"",
        "text": b"this is a text\n" * 10,
    }[how])  # fmt: skip
    before = path.read_bytes()
    put_index_first(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("bframes", [0, 2])
def test_a_file_from_ffmpeg_plays_as_before(tmp_path, bframes):
    """It has the same packets at the same times, and the same pictures."""
    path = write_footage(tmp_path / "v.mp4", 60, bframes=bframes)
    path.chmod(0o640)
    assert kinds(path)[-1] == "moov"
    packets, levels = packets_of(path), levels_of(path)
    put_index_first(path)
    assert kinds(path).index("moov") < kinds(path).index("mdat")
    assert (packets_of(path), levels_of(path)) == (packets, levels)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_on_a_full_disk_the_file_is_unchanged(tmp_path):
    """There is no room for a copy."""
    with small_disk(tmp_path / "disk", "256k") as disk:
        path = write_footage(disk / "v.mp4", 250)
        before = path.read_bytes()
        fill(disk / "other")
        put_index_first(path)
        assert path.read_bytes() == before
        assert sorted(path.name for path in disk.iterdir()) == ["other", "v.mp4"]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_clips_play_on_apple_devices(tmp_path, codec):
    """Their index is first, and H.265 has the tag hvc1, for which parameter sets are only in the index."""
    options = {} if codec == "libx264" else {"preset": "ultrafast", "x265-params": "log-level=none:keyint=25"}
    source = write_footage(tmp_path / "v.mp4", codec=codec, **options)
    (tmp_path / "clips").mkdir()
    play(source, ClipSink(tmp_path / "clips", CutSettings(pre_s=1, post_s=1)), {125: [event(110)], 140: [event(110, 130)]})
    (clip,) = (tmp_path / "clips").glob("*.mp4")
    assert kinds(clip).index("moov") < kinds(clip).index("mdat")
    with av.open(str(clip)) as container:
        assert container.streams.video[0].codec_context.codec_tag == {"libx264": "avc1", "libx265": "hvc1"}[codec]
    assert len(levels_of(clip)) == len(packets_of(clip)) > 50
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600


def test_annotated_videos_have_their_index_first(tmp_path):
    """They grow in fragments, and are rewritten when they are complete."""
    with VideoSink(tmp_path / "out.mp4") as sink:
        for i in range(100):
            sink.write(result(frame(i)))
    assert kinds(tmp_path / "out.mp4").index("moov") < kinds(tmp_path / "out.mp4").index("mdat")
    assert len(levels_of(tmp_path / "out.mp4")) == 100
    assert stat.S_IMODE((tmp_path / "out.mp4").stat().st_mode) == 0o600
