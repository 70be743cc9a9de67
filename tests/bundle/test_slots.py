"""The slots on a device: whatever happens while a bundle is installed, the one in use stays whole and in use."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from edgecls.bundle import BundleError, Slots, slots, unpacking
from edgecls.errors import ConfigError, ModelError
from tests.bundle.made import KEY, OTHER, PART, signed, written
from tests.conftest import ROOT

KEYS = (KEY.public,)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Bundles of the versions 1 to 6, by version."""
    folder = tmp_path_factory.mktemp("bundles")
    return {version: written(folder, version, part=PART) for version in range(1, 7)}


def kept(found):
    """The versions that are unpacked in a folder of slots."""
    return sorted(int(path.name.partition("-")[0]) for path in (found.folder / "versions").iterdir())


def refusal(found, path, keys=KEYS, **settings):
    """Why a bundle is not installed; what is in use stays as it is."""
    before = found.state()
    with pytest.raises(BundleError) as caught:
        found.install(path, keys, **settings)
    after = found.state()
    assert replace(after, refused=None) == replace(before, refused=None)
    assert not (found.folder / "versions" / ".unpacking").exists()
    if after.refused != before.refused:
        assert (after.refused.reason, after.refused.text) == (caught.value.reason, str(caught.value))
    return caught.value.reason, str(caught.value)


def test_a_bundle_is_installed_tried_and_kept(made, tmp_path):
    """Then the next one, and so on; the last three good ones stay on the disk."""
    found = Slots(tmp_path / "slots")
    assert (found.current, found.last_good, found.state().outcome) == (None, None, "none")
    assert not found.folder.exists()
    for version, path in made.items():
        installed = found.install(path, KEYS)
        assert (installed.is_new, installed.slot.version) == (True, version)
        assert found.current.version == version
        assert found.current.part.read_bytes() == PART
        assert found.state().outcome == "waiting"
        found.taken((100, 0.9, 0.1))
        state = found.state()
        assert (state.outcome, state.starts, state.before) == ("trial", 1, (100, 0.9, 0.1))
        assert (0 if found.last_good is None else found.last_good.version) == version - 1
        found.keep_current()
        assert (found.state().outcome, found.last_good.version) == ("applied", version)
    assert kept(found) == [4, 5, 6]
    assert found.state().floor == 6


def test_the_same_bundle_again_is_no_error(made, tmp_path):
    """Whether it is on trial or kept; one that was damaged on the disk is unpacked again."""
    found = Slots(tmp_path)
    slot = found.install(made[1], KEYS).slot
    found.taken()
    assert not found.install(made[1], KEYS).is_new
    found.keep_current()
    assert not found.install(made[1], KEYS).is_new
    assert found.state().outcome == "applied"
    slot.model.write_bytes(b"")
    with pytest.raises(BundleError, match="was changed since it was installed"):
        _ = found.current
    assert found.install(made[1], KEYS).is_new
    assert found.current.model.stat().st_size


def test_an_older_bundle_is_refused_also_after_a_roll_back(made, tmp_path):
    """The floor only grows: not the replayed one, not the one that failed, not another of the same version."""
    found = Slots(tmp_path / "slots")
    found.install(made[2], KEYS)
    found.keep_current()
    found.install(made[3], KEYS)
    found.taken()
    assert found.roll_back("47 % are unknown").version == 2
    state = found.state()
    assert (state.outcome, state.reason, state.version, state.floor) == ("rolled back", "47 % are unknown", 3, 3)
    for version in (1, 3):
        reason, line = refusal(found, made[version])
        assert (reason, "is not newer than 3, which was taken already" in line) == ("older", True)
    assert not found.install(made[2], KEYS).is_new
    other = written(tmp_path, 3)
    assert "was taken already with other content" in refusal(found, other)[1]
    found.install(made[4], KEYS)
    assert found.current.version == 4


def test_what_is_known_of_a_bundle_is_not_noted_of_the_next_one(made, tmp_path):
    """A newer one may be installed while the trial of the one before ends: it is neither kept nor rolled back for that one."""
    found = Slots(tmp_path)
    first = found.install(made[1], KEYS).slot.id
    found.taken(id_=first)
    found.install(made[2], KEYS)
    before = found.state()
    found.taken((100, 0.9, 0.1), id_=first)
    assert not found.keep_current(id_=first)
    with pytest.raises(BundleError, match="not in use any more") as caught:
        found.roll_back("47 % are unknown", id_=first)
    assert caught.value.reason == "other"
    assert (found.state(), before.outcome) == (before, "waiting")
    assert found.keep_current(id_=before.current)
    assert found.state().outcome == "applied"


