"""Tests of a shadow model: it is compared, promoted, tried out and taken back, and the run loses nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter

import cv2
import numpy as np
import pytest

import edgecls
from edgecls import ConfigError, PromoteSettings, Run, ShadowSettings, TrialSettings, read_config, swap_back, swap_model
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from edgecls.run import keeper, swap
from edgecls.run.agreement import Agreement
from edgecls.run.camera import Camera as AnyCamera
from edgecls.run.config import Config
from edgecls.run.swap import previous_of, rejected_of
from edgecls.sink import JsonlSettings, ListSink, QuotaSettings
from edgecls.sink.keeper_thread import WRITER
from tests import tiny
from tests.drawn import gray_levels, write_video

SPEC = InputSpec(height=8, width=8)
ALL = {"share": 1.0}


def Camera(name, source, **settings):  # noqa: N802 - as the class
    """A camera whose pictures may be black and stand still."""
    return AnyCamera(name, source, health=edgecls.HealthSettings(off=True), **settings)


def light(*labels, threshold=None, note=""):
    """The bytes of a model that names dark, dim and bright pictures with these labels."""
    card = ModelCard(labels or tiny.LIGHT_LABELS, SPEC, "fp32", made_with={"note": note})
    return stamp(tiny.light_graph(SPEC, len(labels) or 3), card)


@pytest.fixture(autouse=True)
def _no_network(tmp_path, monkeypatch):
    """Compare pictures by their hashes, whatever is in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def place(tmp_path):
    """Write the model in place, and a folder for the rest."""
    path = tmp_path / "light.onnx"
    path.write_bytes(light())
    return path


def lamp(tmp_path, levels):
    """Write a video."""
    return str(write_video(tmp_path / "lamp.avi", gray_levels(levels)))


def new_model(tmp_path, *labels, note="new"):
    """Write a model to compare with the one in place."""
    path = tmp_path / "new.onnx"
    path.write_bytes(light(*labels, note=note))
    return path


def ran(config, *, slow_s=0.0, at=None):
    """Run a configuration. Returns the results, all events, and what was said; `at` is called with the index of each frame."""
    said: list[str] = []
    with Run(config, say=said.append) as run:
        kept = ListSink()
        run.sinks.append(kept)
        for result, _ in run:
            if at is not None:
                at(result.frame.index)
            time.sleep(slow_s)
    return kept.results, kept.events, said


def steps(events):
    """Return the steps of the model."""
    return [event.label for event in events if event.kind == "model"]


def states(events):
    """Return the label of each state event, and whether it begins (False) or ends (True)."""
    return [(event.label, event.end is not None) for event in events if event.kind == "state"]


def test_both_models_see_the_same_crops(place, tmp_path):
    """A shadow that calls dim dark: it disagrees on the dim frames, costs are measured, and no label of the run changes."""
    video = lamp(tmp_path, [0] * 30 + [128] * 30)
    cameras = (Camera("lamp", video),)
    alone, events_alone, _ = ran(Config(str(place), cameras))
    shadow = ShadowSettings(str(new_model(tmp_path, "dark", "bright", "dim")), **ALL)
    results, events, _ = ran(Config(str(place), cameras, shadow=shadow))
    agreement = Agreement()
    for result in results:
        agreement.add(result.detections)
        assert result.timing.shadow_ms >= 0
    assert agreement.pairs == Counter({("dark", "dark"): 30, ("dim", "bright"): 30})
    assert agreement.share == 0.5
    assert str(agreement.worst()) == str(("dim", 30, 0)) or agreement.worst() == ("dim", 30, 0)
    assert [r.detections[0].prediction for r in results] == [r.detections[0].prediction for r in alone]
    assert states(events) == states(events_alone)
    assert {result.model for result in results} == {"light"}


