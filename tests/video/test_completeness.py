"""A file is reported as cut off if bytes are missing, and only then."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from edgecls import SourceError
from edgecls.source import ReadingSettings, open_source
from edgecls.video.completeness import lacks_index, missing_bytes
from tests.run.footage import packets_of, write_footage

CONTAINERS = ("mp4", "mov", "mkv", "avi", "flv", "ts", "wmv", "ogg", "webm", "mpg")
USUAL = ReadingSettings()
CODECS = {"wmv": "wmv2", "ogg": "libvpx", "mpg": "mpeg2video", "webm": "libvpx", "avi": "mpeg4"}


@pytest.fixture(params=["opencv", "pyav"])
def reading(request):
    """Reading settings for each decoder."""
    return ReadingSettings(decoder=request.param)


def write_video(tmp_path, suffix: str, **options: int):
    """Write a video of 80 pictures."""
    return write_footage(tmp_path / f"v.{suffix}", 80, codec=CODECS.get(suffix, "libx264"), size_hw=(48, 64), **options)


def read(path, reading: ReadingSettings = USUAL) -> tuple[list[int], str, list[str]]:
    """Return the frame indices of a file, its error, and the messages."""
    messages: list[str] = []
    frames: list[int] = []
    with open_source(path, reading=reading, say=messages.append) as source:
        try:
            frames.extend(frame.index for frame in source)
        except SourceError as error:
            return frames, str(error), messages
    return frames, "", messages


def copied(source, target, *, shown=lambda _packet: True, options=None, stretch=lambda pts: pts):
    """Copy the packets for which `shown` is true into another container, as `ffmpeg -c copy` does."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None and shown(packet):
                packet.pts, packet.dts = stretch(packet.pts), stretch(packet.dts)
                packet.stream = stream
                new.mux(packet)
    return target


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_only_a_cut_file_lacks_bytes(tmp_path, suffix):
    """In every container. Data after a complete file, as from a recorder that pads its files, is ignored."""
    path = write_video(tmp_path, suffix)
    data = path.read_bytes()
    assert missing_bytes(path) == 0
    path.write_bytes(data + bytes(1000 - 1000 % 188))
    assert missing_bytes(path) == 0
    path.write_bytes(data[: len(data) * 13 // 20 // 188 * 188 + 90])
    assert missing_bytes(path) > 0


def test_an_mp4_without_its_index_is_named_so(tmp_path, reading):
    """Its end with the index was never written, or cut off with half of the pictures. Nothing else lacks one."""
    path = write_video(tmp_path, "mp4")
    assert not lacks_index(path)
    assert not lacks_index(write_video(tmp_path, "mkv"))
    fragmented = copied(path, tmp_path / "f.mp4", options={"movflags": "frag_keyframe+empty_moov"})
    assert not lacks_index(fragmented)
    data = path.read_bytes()
    for length in (len(data) // 2, data.rindex(b"moov") - 4):
        path.write_bytes(data[:length])
        assert lacks_index(path)
        with pytest.raises(SourceError, match=rf"v\.mp4: not a video .* \({length} bytes\); its index \(moov\) is missing"):
            open_source(path, reading=reading)


@pytest.mark.parametrize("suffix", ["avi", "mkv", "flv", "ts"])
def test_half_a_file_gives_its_frames_and_one_error(tmp_path, suffix, reading):
    """The error states the number of frames."""
    path = write_video(tmp_path, suffix)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 13 // 20 // 188 * 188 + 90])
    frames, error, _ = read(path, reading)
    assert 5 < len(frames) < 80
    assert "the file is cut off" in error
    assert f"ended after {len(frames)}" in error or reading.decoder == "opencv"


def test_half_an_mp4_with_its_index_first(tmp_path, reading):
    """The index counts 80 pictures, and the bytes of half of them are missing."""
    path = copied(write_video(tmp_path, "mkv"), tmp_path / "v.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames, error, _ = read(path, reading)
    assert "of 80 frames; the file is cut off" in error
    assert 5 < len(frames) < 80


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("hidden", [10, 30, 60])
def test_pictures_that_an_edit_list_hides_are_not_missing(tmp_path, reading, suffix, hidden):
    """A video that was trimmed without re-encoding keeps all pictures since a key frame, but shows only some of them."""
    whole = write_video(tmp_path, "mkv", gop=80)
    trimmed = copied(whole, tmp_path / f"trim.{suffix}", stretch=lambda pts: pts - 40 * hidden)
    frames, error, messages = read(trimmed, reading)
    assert (error, messages) == ("", [])
    assert len(frames) in (80 - hidden, 80)  # the decoder decides whether to show the pictures before the start


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts", "flv"])
def test_a_variable_rate_is_no_loss(tmp_path, reading, suffix):
    """The first 40 pictures have a rate of 25 per second, the others of one per second."""
    path = tmp_path / f"v.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(60):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 60 + i, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = (i if i < 40 else 40 + 25 * (i - 40)), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert read(path, reading) == (list(range(60)), "", [])


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
@pytest.mark.parametrize("suffix", ["ts", "mkv", "avi"])
def test_pictures_before_the_first_key_frame_are_counted(tmp_path, suffix, codec):
    """If a video begins between key frames, the pictures before the first one are reported, and the others are decoded."""
    whole = write_footage(tmp_path / f"a.{suffix}", 60, codec=codec, gop=20, size_hw=(48, 64))
    number = iter(range(60))
    late = copied(whole, tmp_path / f"b.{suffix}", shown=lambda _packet: next(number) >= 8)
    missing = next(i for i, (_, is_key, _) in enumerate(packets_of(whole)[8:]) if is_key)
    messages: list[str] = []
    with open_source(late, say=messages.append) as source:
        frames = [round(float(frame.luma().mean())) for frame in source]
        assert source.skipped == missing > 1
    with open_source(whole) as source:
        assert frames == [round(float(frame.luma().mean())) for frame in source][8 + missing :]
    assert messages == [f"{late}: the first {missing} pictures cannot be decoded, because no key frame comes before"]


def test_a_video_without_any_key_frame_is_reported(tmp_path):
    """None of its pictures can be decoded."""
    whole = write_footage(tmp_path / "a.ts", 60, gop=60, size_hw=(48, 64))
    late = copied(whole, tmp_path / "b.ts", shown=lambda packet: not packet.is_keyframe)
    with pytest.raises(SourceError, match=r"none of its 59 pictures can be decoded, because no key frame is among them"):
        list(open_source(late))


def test_avi_with_gaps_and_a_late_start(tmp_path, reading):
    """If a recorder dropped every third picture and began two seconds late, nothing that it wrote is missing."""
    whole = write_footage(tmp_path / "a.mkv", 60, codec="mpeg4", gop=1, size_hw=(48, 64))
    number = iter(range(60))
    gaps = copied(whole, tmp_path / "gaps.avi", shown=lambda _packet: next(number) % 3 < 2, stretch=lambda pts: pts + 2000)
    frames, error, messages = read(gaps, reading)
    assert (error, messages) == ("", [])
    assert 40 <= len(frames) <= 62


def test_reading_only_key_frames_or_every_nth_frame(tmp_path):
    """Skipped frames are not missing; frames that are cut off are."""
    path = write_video(tmp_path, "mkv", gop=20)
    for reading in (ReadingSettings(keyframes=True), ReadingSettings(every=7), ReadingSettings(fps=1)):
        assert read(path, reading)[1:] == ("", [])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for reading in (ReadingSettings(keyframes=True), ReadingSettings(every=7), ReadingSettings(fps=1)):
        assert "the file is cut off" in read(path, reading)[1]


def test_a_cover_picture_is_not_the_video(tmp_path, reading):
    """Music players and phones store a picture as the first video stream of a file."""
    path = tmp_path / "cover.mp4"
    cover = av.VideoFrame.from_ndarray(np.full((96, 96, 3), 200, np.uint8), format="bgr24")
    whole = write_video(tmp_path, "mkv")
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        still = new.add_stream("png", rate=25)
        still.width, still.height, still.pix_fmt = 96, 96, "rgb24"
        still.disposition = av.stream.Disposition.attached_pic
        stream = new.add_stream_from_template(old.streams.video[0])
        new.mux(still.encode(cover.reformat(format="rgb24")))
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    with open_source(path, reading=reading) as source:
        frames = [frame.size_hw for frame in source]
    assert frames == [(48, 64)] * 80


def test_damage_in_the_middle_is_reported_as_damage(tmp_path):
    """No bytes are missing, but many pictures cannot be decoded."""
    path = write_footage(tmp_path / "v.mkv", 80, codec="mjpeg", size_hw=(48, 64))
    number = iter(range(80))
    damaged = copied(path, tmp_path / "w.mkv", shown=lambda p: next(number) not in range(30, 60) or not p.update(bytes(p.size)))
    frames, error, _ = read(damaged)
    assert len(frames) == 50
    why = "30 of 80 pictures were skipped, the first at 1.20 s, because they or what they depend on cannot be decoded"
    assert error == f"{damaged}: {why}; the file is damaged"
