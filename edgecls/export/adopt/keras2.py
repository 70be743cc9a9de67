"""Convert the configuration of layers from Keras 2 (and TensorFlow's tf.keras) to the form that Keras 3 loads.

The weights have the same order in both, so only the configuration changes. Arguments that are dropped have no effect on a
prediction; all others are kept, and Keras reports those that it does not accept.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from edgecls import extras

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATION = "Keras2Operation"
_ENTRIES = ("TFOpLambda", "SlicingOpLambda")
"""How Keras 2 writes plain TensorFlow functions in a functional model: a name and arguments, no code."""
_FUNCTIONS = frozenset(
    [
        "abs",
        "cast",
        "clip_by_value",
        "concat",
        "convert_to_tensor",
        "expand_dims",
        "identity",
        "image.resize",
        "reshape",
        "reverse",
        "split",
        "squeeze",
        "stack",
        "transpose",
        "__operators__.add",
        "__operators__.getitem",
        "math.add",
        "math.divide",
        "math.exp",
        "math.maximum",
        "math.minimum",
        "math.multiply",
        "math.negative",
        "math.pow",
        "math.reduce_max",
        "math.reduce_mean",
        "math.reduce_sum",
        "math.rsqrt",
        "math.sigmoid",
        "math.softplus",
        "math.sqrt",
        "math.square",
        "math.subtract",
        "math.tanh",
        "math.truediv",
        "nn.avg_pool2d",
        "nn.bias_add",
        "nn.elu",
        "nn.gelu",
        "nn.leaky_relu",
        "nn.max_pool2d",
        "nn.relu",
        "nn.relu6",
        "nn.selu",
        "nn.sigmoid",
        "nn.silu",
        "nn.softmax",
        "nn.softplus",
        "nn.swish",
        "nn.tanh",
    ]
)
"""The TensorFlow functions that may be called. They have no side effects; all others are refused."""
_MODELS = {"Functional": "keras.src.models.functional", "Sequential": "keras"}
_TRAINING_ONLY = frozenset({"adjustment", "fused", "noise_shape", "ragged", "renorm", "renorm_clipping", "renorm_momentum",
                            "rng_type", "seed", "trainable", "virtual_batch_size"})  # fmt: skip
_TRAINING_SUFFIXES = ("_initializer", "_regularizer", "_constraint")


def is_keras_2(version: object) -> bool:
    """Return whether a file with this `keras_version` was written by Keras 2 or older; the oldest files have no version."""
    return not isinstance(version, str) or version.split(".")[0] in ("", "1", "2")


def upgraded(config: Any, *, archive: bool) -> Any:
    """Return the configuration of a whole model in the form of Keras 3. It needs `custom_objects` to be loaded.

    Args:
        config: The configuration of Keras 2; it is not changed.
        archive: Whether it is from a .keras file, which names the module of each class; an .h5 file does not.
    """
    if isinstance(config, list):
        return [upgraded(part, archive=archive) for part in config]
    if not isinstance(config, dict):
        return config
    config = {key: upgraded(value, archive=archive) for key, value in config.items()}
    if not isinstance(config.get("class_name"), str) or not isinstance(config.get("config"), dict | list):
        return config
    layer = _layer(config)
    if archive and layer["class_name"] in _MODELS:
        layer.update(module=_MODELS[layer["class_name"]], registered_name=None)
    elif archive and layer["class_name"] == OPERATION:
        layer.update(module=None, registered_name=OPERATION)
    elif not archive:
        for key in ("module", "registered_name", "build_config"):
            layer.pop(key, None)
    return layer


def _layer(layer: dict[str, Any]) -> dict[str, Any]:
    kind, config = layer["class_name"], layer["config"]
    if kind == "Model":
        layer["class_name"] = "Functional"
    if isinstance(config, list):  # Sequential before 2.2
        layer["config"] = config = {"name": "sequential", "layers": config}
    _rename(layer)
    if kind in _ENTRIES:
        return _operation(layer)
    axis = config.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    accepted = _accepted(kind)
    layer["config"] = {
        name: value for name, value in config.items() if accepted is None or name in accepted or not _is_droppable(name, value)
    }
    return layer


def _is_droppable(name: str, value: object) -> bool:
    """Return whether an argument that the layer no longer accepts has no effect: used only in training, or neutral."""
    return name in _TRAINING_ONLY or name.endswith(_TRAINING_SUFFIXES) or value is None or value is False or value == 1


def _accepted(kind: str) -> set[str] | None:
    """Return the arguments that a layer of Keras 3 accepts; None if Keras has no such layer."""
    keras = extras.load("keras", extra="export", purpose="Adopting a Keras model")
    cls = getattr(keras.layers, kind, None)
    if not inspect.isclass(cls):
        return None
    names = {"name", "batch_shape", "batch_input_shape", "input_shape"}
    for base in cls.__mro__:
        parameters = inspect.signature(vars(base)["__init__"]).parameters if "__init__" in vars(base) else {}
        names |= set(parameters)
        if parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            break  # without **kwargs, no other arguments reach the base classes
    return names


def _rename(layer: dict[str, Any]) -> None:
    """Replace slashes in the names of layers ("conv1/conv" in Keras 2's applications), which Keras 3 does not allow."""
    for holder in (layer, layer["config"]):
        if isinstance(holder.get("name"), str):
            holder["name"] = _name(holder["name"])
    if isinstance(layer.get("inbound_nodes"), list):
        layer["inbound_nodes"] = _renamed(layer["inbound_nodes"])
    for ends in ("input_layers", "output_layers"):
        if ends in layer["config"]:
            tensors = _renamed(layer["config"][ends])
            single = isinstance(tensors, list) and len(tensors) == 1 and _is_tensor(tensors[0])
            layer["config"][ends] = tensors[0] if single else tensors  # a list of one would give lists of tensors


def _name(name: str) -> str:
    return name.replace("/", "__")


def _renamed(part: Any) -> Any:
    """Rename the references to layers in a list of nodes, each [name, node, tensor, ...]."""
    if isinstance(part, dict):
        return {key: _renamed(value) for key, value in part.items()}
    if not isinstance(part, list):
        return part
    if _is_tensor(part):
        return [_name(part[0]), *(_renamed(rest) for rest in part[1:])]
    return [_renamed(inner) for inner in part]


def _is_tensor(part: Any) -> bool:
    return isinstance(part, list) and len(part) >= 3 and isinstance(part[0], str) and type(part[1]) is type(part[2]) is int


def _operation(layer: dict[str, Any]) -> dict[str, Any]:
    """Return a TensorFlow function as a layer of `custom_objects`: its tensors are the inputs, the rest are arguments."""
    nodes, config = layer.get("inbound_nodes"), layer["config"]
    if not isinstance(nodes, list) or len(nodes) != 1 or not isinstance(nodes[0], list) or len(nodes[0]) < 4:
        return layer  # called more than once, which Keras 2 does not do; Keras will report an unknown class
    first, *_, arguments = nodes[0]
    inputs: list[list[Any]] = []
    leading = {"value": nodes[0][2]} if first == "_CONSTANT_VALUE" else _tensor_or_value(nodes[0][:3], inputs)
    given = {key: _tensor_or_value(value, inputs) for key, value in arguments.items()}
    return {
        "class_name": OPERATION,
        "name": layer["name"],
        "config": {"name": config["name"], "function": config.get("function"), "leading": leading, "arguments": given},
        "inbound_nodes": [[[*tensor[:3], {}] for tensor in inputs]],
    }


def _tensor_or_value(part: Any, inputs: list[list[Any]]) -> dict[str, Any]:
    if _is_tensor(part):
        inputs.append(part)
        return {"tensor": len(inputs) - 1}
    if isinstance(part, list) and part and all(_is_tensor(inner) for inner in part):
        inputs.extend(part)
        return {"tensors": list(range(len(inputs) - len(part), len(inputs)))}
    return {"value": part}


def functions(config: Any) -> Iterator[str]:
    """Yield the names of TensorFlow functions in the configuration of a model that may not be called."""
    if isinstance(config, dict):
        inner = config.get("config")
        if config.get("class_name") in (*_ENTRIES, OPERATION) and isinstance(inner, dict):
            yield from {str(inner.get("function"))} - _FUNCTIONS
    for part in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from functions(part)


def custom_objects() -> dict[str, Any]:
    """Return the class that `upgraded` uses in a configuration, for the argument `custom_objects` of Keras."""
    keras = extras.load("keras", extra="export", purpose="Adopting a Keras model")
    tensorflow = extras.load("tensorflow", extra="export", purpose="Adopting a Keras model")

    class Keras2Operation(keras.layers.Layer):  # type: ignore[misc, name-defined]  # Keras has no types
        """A layer that calls one of _FUNCTIONS."""

        def __init__(self, function: str, leading: Any, arguments: Any, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            if function not in _FUNCTIONS:
                raise ValueError(f"the TensorFlow function {function!r} is not among those that may be called")
            self._function, self._leading, self._arguments = function, leading, arguments

        def call(self, inputs: Any) -> Any:
            tensors = inputs if isinstance(inputs, list) else [inputs]

            def filled(part: dict[str, Any]) -> Any:
                if "tensors" in part:
                    return [tensors[i] for i in part["tensors"]]
                return tensors[part["tensor"]] if "tensor" in part else part["value"]

            leading, arguments = filled(self._leading), {k: filled(v) for k, v in self._arguments.items()}
            if self._function == "__operators__.getitem":
                return leading[tuple(_slice(part) for part in arguments["slice_spec"])]
            name = "math.add" if self._function == "__operators__.add" else self._function
            called: Any = tensorflow
            for part in name.split("."):
                called = getattr(called, part)
            return called(leading, **arguments)

    return {OPERATION: Keras2Operation}


def _slice(part: Any) -> Any:
    """Convert one index of a slice from the form of Keras 2."""
    if isinstance(part, dict):
        return Ellipsis if part.get("class_name") == "__ellipsis__" else slice(part["start"], part["stop"], part["step"])
    return part
