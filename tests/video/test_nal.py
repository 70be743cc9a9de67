"""What packets of H.264 and HEVC say about how they can be decoded."""

from __future__ import annotations

import av
import numpy as np
import pytest

from edgecls.source import ReadingSettings
from edgecls.source.pyav import PyAVSource
from edgecls.video import nal

ONE_SLICE = [("libx264", {"x264-params": "sliced-threads=0"}), ("libx265", {"x265-params": "wpp=0:log-level=none"})]
SHARED = [
    ("libx264", {"x264-params": "slices=4"}),
    ("libx265", {"x265-params": "wpp=1:log-level=none"}),
    ("libx265", {"x265-params": "slices=2:wpp=1:log-level=none"}),
]


def written(path, codec, options):
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25, options={"preset": "ultrafast", **options})
        stream.width, stream.height, stream.pix_fmt = 320, 256, "yuv420p"
        for _ in range(3):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(rng.integers(0, 255, (256, 320, 3), np.uint8), "bgr24")))
        target.mux(stream.encode(None))
    return str(path)


def first(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        packet = next(packet for packet in container.demux(stream) if packet.size)
        return stream.codec_context.name, bytes(packet), stream.codec_context.extradata or b""


@pytest.mark.parametrize(("codec", "options"), ONE_SLICE)
def test_a_picture_of_one_slice_is_in_one_piece(tmp_path, codec, options):
    assert nal.is_in_one_piece(*first(written(tmp_path / "a.ts", codec, options)))


@pytest.mark.parametrize(("codec", "options"), SHARED)
def test_slices_and_wavefronts_are_pieces_that_threads_can_share(tmp_path, codec, options):
    assert not nal.is_in_one_piece(*first(written(tmp_path / "a.ts", codec, options)))


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_headers_that_cannot_be_read_promise_nothing(tmp_path, cut):
    codec, data, headers = first(written(tmp_path / "a.ts", *ONE_SLICE[1]))
    at = headers.index(b"\0\0\1\x44")
    assert not nal.is_in_one_piece(codec, data, headers[: at + 4 + cut])
    assert not nal.is_in_one_piece(codec, b"", headers)
    assert not nal.is_in_one_piece("vp9", data, headers)


@pytest.mark.parametrize(("codec", "options", "is_alone"), [(*ONE_SLICE[0], True), (*SHARED[0], False)])
def test_a_live_picture_in_one_piece_is_decoded_by_one_thread(tmp_path, codec, options, is_alone):
    path = written(tmp_path / "a.ts", codec, options)
    for reading, expected in ((ReadingSettings(), is_alone), (ReadingSettings(decode_threads=2), False)):
        source = PyAVSource(av, av.open(path), "gate", path, live=True, reading=reading)
        assert source.read() is not None
        assert (source._stream.codec_context.thread_count == 1) is expected
        source.close()
