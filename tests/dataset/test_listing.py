"""Tests of listing the pictures below a folder."""

from __future__ import annotations

import os
import random

import pytest

from edgecls.dataset import listing, pictures_under
from edgecls.dataset.listing import Skipped, in_order, natural
from tests.drawn import plant


def listed(folder):
    """Return the listed names below a folder, and the lines about what was left out."""
    skipped = Skipped()
    found = [path.relative_to(folder).as_posix() for path in pictures_under(folder, skipped)]
    return found, [line.replace(f"{folder}/", "") for line in skipped.lines()]


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "#recycle/1.png", "#snapshot/1.png", "@tmp/1.png"),
        *(
            "@Recycle/1.png",
            "__MACOSX/deeper/1.png",
            "$RECYCLE.BIN/1.png",
            "System Volume Information/1.png",
            "lost+found/1.png",
        ),
    ],
)
def test_folders_of_a_nas_or_a_system_are_left_out_and_counted(tmp_path, name):
    """Folders that Synology, QNAP, macOS, Windows and Linux create among pictures, at the top and below."""
    for path in ("a.png", name, f"deeper/{name}"):
        plant(tmp_path / path)
    folder = name.split("/")[0]
    assert listed(tmp_path) == (
        ["a.png"],
        [f"folders made by a NAS or an operating system, left out: 2 ({folder}, deeper/{folder})"],
    )


@pytest.mark.parametrize(
    "name", [".@__thumb/a.png", ".thumbnails/a.png", ".ipynb_checkpoints/a-checkpoint.png", "._a.png", ".DS_Store", "Thumbs.db"]
)
def test_hidden_files_and_those_of_a_system_are_no_pictures(tmp_path, name):
    """Thumbnails of QNAP and Linux, checkpoints of Jupyter, resource forks of macOS."""
    for path in ("a.png", "b/a.png", name, f"b/{name}"):
        plant(tmp_path / path)
    assert listed(tmp_path) == (["a.png", "b/a.png"], [])


def test_a_linked_folder_is_followed_once(tmp_path):
    """Linked folders and files are read; a folder that is read by its real path is not read again through a link."""
    plant(tmp_path / "far" / "1.png")
    plant(tmp_path / "far.png")
    plant(tmp_path / "data" / "z" / "2.png")
    (tmp_path / "data" / "again").symlink_to("z")
    (tmp_path / "data" / "more").symlink_to("../far")
    (tmp_path / "data" / "3.png").symlink_to("../far.png")
    assert listed(tmp_path / "data") == (
        ["3.png", "more/1.png", "z/2.png"],
        ["links to folders that were already read, left out: 1 (again)"],
    )


def test_links_in_a_circle_end(tmp_path):
    """Links to the folder itself, to one above it, to themselves, and to each other."""
    plant(tmp_path / "data" / "a" / "1.png")
    for name, target in (("own", "."), ("above", ".."), ("top", "/"), ("self", "self"), ("self.png", "self.png")):
        (tmp_path / "data" / "a" / name).symlink_to(target)
    (tmp_path / "data" / "a" / "one").mkdir()
    (tmp_path / "data" / "a" / "one" / "back").symlink_to("../../a")
    found, skipped = listed(tmp_path / "data")
    assert found == ["a/1.png"]
    assert skipped == [
        "broken links, left out: 2 (a/self, a/self.png)",
        "links to a folder that contains them, left out: 4 (a/above, a/own, a/top, ...)",
    ]


def test_a_link_back_from_a_linked_folder_ends_too(tmp_path):
    """The listed folder may be a link: the folders above its real path count as above it, too."""
    plant(tmp_path / "far" / "a" / "1.png")
    plant(tmp_path / "data" / "b" / "2.png")
    (tmp_path / "data" / "a").symlink_to("../far/a")
    (tmp_path / "far" / "a" / "back").symlink_to(tmp_path / "data")
    assert listed(tmp_path / "data" / "a")[0] == ["1.png"]


def test_links_that_the_system_cannot_follow_are_counted(tmp_path):
    """A link whose target has an impossible name, and a link to itself; also as the top folder."""
    (tmp_path / "long.png").symlink_to("x" * 300)
    (tmp_path / "self.png").symlink_to("self.png")
    skipped = Skipped()
    assert pictures_under(tmp_path, skipped) == []
    assert skipped.lines()[0].startswith("broken links, left out: 2 (")
    for link in ("long.png", "self.png"):
        assert pictures_under(tmp_path / link) == []


def test_links_to_nothing_and_special_files_are_counted(tmp_path):
    """A broken link to a picture, and a pipe with the name of one."""
    plant(tmp_path / "a.png")
    (tmp_path / "gone.png").symlink_to("none.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert listed(tmp_path) == (
        ["a.png"],
        ["broken links, left out: 1 (gone.png)", "pictures that are not regular files, left out: 1 (pipe.png)"],
    )


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    """The error of the system is simulated, because root can open every folder."""
    plant(tmp_path / "a.png")
    plant(tmp_path / "closed" / "b.png")
    scandir = os.scandir

    def refusing(folder):
        if os.fspath(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(listing.os, "scandir", refusing)
    assert listed(tmp_path) == (["a.png"], ["folders that cannot be opened, left out: 1 (closed: Permission denied)"])


def test_the_order_is_that_of_the_names(tmp_path, monkeypatch):
    """The order does not depend on the file system, even for names of the same number."""
    for name in ("10.png", "9.png", "09.png", "009.png", "b/1.png", "b/01.png", "a/2.png"):
        plant(tmp_path / name)
    expected = ["009.png", "09.png", "9.png", "10.png", "a/2.png", "b/01.png", "b/1.png"]
    scandir = os.scandir
    for seed in range(5):

        class Shuffled:
            def __init__(self, folder, seed=seed):
                with scandir(folder) as entries:
                    self.entries = list(entries)
                random.Random(seed).shuffle(self.entries)  # noqa: S311 - no secret

            def __enter__(self):
                return self.entries

            def __exit__(self, *_):
                pass

        monkeypatch.setattr(listing.os, "scandir", Shuffled)
        assert listed(tmp_path)[0] == expected
        monkeypatch.setattr(listing.os, "scandir", scandir)


def test_a_deep_tree_is_no_recursion(tmp_path):
    """1,200 nested folders, more than Python's recursion limit."""
    deep = tmp_path / ("d/" * 1200)
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        plant(deep / "1.png")
        assert listed(tmp_path)[0] == ["d/" * 1200 + "1.png"]
    finally:  # pytest could not remove it
        os.close(here)
        for folder in [deep, *deep.parents]:
            (folder / "1.png").unlink(missing_ok=True)
            if folder == tmp_path:
                break
            folder.rmdir()


def test_natural_order():
    """Numbers within names sort by value, whatever their length. Digits of other scripts sort as letters."""
    assert sorted(["x10", "x9", "x", "2", "10"], key=natural) == ["2", "10", "x", "x9", "x10"]
    assert in_order(["1", "01", "001", "2", "02"]) == ["001", "01", "1", "02", "2"]
    assert in_order(["9" * 5000, "1" + "0" * 5000, "²", "٣"]) == ["9" * 5000, "1" + "0" * 5000, "²", "٣"]
