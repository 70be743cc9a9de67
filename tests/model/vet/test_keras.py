"""Which modules the classes in a Keras file may come from."""

from __future__ import annotations

import pytest

from edgecls.model.vet.keras import _is_own


@pytest.mark.parametrize(
    "module",
    ["keras", "keras.layers", "keras.src.ops.numpy", "keras.src.engine.functional", "tf_keras.layers", "keras.src"]
    + [f"keras.src.backend.{backend}.optimizers.{backend}_adam" for backend in ("torch", "tensorflow", "jax")],
)
def test_classes_of_keras_are_allowed(module):
    """Also the optimizers that a backend has in place of those of Keras: a run that was trained with PyTorch stores them."""
    assert _is_own(module)


@pytest.mark.parametrize(
    "module",
    [
        *("", "os", "kerasish", "keras.utils", "keras.src.utils.file_utils", "keras.src.backend.torch.core"),
        *("keras.backend", "keras.src.backend.optimizers.torch", "src.keras.layers", "other.keras.src.layers"),
    ],
)
def test_others_are_not(module):
    """Those of Keras have functions that download or write files."""
    assert not _is_own(module)