def test_roll_back_goes_to_the_good_one_before(made, tmp_path):
    """At last to the model of cameras.toml; then there is nothing left."""
    found = Slots(tmp_path)
    for version in (1, 2):
        found.install(made[version], KEYS)
        found.keep_current()
    assert found.roll_back("by hand").version == 1
    assert found.last_good.version == 1
    assert found.roll_back("by hand", outcome="refused") is None
    assert (found.current, found.state().outcome, found.state().floor) == (None, "refused", 2)
    with pytest.raises(BundleError, match="nothing to roll back"):
        found.roll_back("by hand")


def test_what_is_refused_changes_nothing(made, tmp_path):
    """Keys, tampering, another name, a setting, a model that does not fit: the reason is in the state."""
    found = Slots(tmp_path / "slots")
    found.install(made[1], KEYS)
    found.keep_current()
    assert refusal(found, made[2], (OTHER.public,))[0] == "signature"
    assert found.state().refused.version == 0
    content = made[2].read_bytes()
    bad = tmp_path / "bad.bundle"
    at = content.index(b"ReduceMean")
    bad.write_bytes(content[:at] + b"X" + content[at + 1 :])
    assert refusal(found, bad)[0] == "tampered"
    assert found.state().refused.version == 2
    bad.write_bytes(content[:-700])
    assert refusal(found, bad)[0] == "truncated"
    assert "takes those of light" in refusal(found, written(tmp_path, 9, name="other"))[1]
    assert refusal(Slots(tmp_path / "named", name="street"), made[1])[0] == "name"
    bad.write_bytes(signed([("model.onnx", b"m"), ("cameras.part.toml", b'model = "mine.onnx"\n')], version=5))
    reason, line = refusal(found, bad)
    assert (reason, "no bundle may set model" in line) == ("part", True)

    def unfit(slot):
        assert slot.model.is_file()
        raise ModelError("its answers differ on this machine")

    reason, line = refusal(found, made[2], check=unfit)
    assert (reason, line.endswith("does not fit this device: its answers differ on this machine")) == ("check", True)
    with pytest.raises(ConfigError, match=r"none\.pub"):
        found.install(made[2], [tmp_path / "none.pub"])
    assert kept(found) == [1]
    assert found.install(made[2], KEYS).is_new


def test_a_run_that_never_closes_within_its_trial_is_rolled_back(made, tmp_path):
    """At the third start. A run that closes is no fault, however often."""
    found = Slots(tmp_path)
    found.install(made[1], KEYS)
    found.keep_current()
    found.install(made[2], KEYS)
    for _ in range(5):
        assert found.starting().starts == 1
        found.taken()
        found.ended()
        assert found.state().starts == 0
    assert [found.starting().starts for _ in range(2)] == [1, 2]
    state = found.starting()
    assert (state.outcome, state.version, found.current.version) == ("rolled back", 2, 1)
    assert state.reason == "2 runs ended within its trial without closing"
    assert found.starting() == state


class Killed(BaseException):
    """Stands for the end of the process: nothing that would clean up may run."""


def killed_at(count, monkeypatch):
    """Let the program die at the n-th call that changes the disk. Returns the list of calls."""
    calls = []

    def dying(name, act):
        def call(*arguments, **settings):
            calls.append(name)
            if len(calls) == count:
                raise Killed
            return act(*arguments, **settings)

        return call

    monkeypatch.setattr(os, "fsync", dying("fsync", os.fsync))
    monkeypatch.setattr(os, "replace", dying("replace", os.replace))
    monkeypatch.setattr("pathlib.Path.rename", dying("rename", type(ROOT).rename))
    monkeypatch.setattr("pathlib.Path.mkdir", dying("mkdir", type(ROOT).mkdir))
    monkeypatch.setattr(unpacking, "remove", lambda folder: None)
    monkeypatch.setattr(slots, "remove", lambda folder: None)
    return calls


def test_killed_at_any_step_the_bundle_in_use_stays(made, tmp_path):
    """At each call that changes the disk, of an install and of what follows it. The next call finishes the work."""
    steps = 0
    for count in range(1, 100):
        found = Slots(tmp_path / str(count))
        found.install(made[1], KEYS)
        found.keep_current()
        with pytest.MonkeyPatch.context() as patched:
            calls = killed_at(count, patched)
            try:
                found.install(made[2], KEYS)
                found.taken()
                found.keep_current()
            except Killed:
                steps += 1
            else:
                break
        assert calls
        assert found.current.version in (1, 2)
        assert found.last_good.version in (1, 2)
        assert found.last_good.version == 1 or found.state().outcome == "applied"
        found.starting()
        assert kept(found) == ([1, 2] if found.current.version == 2 else [1])
        found.install(made[2], KEYS)
        assert found.current.version == 2
    assert steps > 10
    assert found.state().outcome == "applied"


