"""The buffer of the last seconds of a stream."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import pytest

from edgecls.video.packets import Packets


def encoded(pts, dts="same", *, key: bool = False, size: int = 100):
    """Return a stand-in for a packet of PyAV."""
    return SimpleNamespace(pts=pts, dts=pts if dts == "same" else dts, duration=4, is_keyframe=key, size=size)


def kept(*, keep_s: float = 2.0, keep_bytes: int = 1 << 20, reordered: bool = False) -> Packets:
    """Return an empty buffer for a stream with 100 ticks and 25 frames per second."""
    return Packets("stream", Fraction(1, 100), keep_s=keep_s, keep_bytes=keep_bytes, usual=4, reordered=reordered)


def filled(packets: Packets, frames: int, gop: int = 25, size: int = 100) -> Packets:
    for i in range(frames):
        packets.append(encoded(4 * i, key=i % gop == 0, size=size))
    return packets


def test_since_a_time_is_since_the_key_frame_before_it():
    """With a key frame every 25 of 100 frames, the packets since 2.5 s begin at 2 s; those since -5 s with the oldest."""
    packets = filled(kept(keep_s=10), 100)
    assert [p.pts for p in packets.since(2.5)][:2] == [200, 204]
    assert packets.since(2.0)[0].pts == 200
    assert packets.since(1.99)[0].pts == 100
    assert packets.since(-5)[0].pts == 0
    assert packets.since(99)[0].pts == 300
    assert packets.since(2.5)[-1].pts == 396
    assert kept().since(0) == []


def test_the_buffer_is_limited_in_seconds():
    """It keeps 2 s, and the packets before them back to a key frame, however long the stream is."""
    packets = filled(kept(), 1000)
    first = packets.since(0)[0]
    assert first.is_key
    assert 2.0 <= (3996 - first.pts) / 100 <= 3.0
    assert packets.kept_bytes == 100 * len(packets.since(0))


def test_the_buffer_is_limited_in_bytes():
    """10,000 bytes hold at most 100 packets; a single group of pictures that is larger is not kept at all."""
    packets = filled(kept(keep_s=1000, keep_bytes=10_000), 1000)
    assert packets.kept_bytes <= 10_000
    assert packets.since(0)[0].is_key
    assert packets.since(0)[-1].pts == 3996
    endless = filled(kept(keep_s=1000, keep_bytes=10_000), 1000, gop=10_000)
    assert (endless.kept_bytes, endless.since(0)) == (0, [])


def test_after_a_packet_come_the_next_ones():
    """Repeated calls return each packet once; if the next packets were dropped, they continue at a key frame."""
    packets = kept()
    got = []
    for i in range(100):
        packets.append(encoded(4 * i, key=i % 25 == 0))
        if i % 7 == 0:
            got += packets.after(got[-1].number if got else -1)
    assert [p.number for p in got] == list(range(len(got)))
    filled(packets, 500)
    after = packets.after(got[-1].number)
    assert after[0].is_key
    assert after[0].number > got[-1].number + 1
    assert [b.number - a.number for a, b in pairwise(after)] == [1] * (len(after) - 1)
    assert packets.after(after[-1].number) == []


def test_packets_before_the_first_key_frame_are_not_kept():
    """They cannot be decoded."""
    packets = kept()
    for i in range(10):
        packets.append(encoded(4 * i, key=i == 6))
    assert [p.pts for p in packets.since(0)] == [24, 28, 32, 36]


@pytest.mark.parametrize(("times", "reordered", "expected"), [
    ([(0, None), (12, None), (4, 0), (8, 4)], True, [(0, -16), (12, -12), (4, 0), (8, 4)]),
    ([(None, 0), (None, 4)], False, [(0, 0), (4, 4)]),
    ([(None, None), (None, None)], False, [(0, 0), (4, 4)]),
    ([(None, None), (None, None)], True, []),
    ([(50, None), (54, None)], False, [(50, 50), (54, 54)]),
])  # fmt: skip
def test_missing_times(times, reordered, expected):
    """A missing `dts` follows from the packets around it; a missing `pts` only if pictures are not reordered."""
    packets = kept(reordered=reordered)
    for pts, dts in times:
        packets.append(encoded(pts, dts, key=pts in (0, 50, None)))
    assert [(p.pts, p.dts) for p in packets.since(0)] == expected


def test_media_time_is_that_of_the_frames():
    """A shift changes the times of all packets."""
    packets = filled(kept(), 100)
    packets.shift(-1.5)
    assert packets.time_s(250) == 1.0
    assert packets.since(0.5)[0].pts == 200
    assert packets.anew().time_s(250) == 1.0


def test_split_moves_packets_to_a_new_buffer():
    """Packets from the key frame on that has another size are in the new buffer, and no longer in the old one."""
    packets = filled(kept(keep_s=10), 70)
    rest = packets.split(200, "other")
    assert (packets.since(9)[-1].pts, rest.since(0)[0].pts, rest.stream) == (196, 200, "other")
    assert packets.kept_bytes + rest.kept_bytes == 7000
    rest.append(encoded(280))
    assert [p.number for p in rest.since(0)] == list(range(50, 71))
    assert filled(kept(keep_s=10), 60).split(None, "other").since(0)[0].pts == 200


def test_a_reader_and_a_writer_of_clips_do_not_disturb_each_other():
    """While one thread appends 20,000 packets, another reads each of them once, except for dropped ones."""
    packets = kept(keep_s=50)
    thread = threading.Thread(target=filled, args=(packets, 20_000))
    thread.start()
    got, asked = [], 0
    while thread.is_alive() or not got or got[-1].number < 19_999:
        got += packets.after(got[-1].number if got else -1)
        asked += 1
        assert packets.since(0)[0].is_key or asked < 2
    thread.join()
    assert all(b.number - a.number == 1 or b.is_key for a, b in pairwise(got))
