"""The cameras.toml behind a page: changes, undo, and who else may change it."""

from __future__ import annotations

import fcntl
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgecls.errors import ConfigError
from edgecls.run.config import read_config
from edgecls.web.config.file import ChangedError, ClosedError, ConfigFile
from edgecls.web.config.text import Item, Wanted

TEXT = """# the yard
model = "m.onnx"
[[camera]]
name = "gate" # by the road
source = "rtsp://admin:${PASSWORD}@10.0.0.7/1"
[[camera]]
name = "yard"
source = 0
"""
ZONE = {"name": "bay", "area": [0.1, 0.1, 0.2, 0.2], "look": "objects"}


class Known:
    """A file, and what was put in force."""

    def __init__(self, path: Path) -> None:
        self.path, self.applied, self.fault = path, [], None
        self.file = ConfigFile(path, read=read_config, apply=self._apply)

    def _apply(self, config) -> None:
        if self.fault is not None:
            raise self.fault
        self.applied.append(config)

    def save(self, *zones, digest=None, rules=None):
        wanted = Wanted({"zone": [Item(None, zone) for zone in zones], "line": [], "ignore": []}, rules or {})
        return self.file.save("gate", wanted, digest or self.file.state()["hash"])


@pytest.fixture
def known(tmp_path, monkeypatch):
    """A file that may be changed."""
    monkeypatch.setenv("PASSWORD", "secret")
    path = tmp_path / "cameras.toml"
    path.write_text(TEXT)
    path.chmod(0o640)
    return Known(path)


def beside(known):
    """The names of the files in the folder."""
    return sorted(one.name for one in known.path.parent.iterdir())


def test_a_change_is_in_force_and_in_the_file(known):
    """The former file is kept beside, with the same mode, and nothing else is left over."""
    answer = known.save(ZONE)
    (config,) = known.applied
    assert config.camera[0].zone[0].name == "bay"
    assert config.where.file == str(known.path)
    assert known.path.read_text().startswith(TEXT.partition('[[camera]]\nname = "yard')[0])
    assert (answer["zone"], answer["can_undo"], answer["why"]) == ([ZONE], True, "")
    assert (known.path.with_name("cameras.toml.bak").read_text(), beside(known)) == (TEXT, ["cameras.toml", "cameras.toml.bak"])
    assert {stat.S_IMODE(path.stat().st_mode) for path in known.path.parent.iterdir()} == {0o640}


def test_what_the_page_reads_has_no_source(known):
    """Neither the password nor its variable."""
    assert not {"secret", "PASSWORD", "rtsp"} & set(str(known.file.camera("gate")).replace(":", " ").split())
    assert "10.0.0.7" not in str(known.file.camera("gate"))


def test_changes_are_undone_one_by_one(known):
    """In the run and in the file; afterwards there is nothing to undo."""
    known.save(ZONE)
    first = known.path.read_text()
    second = known.save({**ZONE, "name": "other"})
    undone = known.file.undo(second["hash"])
    assert (known.path.read_text(), undone["can_undo"]) == (first, True)
    last = known.file.undo(undone["hash"])
    assert (known.path.read_text(), last["can_undo"], known.applied[-1].camera[0].zone) == (TEXT, False, ())
    with pytest.raises(ConfigError, match="no change of this page to undo"):
        known.file.undo(last["hash"])


@pytest.mark.parametrize("act", ["save", "undo", "test"])
def test_a_file_that_was_changed_meanwhile_is_not_overwritten(known, act):
    """Neither by a change nor by undo."""
    digest = known.save(ZONE)["hash"]
    by_hand = known.path.read_text() + "# by hand\n"
    known.path.write_text(by_hand)
    wanted = Wanted({"zone": [], "line": [], "ignore": []}, {})
    arguments = (digest,) if act == "undo" else ("gate", wanted, digest)
    with pytest.raises(ChangedError, match="was changed by somebody else meanwhile; load it anew"):
        getattr(known.file, act)(*arguments)
    assert (known.path.read_text(), len(known.applied), known.file.state()["can_undo"]) == (by_hand, 1, False)


def test_a_change_during_the_switch_is_noticed(known):
    """The run goes back to what it had."""

    def apply(config) -> None:
        known.applied.append(config)
        known.path.write_text("# by hand\n")

    known.file._apply = apply
    with pytest.raises(ChangedError):
        known.save(ZONE)
    assert (known.path.read_text(), known.applied[-1].camera[0].zone) == ("# by hand\n", ())


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError()])
def test_a_failure_after_the_switch_is_undone_whatever_it_is(known, monkeypatch, error):
    """The run goes back to what the file says."""

    def fail(*_):
        raise error

    before = known.path.read_text()
    monkeypatch.setattr(ConfigFile, "_data", lambda self, of=ConfigFile._data: fail() if known.applied else of(self))
    with pytest.raises((ClosedError, MemoryError)):
        known.save(ZONE)
    assert known.path.read_text() == before
    assert [len(config.camera[0].zone) for config in known.applied] == [1, 0]


