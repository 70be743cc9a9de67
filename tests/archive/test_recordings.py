"""Tests of where recordings are found."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import fsspec
import pytest

from edgecls.archive.naming import Naming
from edgecls.archive.recordings import Recording, find_recordings
from edgecls.errors import ConfigError, DataError


@pytest.fixture
def nas(tmp_path):
    """A folder with recordings of two cameras, and other files."""
    for name in ("door/1.mp4", "door/2.MKV", "yard/deep/3.ts", "yard/notes.doc", "yard/.hidden.mp4", ".trash/4.mp4"):
        path = tmp_path / "nas" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return tmp_path / "nas"


def names(places, naming=Naming()):  # noqa: B008 - frozen
    """Where the recordings are, and their cameras."""
    return [(one.address.rpartition("/nas/")[2], one.camera) for one in find_recordings(places, naming)[0]]


def test_a_folder_is_searched(nas):
    """With all folders in it; hidden files and other files are left alone."""
    assert names([nas]) == [("door/1.mp4", "door"), ("door/2.MKV", "door"), ("yard/deep/3.ts", "deep")]


def test_files_patterns_and_repeated_places(nas):
    """Each recording is found once, however often it is named."""
    places = [nas / "door" / "1.mp4", f"{nas}/*/*.mp4", nas, (nas / "door" / "1.mp4").as_uri()]
    assert [name for name, _ in names(places)] == ["door/1.mp4", "door/2.MKV", "yard/deep/3.ts"]


def test_a_list_names_files_and_what_is_gone(nas, tmp_path, monkeypatch):
    """Blank lines and comments do not count; what is not there is told and stops nothing."""
    text = f"# of yesterday\n\n{nas}/door/1.mp4\n{nas}/gone.mp4\n"
    (tmp_path / "list.txt").write_text(text)
    found, missing = find_recordings([tmp_path / "list.txt"], Naming())
    assert [one.address for one in found] == [f"{nas}/door/1.mp4"]
    assert missing == [(f"{nas}/gone.mp4", "no such file")]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert find_recordings(["-"], Naming())[0] == found


def test_a_recording_is_known_by_its_address_size_and_time(nas):
    """Its id depends on the address alone."""
    (one,), _ = find_recordings([nas / "door" / "1.mp4"], Naming())
    assert (one.size, one.modified_ns) == (5, (nas / "door" / "1.mp4").stat().st_mtime_ns)
    assert one.id == Recording(one.address, 7, 0).id != Recording(one.address + "x", 5, one.modified_ns).id


def test_addresses_of_fsspec(nas):
    """A folder, a pattern and a file at an address, with size and time."""
    memory = fsspec.filesystem("memory")
    memory.pipe({"/bucket/door/1.mp4": b"123", "/bucket/door/x.txt": b"", "/bucket/yard/2.mp4": b"12"})
    try:
        found, _ = find_recordings(["memory://bucket", "memory://bucket/door/1.mp4"], Naming())
        assert [(one.address, one.size, one.camera) for one in found] == [
            ("memory:///bucket/door/1.mp4", 3, "door"), ("memory:///bucket/yard/2.mp4", 2, "yard"),
        ]  # fmt: skip
        assert abs(found[0].modified_ns / 1e9 - datetime.now(UTC).timestamp()) < 60
        assert [one.address for one in find_recordings(["memory://bucket/*/2.mp4"], Naming())[0]] == [
            "memory:///bucket/yard/2.mp4"
        ]
        assert find_recordings(["memory://bucket/gone.mp4", nas], Naming())[1] == [("memory://bucket/gone.mp4", "no such file")]
    finally:
        memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        ("empty", DataError, "no recordings found; expected files such as"),
        ("gone", DataError, "gone: no such file or folder"),
        ("foo://bucket/x", ConfigError, "nothing here can read foo://; expected a path, s3://"),
        ("s3://bucket/x", ConfigError, "s3://bucket/x: Install s3fs to access S3"),
    ],
)
def test_a_place_without_recordings_is_one_line(place, kind, message, tmp_path, monkeypatch):
    """It says what is expected instead."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=message):
        find_recordings([place], Naming())


def test_names_that_do_not_fit(nas):
    """Those of some recordings are told; a pattern that fits none is refused."""
    found, missing = find_recordings([nas], Naming("{camera}/1"))
    assert [one.address for one in found] == [f"{nas}/door/1.mp4"]
    assert missing[0] == (f"{nas}/door/2.MKV", "its name does not fit {camera}/1")
    with pytest.raises(ConfigError, match=r"fits none of the 3 recordings; the first is .*1\.mp4"):
        find_recordings([nas], Naming("{camera}_%Y%m%d"))
