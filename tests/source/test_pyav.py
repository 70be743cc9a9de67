"""Tests of what PyAV adds to OpenCV: the planes of the decoder, and skipped work."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from edgecls import Box, InputSpec, SourceError, image
from edgecls.source import ReadingSettings, open_source
from edgecls.source.pyav import PyAVSource
from tests.drawn import write_video

SIZE_HW = (96, 128)


def picture(index: int) -> np.ndarray:
    """Return a colour picture with hard and soft edges that moves with `index`, (96, 128, 3) uint8."""
    height, width = SIZE_HW
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    drawn = np.dstack([(x * 2 + 5 * index) % 256, y * 2, np.full_like(x, 40 + 8 * (index % 16))]).astype(np.uint8)
    cv2.circle(drawn, (40 + index, 48), 20, (240, 240, 240), -1)
    return drawn


def encode(path, *, pixels: str, codec: str = "libx264", full: bool = False, frames: int = 12, gop: int = 50):
    """Return a nearly lossless video of `picture`s in one pixel format."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            codec, rate=25, options={"crf": "1", "g": str(gop), "bf": "0"} if codec == "libx264" else {}
        )
        stream.height, stream.width = SIZE_HW
        stream.pix_fmt = pixels
        stream.codec_context.color_range = 2 if full else 1
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(i), format="bgr24")
            frame = frame.reformat(format=pixels, dst_color_range="JPEG" if full else "MPEG")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("pixels", "full"),
    [
        ("yuv420p", False),
        ("yuvj420p", True),
        ("yuv422p", False),
        ("yuv444p", False),
        ("nv12", False),
        ("gray", False),
        ("yuv420p10le", False),
        ("yuv420p10le", True),
        ("yuv422p10le", False),
        ("gray10le", False),
        ("yuv411p", False),
    ],
)
def test_luma_is_gray_in_full_range(tmp_path, pixels, full):
    """In every pixel format, luma equals the gray picture within 3 levels on average, including black and white."""
    codec = "ffv1" if pixels in ("gray", "gray10le", "yuv411p") else "libx264"  # gray H.264 is decoded to a format with colour
    path = encode(tmp_path / "v.mkv", pixels=pixels, full=full, codec=codec)
    with open_source(path, reading=ReadingSettings(decoder="pyav")) as source:
        frames = list(source)
    assert len(frames) == 12
    for frame in frames:
        expected = image.gray(picture(frame.index))
        assert frame.luma().shape == SIZE_HW
        assert np.abs(frame.luma().astype(int) - expected).mean() < 3
        assert np.abs(frame.luma().mean() - expected.mean()) < 2


def test_a_gray_model_never_makes_colour(tmp_path, monkeypatch):
    """A gray model reads the Y plane, without conversion."""
    path = encode(tmp_path / "v.mkv", pixels="yuv420p")
    with open_source(path, reading=ReadingSettings(decoder="pyav")) as source:
        frame = source.read()
        monkeypatch.setattr(type(frame), "bgr", lambda _: pytest.fail("colour was made"))
        monkeypatch.setattr(image, "gray", lambda _: pytest.fail("gray was made of colour"))
        assert image.fit_region(frame, Box(0, 0, 128, 96), InputSpec()).shape == (32, 32, 1)


def test_colour_is_that_of_opencv(tmp_path):
    """Both decoders give the same colour within 2 levels on average."""
    path = encode(tmp_path / "v.mkv", pixels="yuv420p")
    seen = {}
    for decoder in ("opencv", "pyav"):
        with open_source(path, reading=ReadingSettings(decoder=decoder)) as source:
            seen[decoder] = np.stack([frame.bgr() for frame in source]).astype(int)
    assert np.abs(seen["opencv"] - seen["pyav"]).mean() < 2


def test_key_frames_alone_keep_their_index_and_time(tmp_path):
    """Of 30 frames with a key frame every 10, frames 0, 10 and 20 come with their own times; the others are not decoded."""
    path = encode(tmp_path / "v.mp4", pixels="yuv420p", frames=30, gop=10)
    with open_source(path, reading=ReadingSettings(keyframes=True)) as source:
        frames = [(f.index, f.time_s) for f in source]
    assert [index for index, _ in frames] == [0, 10, 20]
    assert [t for _, t in frames] == pytest.approx([0, 0.4, 0.8], abs=1e-3)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_decoding_threads_changes_no_frame(tmp_path, threads):
    """It is what was asked for, and the pictures are those of FFmpeg's own choice."""
    path = encode(tmp_path / "v.mp4", pixels="yuv420p", frames=30, gop=10)
    with open_source(path) as usual, PyAVSource.video(str(path), "v", ReadingSettings(decode_threads=threads)) as chosen:
        frames = [[(one.index, one.time_s, one.plane().tobytes()) for one in source] for source in (usual, chosen)]
        assert chosen._stream.codec_context.thread_count == threads
    assert frames[0] == frames[1]
    assert len(frames[0]) == 30


