"""Static checks of SavedModels: what is wrong with a graph can be seen before it is run.

Each check stands for a defect that a loader lets pass and a server doesn't, or not for long.
"""

import collections
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tfvae.exporters import operations

_INIT = "__saved_model_init_op"
_COMPILED = "_XlaMustCompile"
_FUNCTIONS = "library"  # the field of a GraphDef that holds the functions that its nodes call

# What JSON and every client can hold, and what pixels come in: the name and the type.
_TYPES = ("float32", "int32")
_PIXELS = ("image", "uint8")
_BYTES = "_bytes"  # ends the names of strings: REST reads and writes those as bytes


def problems(path, endpoints, weights, foreign):
    """Yields what is wrong with a SavedModel.

    Args:
        path: Its directory.
        endpoints: The `Endpoint`s that it was made from.
        weights: Arrays: the values of the variables that belong into it.
        foreign: Arrays: those of the other parts.

    Yields:
        Texts that name the check, and the signature where one is to blame.
    """
    graph = _read(path)
    for name, signature in graph.signature_def.items():
        if name != _INIT:
            yield from _types(name, signature, endpoints)
            yield from _operations(name, signature, graph)
    yield from stored_weights(path, weights, foreign)
    yield from _baked_weights(graph.graph_def, weights, foreign)


def _read(path):
    content = pathlib.Path(path, "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    return graph


def _types(name, signature, endpoints):
    """Yields inputs and outputs whose type or whose first dimension no client knows to fill."""
    declared = {e.name: {spec.name: spec.dtype.name for spec in e.inputs} for e in endpoints}
    for kind, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for key, info in tensors.items():
            dtype = tf.dtypes.as_dtype(info.dtype).name
            wanted = declared.get(name, {}).get(key, dtype)
            pixels = (key, dtype) == _PIXELS or (dtype == "string" and key.endswith(_BYTES))
            if not (dtype in _TYPES or pixels) or dtype != wanted:
                allowed = wanted if wanted != dtype else "float32, or int32"
                yield (
                    f"Static check of types: {kind} `{key}` of signature `{name}` is {dtype}, "
                    f"and should be {allowed}."
                )
            shape = info.tensor_shape
            if not shape.unknown_rank and (not shape.dim or shape.dim[0].size != -1):
                sizes = [None if dim.size < 0 else dim.size for dim in shape.dim]
                yield (
                    f"Static check of shapes: {kind} `{key}` of signature `{name}` has the shape "
                    f"{sizes}. Its first dimension should be the batch, of any size."
                )


def _operations(name, signature, graph):
    """Yields operations that a server can't run, or that answer otherwise each time."""
    stateful = {op.name for op in graph.meta_info_def.stripped_op_list.op if op.is_stateful}
    seen = set()
    for node, function in _reached(signature, graph.graph_def):
        compiled = node.attr[_COMPILED].b or (function is not None and function.attr[_COMPILED].b)
        if compiled and _COMPILED not in seen:
            seen.add(_COMPILED)
            yield (
                f"Static check of XLA: signature `{name}` is compiled by XLA ({_COMPILED} at "
                f"`{node.name}`), which TensorFlow Serving switches off. Export the plain function."
            )
        if node.op not in operations.ALLOWED and node.op not in seen:
            seen.add(node.op)
            why = operations.reason(node.op, stateful=node.op in stateful)
            yield (
                f"Static check of operations: `{node.op}` (`{node.name}`) in signature `{name}` "
                f"{why}."
            )


def _reached(signature, graph_def):
    """Yields (node, function it lies in or None) for all that the outputs depend on."""
    nodes = {node.name: node for node in graph_def.node}
    functions = {f.signature.name: f for f in getattr(graph_def, _FUNCTIONS).function}
    waiting = [_node_name(info.name) for info in signature.outputs.values()]
    done: set[str] = set()
    called: collections.deque[str] = collections.deque()
    while waiting:
        node = nodes[waiting.pop()]
        if node.name not in done:
            done.add(node.name)
            yield node, None
            waiting += [_node_name(name) for name in node.input]
            called += _called(node)
    done.clear()
    while called:
        name = called.popleft()
        if name in functions and name not in done:
            done.add(name)
            for node in functions[name].node_def:
                yield node, functions[name]
                called += _called(node)


def _node_name(tensor):
    return tensor.lstrip("^").partition(":")[0]


def _called(node):
    """Returns the names of the functions that a node calls."""
    values = [value for attr in node.attr.values() for value in (attr.func, *attr.list.func)]
    return [value.name for value in values if value.name]


def stored_weights(path, weights, foreign):
    """Yields variables that are stored twice, or that belong to another part.

    Args:
        path: Directory of a SavedModel.
        weights: Arrays that belong into it.
        foreign: Arrays that don't.
    """
    try:
        stored = _stored(pathlib.Path(path, "variables", "variables"))
    except (OSError, RuntimeError, ValueError, IndexError, tf.errors.OpError) as error:
        reason = " ".join(str(error).split())[:200]
        yield f"Static check of weights: the variables can't be read: {reason}"
        return
    mine = collections.Counter(map(_key, weights))
    own, theirs = set(mine), set(map(_key, foreign))
    for name, array in stored.items():
        key = _key(array)
        mine[key] -= 1
        if mine[key] >= 0:
            continue
        what = f"`{name}` {list(array.shape)}"
        if key in own:
            yield f"Static check of weights: the variable {what} is stored twice."
        elif key in theirs:
            yield f"Static check of weights: the variable {what} belongs to another part."
        else:
            yield f"Static check of weights: the variable {what} is none of this part's weights."


def _stored(prefix):
    """Returns the variables of a checkpoint by name."""
    reader = tf.train.load_checkpoint(str(prefix))
    names = sorted(reader.get_variable_to_shape_map())
    return {
        name.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"): np.asarray(reader.get_tensor(name))
        for name in names
        if "CHECKPOINTABLE" not in name  # how the objects hang together: no weight
    }


def _baked_weights(graph_def, weights, foreign):
    """Yields constants that repeat a weight: one that is stored twice, or of another part."""
    mine, theirs = (
        {w.tobytes() for w in arrays if _is_telling(w)} for arrays in (weights, foreign)
    )
    functions = getattr(graph_def, _FUNCTIONS).function
    nodes = [*graph_def.node, *(node for f in functions for node in f.node_def)]
    for node in nodes:
        content = node.attr["value"].tensor.tensor_content if node.op == "Const" else b""
        what = f"Static check of weights: the constant `{node.name}` repeats a weight of"
        if content in mine:
            yield f"{what} this part, which is stored twice."
        elif content in theirs:
            yield f"{what} another part, which has no place here."


def _is_telling(weight):
    """Says whether a weight is like no other constant: biases are all one value before training."""
    return weight.size >= 64 and np.ptp(weight) > 0


def _key(array):
    return array.shape, array.dtype.str, array.tobytes()
