"""From which network somebody visits, which is what limits count."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

THIS_MACHINE = "this machine"
PROXIES = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
"""The addresses of programs on this machine, the last one where the page listens for IPv4 and IPv6 at once."""
OF_ONE_VISITOR = 64
"""The bits of an IPv6 network that one visitor may have all addresses of (RFC 6177)."""


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return what counts as one visitor: an IPv4 address, also one written as IPv6; the /64 network of an IPv6 address; or
    `THIS_MACHINE`. What is no address, such as a name that a proxy sends, counts as it is.
    """
    if address in PROXIES:
        return THIS_MACHINE
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return network_of(str(found.ipv4_mapped))
    return str(ipaddress.IPv6Network((int(found), OF_ONE_VISITOR), strict=False))
