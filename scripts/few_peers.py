"""Other ways to train on the few pictures of scripts/few.py, on the same pretrained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgecls import extras
from edgecls.dataset import DataConfig, Pictures, decode
from edgecls.learn.backbone import DEFAULT, Backbone, open_backbone
from edgecls.train.config import TrainConfig
from edgecls.train.model import build
from edgecls.train.pretrained import load_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edgecls.dataset import Item
    from edgecls.model.card import ModelCard

BATCH = 16
"""Pictures per batch, of Frigate and of Ultralytics."""
_embedded: dict[int, NDArray[np.float32]] = {}


def peers(
    items: Sequence[Item], tests: Pictures, card: ModelCard, *, heads: bool, epochs: int
) -> Iterator[tuple[str, float]]:  # fmt: skip
    """Yield the name and the top-1 of each other way.

    Args:
        items: The pictures to train on.
        tests: The pictures to measure with.
        card: Of the learned model: its labels and its input.
        heads: Whether to train heads on the frozen network.
        epochs: How long to train all layers; 0: not at all.
    """
    if not heads and not epochs:
        return
    known = decode(items, card.input)
    keras = extras.load("keras", extra="train", purpose="Comparing")
    keras.utils.set_random_seed(0)
    if heads:
        backbone = open_backbone(size=card.input.width)
        train = embedded(backbone, known)
        if id(tests) not in _embedded:
            _embedded[id(tests)] = embedded(backbone, tests)
        test = _embedded[id(tests)]
        model = as_frigate(keras, train, known.class_ids)
        yield "as Frigate", right(model.predict(test, verbose=0), tests)
        means = np.stack([train[known.class_ids == c].mean(axis=0) for c in np.unique(known.class_ids)])
        yield "class means", right(test @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T, tests)
    if epochs:
        model = as_ultralytics(keras, known, card, epochs)
        yield "as Ultralytics", right(model.predict(tests.batch[:], batch_size=BATCH, verbose=0), tests)


def as_frigate(keras: Any, train: NDArray[np.float32], class_ids: NDArray[np.int64]) -> Any:
    """Return a head trained as `frigate/util/classification.py` of Frigate 0.17 does: a dense layer of 128, dropout, Adam, 50
    epochs, without augmentation, on four fifths of the pictures of each class. The others are set aside, and nothing is
    measured on them.
    """
    classes = len(np.unique(class_ids))
    used = np.concatenate([(of := np.flatnonzero(class_ids == c))[len(of) // 5 :] for c in range(classes)])
    layers = [keras.layers.Dense(128, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(classes, "softmax")]
    model = keras.Sequential([keras.Input((train.shape[1],)), *layers])
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    model.fit(train[used], class_ids[used], epochs=50, batch_size=BATCH, verbose=0)
    return model


def as_ultralytics(keras: Any, known: Pictures, card: ModelCard, epochs: int) -> Any:
    """Return a network of which all layers were trained from the pretrained weights, with the defaults of Ultralytics 8.4 for
    classifiers: AdamW with the rate that it finds for this many classes, three epochs of warm-up, then a linear decay to a
    hundredth; crops of 50 to 100 % of the area, mirrored ones, and erased parts.
    """
    classes = len(np.unique(known.class_ids))
    config = TrainConfig(DataConfig("."), arch=DEFAULT, input=card.input)
    model = build(config, classes)
    load_weights(keras, model, config)
    rate, steps = 0.002 * 5 / (4 + classes), -(-len(known.items) // BATCH)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=5e-4)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    layers, side = keras.layers, 1 - 0.5**0.5
    changes = [
        layers.RandomZoom((-side, 0), (-side, 0)),
        layers.RandomTranslation(side / 2, side / 2),
        layers.RandomFlip("horizontal"),
        layers.RandomColorJitter((0, 255), brightness_factor=0.4, saturation_factor=(0.3, 0.7), hue_factor=(0.485, 0.515)),
        layers.RandomErasing(0.4, value_range=(0, 255)),
    ]
    augment = keras.Sequential([keras.Input(card.input.shape), *changes])
    rng, warm_up = np.random.default_rng(0), 3 * steps
    for step in range(epochs * steps):
        if step % steps == 0:
            order = rng.permutation(len(known.items))
        chosen = np.sort(order[step % steps * BATCH :][:BATCH])
        falling = 1 - 0.99 * (step // steps) / epochs
        optimizer.learning_rate = rate * falling * min(1.0, (step + 1) / warm_up)
        pictures = augment(known.batch[chosen].astype(np.float32), training=True)
        model.train_on_batch(np.clip(np.asarray(pictures), 0, 255).astype(np.uint8), known.class_ids[chosen])
    return model


def embedded(backbone: Backbone, pictures: Pictures) -> NDArray[np.float32]:
    """Return the embeddings of pictures."""
    return np.concatenate([backbone.embed(pictures.batch[i : i + 64]) for i in range(0, len(pictures.items), 64)])


def right(scores: NDArray[np.float32], pictures: Pictures) -> float:
    """Return the share of the pictures whose best score is that of their class."""
    return float((scores.argmax(axis=1) == pictures.class_ids).mean())
