"""Tests of graphs that become large while they are loaded, and of similar graphs that do not."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgecls import ModelError
from edgecls.model.vet import vet
from edgecls.model.vet.known import Sizes
from edgecls.model.vet.protobuf import Node
from edgecls.model.vet.shapes import shape_of
from edgecls.model.vet.sizes import SMALL_CONSTANTS
from tests.tiny import conv_graph

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def graph(nodes, picture=("N", 8, 8, 3), **constants):
    """Return the bytes of a graph with an input "x" of shape `picture` and these constants."""
    return helper.make_model(
        helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", FLOAT, picture)], [helper.make_tensor_value_info("y", FLOAT, None)],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
    ).SerializeToString()  # fmt: skip


def node(operator, inputs, output="y", **attributes):
    return helper.make_node(operator, inputs.split(), [output], **attributes)


def shape(*dims):
    return np.array(dims, np.int64)


def fill(output="big", *dims):
    """Return nodes that fill a tensor of shape `dims` with zeros: a Constant and a ConstantOfShape."""
    return [
        helper.make_node("Constant", [], [f"{output}.shape"], value=numpy_helper.from_array(shape(*dims))),
        helper.make_node("ConstantOfShape", [f"{output}.shape"], [output]),
    ]


ONE, COLUMN, ROW = np.ones(1, np.float32), np.ones((20_000, 1), np.float32), np.ones((1, 20_000), np.float32)
MAP, SCALES = np.ones((1, 1, 64, 64), np.float32), np.array([1, 1, 999, 999], np.float32)
LARGE, K, ZERO_ONE = shape(2**14, 2**14), shape(2), np.array([0, 1], np.float32)
BOMBS = {
    "ConstantOfShape": graph(fill("y", 2**14, 2**14)),
    "several": graph([n for i in range(9) for n in fill(f"y{i}", 2**12, 2**11)]),
    "Tile": graph([node("Tile", "c repeats")], c=ONE, repeats=shape(2**30)),
    "Tile twice": graph([node("Tile", "c repeats", "d"), node("Tile", "d repeats")], c=ONE, repeats=shape(2**15)),
    "Expand": graph([node("Expand", "c shape")], c=ONE, shape=shape(2**15, 2**15)),
    "Range": graph([node("Range", "a b c")], a=np.int64(0), b=np.int64(2**33), c=np.int64(1)),
    "OneHot": graph([node("OneHot", "i depth v", axis=-1)], i=shape(*range(16)), depth=shape(2**32), v=ZERO_ONE),
    "Pad": graph([node("Pad", "c pads")], c=ONE, pads=shape(0, 2**32)),
    "Resize": graph([helper.make_node("Resize", ["c", "", "", "sizes"], ["y"])], c=ONE, sizes=shape(2**32)),
    "Resize by scales": graph([helper.make_node("Resize", ["c", "", "s"], ["y"])], c=MAP, s=SCALES),
    "Upsample": graph([node("Upsample", "c s")], c=MAP, s=SCALES),
    "Pad by attribute": graph([node("Pad", "c", pads=[0, 2**32])], c=ONE),
    "product of column and row": graph([node("MatMul", "c r")], c=COLUMN, r=ROW),
    "sum of column and row": graph([node("Add", "c r")], c=COLUMN, r=ROW),
    "Gemm": graph([node("Gemm", "c c", transB=1)], c=COLUMN),
    "Gather": graph([node("Gather", "c i", axis=0)], c=ROW, i=np.zeros(20_000, np.int64)),
    "doubled": graph([node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0) for i in range(30)], c0=ONE),
    "unknown operator": graph([node("Einsum", "c r", equation="ab,cd->abcd")], c=COLUMN, r=ROW),
    "sized by what is computed": graph([node("Mul", "a a", "b"), node("ConstantOfShape", "b")], a=LARGE),
    "sized by what cannot be told": graph([node("TopK", "a k", "b", axis=0), node("ConstantOfShape", "b")], a=LARGE, k=K),
    "HannWindow": graph([node("HannWindow", "n")], n=np.int64(2**33)),
    "of the picture": graph([node("Tile", "x repeats")], repeats=shape(1, 2**12, 2**12, 1)),
    "of the picture, resized": graph([helper.make_node("Resize", ["x", "", "", "s"], ["y"])], s=shape(1, 2**16, 2**16, 3)),
    "padded convolution": graph(
        [node("Conv", "x w", pads=[2**20] * 4)], picture=("N", 3, 8, 8), w=np.ones((1, 3, 1, 1), np.float32)
    ),
    "doubled picture": graph(
        [node("Identity", "x", "c0"), *(node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=1) for i in range(30))]
    ),
}  # fmt: skip


@pytest.mark.parametrize("model", BOMBS.values(), ids=BOMBS)
def test_what_becomes_large_is_refused(model):
    """Each has less than 300 kB, would take more than 256 MB, and is rejected with one line before ONNX Runtime loads it."""
    assert len(model) < 300_000
    with pytest.raises(ModelError, match=r"^m\.onnx: .*it was not loaded$"):
        vet(model, "m.onnx")


PLAIN = {
    "small constants": graph(fill("y", 2**10, 2**10)),
    "weights scaled": graph([node("Mul", "w s", "v"), node("MatMul", "x v")], w=np.ones((3, 2000), np.float32), s=ONE),
    "weights unpacked": graph(
        [node("DequantizeLinear", "w s z", "v"), node("MatMul", "x v")],
        w=np.ones((3, 2000), np.int8), s=np.float32(0.1), z=np.int8(0),
    ),
    "an expanded token": graph(
        [
            node("Shape", "x", "dims"), node("Gather", "dims zero", "n", axis=0), node("Concat", "n rest", "to", axis=0),
            node("Expand", "token to"),
        ],
        zero=shape(0), rest=shape(1, 768), token=np.zeros((1, 1, 768), np.float32),
    ),
    "a picture resized": graph([helper.make_node("Resize", ["x", "", "", "s"], ["y"])], s=shape(1, 224, 224, 3)),
    "ranges of positions": graph([node("Range", "a b c")], a=np.int64(0), b=np.int64(4096), c=np.int64(1)),
    "free dimensions": graph([node("Identity", "x")], picture=(-1, -1, -1, 3)),
}  # fmt: skip


@pytest.mark.parametrize("model", PLAIN.values(), ids=PLAIN)
def test_what_stays_small_passes(model):
    """Graphs as exporters write them."""
    vet(model, "m.onnx")
    vet(conv_graph().SerializeToString(), "m.onnx")


@pytest.mark.parametrize(("operator", "shapes", "numbers", "expected"), [
    ("TopK", [(1, 300), (1,)], {"k": [30], "axis": [1]}, (1, 30)),
    ("NonZero", [(1, 8)], {}, (2, 8)),
    ("NonMaxSuppression", [(1, 8, 4), (1, 3, 8)], {}, (24, 3)),
    ("GatherND", [(8, 5), (6, 1)], {}, (6, 5)),
    ("GatherND", [(2, 8, 5), (2, 6, 1)], {"batch_dims": [1]}, (2, 6, 5)),
    ("GatherElements", [(1, 300, 4), (1, 30, 4)], {"axis": [1]}, (1, 30, 4)),
    ("ArgMax", [(1, 8, 5)], {"axis": [-1], "keepdims": [0]}, (1, 8)),
    ("ArgMin", [(1, 8, 5)], {"axis": [1]}, (1, 1, 5)),
    ("GridSample", [(2, 16, 8, 8), (2, 30, 4, 2)], {}, (2, 16, 30, 4)),
])  # fmt: skip
def test_the_shapes_of_a_detectors_last_steps_are_inferred(operator, shapes, numbers, expected):
    """Those of ONNX, or at most larger where they depend on values."""
    names = [f"i{i}" for i in range(len(shapes))]
    sizes = Sizes(dict(zip(names, shapes, strict=True)), {}, set())
    assert shape_of(Node(operator, names, ["y"], numbers), sizes) == expected


def test_sizes_that_are_the_largest_of_some_numbers_are_computed():
    """As torchvision pads pictures: to the largest, by nothing in an order that does not matter."""
    nodes = [
        node("ReduceMax", "sides", "side", keepdims=0), node("Transpose", "pads", "turned", perm=[1, 0]),
        node("Reshape", "turned all", "row"), node("Pad", "x row", "padded"), node("Range", "zero side one", "y"),
    ]  # fmt: skip
    constants = {"sides": shape(8, 9), "pads": np.zeros((4, 2), np.int64), "all": shape(-1)}
    vet(graph(nodes, **constants, zero=np.int64(0), one=np.int64(1)), "m.onnx")
    with pytest.raises(ModelError, match="Range computes a constant whose size cannot be inferred"):
        vet(graph(nodes, **{**constants, "sides": np.ones((2, 2), np.int64)}, zero=np.int64(0), one=np.int64(1)), "m.onnx")


def test_weights_may_be_unpacked_but_not_multiplied():
    """Casting 9 million int8 weights to double stays within the limits."""
    assert SMALL_CONSTANTS * 4 == 2**28
    weights = graph([node("Cast", "w", "v", to=TensorProto.DOUBLE)], w=np.ones((3000, 3000), np.int8))
    vet(weights, "m.onnx")


def test_nodes_that_are_out_of_order_are_refused():
    """A node that reads a tensor before it is computed has inputs of unknown shape."""
    with pytest.raises(ModelError, match="its operator Relu reads 'late', which no node before it computes"):
        vet(graph([node("Relu", "late"), node("Relu", "x", "late")]), "m.onnx")


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_graph_is_read_or_refused(seed):
    """Models with random bytes replaced, or cut off, pass or raise ModelError with one line."""
    rng = np.random.default_rng(seed)
    lines = []
    for i in range(100):
        content = bytearray(list(PLAIN.values())[i % len(PLAIN)] if i % 2 else conv_graph().SerializeToString())
        for at in rng.integers(0, len(content), 4):
            content[at] = rng.integers(0, 256)
        try:
            vet(bytes(content[: rng.integers(1, len(content) + 1)] if i % 5 == 0 else content), "m.onnx")
        except ModelError as error:
            lines.append(str(error))
    assert all(line.startswith("m.onnx: ") and "\n" not in line for line in lines)


def test_a_network_with_pools_and_a_resize_passes():
    """A graph as PyTorch writes it."""
    weights = np.ones((4, 3, 3, 3), np.float32)
    model = graph(
        [
            node("Conv", "x w", "a", pads=[1, 1, 1, 1], strides=[2, 2], kernel_shape=[3, 3]),
            node("MaxPool", "a", "b", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
            helper.make_node("Resize", ["b", "", "scales"], ["c"]),
            node("Concat", "a c", "d", axis=1),
            node("GlobalAveragePool", "d", "e"),
            node("Flatten", "e"),
        ],
        picture=("N", 3, 64, 64), w=weights, scales=np.array([1, 1, 2, 2], np.float32),
    )  # fmt: skip
    vet(model, "m.onnx")
