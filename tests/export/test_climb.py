"""`--scheme auto`: the ladder is climbed, and the export is a gate."""

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
from edgecls.export import climb
from edgecls.export.build import build
from edgecls.export.climb import time_in_turns
from edgecls.export.quantize import SCHEMES
from edgecls.export.quantize.targets import TARGETS
from edgecls.processor import Processor

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
    """Few turns of the clock, and the same processor everywhere: what is tested here is which rungs there are."""
    monkeypatch.setattr(climb, "TURNS", 5)
    monkeypatch.setattr(build_module.processor, "this", lambda: VNNI)


@pytest.fixture(scope="module")
def uneven(trained, tmp_path_factory):
    """The `trained` run with half of its kernels multiplied by 3,000 and the weights behind them divided by that: it computes
    the same, and its ranges have no levels left for the other half.
    """
    return stretched(trained.out, tmp_path_factory.mktemp("uneven") / "run", kernels=8)


def stretched(run, to, *, kernels):
    """A copy of a run whose first kernels are stretched."""
    shutil.copytree(run, to)
    model = keras.saving.load_model(to / "best.keras")
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
    """The `trained` run, exported by itself for each target."""
    folder = tmp_path_factory.mktemp("climbed")
    return {target: build(trained.out, folder / f"{target}.onnx", target=target, max_drop=10) for target in TARGETS}


def names(ladder):
    """The rungs in their order."""
    return [rung.name for rung in ladder.rungs]


@pytest.mark.parametrize("target", TARGETS)
def test_every_scheme_of_the_target_is_a_rung(climbed, target):
    """Keras and fp32, fp16, the plain int8; none with layers in float, as a plain one passes. Each number is there."""
    ladder = climbed[target].ladder
    assert names(ladder) == ["keras", "fp32", "fp16", *TARGETS[target].plain]
    assert ladder.left_out == ()
    for rung in ladder.rungs:
        assert all(np.isfinite(getattr(rung, name)) for name in NUMBERS)
        assert rung.us <= rung.p99_us
        assert rung.us_16 <= rung.p99_us_16
        assert rung.worst_recall <= rung.macro_recall


@pytest.mark.parametrize("target", TARGETS)
def test_the_file_is_the_rung_that_was_taken(climbed, target):
    """Its card names the scheme and the target, its size is that of the table, and it loads with its golden pictures."""
    report = climbed[target]
    card = Classifier.load(report.out, device="cpu").card
    rung = next(rung for rung in report.ladder.rungs if rung.name == report.ladder.chosen)
    assert card == report.card
    assert card.scheme == rung.name in TARGETS[target].allowed
    assert card.made_with["target"] == target
    assert card.metrics["top1"] == round(rung.top1, 5)
    assert report.out.stat().st_size == rung.bytes


def test_for_arm_the_smallest_is_taken_as_the_times_are_not_its_own(climbed):
    """On an x86 a signed int8 is taken; where it is a quarter of fp32."""
    ladder = climbed["arm"].ladder
    assert not ladder.timed_here
    assert ladder.chosen.startswith("int8-s8")
    assert climbed["x86"].ladder.timed_here


def test_the_ladder_lies_beside_the_file(climbed):
    """M.ladder.json is the ladder, M.ladder.svg a picture; nothing else is left in the folder."""
    for report in climbed.values():
        record = json.loads(report.out.with_suffix(".ladder.json").read_text(encoding="utf-8"))
        assert record == report.ladder.as_record()
        drawn = ElementTree.parse(report.out.with_suffix(".ladder.svg")).getroot()  # noqa: S314 - we wrote it
        assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
        assert report.ladder.chosen in "".join(drawn.itertext())
    folder = climbed["x86"].out.parent
    assert len(list(folder.iterdir())) == 3 * len(climbed)


