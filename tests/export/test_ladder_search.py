"""`scheme="auto"`: all schemes of the target are measured, and nothing is written if none passes."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from edgecls import Classifier
from edgecls.errors import ConfigError, ExportError, GateError
from edgecls.export import build as build_module
from edgecls.export import ladder_search
from edgecls.export.build import export_model
from edgecls.export.ladder_search import time_in_turns
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import TARGETS
from edgecls.model.cpu import Processor
from edgecls.train.folder import load_model

NUMBERS = (
    "top1",
    "macro_recall",
    "worst_recall",
    "agreement",
    "calibration_error",
    "bytes",
    "us",
    "p99_us",
    "us_16",
    "p99_us_16",
)
VNNI = Processor("a processor", "x86", ("avx2", "avx512_vnni"))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Time few turns, and pretend the same processor on every machine: these tests are about which rungs there are."""
    monkeypatch.setattr(ladder_search, "TURNS", 5)
    monkeypatch.setattr(build_module.cpu, "this", lambda: VNNI)


@pytest.fixture(scope="module")
def uneven(trained, tmp_path_factory):
    """Return the `trained` run with half of its kernels multiplied by 3,000 and the weights that read them divided by 3,000.

    It computes the same, but in 8 bits the ranges leave no levels for the other half.
    """
    return stretched(trained.out, tmp_path_factory.mktemp("uneven") / "run", kernels=8)


