"""The cache of backbones: built once, whole or not at all, rebuilt when damaged."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgecls.errors import SinkError
from edgecls.files.backbones import kept
from edgecls.files.cache import user_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edgecls" / "backbones"


class Builder:
    """Counts how often it builds."""

    def __init__(self, content=b"network"):
        self.content, self.times = content, 0

    def __call__(self):
        self.times += 1
        return self.content


def test_a_file_is_built_once(cache):
    """The second call reads it."""
    build = Builder()
    first, second = kept("lite0", "a" * 64, build), kept("lite0", "a" * 64, build)
    assert first == second
    assert first[0].parent == cache
    assert first[0].read_bytes() == first[1] == b"network"
    assert build.times == 1


@pytest.mark.parametrize("damaged", [b"", b"networks", b"netw"])
def test_a_damaged_file_is_built_again(cache, damaged):
    """One that was cut off, or changed, does not stay."""
    build = Builder()
    path, _ = kept("lite0", "a" * 64, build)
    path.write_bytes(damaged)
    assert kept("lite0", "a" * 64, build) == (path, b"network")
    assert path.read_bytes() == b"network"
    assert build.times == 2


def test_another_key_is_another_file(cache):
    """Both stay."""
    one, other = kept("lite0", "a" * 64, Builder(b"1"))[0], kept("lite0", "b" * 64, Builder(b"2"))[0]
    assert one.read_bytes() + other.read_bytes() == b"12"


def test_who_asks_at_the_same_time_waits(cache):
    """Of several threads one builds; all get its file. Processes use the same lock."""
    build, started, found = Builder(), threading.Barrier(4), []

    def ask():
        started.wait()
        found.append(kept("lite0", "a" * 64, build))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 4
    assert build.times == 1


def test_an_error_while_building_leaves_nothing(cache):
    """And the next one can build."""

    def fails():
        raise MemoryError

    with pytest.raises(MemoryError):
        kept("lite0", "a" * 64, fails)
    assert not list(cache.glob("*.onnx"))
    assert kept("lite0", "a" * 64, Builder())[1] == b"network"


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    """It says what to do."""
    (tmp_path / "edgecls").write_text("a file where the folder should be", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(SinkError, match=r"cannot be kept there .*; set XDG_CACHE_HOME to a folder that is writable$"):
        kept("lite0", "a" * 64, Builder())


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/edgecls"),
        ("linux", {"XDG_CACHE_HOME": "/big"}, "/big/edgecls"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "home/.cache/edgecls"),
        ("darwin", {}, "home/Library/Caches/edgecls"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/edgecls"),
        ("win32", {}, "home/AppData/Local/edgecls"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, platform, variables, expected):
    """By the rules of each system."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert user_cache() == Path(expected)
