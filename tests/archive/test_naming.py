"""Tests of what the names of recordings say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edgecls.archive.naming import Named, Naming
from edgecls.errors import ConfigError


def us(*parts):
    """Microseconds since 1970 of a time in UTC."""
    return round(datetime(*parts, tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("%Y-%m-%d/%H/{camera}/%M.%S.mp4", "/media/2026-11-28/07/door/12.34.mp4", ("door", us(2026, 11, 28, 7, 12, 34))),
        ("{camera}_%Y%m%d_%H%M%S", "/nas/cam1_20261128_074501.mp4", ("cam1", us(2026, 11, 28, 7, 45, 1))),
        ("{camera}_%Y%m%d_%H%M%S.mkv", "s3://a/front_door_20261128_074501.mkv", ("front_door", us(2026, 11, 28, 7, 45, 1))),
        ("{camera}/{camera}-%s*", "/a/yard/yard-1795851901.25-x1.mp4", ("yard", 1795851901_250000)),
        ("%d %b %Y %I.%M.%S %p", "C:\\rec\\gate\\28 Nov 2026 07.45.01 PM.avi", ("gate", us(2026, 11, 28, 19, 45, 1))),
        ("ch{camera}_*", "/dvr/ch03_main.dav", ("03", None)),
        ("", "/nas/yard/anything.mp4", ("yard", None)),
    ],
)  # fmt: skip
def test_names_say_camera_and_time(pattern, path, expected):
    """As Frigate, cameras and recorders name their files; the folder is the camera unless the pattern says more."""
    assert Naming(pattern).of(path) == Named(*expected)


@pytest.mark.parametrize("path", ["/a/b.mp4", "/a/yard_20261328_074501.mp4", "/a/x/yard_20261128_074501_2.mp4"])
def test_other_names_do_not_fit(path):
    """Neither one without the parts, nor one with a 13th month, nor one with more at its end."""
    assert Naming("{camera}_%Y%m%d_%H%M%S").of(path) is None


def test_what_occurs_twice_is_the_same():
    """A camera that stands in the folder and in the file must agree."""
    assert Naming("{camera}/{camera}_%s").of("/a/door/yard_1795851901.mp4") is None


def test_times_in_a_time_zone():
    """Times of the wall are converted, in summer as in winter."""
    naming = Naming("%Y-%m-%d %H.%M", timezone="Europe/Berlin")
    assert naming.of("/a/2026-07-01 12.00.mp4").began_us == us(2026, 7, 1, 10)
    assert naming.of("/a/2026-12-01 12.00.mp4").began_us == us(2026, 12, 1, 11)


def test_one_camera_for_all():
    """A given camera is that of all recordings."""
    assert Naming(camera="roof").of("/nas/yard/1.mp4") == Named("roof", None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pattern": "%Q_{camera}"}, "has %Q, which is unknown; expected"),
        ({"pattern": "{camera}_%H%M"}, "has no whole date"),
        ({"pattern": "clip"}, "says neither camera nor time"),
        ({"pattern": "{camera}_%s", "camera": "door"}, "give one of them"),
        ({"timezone": "Mars/Olympus"}, "is not known here"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(settings, message):
    """In one line, with an example."""
    with pytest.raises(ConfigError, match=message):
        Naming(**settings)
