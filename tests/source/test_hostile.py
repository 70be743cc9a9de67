"""Tests of hostile videos, ambiguous names, and paths that are not files."""

from __future__ import annotations

import os
import shutil
import socket

import av
import pytest

from edgecls import ConfigError, SourceError
from edgecls.source import ReadingSettings, open_source
from tests.run.footage import write_footage


@pytest.fixture(params=["opencv", "pyav"])
def reading(request):
    """Yield each decoder in turn."""
    return ReadingSettings(decoder=request.param)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Write 10 pictures of 64x48."""
    return write_footage(tmp_path_factory.mktemp("film") / "v.mp4", 10)


@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv", "avi"])
def test_frames_that_are_too_large_are_refused_before_one_is_decoded(tmp_path, monkeypatch, reading, suffix):
    """By the size in the header; the error says how to allow it."""
    path = write_footage(tmp_path / f"v.{suffix}", 5, size_hw=(240, 320), codec="mpeg4" if suffix == "avi" else "libx264")
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", "76799")
    refused = r"320x240 pixels, more than the 76,799 that are allowed; set EDGECLS_MAX_PIXELS|76,799 pixels are not decoded"
    with pytest.raises(SourceError, match=refused), open_source(path, reading=reading) as source:
        list(source)
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", "76_800")
    with open_source(path, reading=reading) as source:
        assert len(list(source)) == 5


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
def test_frames_that_become_too_large_are_refused(tmp_path, monkeypatch, codec):
    """After the first ones."""
    fmt = {"libx264": "h264", "mpeg4": "m4v", "mjpeg": "mjpeg"}[codec]
    small = write_footage(tmp_path / "a", 10, codec=codec, fmt=fmt, size_hw=(48, 64))
    large = write_footage(tmp_path / "b", 10, codec=codec, fmt=fmt, size_hw=(480, 640))
    path = tmp_path / f"v.{fmt}"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", "20000")
    frames = []
    said = "is too large; frames of more than 20,000 pixels are not decoded"
    with open_source(path) as source, pytest.raises(SourceError, match=said):
        frames.extend(source)
    assert {frame.size_hw for frame in frames} <= {(48, 64)}


@pytest.mark.parametrize("text", ["many", "0", "-3", "1e9", "99999999999"])
def test_a_limit_that_is_no_number(film, monkeypatch, text):
    """The error names it."""
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", text)
    with pytest.raises(ConfigError, match="EDGECLS_MAX_PIXELS must be a number of pixels"):
        open_source(film)


@pytest.mark.parametrize(
    "name",
    ["2026-01-01T12:30:05.mp4", "rtsp:cam.mp4", "file:cam.mp4", "a%03d.mp4", "-s.mp4", "gate=0.mp4", "a b.mp4", "ä~'\".mp4",
     "0", "http:", "concat:a|b.mp4", "crypto:x"],
)  # fmt: skip
def test_an_existing_file_is_that_file(tmp_path, monkeypatch, film, reading, name):
    """Whatever its name looks like."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(film, tmp_path / name)
    with open_source(name, reading=reading) as source:
        assert len(list(source)) == 10


def test_a_named_file_with_a_colon(tmp_path, monkeypatch, film):
    """The camera's name is before the first equals sign."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(film, tmp_path / "x:1=2.mp4")
    with open_source("gate=x:1=2.mp4") as source:
        assert {frame.camera for frame in source} == {"gate"}


@pytest.mark.parametrize("kind", ["fifo", "socket", "null byte", "very long", "device"])
def test_other_paths_are_rejected_at_once(tmp_path, kind, reading):
    """Nothing waits for a writer or reads forever."""
    path = str(tmp_path / "v.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            server.bind(path)
        else:
            path = {"null byte": "a\0b.mp4", "very long": "x" * 5000, "device": "/dev/zero"}[kind]
        with pytest.raises(SourceError, match=r"expected a video"):
            open_source(path, reading=reading)


def test_metadata_that_is_no_text(tmp_path, reading):
    """A title in another encoding does not matter."""
    path = tmp_path / "v.mkv"
    with av.open(str(write_footage(tmp_path / "a.mkv", 10))) as old, av.open(str(path), "w") as new:
        new.metadata["title"] = "Zxxx"
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"Zxxx", b"Z\xff\xfe\xfd"))
    with open_source(path, reading=reading) as source:
        assert len(list(source)) == 10
