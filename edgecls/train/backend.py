"""The Keras backend: TensorFlow, JAX or PyTorch, as set in KERAS_BACKEND. Training works with all three."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.train.prefetch import Numbered
    from edgecls.train.targets import Numbers

_DETERMINISTIC_XLA = "--xla_gpu_deterministic_ops=true"


def load(seed: int) -> Any:
    """Import Keras and make it deterministic: the same seed gives the same weights. This applies to the whole process."""
    keras = extras.load("keras", extra="train", purpose="Training")
    name = keras.backend.backend()
    if name == "tensorflow":
        extras.load("tensorflow", extra="train", purpose="Training").config.experimental.enable_op_determinism()
    elif name == "jax":
        flags = os.environ.get("XLA_FLAGS", "")  # XLA reads it at its first computation
        os.environ["XLA_FLAGS"] = flags if _DETERMINISTIC_XLA in flags else f"{flags} {_DETERMINISTIC_XLA}".strip()
    else:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it PyTorch refuses to be deterministic on NVIDIA
        extras.load("torch", extra="train", purpose="Training").use_deterministic_algorithms(True)
    with Path(os.devnull).open("wb") as nowhere, extras.native_stderr(nowhere.fileno()):  # it loads TensorFlow where it is
        keras.utils.set_random_seed(seed)
    return keras


def version(keras: Any) -> str:
    """Return the backend's name and version, as in "tensorflow 2.21.0"."""
    name = keras.backend.backend()
    return f"{name} {extras.load(name, extra='train', purpose='Training').__version__}"


def dataset(keras: Any, source: Numbered[Numbers], count: int | None) -> Any:
    """Wrap a source of batches in a dataset that Keras can train or validate on.

    On TensorFlow, Keras would add a buffer that TensorFlow lets grow to over a hundred batches; this one holds a single batch.
    The worker pool of Keras is not used because it would start again from batch 0 at every epoch.

    Args:
        keras: The keras module.
        source: Gives the batches: `source[0]`, `source[1]` and so on.
        count: How many batches there are; None for an endless dataset.
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_dataset(source, count)

    class _Numbered(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no types
        num_batches = count

        def __getitem__(self, number: int) -> Numbers:
            return source[number]

    return _Numbered(workers=1)


def _tensorflow_dataset(source: Numbered[Numbers], count: int | None) -> Any:
    tensorflow = extras.load("tensorflow", extra="train", purpose="Training")
    kinds = tuple(tensorflow.TensorSpec((None, *part.shape[1:]), part.dtype) for part in source[0])

    def in_order() -> Iterator[Numbers]:
        return (source[number] for number in (itertools.count() if count is None else range(count)))

    batches = tensorflow.data.Dataset.from_generator(in_order, output_signature=kinds)
    length = tensorflow.data.INFINITE_CARDINALITY if count is None else count
    return batches.apply(tensorflow.data.experimental.assert_cardinality(length)).prefetch(1)


def callbacks(keras: Any, seed: int, batches: int) -> list[Any]:
    """Return the callbacks that make a resumed run equal to an uninterrupted one.

    On PyTorch, the Dropout of Keras ignores its own seed and uses PyTorch's global generator, whose state is not saved with the
    run. So the generator is seeded anew before each batch.

    Args:
        keras: The keras module.
        seed: The seed of the run.
        batches: Batches per epoch.
    """
    if keras.backend.backend() != "torch":
        return []
    torch = extras.load("torch", extra="train", purpose="Training")

    class _Seeds(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras calls it so
            self.first = epoch * batches

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            torch.manual_seed(int(np.random.SeedSequence((seed, 2, self.first + batch)).generate_state(1)[0]))

    return [_Seeds()]
