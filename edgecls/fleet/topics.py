"""The topics of a fleet, and the names of its devices.

    PREFIX/DEVICE/desired    the bundle that the device should run, from whoever rolls out             retained
    PREFIX/DEVICE/reported   what it runs, or why not, and how it is doing                              retained
    PREFIX/DEVICE/status     online or offline (the last will)                                          retained
    PREFIX/roll-out          the roll-out in progress, or the last one                                  retained

Names in topics are percent-encoded as in URLs.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

DESIRED, REPORTED, STATUS = PARTS = ("desired", "reported", "status")
ROLL_OUT = "roll-out"


def topic_of(prefix: str, device: str, part: str) -> str:
    """Return a topic of a device."""
    return f"{prefix}/{quote(device.encode('utf-8', 'surrogatepass'), safe='')}/{part}"


def device_in(prefix: str, topic: str) -> tuple[str, str]:
    """Return the device and the part that a topic is about; two empty texts if it is about none."""
    rest = topic.removeprefix(f"{prefix}/")
    name, slash, part = rest.partition("/")
    is_one = rest != topic and slash and part in PARTS and name
    return (unquote(name, errors="replace"), part) if is_one else ("", "")