def test_fast_decoding_gives_every_frame(tmp_path):
    """Without the loop filter all frames come, each within a few levels of the filtered one."""
    path = encode(tmp_path / "v.mp4", pixels="yuv420p")
    with open_source(path) as plain, open_source(path, reading=ReadingSettings(fast_decode=True)) as fast:
        pairs = list(zip(plain, fast, strict=True))
    assert len(pairs) == 12
    assert all(np.abs(a.luma().astype(int) - b.luma()).mean() < 4 for a, b in pairs)


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_a_file_without_video_is_refused(tmp_path, decoder):
    """A sound file is an intact container without video; the error says so."""
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(OSError, match=r"sound\.wav: has no video stream, only audio or other data; expected a video"):
        open_source(path, reading=ReadingSettings(decoder=decoder))


def test_frames_outlive_their_source(tmp_path):
    """The planes of a frame stay valid after the source and its decoder are closed."""
    path = write_video(tmp_path / "v.avi", [picture(i) for i in range(5)])
    with open_source(path) as source:
        frames = list(source)
    assert all(np.abs(f.luma().astype(int) - image.gray(picture(f.index))).mean() < 3 for f in frames)


def hold(path, a: int, b: int, c: int, d: int) -> None:
    """Write a phone's orientation into an mp4 file: the matrix of its track header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join((v & 0xFFFFFFFF).to_bytes(4, "big") for v in values)
    path.write_bytes(data)


@pytest.mark.parametrize("matrix", [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)], ids=["90", "180", "270"])
def test_a_phone_that_was_turned_gives_upright_pictures(tmp_path, matrix):
    """Size, luma and colour are rotated as OpenCV does."""
    path = encode(tmp_path / "v.mp4", pixels="yuv420p", frames=2)
    hold(path, *matrix)
    with open_source(path, reading=ReadingSettings(decoder="opencv")) as source:
        expected = source.read()
    with open_source(path, reading=ReadingSettings(decoder="pyav")) as source:
        frame = source.read()
    assert frame.size_hw == expected.size_hw == frame.luma().shape
    assert np.abs(frame.bgr().astype(int) - expected.bgr()).mean() < 2
    assert np.abs(frame.luma().astype(int) - expected.luma()).mean() < 3


def test_what_the_decoder_patched_up_is_no_picture(tmp_path):
    """If frame 13 of 30 is broken, it and the dependent frames up to key frame 20 are left out and counted."""
    whole = encode(tmp_path / "whole.ts", pixels="yuv420p", frames=30, gop=10)
    broken = tmp_path / "broken.ts"
    rng = np.random.default_rng(0)
    with av.open(str(whole)) as source, av.open(str(broken), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(p for p in source.demux(video=0) if p.size):
            data = bytes(packet)
            if number == 13:
                data = data[: len(data) // 2] + bytes(rng.integers(1, 255, len(data) - len(data) // 2, np.uint8))
            spoilt = av.Packet(data)
            spoilt.pts, spoilt.dts, spoilt.time_base, spoilt.stream = packet.pts, packet.dts, packet.time_base, copy
            spoilt.is_keyframe = packet.is_keyframe
            target.mux(spoilt)
    with open_source(broken) as source:
        indices = []
        with pytest.raises(SourceError, match=r"7 of 30 pictures were skipped, the first at 0\.52 s"):
            indices.extend(frame.index for frame in source)
        assert indices == [*range(13), *range(20, 30)]
        assert source.skipped == 7


@pytest.mark.parametrize(("needed_hw", "size_hw"), [(None, (720, 1280)), ((200, 200), (720, 1280)), ((32, 32), (180, 320))])
def test_a_jpeg_camera_is_decoded_as_large_as_a_model_needs(tmp_path, needed_hw, size_hw):
    """For a 32x32 input, a JPEG of 1280x720 is decoded at a quarter; the input is the same within 1.5 levels."""
    path = tmp_path / "jpeg.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (1280, 720))
    for index in range(3):
        writer.write(cv2.resize(picture(index), (1280, 720), interpolation=cv2.INTER_CUBIC))
    writer.release()
    spec = InputSpec()
    with open_source(path, reading=ReadingSettings(needed_hw=needed_hw)) as small, open_source(path) as whole:
        for one, other in zip(small, whole, strict=True):
            assert one.size_hw == one.luma().shape == size_hw
            height, width = one.size_hw
            seen = image.fit_region(one, Box(0, 0, width, height), spec).astype(int)
            expected = image.fit_region(other, Box(0, 0, 1280, 720), spec).astype(int)
            assert abs(seen - expected).mean() <= 1.5
