"""Stream addresses that can never be opened are refused at once; addresses that may work are not."""

from __future__ import annotations

import pytest

from edgecls import ConfigError
from edgecls.source import open_source
from edgecls.source.source import not_opened
from edgecls.text.address import check_stream


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("rtsp://[::1", "brackets are only for IPv6 addresses"),
        ("rtsp://[::1]x/live", "brackets are only for IPv6 addresses"),
        ("rtsp://[no]/live", "IPv6 address"),
        ("rtsp://cam:99999/live", "the port must be a number from 1 to 65535"),
        ("rtsp://cam:x/live", "the port must be a number from 1 to 65535"),
        ("udp://@:99999", "the port must be a number from 1 to 65535"),
        ("rtsp:///live", "it names no host"),
        ("rtsp://user:zzkw@/live", "it names no host"),
        ("http://:8080/video", "it names no host"),
        ("rtsp://my cam/live", "the host name is invalid"),
        ("rtsp://cam..local/live", "the host name is invalid"),
        ("RTSP://300.1.1.1/live", "is not a valid IPv4 address"),
        ("rtsp://cam\0/live", "it contains control characters"),
        ("rtsp://cam/live\n", "it contains control characters"),
        ("rtsp://user:zzkw/1@cam/live", "write / as %2F"),
        ("rtsp://user:zzkw#1@cam/live", "# as %23"),
        ("rtsp://user:zzkw?1@cam:554/live", r"\? as %3F"),
        ("rtsp://user:12zzkw/1@cam/live", "write / as %2F"),
    ],
)
def test_an_impossible_address_is_refused_when_it_is_opened(url, why):
    """The message shows the address without its password and the reason; there are no retries."""
    with pytest.raises(ConfigError, match=why) as caught:
        open_source(f"gate={url}")
    message = str(caught.value)
    assert message.startswith(url[:4])
    assert "zzkw" not in message


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://cam/live",
        "rtsp://user:p[a]s:s@w rd@cam:554/live",
        "rtsp://user:8554/pass@cam/live",
        "rtsp://[::1]:8554/live",
        "rtsp://user:pw@[fe80::1%25eth0]/live",
        "rtsp://cam_1.local./live?a=b c",
        "udp://@:1234",
        "udp://@239.0.0.1:1234",
        "srt://:9000?mode=listener",
        "srt://host:9000?streamid=#!::r=live",
        "rtp://0.0.0.0:5004",
        "HTTP://host:8080/video@home",
    ],
)
def test_an_address_that_may_work_is_accepted(url):
    """FFmpeg accepts raw characters in passwords and IPv6 in brackets, and listens if there is no host."""
    check_stream(url)


def test_a_stream_that_cannot_be_opened_explains_how_to_encode_a_password():
    """Only if an @ after the host may belong to a password."""
    assert "# as %23" in str(not_opened("rtsp://user:8554/zzkw@cam/live", "Connection refused"))
    assert "zzkw" not in str(not_opened("rtsp://user:8554/zzkw@cam/live", "Connection refused"))
    assert "%23" not in str(not_opened("rtsp://user:zzkw@cam/live", "Connection refused"))