def test_a_run_says_how_its_models_are_doing(place, tmp_path):
    """While it runs: the agreement of the shadow so far, the trial of the model that takes its place, and the last step."""
    new, seen = new_model(tmp_path, "dark", "bright", "dim"), []
    shadow = ShadowSettings(str(new), trial=TrialSettings(frames=100), **ALL)
    config = Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 30 + [128] * 60)),), shadow=shadow)
    with Run(config, say=lambda _: None) as run:
        for result, _ in run:
            seen.append(run.models)
            if result.frame.index == 50:
                swap_model(place, new, config=config)
                threading.Thread(target=run.reload, args=(config,)).start()
            time.sleep(0.02 * (result.frame.index > 50))
    first, swapped = seen[40], seen[-1]
    assert (first.model, first.shadow, first.trial, first.last) == (str(place), str(new), None, "")
    assert [tuple(one) for one in first.agreement.classes()] == [("dim", 11, 0), ("dark", 30, 30)]
    assert (swapped.shadow, swapped.agreement, swapped.last) == ("", None, "swapped: on trial for 100 frames")
    assert 0 < swapped.trial.frames < swapped.trial.of == 100
    assert swapped.trial.before.labels > 50


@pytest.mark.parametrize(("share", "seen"), [(1.0, 60), (0.5, 30), (0.1, 6)])
def test_it_sees_a_share_of_the_frames(place, tmp_path, share, seen):
    """The first frame, and then evenly. A run that is too short for a stretch says at its end how far the two agree."""
    shadow = ShadowSettings(str(new_model(tmp_path)), share=share)
    results, _, said = ran(Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 60)),), shadow=shadow))
    assert sum(result.timing.shadow_ms is not None for result in results) == seen
    assert sum(f"compared until the end: new.onnx: the same label on 100.0% of {seen} crops" in line for line in said) == 1
    assert sum(f"new.onnx sees {share:.0%} of the frames" in line for line in said) == 1
    assert all((r.timing.shadow_ms is None) == (r.detections[0].shadow is None) for r in results)


def test_other_labels_are_compared_on_the_common_ones(place, tmp_path):
    """It is said which labels differ; crops with such labels do not count."""
    shadow = ShadowSettings(str(new_model(tmp_path, "dark", "dim", "glaring")), promote=PromoteSettings(frames=20), **ALL)
    config = Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 15 + [255] * 10 + [0] * 15)),), shadow=shadow)
    _, _, said = ran(config)
    assert any("on 2 common labels; it lacks: bright; new in it: glaring" in line for line in said)
    assert any("compared: new.onnx: the same label on 100.0% of 20 crops" in line and "10 with labels" in line for line in said)


def scenes(tmp_path, count, *, each_s=10.5):
    """Write a video of scenes that are unlike each other, all of them dim, at two frames a second."""
    rng = np.random.default_rng(0)
    rough = [rng.integers(0, 2, (6, 8), np.uint8) * 100 + 78 for _ in range(count)]
    drawn = [cv2.resize(one, (64, 48), interpolation=cv2.INTER_NEAREST) for one in rough]
    frames = [cv2.cvtColor(one, cv2.COLOR_GRAY2BGR) for one in drawn for _ in range(round(2 * each_s))]
    return str(write_video(tmp_path / "scenes.avi", frames, fps=2))


def disagreements(place, tmp_path, video, **settings):
    """Run with a shadow that calls dim bright. Returns what is in its store, and what was said."""
    store = tmp_path / "store"
    shadow = ShadowSettings(str(new_model(tmp_path, "dark", "bright", "dim")), store=str(store), **ALL, **settings)
    _, _, said = ran(Config(str(place), (Camera("lamp", video),), shadow=shadow))
    with edgecls.Store(store, create=False) as opened:
        return list(opened.entries()), said


def test_disagreements_go_to_the_store(place, tmp_path):
    """Those that are unlike each other, each once, with what the model in use says."""
    found, _ = disagreements(place, tmp_path, scenes(tmp_path, 3))
    assert [(e.origin.reason, e.origin.prediction, e.origin.camera, e.origin.model) for e in found] == [
        ("shadow", "dim", "lamp", "light")
    ] * 3
    assert [e.origin.time_s for e in found] == sorted({e.origin.time_s for e in found})


