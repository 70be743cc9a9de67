"""Which hosts are this machine as only it can reach itself."""

from __future__ import annotations

import pytest

from edgecls.text.address import is_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("LocalHost", True), ("127.0.0.1", True), ("127.8.0.1", True), ("::1", True), ("1.2.3.4", False),
        ("::", False), ("10.0.0.7", False), ("localhost.example", False), ("127.0.0.1.example", False), ("", False),
    ],
)  # fmt: skip
def test_only_loopback_is_this_machine(host, expected):
    assert is_loopback(host) is expected
