"""The features of a classifier's graph that tell foreign pictures: means of its first and its last stage, and its embedding.

A network that separates few classes forgets early what does not help to do so, such as that a blood cell is never green. The
first convolution still sees it, so the mean of each of its channels is among the features (compare the several layers of Lee et
al. 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgecls.export.novelty import Adding, embedding_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

_OF_STAGE = ("Relu", "Clip", "QuantizeLinear", "DequantizeLinear", "HardSwish", "LeakyRelu")
"""What belongs to a convolution that it follows."""
_ARRANGING = ("Reshape", "Flatten", "Squeeze", "Transpose", "GlobalAveragePool", "ReduceMean", "Identity", "Cast", *_OF_STAGE)
"""Operators after which an embedding has no more features than the stage before them."""


STAGE_WEIGHT = 3.0
"""How much the means of a stage count against the embedding, which has more features; chosen on blood cells and streets."""


def add_features(model: onnx.ModelProto) -> dict[str, float]:
    """Add nodes for the features of each picture.

    Returns:
        The tensors that hold them, (N, size) float32 each, with their weights; none if the graph has no layers to use.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    stages = list(_stages(model))
    chosen = stages if len(stages) < 2 else [stages[0], stages[-1]]
    embedding = embedding_of(model)
    adding = Adding(model, "features")
    found = {adding.cast_to_float(adding.reduced("ReduceMean", s, axes=(2, 3))): STAGE_WEIGHT for s in chosen}
    if embedding and not (stages and _is_arranged(embedding, makers)):
        found[adding.cast_to_float(embedding)] = 1.0
    return found


def _stages(model: onnx.ModelProto) -> Iterator[str]:
    """Yield the output of each convolution, with its activation and quantization, in order."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        name = node.output[0]
        while len(behind := readers.get(name, [])) == 1 and behind[0].op_type in _OF_STAGE:
            name = behind[0].output[0]
        yield name


def _is_arranged(name: str, makers: dict[str, Any]) -> bool:
    """Whether a tensor holds the output of a convolution, only pooled or in another order."""
    while (node := makers.get(name)) is not None and node.op_type in _ARRANGING:
        name = node.input[0]
    return node is not None and node.op_type == "Conv"
