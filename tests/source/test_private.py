"""Nothing that a run writes or looks at shows a private area."""

from __future__ import annotations

import json

import numpy as np
import pytest

import edgecls
from edgecls import image
from edgecls.frame import Box
from edgecls.input_spec import InputSpec
from edgecls.regions.geometry import Polygon
from edgecls.run.cameras import open_cameras
from edgecls.run.config import read_config
from edgecls.run.moment import picture_of
from edgecls.source import ReadingSettings, open_source
from edgecls.store import Store
from edgecls.web.live.view_sink import ViewSink
from tests.run.footage import write_footage
from tests.run.world import result

AREA = Polygon.rectangle(0, 0, 0.5, 0.5)
"""The upper left quarter; the footage is bright everywhere."""
READING = ReadingSettings(private=(AREA,), keep_s=5)


@pytest.fixture
def film(tmp_path):
    """Two seconds of bright pictures, 96 x 128."""
    return write_footage(tmp_path / "film.mp4", frames=50, size_hw=(96, 128), first=40)


def assert_hidden(picture):
    """The private quarter is black, the opposite one is not."""
    height, width = picture.shape[:2]
    assert picture[: height // 2 - 2, : width // 2 - 2].max() <= 12
    assert picture[height // 2 + 2 :, width // 2 + 2 :].min() >= 60


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_no_picture_of_a_frame_shows_it(film, decoder):
    """Neither gray nor colour, neither whole nor shrunk by the decoder; also of the frame at another index."""
    reading = ReadingSettings(private=(AREA,), decoder=decoder)
    with open_source(film, reading=reading) as source:
        frame = source.read()
    for one in (frame, frame.at(7, 1.0)):
        assert_hidden(one.bgr())
        assert_hidden(one.luma())
        assert_hidden(one.plane()) if not one.limited else None
        assert_hidden(image.overview(one, 64))
        for color in ("rgb", "gray"):
            assert_hidden(image.fit_region(one, Box(0, 0, 128, 96), InputSpec(16, 16, color)))


def test_sources_without_private_areas_are_as_they_were(film):
    """Nothing is wrapped around them."""
    with open_source(film) as source:
        frame = source.read()
    assert frame.paint is None
    assert frame.bgr().min() > 60


CAMERAS = """
model = "{model}"
quiet = true
sinks = ["snapshot:{out}/shots?shows=frame", "video:{out}/drawn.mp4", "explain:{out}/why",
         "collect:{out}/store?unlike=1&apart_s=0", "clip:{out}/clips"]

[[camera]]
name = "gate"
source = "{film}"
private = [[0.0, 0.0, 0.5, 0.5]]
state = {{ seconds = 0.2, enter = 0.0, leave = 0.0, share = 0.51 }}
"""


def test_nothing_that_a_run_writes_shows_it(film, light_model, tmp_path):
    """Snapshots, among them those decoded again from packets, drawn videos, debug videos, the store; there are no clips."""
    for name in ("shots", "clips"):
        (tmp_path / name).mkdir()
    config = tmp_path / "cameras.toml"
    config.write_text(CAMERAS.format(model=light_model, out=tmp_path, film=film))
    lines = []
    with edgecls.Run(config, say=lines.append) as run:
        events = [event for _, found in run for event in found]
    assert events
    shots = list((tmp_path / "shots").glob("*.jpg"))
    assert shots
    for path in shots:
        assert_hidden(image.load(path))
    for film_out in (tmp_path / "drawn.mp4", tmp_path / "why" / "gate.mp4"):
        with open_source(film_out) as source:
            picture = source.read().bgr()
        height, width = picture.shape[:2]
        assert np.median(picture[: height // 2, : width // 2]) <= 20  # a label is written over it
    with Store(tmp_path / "store", create=False) as store:
        kept = list(store.entries())
    assert kept
    for entry in kept:
        assert_hidden(image.load(entry.path))
    assert not list((tmp_path / "clips").iterdir())
    assert [line for line in lines if "gets no clips" in line]
    assert json.dumps(lines).count("copy of what the camera sent") == 2  # the note, and the loss of the sink


def test_the_live_page_gets_no_packets(film):
    """It shows pictures of the frame instead."""
    with open_source(film, reading=READING) as hidden, open_source(film, reading=ReadingSettings(keep_s=5)) as plain:
        frame, other = hidden.read(), plain.read()
    assert other.public_packets is other.packets is not None
    assert frame.packets is not None
    assert frame.public_packets is None
    sink = ViewSink(["film"])
    sink.write(result(frame))
    (view,) = sink.cameras.values()
    assert view.packets is None


def test_the_picture_for_drawing_zones_does_not_show_it(film, light_model, tmp_path):
    """That of `check-config --pictures`."""
    config = tmp_path / "cameras.toml"
    text = CAMERAS.format(model=light_model, out=tmp_path, film=film)
    for extra in ("", "[[camera.line]]\nname = 'a'\nline = [[0.1, 0.6], [0.9, 0.6]]\n"):
        config.write_text("\n".join(line for line in text.split("\n") if not (extra and line.startswith("state"))) + extra)
        assert_hidden(picture_of(read_config(config).camera[0], say=print)[0])
        with open_cameras(read_config(config)) as frames:
            assert_hidden(frames.read().bgr())


def test_areas_are_limited_and_checked(tmp_path):
    """With the line of the file."""
    config = tmp_path / "cameras.toml"
    config.write_text("model = 'm.onnx'\n[[camera]]\nname = 'a'\nsource = 0\nprivate = [[0.0, 0.0, 1.5, 0.5]]\n")
    with pytest.raises(edgecls.ConfigError, match=r"5: .*private.*outside of the frame"):
        read_config(config)


def test_shrinking_is_exact_besides(film):
    """What the decoder shrinks is as without private areas, where there are none."""
    with open_source(film) as plain, open_source(film, reading=READING) as hidden:
        one, other = plain.read(), hidden.read()
    spec = InputSpec(12, 16, "rgb")
    a, b = (image.fit_region(frame, Box(0, 0, 128, 96), spec) for frame in (one, other))
    assert np.array_equal(a[6:], b[6:])
    assert np.array_equal(a[:, 8:], b[:, 8:])
