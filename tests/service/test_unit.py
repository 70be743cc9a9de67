"""Tests of the unit file: what systemd's own tools say of it, and that it allows no more than a configuration needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edgecls import ConfigError
from edgecls.service.needs import Needs
from edgecls.service.unit import FINAL, Unit, is_edited, word
from tests.service.conftest import PROGRAM

BARE = Needs(
    cameras=False, dri=False, nvidia=False, all_devices="", compiles=False, low_port=False, has_page=False, reads=(), writes=(),
    screen="", address="",
)  # fmt: skip
KINDS = {
    "network cameras": BARE,
    "a USB camera": replace(BARE, cameras=True),
    "a GPU of NVIDIA": replace(BARE, nvidia=True, compiles=True),
    "a page at a low port": replace(BARE, has_page=True, low_port=True),
    "all": replace(BARE, cameras=True, dri=True, nvidia=True, compiles=True, has_page=True, low_port=True),
    "a board": replace(BARE, all_devices='decode = "jetson"', compiles=True),
}
LIMITS = {"network cameras": 1.3, "a USB camera": 1.7, "a GPU of NVIDIA": 1.7}
"""The exposure of the unit as it is now; all others are within the 3.0 of the goal."""


def unit(needs, *, systemd=252):
    """A unit with awkward paths."""
    return Unit(
        "edgecls", "edgecls", (PROGRAM, "run", "--config", "/etc/edge cls/100% $HOME.toml"), needs, systemd=systemd,
        environment_file=Path("/etc/edge cls/secrets.env"), groups=("video",) if needs.cameras else (), folders=("clips",),
        writes=(Path("/srv/my films"),), mounts=(Path("/etc/edge cls"),), credentials=(("key.pem", Path("/etc/hostname")),),
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("kind", KINDS)
def test_systemd_accepts_the_unit_and_finds_it_safe(kind, tmp_path):
    """No word of `verify`, and an exposure level within the limit."""
    path = tmp_path / "edgecls.service"
    path.write_text(unit(KINDS[kind]).text())
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    exposure = re.search(r"Overall exposure level for edgecls\.service: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure[1]) <= LIMITS.get(kind, 3.0)


def test_devices_are_those_that_are_needed():
    """Without a local camera and a GPU, none is seen at all."""
    assert "PrivateDevices=yes" in unit(BARE).text()
    for name, device in {"cameras": "char-video4linux", "dri": "char-drm", "nvidia": "char-nvidia*"}.items():
        text = unit(replace(BARE, **{name: True})).text()
        assert re.findall(r"^DeviceAllow=(\S+) rw$", text, re.MULTILINE) == [device]
        assert "DevicePolicy=closed" in text
        assert "PrivateDevices" not in text


def test_a_refused_password_and_a_wrong_configuration_are_final():
    """The exit codes that the command line gives are those that the unit names."""
    from edgecls.cli.supervised import MISCONFIGURED, REFUSED

    assert {REFUSED, MISCONFIGURED} <= set(FINAL)
    text = unit(BARE).text()
    assert f"RestartPreventExitStatus={' '.join(map(str, FINAL))}" in text
    assert "EDGECLS_SERVICE=systemd" in text
    assert "WatchdogSec=" in text


def test_a_newer_systemd_waits_for_the_end_of_a_reload():
    """Older ones would take the type for a mistake, and start the service as a simple one."""
    assert "Type=notify\nExecReload=/bin/kill -HUP $MAINPID\n" in unit(BARE).text()
    text = unit(BARE, systemd=253).text()
    assert "Type=notify-reload\n" in text
    assert "ExecReload" not in text


def test_a_port_below_1024_needs_one_capability():
    """And nothing else gets any."""
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit(replace(BARE, low_port=True)).text()
    assert "AmbientCapabilities=\n" in unit(BARE).text()


@pytest.mark.parametrize("change", [lambda t: t.replace("UMask=0077", "UMask=0022"), lambda t: t + "\n", lambda _: "[Unit]\n"])
def test_an_edited_unit_is_known(change):
    """The checksum in its first line is that of the rest."""
    text = unit(BARE).text()
    assert not is_edited(text)
    assert is_edited(change(text))


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("/a/b.toml", "/a/b.toml"), ("/a b", '"/a b"'), ("/50%", "/50%%"), ("/$HOME", '"/$$HOME"'), ('/"a"', r'"/\"a\""')],
)
def test_words_are_quoted_for_systemd(text, quoted):
    """Spaces, quotes, specifiers and variables stay what they are."""
    assert word(text, is_command=True) == quoted
    assert word(text) == quoted.replace("$$", "$"), "a path has no variables"


def test_a_path_cannot_add_lines():
    """A line break in a path would be a new setting."""
    with pytest.raises(ConfigError, match="control characters"):
        word("/etc/a\nUser=root")
