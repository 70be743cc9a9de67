"""Tests that damaged pictures of a recording are counted, named and not returned, and that intact ones are unchanged."""

from __future__ import annotations

import av
import numpy as np
import pytest

from edgecls import SourceError
from edgecls.source import ReadingSettings, open_source
from edgecls.source.dependents import Dependents
from edgecls.video.nal import holds_picture
from tests.run.footage import level, packets_of, write_footage

COUNT, GOP = 75, 25
KINDS = [
    *[("libx264", suffix) for suffix in ("mp4", "mkv", "flv", "avi")],
    *[("libx265", suffix) for suffix in ("mp4", "mkv")],
    *[("mpeg4", suffix) for suffix in ("mp4", "mkv", "avi")],
    *[("mjpeg", suffix) for suffix in ("mp4", "mkv", "avi")],
]


def film(path, codec="libx264", **options):
    """Write 75 pictures of known levels, with a key frame every 25."""
    if codec == "libx265":
        keys = f"keyint={GOP}:min-keyint={GOP}:scenecut=0"
        options |= {"x265-params": f"log-level=none:{keys}:bframes=2:qp=4", "preset": "ultrafast"}
    return write_footage(path, COUNT, codec=codec, gop=GOP, size_hw=(96, 128), **options)


def read(path, decoder="pyav"):
    """Return (index, level) of each frame, the number of skipped ones, and the error."""
    frames: list[tuple[int, float]] = []
    error = ""
    with open_source(path, reading=ReadingSettings(decoder=decoder), say=pytest.fail) as source:
        try:
            frames.extend((round(frame.time_s * 25), float(frame.luma().mean())) for frame in source)
        except SourceError as caught:
            error = str(caught)
        return frames, source.skipped, error


def spoilt(source, target, *, number=40):
    """Copy a video with noise in place of one of its packets."""
    noise = np.random.default_rng(0)
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for i, packet in enumerate(p for p in old.demux(video=0) if p.size):
            copy = av.Packet(noise.integers(1, 255, packet.size, np.uint8).tobytes() if i == number else bytes(packet))
            copy.pts, copy.dts, copy.time_base, copy.duration = packet.pts, packet.dts, packet.time_base, packet.duration
            copy.is_keyframe, copy.stream = packet.is_keyframe, stream
            new.mux(copy)
    return target


def order_of(path):
    """Return the numbers of a video's pictures in decoding order, and which of them are key frames."""
    packets = packets_of(path)
    return [round(time_s * 25) for time_s, _, _ in packets], [round(time_s * 25) for time_s, is_key, _ in packets if is_key]


def assert_true_to(whole, frames):
    """Check that each returned frame is that of the intact video at its time."""
    levels = dict(whole)
    assert [(index, levels[index]) for index, _ in frames] == frames


@pytest.mark.parametrize(("codec", "suffix"), KINDS)
def test_a_damaged_picture_is_counted_with_its_dependents(tmp_path, codec, suffix):
    """Nothing is returned up to the next key frame; the error and the count of skipped frames agree."""
    path = film(tmp_path / f"v.{suffix}", codec)
    whole, skipped, error = read(path)
    assert ([index for index, _ in whole], skipped, error) == (list(range(COUNT)), 0, "")
    damaged = spoilt(path, tmp_path / f"w.{suffix}")
    frames, skipped, error = read(damaged)
    assert_true_to(whole, frames)
    key = next(index for index in order_of(path)[1] if index > 42)
    assert [index for index, _ in frames if index < 36 or index >= key] == [*range(36), *range(key, COUNT)]
    assert skipped == COUNT - len(frames) > 0
    those = f"1 of {COUNT} pictures was" if skipped == 1 else f"{skipped} of {COUNT} pictures were"
    assert error.startswith(f"{damaged}: {those} skipped, the first at 1.")
    assert error.endswith("the file is damaged")