@pytest.mark.parametrize(
    ("settings", "kept", "lines"), [({"per_day": 16}, 2, 0), ({"quota": QuotaSettings(most_gb=1e-9)}, 0, 1)]
)
def test_disagreements_keep_the_quota(place, tmp_path, settings, kept, lines):
    """Of pictures a day, of which an hour takes an eighth, and of bytes: a line says so once, and the run goes on."""
    found, said = disagreements(place, tmp_path, scenes(tmp_path, 5), **settings)
    assert len(found) == kept
    assert sum("the quota is reached" in one for one in said) == lines


def test_a_store_of_disagreements_that_cannot_be_used_is_refused_at_the_start(place, tmp_path):
    """One of another program."""
    (tmp_path / "store.sqlite").write_bytes(b"something else" * 100)
    shadow = ShadowSettings(str(new_model(tmp_path)), store=str(tmp_path))
    with pytest.raises(edgecls.SinkError, match="is damaged or no database"):
        Run(Config(str(place), (Camera("lamp", lamp(tmp_path, [0])),), shadow=shadow))


def test_a_slow_disk_delays_no_frame(place, tmp_path, monkeypatch):
    """Disagreements are encoded and written by a thread of their own."""
    writers = set()
    add = edgecls.Store.add
    monkeypatch.setattr(edgecls.Store, "add", lambda *args: (writers.add(threading.current_thread().name), add(*args))[1])
    disagreements(place, tmp_path, scenes(tmp_path, 1))
    assert writers == {f"{WRITER}{tmp_path / 'store'}"}


@pytest.mark.parametrize(
    ("labels", "state", "line"),
    [
        (
            ("black", "gray", "white"),
            (),
            "has none of the labels of {place}, so nothing is compared, and its promotion rule can",
        ),
        (("dark", "dim", "white"), ("bright",), "new.onnx has no label 'bright'; it has dark, dim, white"),
    ],
)
def test_a_promotion_that_can_never_come_is_said(place, tmp_path, labels, state, line):
    """Without common labels, or without one that a rule of the configuration names: one line, and the run goes on."""
    camera = Camera("lamp", lamp(tmp_path, [0] * 3), **({"state": edgecls.StateSettings(labels=state)} if state else {}))
    shadow = ShadowSettings(str(new_model(tmp_path, *labels)), promote=PromoteSettings(frames=1, agree=0.1, worst=0), **ALL)
    results, _, said = ran(Config(str(place), (camera,), shadow=shadow))
    assert len(results) == 3
    assert sum(line.format(place=place) in one for one in said) == 1
    assert place.read_bytes() == light()


def test_a_rule_promotes_between_two_frames(place, tmp_path):
    """No frame is lost, the event whose label both have goes on, and each step is an event and a line."""
    old, new = place.read_bytes(), new_model(tmp_path)
    shadow = ShadowSettings(
        str(new), promote=PromoteSettings(frames=40), trial=TrialSettings(frames=50), **ALL
    )  # fmt: skip
    config = Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 400)),), shadow=shadow)
    results, events, said = ran(config, slow_s=0.01)
    assert [result.frame.index for result in results] == list(range(400))
    assert states(events) == [("dark", False), ("dark", True)]
    assert steps(events) == ["compared", "promoted", "kept"]
    assert [line.split(": ")[1] for line in said if line.startswith("model light")] == ["compared", "promoted", "kept"]
    assert place.read_bytes() == new.read_bytes()
    assert previous_of(place).read_bytes() == old


def test_a_rule_that_does_not_hold_promotes_nothing(place, tmp_path):
    """All together agree on 75 %, but one class on none."""
    old = place.read_bytes()
    rule = PromoteSettings(frames=120, agree=0.7, worst=0.6)
    shadow = ShadowSettings(str(new_model(tmp_path, "dark", "bright", "dim")), promote=rule, **ALL)
    config = Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 90 + [128] * 30 + [0] * 100)),), shadow=shadow)
    _, events, _ = ran(config, slow_s=0.002)
    assert steps(events) == ["compared"]
    assert next(event for event in events if event.kind == "model").score == pytest.approx(0.75)
    assert place.read_bytes() == old


