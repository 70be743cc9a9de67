"""What a device says to bundles that it must not take: real files, real slots, a server that may break off."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed")
pytest.importorskip("cryptography", reason="cryptography is not installed")

from edgecls.bundle import make, make_keys
from edgecls.fleet import Desired, Update, updates
from edgecls.fleet.updates import PullLimits, Updates
from tests import tiny
from tests.fleet.simulated import SimulatedBundles
from tests.fleet.test_pull import server
from tests.run.disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = PullLimits(10_000_000, ("https", "file"))


class Made(NamedTuple):
    """Bundles of versions 1 to 3, and the key that devices trust."""

    folder: Path
    key: Path

    def desired(self, name: str = "2.bundle", **fields: Any) -> Desired:
        """A message that names one of them."""
        path = self.folder / name
        version = int(name[0])
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return replace(Desired(f"{version}-test", version, sha256, path.as_uri()), **fields)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """The bundles, and some of which a byte differs, that end early, or that a stranger has signed."""
    folder = tmp_path_factory.mktemp("bundles")
    private, public = make_keys("fleet", folder)
    other, _ = make_keys("stranger", folder)
    (folder / "light.onnx").write_bytes(tiny.light_model())
    for version in (1, 2, 3):
        make(folder / f"{version}.bundle", name="light", version=version, model=folder / "light.onnx", keys=[private])
    make(folder / "2-stranger.bundle", name="light", version=2, model=folder / "light.onnx", keys=[other])
    make(folder / "2-unsigned.bundle", name="light", version=2, model=folder / "light.onnx")
    make(folder / "2-name.bundle", name="dark", version=2, model=folder / "light.onnx", keys=[private])
    content = bytearray((folder / "2.bundle").read_bytes())
    (folder / "2-half.bundle").write_bytes(content[: len(content) // 2])
    content[len(content) // 2] ^= 1
    (folder / "2-tampered.bundle").write_bytes(content)
    (folder / "2-other.bundle").write_text("<html>not found</html>")
    return Made(folder, public)


class Device:
    """A device that runs version 1."""

    def __init__(self, made: Made, folder: Path) -> None:
        self.said: list[Update] = []
        self.bundles = SimulatedBundles(folder, [made.key], ())
        self.updates = Updates(self.bundles, LIMITS, tell=self.said.append)
        self.over = threading.Event()
        self.take(made.desired("1.bundle"))
        self.bundles.slots.keep_current()
        self.updates.refresh(made.desired("1.bundle"))
        assert [update.state for update in self.said] == ["waiting", "downloading", "on trial", "applied"]

    def take(self, desired: Desired) -> Update:
        """Take a message to the end, and return what came of it."""
        self.updates.take(desired, self.over)
        return self.updates.update

    def assert_untouched(self) -> None:
        """It runs version 1 as before."""
        assert self.bundles.state().current.startswith("1-")
        assert self.bundles.slots.current.model.read_bytes() == tiny.light_model()


@pytest.fixture
def device(made, tmp_path) -> Device:
    """A device that runs version 1."""
    return Device(made, tmp_path / "bundles")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("2-tampered.bundle", "(?i)(differs|changed|damaged|sha-?256|crc|not that of)"),
        ("2-stranger.bundle", "is signed by a key that is not trusted here"),
        ("2-unsigned.bundle", "(?i)sign"),
        ("2-name.bundle", "is a bundle of the name dark"),
        ("2-half.bundle", "(?i)(truncated|not whole|cut|end|half)"),
        ("2-other.bundle", "(?i)(not a bundle|no bundle|is not)"),
    ],
)
def test_what_was_not_signed_like_this_is_refused(made, device, name, why):
    """With the reason; the bundle in use stays, and what was pulled is not pulled again."""
    update = device.take(made.desired(name))
    assert update.state == "refused"
    assert re.search(why, update.why), update.why
    assert len(update.why) <= 300
    assert "downloads" not in update.why
    device.assert_untouched()


def test_an_older_one_is_refused_and_not_even_pulled(made, device):
    """However new the message is, and whatever the clock says."""
    assert device.take(made.desired("3.bundle")).state == "on trial"
    device.bundles.slots.keep_current()
    told = device.take(made.desired("2.bundle", url="https://127.0.0.1:1/gone"))
    assert str(told) == "refused: version 2 is older than 3, which this device has taken already"
    relabelled = device.take(made.desired("2.bundle", version=9))
    assert relabelled.state == "refused"
    assert "is not newer than 3" in relabelled.why
    assert device.bundles.state().current.startswith("3-")


def test_another_file_than_the_message_names_is_refused(made, device):
    """Its hash is compared before anything is read."""
    update = device.take(made.desired(sha256="ab" * 32))
    assert update.state == "refused"
    assert "the file has the SHA-256" in update.why
    assert device.take(made.desired(url="ftp://host/2.bundle")).why == "ftp://host/2.bundle: its scheme is ftp, expected https"
    assert "http is not in allow" in device.take(made.desired(url="http://198.51.100.7/2.bundle")).why
    device.assert_untouched()


def test_a_download_that_breaks_off_is_tried_again(device, monkeypatch):
    """It is said why it waits; what is not a bundle in the end is refused."""
    monkeypatch.setattr(updates, "FIRST_WAIT_S", 0.01)
    from tests.fleet.test_pull import SHA256, send

    def breaks(handler, number: int) -> bool:
        if number <= 2:
            send(handler, handler.headers.get("Range", ""), 100_000)
        return number <= 2

    with server(breaks) as running:
        assert device.take(Desired("2-test", 2, SHA256, running.url)).state == "refused"
    states = [update.state for update in device.said[4:]]
    assert states == ["waiting", "downloading", "waiting", "downloading", "waiting", "downloading", "refused"]
    assert "broke off after 100,000 of 512,000 bytes; it is tried again" in device.said[6].why
    device.assert_untouched()


def test_a_download_ends_when_something_else_is_desired(device):
    """At once, also in a wait between two tries."""
    timer = threading.Timer(0.2, lambda: (device.over.set(), device.updates.stop()))
    timer.start()
    began = time.monotonic()
    device.take(Desired("2-test", 2, "ab" * 32, "https://127.0.0.1:1/2.bundle"))
    assert time.monotonic() - began < 3
    timer.join()
    assert device.updates.update.state == "waiting"
    device.assert_untouched()


def test_a_full_disk_is_a_reason(made, tmp_path):
    """There is room for the download, and none to unpack it."""
    with small_disk(tmp_path / "disk", "1600k") as disk:
        device = Device(made, disk / "bundles")
        (disk / "rest").write_bytes(bytes(800_000))
        update = device.take(made.desired())
        assert update.state == "refused"
        assert "the disk is too full" in update.why
        device.assert_untouched()


def test_nothing_is_pulled_twice(made, device):
    """After a start a device knows what it runs, and what it has taken back."""
    assert device.take(made.desired()).state == "on trial"
    gone = made.desired(url="https://127.0.0.1:1/gone")
    again = Updates(device.bundles, LIMITS, tell=device.said.append)
    again.take(gone, device.over)
    assert again.update.state == "on trial"
    device.bundles.slots.roll_back("40 % are unknown")
    again.refresh(gone)
    assert str(again.update) == "rolled back: 40 % are unknown"
    third = Updates(device.bundles, LIMITS, tell=device.said.append)
    third.take(gone, device.over)
    assert str(third.update) == "rolled back: 40 % are unknown"
    device.assert_untouched()


def test_back_takes_the_newest_bundle_and_no_other(made, device):
    """A second time, and for an older one, nothing happens; why a device has failed is still said."""
    device.take(made.desired())
    assert device.take(made.desired(action="back")).state == "rolled back"
    device.assert_untouched()
    assert device.take(made.desired(action="back")).state == "rolled back"
    assert device.take(made.desired("1.bundle", action="back")).state == "none"
    device.assert_untouched()
    refused = device.take(made.desired("2-stranger.bundle", rollout="x"))
    assert device.take(made.desired("2-stranger.bundle", rollout="x", action="stay")) == refused