KILL = """
import sys, edgecls.bundle as b
keys = b.load_keys([sys.argv[2]])
found = b.Slots(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[3:]:
    found.install(path, keys)
    found.taken()
    found.keep_current()
print("done", flush=True)
"""


def test_killed_by_the_system(made, tmp_path):
    """With kill -9, at random moments of five installs in a row: always one whole bundle is in use."""
    rng = random.Random(19)  # noqa: S311 - not a secret
    public = tmp_path / "fleet.pub"
    public.write_text(KEY.public.line)
    versions = set()
    for i in range(6):
        found = Slots(tmp_path / str(i))
        command = [sys.executable, "-c", KILL, str(found.folder), str(public), *map(str, list(made.values())[:5])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
            process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(rng.uniform(0.0, 0.06))
            process.send_signal(signal.SIGKILL)
        versions.add(0 if found.current is None else found.current.version)
        found.starting()
        assert not found.folder.exists() or not (found.folder / "versions" / ".unpacking").exists()
        found.install(made[6], KEYS)
        assert found.current.version == 6
    assert versions <= {0, 1, 2, 3, 4, 5}


def test_a_full_disk_leaves_the_bundle_in_use(made, tmp_path, monkeypatch):
    """Whether the room is known to be too small, or ends at any write; nothing of the new one is left."""
    found = Slots(tmp_path / "slots")
    found.install(made[1], KEYS)
    found.keep_current()
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 0))
        reason, line = refusal(found, made[2])
        assert (reason, "MB are free" in line) == ("disk", True)
    sync, first, count = os.fsync, 0, 0

    def full(descriptor):
        nonlocal count
        count += 1
        if count >= first:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    for until in range(1, 8):  # the files, the folders, and state.json
        first, count = until, 0
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            reason, line = refusal(found, made[2])
            assert (reason, "No space left" in line, kept(found)) == ("disk", True, [1])
    found.install(made[2], KEYS)
    assert found.current.version == 2


def test_a_limit_of_the_file_size_is_a_full_disk(made, tmp_path):
    """The system itself refuses the writes, in a process of its own."""
    public = tmp_path / "fleet.pub"
    public.write_text(KEY.public.line)
    found = Slots(tmp_path / "slots")
    found.install(made[1], KEYS)
    found.keep_current()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))

    command = [sys.executable, "-c", KILL, str(found.folder), str(public), str(made[2])]
    done = subprocess.run(command, input=b"\n", capture_output=True, cwd=ROOT, preexec_fn=limit, check=False)
    assert b"BundleError" in done.stderr
    assert b"File too large" in done.stderr
    assert (found.current.version, kept(found)) == (1, [1])


def test_two_programs_install_one_after_the_other(made, tmp_path):
    """None of them breaks the other's work; the newer one stays."""
    found = Slots(tmp_path)
    faults = []

    def install(path):
        try:
            Slots(tmp_path).install(path, KEYS)
        except BundleError as error:
            faults.append(error.reason)

    threads = [threading.Thread(target=install, args=(made[version],)) for version in (1, 2, 3, 4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.current.version == 6
    assert set(faults) <= {"older"}
    assert found.state().floor == 6


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2}', "null", '{"format": 1, "current": 3}', "\0" * 99])
def test_a_damaged_state_is_said_and_nothing_is_installed(made, tmp_path, content):
    """Without it, old bundles could not be told from new ones."""
    found = Slots(tmp_path)
    found.install(made[1], KEYS)
    (tmp_path / "state.json").write_text(content)
    for act in (found.state, lambda: found.current, lambda: found.install(made[2], KEYS), found.starting, found.keep_current):
        with pytest.raises(BundleError, match=r"state\.json: is damaged .* remove the folder to begin anew"):
            act()


def test_a_folder_that_cannot_be_written_is_said(made, tmp_path):
    """A file in its place."""
    (tmp_path / "slots").write_text("")
    with pytest.raises(BundleError, match="cannot be written") as caught:
        Slots(tmp_path / "slots").install(made[1], KEYS)
    assert caught.value.reason == "disk"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("is_there", [True, False])
def test_what_root_installs_belongs_to_the_owner_of_the_folder(made, tmp_path, is_there):
    """The service that runs it is not root, and must read, replace and remove all of it."""
    os.chown(tmp_path, 65534, 65534)
    found = Slots(tmp_path / "slots")
    if is_there:
        found.folder.mkdir()
        os.chown(found.folder, 65534, 65534)
    for version in (1, 2):
        found.install(made[version], KEYS)
        found.keep_current()
    paths = [found.folder, *found.folder.rglob("*")]
    assert found.folder / "state.json" in paths
    assert {path.name for path in paths if path.stat().st_uid != 65534} == set()