def test_a_model_that_fails_its_trial_is_taken_back(place, tmp_path, monkeypatch):
    """Another program puts a model in place that is unsure of everything: the last good one comes back, no frame is lost."""
    monkeypatch.setattr(keeper, "WATCH_EVERY_S", 0.02)
    old = place.read_bytes()
    worse = tmp_path / "worse.onnx"
    worse.write_bytes(light("dark", "dim", "bright", note="worse"))
    level = 64  # between dark and dim: unsure
    config = Config(
        str(place),
        (Camera("lamp", lamp(tmp_path, [0] * 60 + [level] * 400)),),
        shadow=ShadowSettings(str(place), trial=TrialSettings(frames=100)),
    )
    results, events, said = ran(config, slow_s=0.01, at=lambda i: swap_model(place, worse) if i == 40 else None)
    assert [result.frame.index for result in results] == list(range(460))
    assert steps(events) == ["swapped", "put back"]
    assert any("put back: the last good model is in place again, because with the new one the mean score is" in s for s in said)
    assert place.read_bytes() == old
    assert rejected_of(place).read_bytes() == worse.read_bytes()


def test_what_was_taken_back_is_not_promoted_again(place, tmp_path):
    """It is compared only, and that is said."""
    new = new_model(tmp_path)
    rejected_of(place).write_bytes(new.read_bytes())
    shadow = ShadowSettings(str(new), promote=PromoteSettings(frames=20), **ALL)
    _, events, said = ran(Config(str(place), (Camera("lamp", lamp(tmp_path, [0] * 50)),), shadow=shadow), slow_s=0.005)
    assert steps(events) == ["compared", "compared"]
    assert any("was taken back before, so it is compared and not promoted again" in line for line in said)


def test_swap_and_back(place, tmp_path):
    """The model before is kept, and comes back; a second time is refused."""
    old, new = place.read_bytes(), new_model(tmp_path)
    with pytest.raises(ConfigError, match="there is no last good model"):
        swap_back(place)
    swap_model(place, new)
    assert (place.read_bytes(), previous_of(place).read_bytes()) == (new.read_bytes(), old)
    with pytest.raises(ConfigError, match="in place already"):
        swap_model(place, new)
    swap_back(place)
    assert (place.read_bytes(), rejected_of(place).read_bytes()) == (old, new.read_bytes())
    with pytest.raises(ConfigError, match="in place already"):
        swap_back(place)


def test_a_link_stays_a_link(place, tmp_path):
    """The file that it leads to is replaced."""
    link = tmp_path / "current.onnx"
    link.symlink_to(place)
    swap_model(link, new_model(tmp_path))
    assert link.is_symlink()
    assert place.read_bytes() == (tmp_path / "new.onnx").read_bytes()


def test_a_model_that_does_not_fit_is_refused(place, tmp_path):
    """A broken file, and one without a label that a rule names: the model in place stays."""
    old, broken = place.read_bytes(), tmp_path / "broken.onnx"
    broken.write_bytes(old[:500])
    with pytest.raises(edgecls.EdgeclsError, match=r"broken\.onnx"):
        swap_model(place, broken)
    state = edgecls.StateSettings(labels=("bright",))
    config = Config(str(place), (Camera("lamp", "lamp.avi", state=state),))
    with pytest.raises(ConfigError, match="bright"):
        swap_model(place, new_model(tmp_path, "dark", "dim", "glaring"), config=config)
    assert place.read_bytes() == old
    assert not previous_of(place).exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("promote = { agree = 1.1 }", "agree must be a share above 0 and at most 1; such a rule can never hold, not 1.1"),
        ("promote = { worst = 1.1 }", "worst must be a share from 0 to 1; such a rule can never hold, not 1.1"),
        ("promote = { agree = 0.8, worst = 0.9 }", r"worst must be at most agree \(0.8\)"),
        ("promote = { frames = 0 }", "no frame proves nothing, not 0"),
        ("share = 0", "with 0 nothing is ever compared"),
        ('store = "s"\ntrial = { unknown = 2 }', "unknown must be a share from 0 to 1, not 2"),
    ],
)
def test_a_rule_that_can_never_hold_is_refused(tmp_path, lines, message):
    """In one line, with its place in the file."""
    path = tmp_path / "cameras.toml"
    path.write_text(f'model = "m.onnx"\n[[camera]]\nname = "a"\nsource = 0\n[shadow]\nmodel = "new.onnx"\n{lines}\n')
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)
    assert f"{path}:" in str(caught.value)


