"""Tests of bound buffers, here in CPU memory: they give the same results as a plain run."""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime
import pytest

from edgecls.model.classifier import Classifier
from edgecls.model.device_buffers import MAX_SIZES, Binding
from edgecls.model.providers import PROVIDERS
from tests import tiny


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(tiny.light_model(), providers=["CPUExecutionProvider"])


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1), np.uint8)


def plain(session, batch) -> np.ndarray:
    return session.run(None, {"image": batch})[0]


def test_any_size_in_any_order_gives_the_plain_run(session):
    """Batches of 1 to 600 pictures, and more sizes than are kept, give the probabilities of a plain run."""
    binding = Binding(session, "cpu", ["probabilities"], largest=256)
    for seed, count in enumerate([1, 3, 64, 65, 3, 1, 600, *range(1, MAX_SIZES + 5)]):
        batch = pictures(count, seed)
        np.testing.assert_array_equal(binding.run(batch)[0], plain(session, batch))


def test_no_pictures_no_probabilities(session):
    """An empty batch gives an empty array with one column per label."""
    assert Binding(session, "cpu", ["probabilities"], largest=256).run(pictures(0))[0].shape == (0, 3)


def test_what_was_given_stays_as_it_was(session):
    """The next call does not overwrite earlier results."""
    binding = Binding(session, "cpu", ["probabilities"], largest=256)
    first = binding.run(pictures(2, 1))[0]
    kept = first.copy()
    binding.run(pictures(2, 2))
    np.testing.assert_array_equal(first, kept)


def test_a_part_of_an_array_is_taken_as_it_is(session):
    """A non-contiguous batch, such as every second picture of another, gives the right results."""
    batch = pictures(6)[::2]
    np.testing.assert_array_equal(Binding(session, "cpu", ["probabilities"], largest=256).run(batch)[0], plain(session, batch))


def test_threads_do_not_meet_in_the_buffers(session):
    """Four threads at once each get the results of their own pictures."""
    binding = Binding(session, "cpu", ["probabilities"], largest=256)
    wrong = []

    def work(seed: int) -> None:
        batch = pictures(4, seed)
        expected = plain(session, batch)
        wrong.extend(seed for _ in range(50) if not np.array_equal(binding.run(batch)[0], expected))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_classifier_binds_where_the_device_has_memory(monkeypatch, light_model):
    """On a device with its own memory, the classifier uses a binding and gives the same predictions."""
    before = Classifier.load(light_model, device="cpu")
    monkeypatch.setitem(PROVIDERS, "cpu", PROVIDERS["cpu"].__class__("CPUExecutionProvider", "", memory="cpu"))
    bound = Classifier.load(light_model, device="cpu")
    assert before._binding is None
    assert bound._binding is not None
    batch = pictures(5)
    np.testing.assert_array_equal(bound.probabilities(batch), before.probabilities(batch))
