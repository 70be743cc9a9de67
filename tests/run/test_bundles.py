"""A run on a device with bundles: it takes a new one between two frames, keeps it, refuses it, or rolls it back by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from edgecls import ConfigError, Run, read_config, swap_model
from edgecls.bundle import BundleError
from edgecls.run import bundle_keeper
from edgecls.run.bundled import merged_with
from edgecls.sink import ListSink
from edgecls.web.learn.in_use import OF_BUNDLE, ModelsInUse
from tests.bundle.made import KEY, OTHER, light, written
from tests.conftest import ROOT
from tests.drawn import gray_levels, write_video

CAMERAS = """\
model = "factory.onnx"
quiet = true

[bundle]
folder = "slots"
keys = ["fleet.pub"]
{bundle}

[[camera]]
name = "lamp"
source = "lamp.avi"
health = {{ off = true }}
{camera}
"""


@pytest.fixture(autouse=True)
def _quick(tmp_path, monkeypatch):
    """Look for other bundles often, in a folder of its own."""
    monkeypatch.setattr(bundle_keeper, "WATCH_EVERY_S", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def device(tmp_path, levels=(0,) * 200, *, bundle="", camera=""):
    """Write a cameras.toml, its model, its key, and the video that it sees. Returns its path."""
    (tmp_path / "factory.onnx").write_bytes(light(note="factory"))
    (tmp_path / "fleet.pub").write_text(KEY.public.line)
    write_video(tmp_path / "lamp.avi", gray_levels(levels))
    path = tmp_path / "cameras.toml"
    path.write_text(CAMERAS.format(bundle=bundle, camera=camera))
    return path


def ran(path, at=None, slow_s=0.002):
    """Run it; `at` gets the run and the index of each frame. Returns the results, what was said, and the last state."""
    said, kept = [], ListSink()
    with Run(path, say=said.append) as run:
        run.sinks.append(kept)
        for result, _ in run:
            if at is not None:
                at(run, result.frame.index)
            time.sleep(slow_s)
        state = run.bundles.state()
    return kept.results, said, state


def installs(bundle, index=50, wait_s=0.4):
    """Install a bundle at a frame, while the run goes on."""

    def at(run, frame):
        if frame == index:
            run.bundles.install(bundle)
        if frame in (index + 1, index + 2):
            time.sleep(wait_s)

    return at


def test_a_run_takes_a_bundle_tries_it_and_keeps_it(tmp_path):
    """No frame is lost, results name the bundle, the outcomes are told in their order, the next run begins with it."""
    path = device(tmp_path, bundle="trial = { frames = 40 }")
    outcomes = []
    take = installs(written(tmp_path, 7, "black", "gray", "white"))

    def at(run, frame):
        if frame == 0:
            run.bundles.on_change(lambda state: outcomes.append(state.outcome))
        take(run, frame)

    results, said, state = ran(path, at)
    assert [result.frame.index for result in results] == list(range(200))
    labels = [result.detections[0].prediction.label for result in results]
    assert labels[:50] == ["dark"] * 50
    assert labels[-100:] == ["black"] * 100
    assert results[-1].model == "light-7"
    assert (state.outcome, state.current, state.last_good) == ("applied", state.id, state.id)
    assert outcomes[-2:] == ["trial", "applied"]
    assert any(line.startswith("bundle light 7: in use for 40 frames") for line in said)
    again, _, _ = ran(path, slow_s=0)
    assert {result.model for result in again} == {"light-7"}


def test_a_bundle_that_comes_while_another_is_kept_has_a_trial_of_its_own(tmp_path):
    """The trial of the first one ends while the second one is being installed, which says nothing of the second one."""
    path = device(tmp_path, (0,) * 400, bundle="trial = { frames = 40 }")
    first, second = written(tmp_path, 7), written(tmp_path, 8)
    outcomes, is_installed, taken_at = [], threading.Event(), []

    def at(run, frame):
        if frame == 0:
            run.bundles.on_change(lambda state: outcomes.append((state.version, state.outcome)))
            run.bundles.install(first)
        if not taken_at and run.config.bundled.id:
            taken_at.append(frame)
            run.bundles._todo.put(is_installed.wait)
        if taken_at and frame == taken_at[0] + 60:
            run.bundles.slots.install(second, [KEY.public])
            is_installed.set()
        if not taken_at or (is_installed.is_set() and (8, "trial") not in outcomes):
            time.sleep(0.2)  # it needs frames to go on, and must not run out of them on a busy machine

    _, _, state = ran(path, at)
    assert (state.version, state.outcome) == (8, "applied")
    assert [outcome for version, outcome in outcomes if version == 8][-2:] == ["trial", "applied"]


def test_a_bundle_that_another_program_installs_is_not_overlooked(tmp_path):
    """Even if the run tells of the one before at that moment."""
    path = device(tmp_path, (0,) * 300, bundle="trial = { frames = 40 }")
    bundle = written(tmp_path, 7)

    def at(run, frame):
        if frame == 20:
            run.bundles.slots.install(bundle, [KEY.public])
            run.bundles._tell()
        if frame >= 20 and not run.config.bundled.id:
            time.sleep(0.02)

    _, _, state = ran(path, at)
    assert (state.version, state.outcome) == (7, "applied")


def test_a_bundle_that_is_damaged_before_it_is_taken_is_refused(tmp_path):
    """Also if the run goes on with a good bundle, which the configuration then has instead."""
    path = device(tmp_path, (0,) * 400, bundle="trial = { frames = 40 }")
    first, second = written(tmp_path, 7), written(tmp_path, 8)
    outcomes, is_damaged = [], threading.Event()

    def at(run, frame):
        if frame == 0:
            run.bundles.on_change(lambda state: outcomes.append((state.version, state.outcome)))
            run.bundles.install(first)
        if (7, "applied") in outcomes and not is_damaged.is_set():
            run.bundles._todo.put(is_damaged.wait)
            run.bundles.slots.install(second, [KEY.public]).slot.model.write_bytes(b"")
            is_damaged.set()
        if not is_damaged.is_set() or (8, "refused") not in outcomes:
            time.sleep(0.02)

    results, said, state = ran(path, at)
    assert (state.version, state.outcome, state.current) == (8, "refused", state.last_good)
    assert results[-1].model == "light-7"
    assert any(line.startswith("bundle light 8: refused, the run goes on as before") for line in said)


def test_a_bundle_that_waited_for_a_run_is_on_trial_in_it(tmp_path):
    """Whoever asks is not told that it still waits; the next run goes on with its trial."""
    path = device(tmp_path, bundle="trial = { frames = 1000 }")
    slots = read_config(path).bundle.slots
    slots.install(written(tmp_path, 7), [KEY.public])
    for _ in range(2):
        results, _, state = ran(path)
        assert (state.outcome, state.starts) == ("trial", 1)
        assert (results[0].model, slots.state().starts) == ("light-7", 0)


def test_a_start_that_is_interrupted_is_no_failure_of_the_bundle(tmp_path, monkeypatch):
    """Whoever stops a run while it opens its cameras, more than once, does not roll a bundle back."""
    path = device(tmp_path)
    slots = read_config(path).bundle.slots
    slots.install(written(tmp_path, 7), [KEY.public])

    def interrupted(*_, **_settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("edgecls.run.run.open_cameras", interrupted)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                Run(path)
    assert (slots.state().starts, slots.state().outcome) == (0, "waiting")
    Run(path).close()
    assert slots.state().current == slots.state().id


def test_a_bundle_that_does_worse_is_rolled_back(tmp_path):
    """Its scores are low where those before were high; the reason is kept, and the factory model is in use again."""
    path = device(tmp_path, (0,) * 300, bundle="trial = { frames = 40, score = 0.3 }")
    bundle = written(tmp_path, 8, "a", "b", "c", "d", "e", "f", "g", "h", "i")
    results, said, state = ran(path, installs(bundle))
    assert [result.frame.index for result in results] == list(range(300))
    assert (state.outcome, state.current, state.floor) == ("rolled back", "", 8)
    assert "the mean score is" in state.reason
    assert results[-1].model == "factory"
    assert any("light 8: rolled back, because with it the mean score is" in line for line in said)
    with pytest.raises(BundleError, match="not newer than 8"):
        read_config(path).bundle.slots.install(bundle, [KEY.public])


def test_a_bundle_that_follows_one_on_trial_is_compared_with_the_good_one(tmp_path):
    """The one on trial is forgotten: what the next one must keep is the level before both."""
    path = device(tmp_path, (0,) * 240, bundle="trial = { frames = 100, score = 0.3 }")
    first, second = written(tmp_path, 2), written(tmp_path, 3, *"abcdefghi")
    one, two = installs(first), installs(second, 100)

    def at(run, frame):
        one(run, frame)
        two(run, frame)

    results, _, state = ran(path, at)
    assert (state.outcome, state.version, state.current) == ("rolled back", 3, "")
    assert "light-2" in {result.model for result in results}
    assert "1.00 before" in state.reason


def test_a_bundle_that_does_not_fit_is_refused_before_it_is_in_use(tmp_path):
    """A rule names a label that it does not have, or its settings are wrong here; the run does not notice."""
    path = device(
        tmp_path, camera='zone = [{ name = "z", area = [[0, 0], [1, 0], [1, 1], [0, 1]], state = { labels = ["dim"] } }]'
    )
    reasons = []

    def at(run, frame):
        if frame != 10:
            return
        parts = [None, b'[[camera]]\nname = "lamp"\ncount_every_s = -1\n', b'sinks = ["csv:x.csv"]\n']
        for version, part in enumerate(parts, 3):
            bundle = written(tmp_path, version, *(("a", "b", "c") if part is None else ()), part=part)
            with pytest.raises(BundleError) as caught:
                run.bundles.install(bundle)
            reasons.append((caught.value.reason, str(caught.value)))
        with pytest.raises(BundleError, match="not trusted here"):
            run.bundles.install(written(tmp_path, 9, keys=[OTHER]))

    results, _, state = ran(path, at, slow_s=0)
    assert {reason for reason, _ in reasons} == {"check"}
    assert "with bundle light 4" in reasons[1][1]
    assert "without sinks = true in [bundle]" in reasons[2][1]
    assert (state.outcome, state.current) == ("none", "")
    assert {result.model for result in results} == {"factory"}


def test_another_program_installs(tmp_path):
    """The run sees it, as after edgecls bundle apply, and follows a roll-back by hand, too."""
    path = device(tmp_path, (0,) * 120, bundle="trial = { frames = 0 }")
    slots = read_config(path).bundle.slots
    bundle = written(tmp_path, 2)

    def at(run, frame):
        if frame == 20:
            slots.install(bundle, [KEY.public])
        if frame == 70:
            slots.roll_back("by hand")
        if frame in (21, 22, 23, 24, 71, 72, 73):
            time.sleep(0.15)

    results, said, state = ran(path, at)
    models = [result.model for result in results]
    assert models == ["factory"] * models.index("light-2") + ["light-2"] * models.count("light-2") + ["factory"] * (
        120 - models.index("light-2") - models.count("light-2")
    )
    assert models[-1] == "factory"
    assert any("kept, its trial is over" in line for line in said)
    assert (state.outcome, state.reason) == ("rolled back", "by hand")


def test_runs_that_crash_within_the_trial_end_with_the_last_good_one(tmp_path):
    """A real edgecls run is killed twice; the third one begins with the factory model, and says why."""
    path = device(tmp_path, (0,) * 100)
    slots = read_config(path).bundle.slots
    slots.install(written(tmp_path, 3), [KEY.public])
    command = [sys.executable, "-m", "edgecls", "run", "--config", "cameras.toml", "--sink", "jsonl:-"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)
    assert slots.state().outcome in ("waiting", "trial")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "bundle light 3: rolled back, because 2 runs ended within its trial without closing" in done.stderr
    assert '"model": "factory"' in done.stdout
    assert "light-3" not in done.stdout
    assert (slots.state().outcome, slots.current) == ("rolled back", None)


def test_runs_that_end_properly_or_fail_for_a_known_reason_are_no_crashes(tmp_path):
    """However often."""
    path = device(tmp_path, (0,) * 3)
    slots = read_config(path).bundle.slots
    slots.install(written(tmp_path, 3), [KEY.public])
    for _ in range(4):
        assert {result.model for result in ran(path, slow_s=0)[0]} == {"light-3"}
    (tmp_path / "lamp.avi").unlink()
    for _ in range(4):
        with pytest.raises(OSError, match=r"lamp\.avi"):
            Run(path)
    assert slots.state().on_trial
    assert slots.state().starts == 0


def test_what_no_longer_fits_at_the_start_gives_way(tmp_path):
    """A file that was damaged on the disk, settings that cameras.toml no longer allows: the run begins with what works."""
    path = device(tmp_path, (0,) * 3)
    slots = read_config(path).bundle.slots
    slot = slots.install(written(tmp_path, 3, part=b"threads = 2\n"), [KEY.public]).slot
    slots.keep_current()
    assert read_config(path).threads == 2
    slot.model.write_bytes(b"no model")
    _, said, _ = ran(path, slow_s=0)
    assert any("the run begins with the model of cameras.toml" in line and "was changed" in line for line in said)
    (slots.folder / "state.json").write_text("{}")
    with Run(path, say=said.append) as run:
        assert run.config.model == "factory.onnx"
    assert "is damaged" in said[-1]


def test_settings_of_the_device_win(tmp_path):
    """What a bundle brings is underneath; what cameras.toml sets otherwise is kept and reported."""
    part = {
        "threads": 2,
        "sinks": ["csv:b.csv"],
        "each_camera": {
            "when": "motion",
            "track": {"settle": 5},
            "detector": {"score": 0.5},
            "zone": [{"name": "x", "dwell_s": 3}],
        },
        "camera": [
            {"name": "a", "count_every_s": 60, "zone": [{"name": "x", "dwell_s": 9, "look": "objects"}, {"name": "y"}]},
            {"name": "gone"},
        ],
    }
    table = {
        "threads": 1,
        "sinks": ["csv:a.csv"],
        "camera": [{"name": "a", "zone": [{"name": "x", "dwell_s": 4}]}, {"name": "b", "count_every_s": 5}],
    }
    whole, kept, absent = merged_with(part, table)
    a, b = whole["camera"]
    assert a["zone"] == [{"name": "x", "dwell_s": 4, "look": "objects"}, {"name": "y"}]
    assert (a["count_every_s"], a["when"], a["track"]) == (60, "motion", {"settle": 5})
    assert b == {"name": "b", "count_every_s": 5, "when": "motion"}
    assert (whole["threads"], whole["sinks"]) == (1, ["csv:a.csv", "csv:b.csv"])
    assert kept == ["threads", "camera a: zone x: dwell_s"]
    assert absent == ["gone"]
    assert table["sinks"] == ["csv:a.csv"]


def test_the_model_of_a_bundle_is_not_swapped(tmp_path):
    """It changes as a whole, and the page offers nothing else."""
    path = device(tmp_path)
    slot = read_config(path).bundle.slots.install(written(tmp_path, 3), [KEY.public]).slot
    with pytest.raises(ConfigError, match="it is the model of a bundle"):
        swap_model(slot.model, tmp_path / "factory.onnx")
    with Run(path) as run:
        page = ModelsInUse(run, None)
        assert {page.why_no_swap(), page.why_no_way_back(), page.why_not_written()} == {OF_BUNDLE}


@pytest.mark.parametrize(
    ("bundle", "line"),
    [
        ('folder = ""\nkeys = ["a"]', "folder is empty"),
        ('folder = "a"\nkeys = []', "keys is empty"),
        ('folder = "a"', "keys is missing"),
        ('folder = "a"\nkeys = ["a"]\nkeep = 1', "keep must be"),
        ('folder = "a"\nkeys = ["a"]\nsource = "x"', "source"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, bundle, line):
    """With its line."""
    path = tmp_path / "cameras.toml"
    path.write_text(f'model = "m.onnx"\n[bundle]\n{bundle}\n[[camera]]\nname = "a"\nsource = 0\n')
    with pytest.raises(ConfigError, match=line) as caught:
        read_config(path)
    assert "cameras.toml:" in str(caught.value)
