"""Decoding in hardware, without any: a way whose device is FFmpeg's own decoder under another name, one that fails, and
one that only pretends. The ffmpeg program is real, and decodes in software.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from edgecls.errors import ConfigError, SourceError
from edgecls.source import ReadingSettings, child_decoder, hardware, open_source
from edgecls.source import decoder as decoder_module
from edgecls.source.child_decoder import Child, ChildDecoder
from edgecls.source.decoder import LONGEST_SILENCE, Decoder, DecoderFailedError, Rescued
from edgecls.source.hardware import Trial, Way
from tests.source.test_pyav import hold

if TYPE_CHECKING:
    from pathlib import Path

HERE = Way(decoder="")
"""A decoder of its own that works everywhere: that of FFmpeg."""
PRETENDED = Way("videotoolbox")
"""An accelerator that FFmpeg accepts outside macOS, and then decodes in software."""
PLAIN = Child((), "scale={width}:{height}:flags=area,format=nv12")
FRAMES, GOP = 40, 16

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="the program ffmpeg is not installed: apt install ffmpeg"
)


@pytest.fixture(autouse=True)
def forget_trials():
    """Try each way anew in each test."""
    hardware.tried.cache_clear()
    yield
    hardware.tried.cache_clear()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip with B-frames and three groups."""
    path = tmp_path_factory.mktemp("hardware") / "clip.mp4"
    x, y = np.meshgrid(np.arange(128), np.arange(96))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2", "g": str(GOP), "crf": "20"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for index in range(FRAMES):
            drawn = np.dstack([(x * 2 + 5 * index) % 256, y * 2, np.full_like(x, 40 + index)]).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(drawn, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def seen(path: Path, **settings: object) -> list[tuple[float, bytes]]:
    """Return the times and the gray pictures of a clip."""
    with open_source(path, reading=ReadingSettings(**settings)) as source:
        return [(frame.time_s, frame.plane().tobytes()) for frame in source]


def until_the_end(path: Path, **settings: object) -> list[tuple[float, bytes]]:
    """Return the times and the gray pictures of a damaged clip, whose end is an error."""
    shown = []

    def show_all(source):
        while (frame := source.read()) is not None:
            shown.append((frame.time_s, frame.plane().tobytes()))

    with open_source(path, reading=ReadingSettings(**settings), say=[].append) as source, pytest.raises(SourceError):
        show_all(source)
    return shown


def copied(clip: Path, path: Path, *, turns: int = 1, damaged: tuple[int, ...] = ()) -> Path:
    """Write a clip several times in a row, some of its packets filled with noise."""
    rng = np.random.default_rng(0)
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for turn in range(turns):
            for i, packet in enumerate(packets):
                data = bytes(packet)
                noise = rng.integers(0, 256, len(data) - 5, np.uint8).tobytes()
                again = av.Packet(data[:5] + noise if turn * len(packets) + i in damaged else data)
                again.pts, again.dts = (one + turn * FRAMES * 512 for one in (packet.pts, packet.dts))
                again.time_base, again.is_keyframe, again.stream = packet.time_base, packet.is_keyframe, stream
                target.mux(again)
    return path


@dataclass
class Device(Decoder):
    """A device that gives its pictures as such devices do, two packets late, until it fails."""

    stream: object
    fails_at: int = 1000
    is_silent: bool = False

    def __post_init__(self):
        """Open FFmpeg's decoder of the same codec."""
        self.context = av.CodecContext.create(self.stream.codec_context.name, "r")
        self.context.extradata = self.stream.codec_context.extradata
        self.waiting, self.count, self.is_closed = [], 0, False

    def decode(self, packet):
        """Return the pictures whose turn it is."""
        self.count += 1
        if self.count > self.fails_at:
            if self.is_silent:
                return []
            raise DecoderFailedError("the device is gone")
        for frame in self.context.decode(packet if packet.size else None):
            downloaded = frame.reformat(format="nv12")
            downloaded.pts, downloaded.time_base = frame.pts, self.stream.time_base
            downloaded.key_frame = frame.key_frame
            self.waiting.append(downloaded)
        keep = 2 if packet.size else 0
        ready, self.waiting = self.waiting[: max(0, len(self.waiting) - keep)], self.waiting[max(0, len(self.waiting) - keep) :]
        return ready

    def close(self):
        """Release the device."""
        self.is_closed = True


@pytest.fixture
def devices(monkeypatch):
    """Devices in place of every way, made as the returned settings say."""
    made, how = [], {}
    monkeypatch.setattr(hardware, "tried", lambda _: Trial(works=True))
    monkeypatch.setattr(hardware, "_opened", lambda _av, stream, *_: made.append(Device(stream, **how)) or made[-1])
    return made, how


def test_a_decoder_of_its_own_gives_the_same_frames(clip, monkeypatch):
    """Times and pictures, also of B-frames."""
    monkeypatch.setitem(hardware.WAYS, "v4l2m2m", HERE)
    assert hardware.tried("v4l2m2m") == Trial(works=True)
    assert seen(clip, decode="v4l2m2m") == seen(clip)


@pytest.mark.parametrize("decode", ["v4l2m2m", "auto"])
def test_a_turned_recording_stays_upright(clip, tmp_path, monkeypatch, decode):
    """Only the decoder of the file itself passes the orientation on."""
    monkeypatch.setattr(hardware, "WAYS", {"v4l2m2m": HERE})
    turned = tmp_path / "turned.mp4"
    shutil.copy(clip, turned)
    hold(turned, 0, 1, -1, 0)
    with open_source(turned, reading=ReadingSettings(decode=decode)) as source, open_source(turned) as usual:
        frame, expected = source.read(), usual.read()
    assert frame.size_hw == expected.size_hw == (128, 96)
    assert np.array_equal(frame.plane(), expected.plane())


def test_what_decodes_in_software_is_not_believed(clip, monkeypatch):
    """FFmpeg opens an accelerator that is not there without a word."""
    monkeypatch.setitem(hardware.WAYS, "cuda", PRETENDED)
    assert hardware.tried("cuda") == Trial(works=False, why="FFmpeg decodes in software instead")
    with pytest.raises(
        ConfigError, match=r'^decode = "cuda" does not work here \(FFmpeg decodes in software instead\); expected'
    ):
        open_source(clip, reading=ReadingSettings(decode="cuda"))
    with pytest.raises(ConfigError, match="does not work here"):
        open_source("rtsp://127.0.0.1:9/cam", reading=ReadingSettings(decode="cuda"))


def test_wrong_or_missing_pictures_are_not_believed(monkeypatch):
    """A level too bright, and one picture less."""
    right = list(hardware._pictures(av, hardware._clip(av, 192, 320, 12), "software"))

    def brighter(_av, _data, name, **_):
        for frame in right:
            changed = frame.to_ndarray().clip(0, 254) + (name != "software")
            yield av.VideoFrame.from_ndarray(changed.astype(np.uint8), format="yuv420p")

    monkeypatch.setattr(hardware, "_pictures", brighter)
    assert hardware.tried("cuda") == Trial(works=False, why="its pictures differ from those of software by 1 level")
    monkeypatch.setattr(hardware, "_pictures", lambda _av, _data, name: right[name != "software" :])
    assert hardware.tried("qsv") == Trial(works=False, why="11 of 12 pictures came out")


def test_auto_says_once_why_it_is_software(clip, monkeypatch):
    """With the reason of each way."""
    monkeypatch.setattr(hardware, "WAYS", {"cuda": PRETENDED, "qsv": Way(decoder="_nowhere")})
    said = []
    with open_source(clip, reading=ReadingSettings(decode="auto"), say=said.append) as source:
        assert len(list(source)) == FRAMES
    why = "cuda: FFmpeg decodes in software instead; qsv: FFmpeg has no such decoder for h264"
    assert said == [f"{clip}: decoded in software; {why}"]


@pytest.mark.parametrize("fails_at", [0, 1, 3, 15, 16, 17, 18, 30, FRAMES - 1, FRAMES])
def test_auto_goes_on_in_software(clip, devices, fails_at):
    """Wherever the device fails, no picture is lost or comes twice, and it is said once."""
    made, how = devices
    how["fails_at"] = fails_at
    said = []
    with open_source(clip, reading=ReadingSettings(decode="auto"), say=said.append) as source:
        frames = [(frame.time_s, frame.plane().tobytes()) for frame in source]
    assert frames == seen(clip)
    assert said == [f"{clip}: cuda fails (the device is gone); from here on it is decoded in software"]
    assert made[0].is_closed


def test_a_silent_device_has_failed(tmp_path, devices, clip):
    """It takes packets and gives no pictures."""
    made, how = devices
    how |= {"fails_at": 5, "is_silent": True}
    long = copied(clip, tmp_path / "long.mp4", turns=LONGEST_SILENCE // FRAMES + 2)
    said = []
    with open_source(long, reading=ReadingSettings(decode="auto"), say=said.append) as source:
        times = [frame.time_s for frame in source]
    assert said == [f"{long}: cuda fails (no picture from {LONGEST_SILENCE} packets); from here on it is decoded in software"]
    assert len(times) == len(set(times)) == FRAMES * (LONGEST_SILENCE // FRAMES + 2)
    assert made[0].is_closed


def test_what_is_asked_for_by_name_is_used_or_stops(clip, devices):
    """It never falls back."""
    made, how = devices
    how["fails_at"] = 20
    with pytest.raises(SourceError, match=r"clip\.mp4: decoding fails after \d+ frames \(the device is gone\)"):
        seen(clip, decode="cuda")
    assert made[0].is_closed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decode": "cuda", "decoder": "opencv"}, "only PyAV can decode with cuda; remove `decoder=opencv`"),
        ({"decode": "qsv", "fast_decode": True}, 'fast_decode is for software only; remove it, or `decode = "qsv"`'),
        ({"decode_width": -1}, "decode_width must be 0 or more pixels, not -1"),
    ],
)
def test_settings_that_contradict(settings, message):
    """One line each."""
    with pytest.raises(ConfigError) as raised:
        ReadingSettings(**settings)
    assert str(raised.value) == message


def test_a_local_camera_is_decoded_in_software():
    """Asking for hardware there is refused before it is opened."""
    with pytest.raises(ConfigError, match=r'^camera 0: local cameras are decoded in software; remove `decode = "cuda"`$'):
        open_source(0, reading=ReadingSettings(decode="cuda"))


@pytest.fixture
def plain(monkeypatch):
    """The ffmpeg program without a device."""
    monkeypatch.setattr(child_decoder, "CHILDREN", {"vaapi": PLAIN})
    monkeypatch.setattr(hardware, "CHILDREN", child_decoder.CHILDREN)


@needs_ffmpeg
@pytest.mark.parametrize("decode", ["vaapi", "ffmpeg"])
def test_the_ffmpeg_program_gives_the_same_frames(clip, plain, decode):
    """Times and pictures, also of B-frames."""
    assert seen(clip, decode=decode, decode_width=0) == seen(clip)


@needs_ffmpeg
def test_each_picture_of_a_long_clip_has_its_own_time(clip, plain, tmp_path):
    """However far the packets are ahead of the pictures."""
    long = copied(clip, tmp_path / "long.mp4", turns=8)
    assert seen(long, decode="vaapi", decode_width=0) == seen(long)


@pytest.mark.parametrize("fails_at", [10, 22, 26, 34])
def test_a_damaged_packet_costs_no_other_pictures_when_a_device_fails(clip, devices, tmp_path, fails_at):
    """Software shows what it would have shown from the start."""
    _, how = devices
    path = copied(clip, tmp_path / "damaged.mp4", damaged=(20,))
    how["fails_at"] = fails_at
    assert until_the_end(path, decode="auto") == until_the_end(path)


def test_what_is_kept_for_software_is_limited(clip, devices, tmp_path, monkeypatch):
    """A group without an end does not fill the memory."""
    monkeypatch.setattr(decoder_module, "LONGEST_GROUP", 8)
    kept = []
    decode = Rescued.decode
    monkeypatch.setattr(Rescued, "decode", lambda self, p: (decode(self, p), kept.append(sum(map(len, self._packets))))[0])
    assert seen(clip, decode="auto") == seen(clip)
    assert max(kept) <= 17


@needs_ffmpeg
def test_the_ffmpeg_program_makes_pictures_smaller(clip, plain):
    """To the width asked for, and never larger; clips keep the size of the camera."""
    with open_source(clip, reading=ReadingSettings(decode="vaapi", decode_width=64, keep_s=5)) as source:
        frames = list(source)
    assert {frame.size_hw for frame in frames} == {(48, 64)}
    assert len(frames) == FRAMES
    assert len(frames[-1].packets.since(0.0)) == FRAMES
    with open_source(clip, reading=ReadingSettings(decode="vaapi", decode_width=4000)) as source:
        assert source.read().size_hw == (96, 128)


@needs_ffmpeg
def test_a_program_that_is_killed_is_said(clip, plain, monkeypatch):
    """The run goes on without its pictures only after one line."""
    given = ChildDecoder._give

    def give(self, packet):
        given(self, packet)
        if len(self._sent) == 10:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    assert hardware.tried("vaapi").works
    monkeypatch.setattr(ChildDecoder, "_give", give)
    with pytest.raises(SourceError, match=r"decoding fails after \d+ frames? \("):
        seen(clip, decode="vaapi")


@needs_ffmpeg
def test_a_program_that_hangs_is_given_up(clip, plain, monkeypatch):
    """It reads nothing more, and its pipe is full."""
    given = ChildDecoder._give

    def give(self, packet):
        if not self._sent:
            os.kill(self._process.pid, signal.SIGSTOP)
            os.write(self._process.stdin.fileno(), bytes(1 << 20))
        given(self, packet)

    assert hardware.tried("vaapi").works
    monkeypatch.setattr(child_decoder, "END_WAIT_S", 0.2)
    monkeypatch.setattr(ChildDecoder, "_give", give)
    with pytest.raises(SourceError, match=r"decoding fails after 0 frames \(it hangs\)"):
        seen(clip, decode="vaapi")


@needs_ffmpeg
def test_the_program_gets_no_address_and_says_why_it_fails(clip, plain, monkeypatch):
    """Its options are public on the machine. What it says becomes the reason."""
    monkeypatch.setitem(child_decoder.CHILDREN, "vaapi", Child(("-hwaccel", "nonsense"), ""))
    assert hardware.tried("vaapi") == Trial(works=False, why="Unrecognized hwaccel: nonsense.")
    with pytest.raises(DecoderFailedError, match=r"^vaapi: Unrecognized hwaccel: nonsense\.$"):
        hardware.working("ffmpeg")
    monkeypatch.setitem(child_decoder.CHILDREN, "vaapi", PLAIN)
    with av.open(str(clip)) as container:
        decoder = ChildDecoder(av, container.streams.video[0], "vaapi")
        try:
            assert not any(str(clip) in option for option in decoder._process.args)
        finally:
            decoder.close()


def test_without_the_program(monkeypatch):
    """One line says so."""
    monkeypatch.setattr(child_decoder.shutil, "which", lambda _: None)
    assert hardware.tried("vaapi") == Trial(works=False, why="the program ffmpeg is not installed")


def test_what_works_is_measured(monkeypatch):
    """In pictures a second and CPU time, beside software; otherwise all reasons are given in one line."""
    monkeypatch.setattr(hardware, "MEASURED_HW", (192, 320))
    monkeypatch.setattr(hardware, "CHILDREN", {})
    monkeypatch.setattr(hardware, "WAYS", {"cuda": PRETENDED, "v4l2m2m": HERE})
    found = list(hardware.survey())
    assert [(name, works) for name, works, _ in found] == [("decoding", True), ("decode v4l2m2m", True)]
    assert re.fullmatch(r"in software \d+ pictures of 1080p a second, [\d.]+ ms of CPU each", found[0][2])
    assert re.match(r"the same pictures as software, .* ms of CPU each: it (pays|costs more)", found[1][2])
    monkeypatch.setattr(hardware, "WAYS", {"cuda": PRETENDED})
    why = "in software; no hardware decoder works here (cuda: FFmpeg decodes in software instead)"
    assert list(hardware.survey()) == [("decoding", False, why)]
