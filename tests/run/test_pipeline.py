"""Tests of the path of a frame, from a source to its result."""

from __future__ import annotations

import os
import time
from itertools import cycle, islice

import cv2
import numpy as np
import pytest

from edgecls import Classifier, ConfigError, Pipeline, image
from edgecls.bench import rss_mb
from edgecls.cli.memory import trim
from edgecls.event import Moment
from edgecls.frame import WHOLE_FRAME, Box, Region, Unfit
from edgecls.regions.regions import whole_frame, zones
from edgecls.run.pipeline import LARGEST_BATCH
from edgecls.sink import JsonlSink
from edgecls.source import FakeSource, FolderSource, Merged, open_source
from tests.drawn import gray_levels, write_video
from tests.run.world import assert_only_main_thread, frame, noise

DARK_DIM_BRIGHT = (0, 128, 255)


@pytest.fixture
def classifier(light_model) -> Classifier:
    """Return a model with the labels dark, dim and bright."""
    return Classifier.load(light_model, device="cpu")


class Stumbling:
    """A classifier whose inference fails."""

    def __init__(self, classifier: Classifier) -> None:
        self.card = classifier.card
        self.predictions = classifier.predictions

    def answers(self, batch):
        raise RuntimeError("the accelerator is gone")


def labels(results) -> list[str]:
    return [result.detections[0].prediction.label for result in results]


def test_each_frame_gets_its_label_in_order(classifier):
    """Black, half-bright and white frames give dark, dim and bright, in order."""
    results = list(Pipeline(classifier).over(FakeSource(gray_levels(DARK_DIM_BRIGHT * 3))))
    assert labels(results) == ["dark", "dim", "bright"] * 3
    assert [result.frame.index for result in results] == list(range(9))
    assert [result.detections[0].region for result in results] == [WHOLE_FRAME] * 9
    assert results[0].detections[0].box == Box(0, 0, 64, 48)


def test_frames_of_several_cameras_in_one_step_keep_their_order(classifier):
    """Frames of three cameras with different sizes give a result each, in order."""
    frames = [
        frame(7, camera="a", level=255, size_hw=(48, 64)),
        frame(3, camera="b", level=0, size_hw=(31, 17)),
        frame(8, camera="a", level=128, size_hw=(48, 64)),
        frame(0, camera="c", level=255, size_hw=(90, 9)),
    ]
    results = Pipeline(classifier).step(frames)
    assert [result.frame for result in results] == frames
    assert labels(results) == ["bright", "dark", "dim", "bright"]


def test_a_batch_gives_the_same_as_single_frames(classifier):
    """Frames that are classified together get the same predictions as alone."""
    frames = [frame(i, level=25 * i) for i in range(10)]
    pipeline = Pipeline(classifier)
    alone = [pipeline.step([one])[0].detections for one in frames]
    assert [result.detections for result in pipeline.step(frames)] == alone


def test_more_regions_than_one_batch_holds_keep_their_order(classifier):
    """100 zones in 3 frames are more than one batch; each zone still gets its own label."""
    narrow = zones({f"z{i}": (i / 100, 0.0, 0.01, 1.0) for i in range(100)})
    assert LARGEST_BATCH < 3 * 100
    picture = np.zeros((50, 100, 3), np.uint8)
    picture[:, 1::2] = 255
    frames = list(FakeSource([picture] * 3))
    for result in Pipeline(classifier, regions=narrow).step(frames):
        assert [d.region for d in result.detections] == [f"z{i}" for i in range(100)]
        assert [d.prediction.label for d in result.detections] == ["dark", "bright"] * 50