@pytest.mark.parametrize(
    ("zone", "fault"),
    [
        ({"name": "b", "area": [0.1, 0.1, 2.0, 0.2]}, r'^cameras\.toml:\d+: camera "gate": zone "b": area: .* outside'),
        ({"name": "bay", "area": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "crosses the one from"),
        ({"name": "", "area": [0.1, 0.1, 0.2, 0.2]}, "name must be a text other than"),
        ({"name": "bay", "area": [0.1, 0.1, 0.2, 0.2], "dwel_s": 3}, "did you mean dwell_s"),
    ],
)  # fmt: skip
def test_what_is_not_valid_changes_nothing(known, zone, fault):
    """It is read by the same code as every cameras.toml; the message names the file, not the one beside it."""
    with pytest.raises(ConfigError, match=fault):
        known.save(zone)
    assert (known.path.read_text(), known.applied, beside(known)) == (TEXT, [], ["cameras.toml"])


def test_what_the_run_refuses_changes_nothing(known):
    """As a label that the model does not have."""
    known.fault = ConfigError("the model has no label 'cat'")
    with pytest.raises(ConfigError, match="no label 'cat'"):
        known.save(ZONE)
    assert known.path.read_text() == TEXT


def test_a_test_changes_nothing(known):
    """And without pictures it knows nothing."""
    wanted = Wanted({"zone": [Item(None, ZONE)], "line": [], "ignore": []}, {"track": {"settle": 20}})
    tried = known.file.test("gate", wanted, known.file.state()["hash"])
    assert tried == {"events": [], "before": 0, "frames": 0, "seconds": 0.0, "notes": []}
    assert (known.path.read_text(), known.applied, beside(known)) == (TEXT, [], ["cameras.toml"])


def test_a_read_only_file_is_said(known):
    """In one sentence, before and when somebody tries."""
    known.path.chmod(0o440)
    assert known.file.camera("gate")["why"] == "cameras.toml is read-only, so nothing can be changed here"
    with pytest.raises(ClosedError, match="is read-only"):
        known.save(ZONE)
    assert (known.path.read_text(), known.applied) == (TEXT, [])


def test_a_file_in_a_folder_that_cannot_be_written_is_said(known, monkeypatch):
    """Where no file can be put beside it."""
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: allowed(path, mode) and Path(path) != known.path.parent)
    assert known.file.state()["why"] == "the folder of cameras.toml is read-only, so nothing can be changed here"


def test_a_file_that_another_process_holds_is_said(known):
    """And it can be changed again as soon as it is free."""
    with known.path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ClosedError, match=r"another process is using cameras\.toml"):
            known.save(ZONE)
        assert known.applied == []
    assert known.save(ZONE)["why"] == ""


def test_many_readers_do_not_stand_in_their_own_way(known):
    """Nobody is told that another process has the file, when it is this one."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: known.file.state()["why"], range(200)))
    assert set(answers) == {""}


def test_a_link_stays_a_link(known, tmp_path):
    """What it leads to is changed."""
    link = tmp_path / "inner" / "link.toml"
    link.parent.mkdir()
    link.symlink_to(known.path)
    file = ConfigFile(link, read=read_config, apply=lambda _config: None)
    file.save("gate", Wanted({"zone": [Item(None, ZONE)], "line": [], "ignore": []}, {}), file.state()["hash"])
    assert (link.is_symlink(), "bay" in known.path.read_text()) == (True, True)


@pytest.mark.parametrize(("mark", "line_end"), [(b"", "\n"), (b"", "\r\n"), (b"\xef\xbb\xbf", "\r\n")])
def test_line_ends_and_byte_order_marks_stay(known, mark, line_end):
    """As Windows editors write them."""
    known.path.write_bytes(mark + TEXT.replace("\n", line_end).encode())
    known.save(ZONE)
    after = known.path.read_bytes()
    assert after.startswith(mark + b"# the yard" + line_end.encode())
    assert after.count(b"\r\n") == (after.count(b"\n") if line_end == "\r\n" else 0)


@pytest.mark.parametrize("data", [TEXT.replace("\n", "\r\n", 1).encode(), "# Größe".encode("latin-1"), b"a = 1\r"])
def test_a_file_of_another_kind_is_left_alone(known, data):
    """Its author must change it."""
    known.path.write_bytes(data)
    with pytest.raises(ConfigError, match="only an editor can change it"):
        known.file.camera("gate")