def test_a_text_is_the_model_of_a_shadow(tmp_path):
    """With the defaults of the rest; anything else than a text or a table is refused with its line."""
    path = tmp_path / "cameras.toml"
    rest = '[[camera]]\nname = "a"\nsource = 0\n'
    path.write_text(f'model = "m.onnx"\nshadow = "new.onnx"\n{rest}')
    assert read_config(path).shadow == ShadowSettings("new.onnx")
    for value, message in (("3", "must be a text or a table, not 3"), ('""', "model is empty"), ("[]", "a table, not")):
        path.write_text(f'model = "m.onnx"\nshadow = {value}\n{rest}')
        with pytest.raises(ConfigError, match=message) as caught:
            read_config(path)
        assert str(caught.value).startswith(f"{path}:2: shadow")


class Dying:
    """Kills the process at its n-th step of writing."""

    def __init__(self, at):
        self.left = at

    def wrap(self, act):
        """Return a function that is a step, and dies instead when its turn comes."""

        def step(*args, **kwargs):
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.left -= 1
            return act(*args, **kwargs)

        return step

    def in_parts(self, path, data, *, like):
        """Write a file in three steps, as the system may."""
        assert like.is_file()
        with swap.whole_file(path) as beside, beside.open("wb", buffering=0) as file:
            for first in range(0, len(data), len(data) // 2):
                self.wrap(file.write)(data[first : first + len(data) // 2])
            self.wrap(os.fsync)(file.fileno())


def swap_and_die(place, new, at):
    """Swap and swap back in a process that is killed at a step. Returns whether it was."""
    child = os.fork()
    if child == 0:
        try:  # whatever goes wrong, the child must not go on as a second pytest
            dying = Dying(at)
            swap._write, os.replace = dying.in_parts, dying.wrap(os.replace)
            swap._checked = lambda *_: None  # the library for models does not survive a fork
            swap_model(place, new)
            swap_back(place)
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the swap failed by itself"
    return os.WIFSIGNALED(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_while_swapping_the_model_in_place_is_one_whole_file(place, tmp_path):
    """At each step of writing and of naming: it is the old or the new one, and the run starts."""
    old, new = place.read_bytes(), new_model(tmp_path)
    video, died, seen = lamp(tmp_path, [0] * 3), 0, set()
    for at in range(20):
        place.write_bytes(old)
        died += swap_and_die(place, new, at)
        assert place.read_bytes() in (old, new.read_bytes())
        assert not previous_of(place).exists() or previous_of(place).read_bytes() == old
        if place.read_bytes() not in seen:
            with Run(model=place, sources=[video]) as run:
                assert len(list(run)) == 3
        seen.add(place.read_bytes())
    assert died >= 15
    assert seen == {old, new.read_bytes()}


def test_a_summary_counts_what_the_shadow_said(place, tmp_path):
    """The lines of a run hold it, and a summary reads it from them."""
    log = tmp_path / "labels.jsonl"
    shadow = ShadowSettings(str(new_model(tmp_path, "dark", "bright", "dim")), share=0.5)
    cameras = (Camera("lamp", lamp(tmp_path, [0] * 20 + [128] * 20)),)
    ran(Config(str(place), cameras, sink=(JsonlSettings(str(log)),), shadow=shadow))
    found = edgecls.summarize(edgecls.read_labels(log))
    assert {tuple(pair) for pair in found.shadow} == {("lamp", "dark", "dark", 10), ("lamp", "dim", "bright", 10)}
