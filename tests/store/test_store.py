"""A store keeps every label that was acknowledged, whatever happens, and never a half picture."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

import edgecls
from edgecls import image
from edgecls.store import Origin, Store, sweep
from edgecls.store.schema import APPLICATION_ID, MIGRATIONS
from edgecls.store.upkeep import ORPHAN_AGE_S


def picture(seed=0, size_hw=(24, 32)):
    """Noise that is smooth enough to survive JPEG."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (*size_hw, 3), np.uint8)


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    with Store(tmp_path / "store") as opened:
        yield opened


def test_a_picture_comes_back_as_it_was(store):
    """With its origin; embeddings as float16, hashes with their highest bit."""
    origin = Origin(
        camera="gate", region="door", at_s=1_800_000_000.5, time_s=12.25, file="day.mp4", event="0123456789abcdef", track=7,
        reason="doubtful", model="gate.onnx", prediction="open", score=0.5, embedding=np.array([0.5, -2], np.float32),
        embedded_by="efficientnet-lite0", hash=(1 << 63) + 1,
    )  # fmt: skip
    entry = store.entry(store.add(picture(), origin))
    assert np.array_equal(image.load(entry.path), picture())
    assert (entry.size_hw, entry.bytes, entry.label) == ((24, 32), entry.path.stat().st_size, "")
    for name in Origin.__dataclass_fields__:
        assert np.array_equal(getattr(entry.origin, name), getattr(origin, name)), name
    assert entry.path.relative_to(store.folder).as_posix().startswith("pictures/2027-01-15/gate-080000-")


def test_what_is_not_stated_is_unknown(store):
    """Even when it was taken; it has a hash, and is named after the time at which it was stored."""
    entry = store.entry(store.add(np.full((8, 8), 7, np.uint8)))
    assert (entry.origin.camera, entry.origin.track, entry.origin.embedding) == ("", None, None)
    assert entry.origin.at_s is None
    assert entry.path.parent.name == time.strftime("%Y-%m-%d", time.gmtime())
    assert entry.origin.hash == 0


def test_large_pictures_are_jpeg_and_small_ones_are_lossless(store):
    """128 x 128 pixels are small."""
    assert store.entry(store.add(picture(size_hw=(128, 128)))).path.suffix == ".png"
    assert store.entry(store.add(picture(size_hw=(129, 128)))).path.suffix == ".jpg"


def test_a_file_is_copied_byte_for_byte(store, tmp_path):
    """What is no picture is refused, and leaves nothing behind."""
    (tmp_path / "one.png").write_bytes(image.encode_png(picture()))
    entry = store.entry(store.add_file(tmp_path / "one.png"))
    assert entry.path.read_bytes() == (tmp_path / "one.png").read_bytes()
    (tmp_path / "two.png").write_text("no picture")
    with pytest.raises(edgecls.DataError, match=r"two\.png"):
        store.add_file(tmp_path / "two.png")
    assert len(list(store.folder.glob("pictures/*/*"))) == 1


def test_labels_are_counted_and_have_a_history(store):
    """The last one counts; who said what stays known."""
    a, b, c = (store.add(picture(i)) for i in range(3))
    store.label([a, b], "open", author="anna")
    store.label([b], "closed", author="ben")
    store.reject([c], author="ben")
    assert store.counts() == {"closed": 1, "open": 1}
    assert [entry.id for entry in store.entries("labelled")] == [a, b]
    assert [entry.id for entry in store.entries("unusable")] == [c]
    assert [said[:3] for said in store.history(b)] == [("open", False, "anna"), ("closed", False, "ben")]


def test_undo_takes_back_one_stroke_after_the_other(store):
    """Each call goes one further back; then there is nothing left."""
    a, b = store.add(picture(1)), store.add(picture(2))
    store.label([a, b], "open", author="anna")
    store.label([a], "closed", author="ben")
    store.reject([b])
    assert store.undo() == 1
    assert (store.entry(b).label, store.entry(b).is_unusable, store.entry(b).author) == ("open", False, "anna")
    assert store.undo() == 1
    assert (store.entry(a).label, store.entry(a).author) == ("open", "anna")
    assert store.undo() == 2
    assert store.counts() == {"": 2}
    assert store.entry(a).labelled_at_s is None
    assert store.undo() == 0


def test_undoing_an_older_stroke_keeps_what_was_said_since(store):
    """Of two pictures labelled at once, the one that was corrected keeps the correction."""
    a, b = store.add(picture(1)), store.add(picture(2))
    stroke = store.label([a, b], "open")
    store.label([b], "closed")
    assert store.undo(stroke) == 1
    assert (store.entry(a).label, store.entry(b).label) == ("", "closed")


def test_labels_are_one_line(store):
    """A tab, a line break or spaces around it are refused before anything is written."""
    number = store.add(picture())
    for label in ("a\nb", " a", "a\t", "x" * 256):
        with pytest.raises(edgecls.DataError, match="expected a text on one line"):
            store.label([number], label)
    assert store.history(number) == []


def test_a_stroke_with_a_picture_that_does_not_exist_changes_nothing(store):
    """Not even the pictures before it."""
    number = store.add(picture())
    with pytest.raises(edgecls.DataError, match="has no picture 99"):
        store.label([number, 99], "open")
    assert store.counts() == {"": 1}