def test_the_regions_may_differ_from_frame_to_frame(classifier):
    """Frames with two, no and one region in one step get their own detections."""
    left, right = Region("left", Box(0, 0, 32, 48)), Region("right", Box(32, 0, 64, 48))
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:, 32:] = 255
    frames = list(FakeSource([picture] * 3))
    pipeline = Pipeline(classifier, regions=lambda f: ([left, right], [], [right])[f.index])
    found = [[(d.region, d.prediction.label) for d in r.detections] for r in pipeline.step(frames)]
    assert found == [[("left", "dark"), ("right", "bright")], [], [("right", "bright")]]


def test_a_region_with_surroundings_is_classified_twice(classifier):
    """Both views give one detection with the tight box: certainly bright with its surroundings and hardly dim without, it is
    bright.
    """
    tight, around = Box(0, 0, 32, 48), Box(0, 0, 64, 48)
    picture = np.full((48, 64, 3), 185, np.uint8)
    picture[:, 32:] = 255
    looks = [[Region("a", tight), Region("b", tight, around), Region("c", around)]]
    (result,) = Pipeline(classifier, regions=lambda f: looks[f.index]).step(list(FakeSource([picture])))
    alone, both, wide = result.detections
    assert (both.box, both.region) == (tight, "b")
    assert [d.prediction.label for d in result.detections] == ["dim", "bright", "bright"]
    assert alone.prediction.top != both.prediction.top != wide.prediction.top


def test_no_regions_give_a_result_without_detections(classifier):
    """The model does not run, and the frame still gives a result."""
    pipeline = Pipeline(Stumbling(classifier), regions=lambda _frame: ())
    results = list(pipeline.over(FakeSource(gray_levels(DARK_DIM_BRIGHT))))
    assert [(result.frame.index, result.detections) for result in results] == [(0, ()), (1, ()), (2, ())]


def test_unfit_frames_are_not_classified(classifier):
    """No regions are computed, and the result has the fault; with `classified` it has its label, too."""
    now = Moment(1, 0.04)
    verdicts = [None, Unfit("black", now, now), Unfit("black", now, now, classified=True)]
    looked = []
    pipeline = Pipeline(
        classifier, regions=lambda f: looked.append(f.index) or whole_frame(f), health=lambda f: verdicts[f.index]
    )
    results = list(pipeline.over(FakeSource(gray_levels(DARK_DIM_BRIGHT))))
    assert [result.unfit for result in results] == verdicts
    assert [[d.prediction.label for d in result.detections] for result in results] == [["dark"], [], ["bright"]]
    assert looked == [0, 2]


def test_a_region_outside_of_the_frame_is_refused(classifier):
    """A box that exceeds its frame is an error with the box and the size; it is not clipped."""
    pipeline = Pipeline(classifier, regions=lambda _frame: [Region("gate", Box(0, 0, 65, 48))])
    with pytest.raises(ValueError, match=r"box \(0, 0, 65, 48\) does not lie inside the picture of 64x48"):
        pipeline.step([frame()])


def test_no_frames_give_no_results(classifier):
    """A step without frames returns an empty list."""
    assert Pipeline(classifier).step([]) == []


