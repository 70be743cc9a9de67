"""The last seconds of a stream, kept as they came."""

from __future__ import annotations

import threading
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import pytest

from edgecls.video.packets import Packets


def encoded(pts, dts="same", *, key: bool = False, size: int = 100):
    """Stands in for PyAV's packet."""
    return SimpleNamespace(pts=pts, dts=pts if dts == "same" else dts, duration=4, is_keyframe=key, size=size)


def kept(*, keep_s: float = 2.0, keep_bytes: int = 1 << 20, reordered: bool = False) -> Packets:
    """Nothing yet, of a stream with 100 ticks a second and 25 frames."""
    return Packets("stream", Fraction(1, 100), keep_s=keep_s, keep_bytes=keep_bytes, usual=4, reordered=reordered)


def filled(packets: Packets, frames: int, gop: int = 25, size: int = 100) -> Packets:
    for i in range(frames):
        packets.append(encoded(4 * i, key=i % gop == 0, size=size))
    return packets


def test_since_a_time_is_since_the_key_frame_before_it():
    """Of 100 frames with a key frame every 25, what is since 2.5 s begins with the one at 2 s; before all is the oldest."""
    packets = filled(kept(keep_s=10), 100)
    assert [p.pts for p in packets.since(2.5)][:2] == [200, 204]
    assert packets.since(2.0)[0].pts == 200
    assert packets.since(1.99)[0].pts == 100
    assert packets.since(-5)[0].pts == 0
    assert packets.since(99)[0].pts == 300
    assert packets.since(2.5)[-1].pts == 396
    assert kept().since(0) == []


def test_seconds_bound_it():
    """2 s are kept, and what is before them up to a key frame, whatever the length of the stream."""
    packets = filled(kept(), 1000)
    first = packets.since(0)[0]
    assert first.is_key
    assert 2.0 <= (3996 - first.pts) / 100 <= 3.0
    assert packets.kept_bytes == 100 * len(packets.since(0))


def test_bytes_bound_it():
    """10,000 bytes hold 100 packets at most; a group of pictures that is larger alone is not kept at all."""
    packets = filled(kept(keep_s=1000, keep_bytes=10_000), 1000)
    assert packets.kept_bytes <= 10_000
    assert packets.since(0)[0].is_key
    assert packets.since(0)[-1].pts == 3996
    endless = filled(kept(keep_s=1000, keep_bytes=10_000), 1000, gop=10_000)
    assert (endless.kept_bytes, endless.since(0)) == (0, [])


def test_after_a_packet_come_the_next_ones():
    """Asked again and again, one gets each packet once; what was dropped meanwhile is left out up to a key frame."""
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


def test_before_the_first_key_frame_there_is_nothing():
    """What cannot be decoded is not kept."""
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
def test_times_that_are_missing(times, reordered, expected):
    """When a packet is decoded follows from those around it, when it is shown only where pictures keep their order."""
    packets = kept(reordered=reordered)
    for pts, dts in times:
        packets.append(encoded(pts, dts, key=pts in (0, 50, None)))
    assert [(p.pts, p.dts) for p in packets.since(0)] == expected


def test_media_time_is_that_of_the_frames():
    """A shift moves all times."""
    packets = filled(kept(), 100)
    packets.shift(-1.5)
    assert packets.time_s(250) == 1.0
    assert packets.since(0.5)[0].pts == 200
    assert packets.anew().time_s(250) == 1.0


def test_what_is_of_another_size_is_parted_with():
    """From the key frame on that showed another size the packets are in new ones, and no more in the old ones."""
    packets = filled(kept(keep_s=10), 70)
    rest = packets.split(200, "other")
    assert (packets.since(9)[-1].pts, rest.since(0)[0].pts, rest.stream) == (196, 200, "other")
    assert packets.kept_bytes + rest.kept_bytes == 7000
    rest.append(encoded(280))
    assert [p.number for p in rest.since(0)] == list(range(50, 71))
    assert filled(kept(keep_s=10), 60).split(None, "other").since(0)[0].pts == 200


def test_a_reader_and_a_writer_of_clips_do_not_disturb_each_other():
    """While one thread appends 20,000 packets, another takes each of them once, but for those that were dropped."""
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
