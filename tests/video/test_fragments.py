"""Packing the packets of a stream as fragments of MP4."""

from __future__ import annotations

import av
import numpy as np
import pytest

from edgecls.source import open_source
from edgecls.video.fragments import LEAD_S, Fragments
from edgecls.video.nal import in_lengths
from tests.run.footage import KEEP, level, write_footage


def decoded(data: bytes, path) -> list[tuple[float, int]]:
    """Return the time and the luma level of each picture of an MP4, in the order in which they are shown."""
    path.write_bytes(data)
    with av.open(str(path)) as container:
        return [(frame.time, round(frame.to_ndarray(format="gray").mean())) for frame in container.decode(video=0)]


def read(path):
    """Return the media times of a file's frames, and its packets."""
    with open_source(path, reading=KEEP) as source:
        frames = list(source)
    return [frame.time_s for frame in frames], frames[-1].packets


@pytest.mark.parametrize("at_a_time", [1, 7, 1000])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".mp4", {}), (".mp4", {"bframes": 2}), (".ts", {}), (".ts", {"bframes": 2}), (".mkv", {"bframes": 1, "gop": 50})],
)
def test_every_picture_is_shown_at_its_media_time(tmp_path, suffix, options, at_a_time):
    """With lengths (mp4, mkv) and start codes (ts), with and without reordered pictures, in fragments of any length."""
    times, packets = read(write_footage(tmp_path / f"a{suffix}", 60, **options))
    stream, kept = Fragments(av, packets), packets.since(0)
    parts = [stream.fragment(kept[i : i + at_a_time]) for i in range(0, len(kept), at_a_time)]
    shown = decoded(stream.init + b"".join(parts), tmp_path / "out.mp4")
    np.testing.assert_allclose([time - LEAD_S for time, _ in shown], times, atol=1e-4)
    levels = [picture for _, picture in shown]
    whole = [round((level(i) - 16) * 255 / 219) for i in range(60)]
    assert np.abs(np.subtract(levels, whole)).max() <= 2


def test_a_stream_may_begin_at_any_key_frame(tmp_path):
    """The packets since the last key frame are enough, and keep their times."""
    times, packets = read(write_footage(tmp_path / "a.mp4", 60, gop=25))
    stream, kept = Fragments(av, packets), packets.since(float("inf"))
    shown = decoded(stream.init + stream.fragment(kept), tmp_path / "out.mp4")
    np.testing.assert_allclose([time - LEAD_S for time, _ in shown], times[50:], atol=1e-4)


@pytest.mark.parametrize(
    ("codec", "begin"), [("libx264", 'video/mp4; codecs="avc1.'), ("libx265", 'video/mp4; codecs="hvc1.1.6.L')]
)
def test_the_type_tells_the_codec(tmp_path, codec, begin):
    """Of H.264 and of HEVC."""
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    _, packets = read(write_footage(tmp_path / "a.mp4", 10, codec=codec, size_hw=(64, 64), **options))
    assert Fragments(av, packets).mime.startswith(begin)


def test_a_codec_that_players_cannot_play_is_refused(tmp_path):
    """Motion JPEG and MPEG-4 part 2: the page shows single pictures instead."""
    for codec in ("mjpeg", "mpeg4"):
        _, packets = read(write_footage(tmp_path / f"{codec}.avi", 10, codec=codec))
        with pytest.raises(ValueError, match=f"{codec} is not H.264 or HEVC"):
            Fragments(av, packets)


def test_start_codes_become_lengths():
    """Start codes of three and four bytes, zeros after a unit, and a unit that contains emulation prevention."""
    data = b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65\0\0\3\1de"
    assert in_lengths(data) == b"\0\0\0\3\x67ab" + b"\0\0\0\2\x68c" + b"\0\0\0\7\x65\0\0\3\1de"
    assert in_lengths(b"") == b""