def test_one_scheme_leaves_no_ladder_of_another_file(trained, tmp_path):
    """The ladder that lies beside the file is of that file: exported again with one scheme, it is taken away."""
    build(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert len(list(tmp_path.iterdir())) == 3
    build(trained.out, tmp_path / "m.onnx", scheme="fp32")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_layers_left_in_float_are_the_last_resort(uneven, tmp_path):
    """All plain int8 lose too much: one layer more in float each time, until the loss is none; the refused ones say what they
    lose, and what is taken is not one of them.
    """
    lines = []
    report = build(uneven, tmp_path / "m.onnx", max_drop=1, say=lines.append)
    ladder = report.ladder
    assert names(ladder)[-2:] == ["int8-float1", "int8-float2"]
    refused = {rung.name: rung.refused for rung in ladder.rungs}
    assert refused["int8-float2"] == ""
    assert all("points of top-1" in refused[name] for name in (*TARGETS["x86"].plain, "int8-float1"))
    assert refused[ladder.chosen] == ""
    assert report.parity.agreement > 0.95
    assert any(line.startswith("int8-float1: loses ") for line in lines)


def test_one_stretched_kernel_is_saved_by_a_scale_for_each_channel(trained, tmp_path):
    """Per tensor the other kernels are rounded to nothing; per channel the network passes."""
    run = stretched(trained.out, tmp_path / "run", kernels=1)
    ladder = build(run, tmp_path / "m.onnx", max_drop=10).ladder
    refused = {rung.name: rung.refused for rung in ladder.rungs}
    assert "points of top-1" in refused["int8-tensor"]
    assert refused["int8"] == ""


@pytest.mark.parametrize(
    ("bounds", "why"),
    [({"max_bytes": 1000}, "bytes, at most 1,000"), ({"max_us": 0.5}, "us, at most 0.5")],
    ids=["bytes", "microseconds"],
)
def test_where_none_passes_nothing_is_written(trained, tmp_path, bounds, why):
    """A bound that no form keeps: the error has the ladder, each rung says why, and the folder stays as it was."""
    (tmp_path / "m.onnx").write_bytes(b"old")
    with pytest.raises(GateError, match=r"m\.onnx: none of 6 forms passes, as the table says; nothing was written") as caught:
        build(trained.out, tmp_path / "m.onnx", max_drop=100, **bounds)
    ladder = caught.value.ladder
    assert ladder.chosen is None
    assert [why in rung.refused for rung in ladder.rungs] == [False, *[True] * 6]
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


def test_a_bound_on_bytes_takes_a_smaller_form(trained, exported, tmp_path):
    """What fp32 and fp16 have is too much: an int8 is taken, and its file keeps to the bound."""
    most = exported["fp16"].out.stat().st_size - 1000
    report = build(trained.out, tmp_path / "m.onnx", max_drop=10, max_bytes=most)
    refused = {rung.name: rung.refused for rung in report.ladder.rungs}
    assert refused["fp16"].endswith(f"bytes, at most {most:,}")
    assert report.ladder.chosen.startswith("int8")
    assert report.out.stat().st_size <= most


def test_the_bound_holds_for_the_whole_file(trained, exported, tmp_path):
    """One byte less than the file has with its card is refused, however it was weighed before."""
    most = exported["int8"].out.stat().st_size - 1
    with pytest.raises(GateError, match=rf"int8 has [\d,]+ bytes.*, at most {most:,}; nothing was written"):
        build(trained.out, tmp_path / "m.onnx", scheme="int8", max_drop=10, max_bytes=most)
    assert list(tmp_path.iterdir()) == []


def test_a_bound_on_foreign_microseconds_is_refused(trained, tmp_path):
    """An x86 cannot say how long an ARM takes."""
    with pytest.raises(
        ConfigError, match=r"^--max-us 300: microseconds of this processor \(a processor\) say nothing of --target arm"
    ):
        build(trained.out, tmp_path / "m.onnx", target="arm", max_us=300)


def test_what_cannot_be_made_is_named_and_the_others_are_climbed(trained, tmp_path, monkeypatch):
    """In the ladder it stands among what was left out; asked for by name it is an error."""

    def fails(*_args):
        raise ExportError("int8-entropy: odd node")

    monkeypatch.setitem(SCHEMES, "int8-entropy", fails)
    report = build(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert report.ladder.left_out == (("int8-entropy", "int8-entropy: odd node"),)
    assert "int8-percentile" in names(report.ladder)
    with pytest.raises(ExportError, match="odd node"):
        build(trained.out, tmp_path / "m.onnx", scheme="int8-entropy")


@pytest.mark.parametrize("where", ["climbing", "timing", "drawing"])
def test_ctrl_c_leaves_what_was_there(trained, tmp_path, monkeypatch, where):
    """While rungs are made, timed, or the picture is drawn: no new file, no rest, and the old model is whole."""

    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    (tmp_path / "m.onnx").write_bytes(b"old")
    if where == "climbing":
        monkeypatch.setitem(SCHEMES, "int8-percentile", interrupted)
    else:
        monkeypatch.setattr(*{"timing": (climb, "time_in_turns"), "drawing": (build_module, "drawing")}[where], interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(trained.out, tmp_path / "m.onnx", max_drop=10)
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == b"old"


def test_test_pictures_measure_and_decide_nothing(trained, shapes, tmp_path):
    """Keras, fp32 and the one that is taken are measured on them, the others are not, and the choice is that without them."""
    given = build(trained.out, tmp_path / "m.onnx", max_drop=10, test=str(shapes), target="arm")
    without = build(trained.out, tmp_path / "n.onnx", max_drop=10, target="arm")
    measured = {rung.name: rung.test_top1 for rung in given.ladder.rungs}
    assert {name for name, top1 in measured.items() if top1 is not None} == {"keras", "fp32", given.ladder.chosen}
    assert given.card.metrics["top1"] == round(measured[given.ladder.chosen], 5)
    assert given.ladder.tested_on == given.card.measured_on
    assert given.ladder.chosen == without.ladder.chosen
    assert without.ladder.tested_on == ""


def test_times_are_medians_of_turns():
    """Each form is called as often as the others, once more in each turn to fetch its weights; batches come round again."""
    seen: dict[str, list[int]] = {"a": [], "b": []}
    forms = {name: lambda batch, name=name: seen[name].append(len(batch)) for name in seen}
    found = time_in_turns(forms, np.zeros((3, 8, 8, 1), np.uint8), 16)
    assert seen["a"] == seen["b"] == [16] * climb.TURNS * (climb.RUNS_A_TURN + 1)
    assert all(0 < median <= p99 for median, p99 in found.values())


def test_slow_networks_get_fewer_turns(monkeypatch):
    """When the time is up, FEWEST_TURNS are enough."""
    monkeypatch.setattr(climb, "LONGEST_TIMING_S", 0)
    monkeypatch.setattr(climb, "TURNS", 100)
    calls = []
    time_in_turns({"a": calls.append}, np.zeros((3, 8, 8, 1), np.uint8), 1)
    assert len(calls) == climb.FEWEST_TURNS * (climb.RUNS_A_TURN + 1)


def test_the_ladder_is_put_into_the_page_of_the_run(trained, tmp_path):
    """After an export the run's report shows its forms, those of the last one alone; a page that is none is said."""
    run = shutil.copytree(trained.out, tmp_path / "run")
    for target in ("x86", "arm"):
        chosen = build(run, tmp_path / "m.onnx", target=target).ladder.chosen
        page = (run / "report.html").read_text(encoding="utf-8")
        assert page.count('id="export"') == 1
        assert f"for {target}" in page
        assert chosen in page
    (run / "report.html").write_text("something else")
    said = []
    build(run, tmp_path / "m.onnx", scheme="fp32", say=said.append)
    assert "warning: the ladder is not in the run's report" in said[-1]
    assert (run / "report.html").read_text() == "something else"