@pytest.mark.parametrize("number", [30, 31, 32])
@pytest.mark.parametrize("bframes", [0, 2])
def test_pictures_decoded_before_the_damage_are_shown(tmp_path, bframes, number):
    """Those that are shown later only because of their order are intact; those decoded later are not."""
    path = film(tmp_path / "v.mp4", bframes=bframes)
    shown = [index for index, _ in read(spoilt(path, tmp_path / "w.mp4", number=number))[0]]
    order, keys = order_of(path)
    lost = order[number : order.index(keys[2])]
    assert shown == [index for index in range(COUNT) if index not in lost]


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_damage_is_reported_with_opencv_too(tmp_path, decoder):
    """It returns what it can; the exit code and the count show that something is wrong."""
    frames, skipped, error = read(spoilt(film(tmp_path / "v.mp4"), tmp_path / "w.mp4"), decoder)
    assert skipped == COUNT - len(frames) > 0
    assert "the file is damaged" in error


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize("packets", [1, 30])
def test_a_hole_in_a_transport_stream(tmp_path, decoder, packets):
    """If packets are missing, no picture that needs them is returned, and the run fails."""
    path = film(tmp_path / "v.ts", crf="20", preset="veryfast")
    whole = read(path)[0]
    data = path.read_bytes()
    at = next(at for at in range(len(data) // 376 * 188, len(data), 188) if data[at + 1] & 0x1F == 1)  # a packet of a picture
    path.write_bytes(data[:at] + data[at + 188 * packets :])
    frames, skipped, error = read(path, decoder)
    assert len(frames) < COUNT or decoder == "opencv"
    assert "the file is damaged" in error
    if decoder == "pyav":
        assert_true_to(whole, frames)
        assert f"{skipped} of" in error


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize(("codec", "bframes"), [("libx264", 0), ("libx264", 2), ("mpeg2video", 0)])
def test_recordings_that_were_joined_have_no_hole(tmp_path, decoder, codec, bframes):
    """Segments copied into one file restart their packet counters, and lack nothing."""
    parts = [write_footage(tmp_path / f"{n}.ts", 30 + n, codec=codec, gop=GOP, bframes=bframes) for n in range(6)]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, skipped, error = read(path, decoder)
    assert (len(frames), skipped, error) == (sum(range(30, 36)), 0, "")


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize("kind", ["zeros", "others"])
@pytest.mark.parametrize(
    ("codec", "suffix"), [("mjpeg", "avi"), ("mpeg4", "avi"), ("libx264", "flv"), ("mjpeg", "mkv"), ("libx264", "mkv")]
)
def test_packets_that_the_container_lost(tmp_path, decoder, kind, codec, suffix):
    """FFmpeg silently continues with the next intact packet if the container's offsets are wrong."""
    path = film(tmp_path / f"v.{suffix}", codec)
    levels = [level for _, level in read(path)[0]]
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    start, stop = places[39][0] + places[39][1] // 2, places[42][0] + places[42][1] // 2
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start) if kind == "zeros" else b"\xa5" * (stop - start)
    path.write_bytes(data)
    frames, skipped, error = read(path, decoder)
    assert "damaged" in error
    if decoder == "pyav":
        shown = [level for index, level in frames if index != 39]  # a part of it is left
        assert shown == [level for level in levels if level in shown]
        assert len(frames) + skipped < COUNT
        assert "data is missing" in error


def test_parameters_in_a_packet_of_their_own_are_no_picture(tmp_path):
    """Some recorders write them so; FFmpeg reports a packet without a picture, but nothing is missing."""
    path, target = film(tmp_path / "v.ts"), tmp_path / "w.mkv"
    with av.open(str(path)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for i, packet in enumerate(p for p in old.demux(video=0) if p.size):
            for data, shift in ((b"\0\0\0\1\6\5\1\0\x80", -1),) * (i % 10 == 5) + ((bytes(packet), 0),):
                copy = av.Packet(data)
                copy.time_base, copy.stream, copy.is_keyframe = packet.time_base, stream, packet.is_keyframe
                copy.pts, copy.dts = packet.pts + 900 * shift, packet.dts + 900 * shift
                new.mux(copy)
    frames, skipped, error = read(target)
    assert (len(frames), skipped, error) == (COUNT, 0, "")


AVCC, HVCC = b"\1" + bytes(3) + b"\xff", b"\1" + bytes(20) + b"\3"


@pytest.mark.parametrize(
    ("codec", "data", "headers", "expected"),
    [
        ("h264", b"\0\0\0\1\x67ab\0\0\1\x68c", b"", False),
        ("h264", b"\0\0\0\1\x67ab\0\0\1\x65c", b"", True),
        ("h264", b"\0\0\0\2\x09\xf0", AVCC, False),
        ("h264", b"\0\0\0\2\x41\xf0", AVCC, True),
        ("h264", b"\0\0\0\x09\x09\xf0", AVCC, True),
        ("h264", b"noise", b"", True),
        ("hevc", b"\0\0\0\2\x40\1", HVCC, False),
        ("hevc", b"\0\0\0\2\x02\1", HVCC, True),
        ("hevc", b"\0\0\0\2\x12\1", HVCC, False),
        ("mpeg4", b"\0\0\1\xb0", b"", True),
    ],
)
def test_whether_a_packet_holds_a_picture(codec, data, headers, expected):
    """Parameters and delimiters are no pictures; data that cannot be parsed is a damaged one."""
    assert holds_picture(codec, data, headers) is expected


def test_a_key_frame_before_the_loss_does_not_end_it():
    """It is decoded before and shown after it: the dependents of the lost picture 6 have the numbers 7 and 8."""
    pictures = Dependents()
    pictures.lose(6)
    shown = [(place, pictures.is_whole(place, is_corrupt=False, is_key=place in (5, 10))) for place in (4, 5, 8, 7, 10, 11)]
    assert shown == [(4, True), (5, True), (8, False), (7, False), (10, True), (11, True)]


def test_levels_are_known():
    """Each picture of these videos has its own level."""
    assert len({level(i) for i in range(COUNT)}) == COUNT
