"""What an error says about a path that names nothing, another kind of file, or a folder that is not there."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edgecls.files.advice import is_text, of_another_kind, of_missing, of_no_folder, why_not_written


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a few files."""
    monkeypatch.chdir(tmp_path)
    for name in ("models/street.onnx", "models/signs.onnx", "models/README.md", "road.mp4", "cameras.toml", ".hidden.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("street", "models/street.onnx"),
        ("street.onnx", "models/street.onnx"),
        ("Streets.onnx", "models/street.onnx"),
        ("models/sign.onnx", "models/signs.onnx"),
        ("elsewhere/street.onnx", "models/street.onnx"),
    ],
)
def test_a_model_is_looked_for_beside_it_and_in_the_folder_of_models(folder, named, meant):
    """By its name, its stem or what is like them."""
    assert of_missing(named, folders=("models",), suffix=".onnx") == f"; did you mean {meant}?"


def test_a_file_of_any_kind_is_looked_for_beside_it(folder):
    """Whatever its suffix; hidden files are not meant."""
    assert of_missing("raod.mp4") == "; did you mean road.mp4?"
    assert of_missing(folder / "camera.toml") == f"; did you mean {folder / 'cameras.toml'}?"
    assert "hidden" not in of_missing("hidden.mp4")
    assert of_missing("modles") == "; did you mean models?"


def test_without_a_similar_one_the_folder_is_named(folder):
    """In which a relative path was looked for; an absolute one says that itself."""
    assert of_missing("nothing.like.it") == f"; the current folder is {folder}"
    assert of_missing("/nothing/like/it") == ""
    assert of_missing("a\0b", folders=("a\0",)) == f"; the current folder is {folder}"


def test_a_backslash_that_became_another_character_is_explained():
    r"""As in "models\best.onnx" in TOML or Python."""
    assert "write / in paths" in of_missing("models\best.onnx")


@pytest.mark.parametrize(
    ("path", "expected", "told"),
    [
        ("cameras.TOML", "recording", "`config`"),
        ("m.onnx", "settings", "`model`"),
        ("labels.jsonl", "video", "edgecls replay"),
        ("road.mp4", "recording", "edgecls run --source"),
        ("best.keras", "video", "edgecls export"),
    ],
)
def test_a_file_of_another_kind_is_sent_where_it_belongs(path, expected, told):
    """By its suffix."""
    assert of_another_kind(path, expected).startswith("; a ")
    assert told in of_another_kind(path, expected)


@pytest.mark.parametrize(
    ("path", "expected"), [("a.mp4", "video"), ("a.jsonl", "recording"), ("a.py", "video"), ("a", "model")]
)
def test_of_a_file_that_may_be_right_nothing_is_said(path, expected):
    """Of its own kind, or of none that is known."""
    assert of_another_kind(path, expected) == ""


def test_a_folder_for_a_file(tmp_path):
    """It is there, it is missing, it is a file."""
    (tmp_path / "file").touch()
    assert of_no_folder(tmp_path) == ""
    assert of_no_folder(tmp_path / "no") == f"the folder {tmp_path / 'no'} does not exist; create it first"
    assert of_no_folder(tmp_path / "file") == f"{tmp_path / 'file'} is no folder"


def test_why_a_file_is_not_written(tmp_path):
    """Its folder is missing; else the words of the system."""
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert "create it first" in why_not_written(tmp_path / "no" / "e.csv", missing)
    assert why_not_written(tmp_path / "e.csv", missing) == "No such file or directory"
    assert why_not_written(Path("e.csv"), OSError(errno.ENOSPC, "No space left")) == "No space left"


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"import cv2\n", True),
        ("caf\u00e9 ".encode() * 9 + b"\xc3", True),
        (b"", False),
        (b"\x00\x01ab", False),
        (b"\xff\xd8", False),
    ],
)
def test_text_is_recognized(start, found):
    """By its first bytes, of which the last character may be cut off."""
    assert is_text(start) is found