def test_a_folder_gets_what_classify_gives(classifier, tmp_path):
    """A picture in a folder gets the probabilities of Classifier.classify, to 1e-6."""
    for i, picture in enumerate(noise(6, (37, 53))):
        cv2.imwrite(str(tmp_path / f"{i}.{'png' if i % 2 else 'jpg'}"), picture // (i + 1))
    with open_source(tmp_path) as source:
        results = list(Pipeline(classifier).over(source))
    assert len(results) == 6
    for result in results:
        expected = classifier.classify(image.load(tmp_path / result.frame.file))
        found = result.detections[0].prediction
        assert [label for label, _ in found.top] == [label for label, _ in expected.top]
        assert [s for _, s in found.top] == pytest.approx([s for _, s in expected.top], abs=1e-6)


def test_the_age_counts_from_the_capture(classifier):
    """A frame captured two seconds ago is two seconds older than one captured now."""
    old = image.as_frame(gray_levels([0])[0], "gate", 0, time_s=0.0, captured_at=time.monotonic() - 2)
    results = Pipeline(classifier).step([old, frame(1)])
    assert results[0].timing.age_ms - results[1].timing.age_ms == pytest.approx(2000, abs=100)
    assert results[1].timing.age_ms >= 0


@pytest.mark.parametrize("frames", [0, -1])
def test_frames_of_a_step_must_be_one_or_more(classifier, frames):
    """Otherwise the loop would never end; the error shows the value."""
    with pytest.raises(ConfigError, match=f"frames must be 1 or more, not {frames}"):
        Pipeline(classifier, frames=frames)


def test_the_end_leaves_the_source_open(classifier):
    """`over` ends with the source, which its owner closes."""
    source = FakeSource(gray_levels([0]))
    assert len(list(Pipeline(classifier).over(source))) == 1
    assert source.closed == 0


def test_an_error_of_the_model_is_raised_in_the_loop(classifier, tmp_path):
    """Unchanged; closing the source then leaves no thread."""
    video = write_video(tmp_path / "v.avi", gray_levels(range(50)))
    with open_source(video) as source, pytest.raises(RuntimeError, match="the accelerator is gone"):
        list(Pipeline(Stumbling(classifier)).over(source))
    assert_only_main_thread()


def test_an_error_of_the_source_comes_after_the_results_before_it(classifier):
    """Every frame before the failure gives a result; then the error is raised."""
    source = FakeSource(gray_levels(DARK_DIM_BRIGHT), error=OSError("unplugged"))
    got = []
    with pytest.raises(OSError, match="unplugged"):
        got.extend(Pipeline(classifier).over(source))  # extend keeps what came before the error
    assert labels(got) == ["dark", "dim", "bright"]


def test_leaving_the_loop_early_leaves_no_thread(classifier, tmp_path):
    """After `break`, closing the source leaves only the main thread."""
    video = write_video(tmp_path / "v.avi", gray_levels(range(100)))
    with open_source(video) as source:
        for result in Pipeline(classifier).over(source):
            if result.frame.index == 3:
                break
    assert_only_main_thread()
    source.close()


@pytest.mark.parametrize(("name", "count"), [("car-detection.mp4", 377), ("vtest.avi", 795)])
def test_a_real_video_gives_every_frame(classifier, real_videos, name, count):
    """The real videos have 377 and 795 frames: one result each, numbered from 0, with increasing times."""
    with open_source(real_videos / name) as source:
        frames = [(r.frame.index, r.frame.time_s) for r in Pipeline(classifier).over(source)]
    assert [index for index, _ in frames] == list(range(count))
    times = [time_s for _, time_s in frames]
    assert times[0] == 0
    assert times == sorted(set(times))


def test_a_pipeline_may_serve_one_source_after_another(classifier, tmp_path):
    """It has no state: two sources in turn give the same results."""
    cv2.imwrite(str(tmp_path / "a.png"), gray_levels([255])[0])
    pipeline = Pipeline(classifier)
    first, second = (list(pipeline.over(FolderSource(str(tmp_path), "folder", say=pytest.fail))) for _ in range(2))
    assert labels(first) == labels(second) == ["bright"]


def test_memory_does_not_grow_with_the_frames(classifier):
    """200,000 frames of two sources, classified and written, take less than 10 MB more than the first 10,000."""
    pictures = gray_levels(range(0, 256, 8), (12, 16))
    sources = [FakeSource(islice(cycle(pictures), 100_000), name=name) for name in ("one", "other")]
    memory: dict[int, float] = {}
    with Merged(sources, say=pytest.fail) as source, JsonlSink(os.devnull) as sink:
        for count, result in enumerate(Pipeline(classifier).over(source), start=1):
            sink.write(result)
            if count % 10_000 == 0:
                trim()  # what earlier tests have freed must not count
                memory[count] = rss_mb()
    assert max(memory) == 200_000
    assert memory[200_000] - memory[10_000] < 10