def stretched(run, to, *, kernels):
    """Copy a run and multiply its first kernels by 3,000."""
    shutil.copytree(run, to)
    model = load_model(keras, to / "best.keras")
    convolution = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    scale = np.ones(convolution.filters, np.float32)
    scale[:kernels] = 3000
    convolution.set_weights([weight * scale for weight in convolution.get_weights()])
    weight, bias = dense.get_weights()
    dense.set_weights([weight / np.tile(scale, len(weight) // len(scale))[:, None], bias])
    model.save(to / "best.keras")
    return to


@pytest.fixture(scope="module")
def climbed(trained, tmp_path_factory):
    """Export the `trained` run with scheme "auto" for each target."""
    folder = tmp_path_factory.mktemp("climbed")
    with pytest.MonkeyPatch.context() as patch:  # fixtures of a test come after those of the module
        patch.setattr(ladder_search, "TURNS", 5)
        patch.setattr(build_module.cpu, "this", lambda: VNNI)
        return {target: export_model(trained.out, folder / f"{target}.onnx", target=target, max_drop=10) for target in TARGETS}


def names(ladder):
    """Return the names of the rungs in order."""
    return [rung.name for rung in ladder.rungs]


@pytest.mark.parametrize("target", TARGETS)
def test_every_scheme_of_the_target_is_a_rung(climbed, target):
    """Keras, fp32, fp16 and the plain int8 schemes. No scheme with float layers, because a plain one passes."""
    ladder = climbed[target].ladder
    assert names(ladder) == ["keras", "fp32", "fp16", *TARGETS[target].plain]
    assert ladder.left_out == ()
    for rung in ladder.rungs:
        assert all(np.isfinite(getattr(rung, name)) for name in NUMBERS)
        assert rung.us <= rung.p99_us
        assert rung.us_16 <= rung.p99_us_16
        assert rung.worst_recall <= rung.macro_recall


@pytest.mark.parametrize("target", TARGETS)
def test_the_file_is_the_rung_that_was_chosen(climbed, target):
    """The card names the scheme and the target, the size is that of the rung, and the file passes its golden pictures."""
    report = climbed[target]
    card = Classifier.load(report.out, device="cpu").card
    rung = next(rung for rung in report.ladder.rungs if rung.name == report.ladder.chosen)
    assert card == report.card
    assert card.scheme == rung.name in TARGETS[target].allowed
    assert card.made_with["target"] == target
    assert card.metrics["top1"] == round(rung.top1, 5)
    assert report.out.stat().st_size == rung.bytes


def test_for_arm_the_smallest_is_chosen_because_the_times_are_of_another_processor(climbed):
    """On x86 the times do not apply to ARM, so a signed int8 is chosen, which is a quarter of fp32."""
    ladder = climbed["arm"].ladder
    assert not ladder.timed_here
    assert ladder.chosen.startswith("int8-s8")
    assert climbed["x86"].ladder.timed_here


def test_the_ladder_is_written_beside_the_file(climbed):
    """M.ladder.json is the ladder and M.ladder.svg its chart; there are no other files in the folder."""
    for report in climbed.values():
        record = json.loads(report.out.with_suffix(".ladder.json").read_text(encoding="utf-8"))
        assert record == report.ladder.as_record()
        drawn = ElementTree.parse(report.out.with_suffix(".ladder.svg")).getroot()  # noqa: S314 - we wrote it
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert report.ladder.chosen in "".join(drawn.itertext())
    folder = climbed["x86"].out.parent
    assert len(list(folder.iterdir())) == 3 * len(climbed)


def test_an_outdated_ladder_is_removed(trained, tmp_path):
    """An export with a single scheme removes the ladder of an earlier export to the same file."""
    export_model(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert len(list(tmp_path.iterdir())) == 3
    export_model(trained.out, tmp_path / "m.onnx", scheme="fp32")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_layers_left_in_float_are_the_last_resort(uneven, tmp_path):
    """All plain int8 schemes lose too much, so more and more layers stay in float until a scheme passes. The refused ones name
    their loss, and the chosen one is not among them.
    """
    lines = []
    report = export_model(uneven, tmp_path / "m.onnx", max_drop=1, say=lines.append)
    ladder = report.ladder
    assert names(ladder)[-2:] == ["int8-float1", "int8-float2"]
    refused = {rung.name: rung.refused for rung in ladder.rungs}
    assert refused["int8-float2"] == ""
    assert all("points of top-1" in refused[name] for name in (*TARGETS["x86"].plain, "int8-float1"))
    assert refused[ladder.chosen] == ""
    assert report.parity.agreement > 0.95
    assert any(line.startswith("int8-float1: loses ") for line in lines)


def test_a_scale_per_channel_passes_with_one_large_kernel(trained, tmp_path):
    """With one scale per tensor the other kernels are rounded to zero; with one per channel the network passes."""
    run = stretched(trained.out, tmp_path / "run", kernels=1)
    ladder = export_model(run, tmp_path / "m.onnx", max_drop=10).ladder
    refused = {rung.name: rung.refused for rung in ladder.rungs}
    assert "points of top-1" in refused["int8-tensor"]
    assert refused["int8"] == ""


@pytest.mark.parametrize(
    ("bounds", "why"),
    [({"max_bytes": 1000}, "bytes, at most 1,000"), ({"max_us": 0.5}, "us, at most 0.5")],
    ids=["bytes", "microseconds"],
)
def test_nothing_is_written_if_no_form_passes(trained, tmp_path, bounds, why):
    """No form keeps the limit: the error has the ladder, each rung has a reason, and the folder is unchanged."""
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(GateError, match=r"m\.onnx: none of 6 forms passes; nothing was written") as caught:
        export_model(trained.out, tmp_path / "m.onnx", max_drop=100, **bounds)
    ladder = caught.value.ladder
    assert ladder.chosen is None
    assert [why in rung.refused for rung in ladder.rungs] == [False, *[True] * 6]
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


def test_a_limit_on_bytes_chooses_a_smaller_form(trained, exported, tmp_path):
    """fp32 and fp16 are too large: an int8 scheme is chosen, and its file is within the limit."""
    most = exported["fp16"].out.stat().st_size - 1000
    report = export_model(trained.out, tmp_path / "m.onnx", max_drop=10, max_bytes=most)
    refused = {rung.name: rung.refused for rung in report.ladder.rungs}
    assert refused["fp16"].endswith(f"bytes, at most {most:,}")
    assert report.ladder.chosen.startswith("int8")
    assert report.out.stat().st_size <= most


def test_the_limit_applies_to_the_whole_file(trained, exported, tmp_path):
    """A limit one byte below the size of the file with its final card is refused."""
    most = exported["int8"].out.stat().st_size - 1
    with pytest.raises(GateError, match=rf"int8 has [\d,]+ bytes.*, at most {most:,}; nothing was written"):
        export_model(trained.out, tmp_path / "m.onnx", scheme="int8", max_drop=10, max_bytes=most)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_on_microseconds_of_another_processor_is_refused(trained, tmp_path):
    """Times measured on x86 do not apply to ARM."""
    with pytest.raises(
        ConfigError, match=r"^`max_us=300`: timings on this processor \(a processor\) do not apply to `target=arm`"
    ):
        export_model(trained.out, tmp_path / "m.onnx", target="arm", max_us=300)


def test_a_scheme_that_cannot_be_built_is_left_out(trained, tmp_path, monkeypatch):
    """With "auto" the ladder lists it as left out and the other schemes are measured; requested by name it is an error."""

    def fails(*_args):
        raise ExportError("int8-entropy: odd node")

    monkeypatch.setitem(SCHEMES, "int8-entropy", fails)
    report = export_model(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert report.ladder.left_out == (("int8-entropy", "int8-entropy: odd node"),)
    assert "int8-percentile" in names(report.ladder)
    with pytest.raises(ExportError, match="odd node"):
        export_model(trained.out, tmp_path / "m.onnx", scheme="int8-entropy")


@pytest.mark.parametrize("where", ["building", "timing", "drawing"])
def test_ctrl_c_leaves_the_old_file(trained, tmp_path, monkeypatch, where):
    """Interrupted while forms are built or timed, or the chart is drawn: the old file is intact, and there is no other."""

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    (tmp_path / "m.onnx").write_bytes(b"old")
    if where == "building":
        monkeypatch.setitem(SCHEMES, "int8-percentile", interrupted)
    else:
        monkeypatch.setattr(
            *{"timing": (ladder_search, "time_in_turns"), "drawing": (build_module, "drawing")}[where], interrupted
        )
    with pytest.raises(KeyboardInterrupt):
        export_model(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


def test_test_pictures_do_not_influence_the_choice(trained, shapes, tmp_path):
    """Only Keras, fp32 and the chosen form are measured on the test pictures, and the choice is the same without them."""
    given = export_model(trained.out, tmp_path / "m.onnx", max_drop=10, test=str(shapes), target="arm")
    without = export_model(trained.out, tmp_path / "n.onnx", max_drop=10, target="arm")
    measured = {rung.name: rung.test_top1 for rung in given.ladder.rungs}
    assert {name for name, top1 in measured.items() if top1 is not None} == {"keras", "fp32", given.ladder.chosen}
    assert given.card.metrics["top1"] == round(measured[given.ladder.chosen], 5)
    assert given.ladder.tested_on == given.card.measured_on
    assert given.ladder.chosen == without.ladder.chosen
    assert without.ladder.tested_on == ""


def test_times_are_medians_of_turns():
    """All forms are called equally often, with one extra call per turn to load the weights. Batches reuse the pictures."""
    seen: dict[str, list[int]] = {"a": [], "b": []}
    forms = {name: lambda batch, name=name: seen[name].append(len(batch)) for name in seen}
    found = time_in_turns(forms, np.zeros((3, 8, 8, 1), np.uint8), 16)
    assert seen["a"] == seen["b"] == [16] * ladder_search.TURNS * (ladder_search.RUNS_A_TURN + 1)
    assert all(0 < median <= p99 for median, p99 in found.values())


def test_slow_networks_get_fewer_turns(monkeypatch):
    """After the longest time only FEWEST_TURNS are run."""
    monkeypatch.setattr(ladder_search, "LONGEST_TIMING_S", 0)
    monkeypatch.setattr(ladder_search, "TURNS", 100)
    calls = []
    time_in_turns({"a": calls.append}, np.zeros((3, 8, 8, 1), np.uint8), 1)
    assert len(calls) == ladder_search.FEWEST_TURNS * (ladder_search.RUNS_A_TURN + 1)


def test_the_ladder_is_put_into_the_page_of_the_run(trained, tmp_path):
    """The report of the run shows the forms of the last export only. A file that is not a report causes a warning."""
    run = shutil.copytree(trained.out, tmp_path / "run")
    for target in ("x86", "arm"):
        chosen = export_model(run, tmp_path / "m.onnx", target=target).ladder.chosen
        page = (run / "report.html").read_text(encoding="utf-8")
        assert page.count('id="export"') == 1
        assert f"for {target}" in page
        assert chosen in page
    (run / "report.html").write_text("something else")
    lines = []
    export_model(run, tmp_path / "m.onnx", scheme="fp32", say=lines.append)
    assert "warning: the ladder is not in the run's report" in lines[-1]
    assert (run / "report.html").read_text() == "something else"