def test_a_model_may_say_something_later(store):
    """Its prediction and its embedding; nothing else can be overwritten."""
    number = store.add(picture())
    store.update(number, prediction="open", score=0.75, embedding=np.ones(3, np.float32))
    assert store.entry(number).origin.prediction == "open"
    assert store.entry(number).origin.embedding.tolist() == [1, 1, 1]
    with pytest.raises(TypeError, match="label cannot be set"):
        store.update(number, label="open")


def test_room_is_made_by_removing_the_oldest_without_a_label(store):
    """A labelled or unusable picture stays; what is still missing is said."""
    numbers = [store.add(picture(i)) for i in range(4)]
    size = store.entry(numbers[0]).bytes
    store.label([numbers[0]], "open")
    store.reject([numbers[1]])
    total = sum(entry.bytes for entry in store.entries())
    assert store.make_room(0, total) == 0
    assert store.make_room(size // 2, total) == 0
    assert [entry.id for entry in store.entries()] == [numbers[0], numbers[1], numbers[3]]
    assert len(list(store.folder.glob("pictures/*/*"))) == 3
    assert store.make_room(10 * size, size) > 0
    assert [entry.id for entry in store.entries()] == [numbers[0], numbers[1], numbers[3]]


def test_numbers_are_never_used_again(store):
    """Whoever remembers a number does not label another picture."""
    number = store.add(picture())
    store.remove([number])
    assert store.add(picture()) > number


def test_a_store_can_be_moved(store, tmp_path):
    """Paths within it are relative."""
    store.label([store.add(picture())], "open")
    store.close()
    shutil.move(store.folder, tmp_path / "elsewhere")
    with Store(tmp_path / "elsewhere", create=False) as moved:
        assert [entry.path.is_file() for entry in moved.entries("labelled")] == [True]


def test_two_programs_may_use_a_store(store):
    """Each sees what the other wrote."""
    with Store(store.folder) as other:
        a, b = store.add(picture(1)), other.add(picture(2))
        store.label([b], "open")
        other.label([a], "closed")
        assert store.counts() == other.counts() == {"closed": 1, "open": 1}


def test_sqlite3_reads_it(store):
    """With plain names, while it is open."""
    store.label([store.add(picture(), Origin(camera="gate"))], "open", author="anna")
    with sqlite3.connect(f"file:{store.folder}/store.sqlite?mode=ro", uri=True) as db:
        assert db.execute("SELECT camera, label, author FROM pictures").fetchall() == [("gate", "open", "anna")]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_sweeping_removes_what_a_killed_program_left(store):
    """Old files without a row; not those that may be about to get one, nor pictures."""
    number = store.add(picture())
    folder = store.entry(number).path.parent
    old, new = folder / "old.png", folder / "new.png"
    for file in (old, new):
        file.write_bytes(b"x")
    os.utime(old, (0, time.time() - ORPHAN_AGE_S - 1))
    assert sweep(store) == 1
    assert (old.exists(), new.exists()) == (False, True)
    assert store.entry(number).path.is_file()
    assert sweep(store) == 0


def test_a_store_of_the_first_version_goes_on(tmp_path):
    """Its pictures have no box, and new ones may have one."""
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.executescript(MIGRATIONS[0])
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA user_version=1")
    with Store(tmp_path) as store:
        number = store.add(np.zeros((9, 9), np.uint8), Origin(box=(1, 2, 8, 9)))
        assert store.entry(number).origin.box == (1, 2, 8, 9)
        assert store.entry(store.add(np.zeros((9, 9), np.uint8))).origin.box is None


def test_a_newer_store_is_refused(store):
    """One line with both versions."""
    store.close()
    with sqlite3.connect(store.folder / "store.sqlite") as db:
        db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(edgecls.DataError, match=f"version {len(MIGRATIONS) + 1}, this edgecls knows {len(MIGRATIONS)}"):
        Store(store.folder)


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + bytes(200), b"no database at all" * 100])
def test_a_damaged_store_is_refused(tmp_path, content):
    """It is not overwritten: labels are the work of a person."""
    (tmp_path / "store.sqlite").write_bytes(content)
    with pytest.raises(edgecls.DataError, match="is damaged or no database"):
        Store(tmp_path)
    assert (tmp_path / "store.sqlite").read_bytes() == content


def test_the_database_of_another_program_is_refused(tmp_path):
    """Nothing is written to it."""
    with sqlite3.connect(tmp_path / "store.sqlite") as db:
        db.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(edgecls.DataError, match="is the database of another program"):
        Store(tmp_path)


def test_a_folder_without_a_store_is_not_made_one_unasked(tmp_path):
    """Only to read it."""
    with pytest.raises(edgecls.DataError, match="expected a store of pictures"):
        Store(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_written_says_so(store, monkeypatch):
    """A full disk gives one line, and no half picture."""
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(edgecls.DataError, match=r"cannot be (used|written) .*No space left on device"):
        store.add(picture())
    assert list(store.folder.glob("pictures/*/*")) == []
    assert store.counts() == {}


def test_a_picture_that_got_a_label_meanwhile_is_not_removed(store):
    """Whoever chose it for removal did not know; the label was given by another program."""
    a, b, c = (store.add(picture(i)) for i in range(3))
    store.label([a], "open")
    store.reject([b])
    store.remove([a, b, c], labelled=False)
    assert [entry.id for entry in store.entries()] == [a, b]
    assert store.history(a)
    store.remove([a])
    assert [entry.id for entry in store.entries()] == [b]


def test_what_is_still_there(store):
    """In the order that was asked for."""
    a, b, c = (store.add(picture(i)) for i in range(3))
    store.remove([b])
    assert [entry.id for entry in store.present([c, b, a, 99])] == [c, a]
